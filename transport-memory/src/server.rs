//! A server and its connections.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use nfs4_driver::engine::{ConnId, Mono};
use nfs4_driver::{Closing, Connection, EngineDead, Node, Timer};

use crate::connector::{ConnectError, Connector};
use crate::hub::{Hub, Mail, Phase, TimerWake};
use crate::link::Link;
use crate::log;
use crate::stop::Stop;
use crate::stream::MemoryStream;

/// Serves a [`Node`] to clients in this process.
///
/// It does nothing by itself: its owner calls [`Server::poll`] whenever its waker is called or the time
/// that the last call returned is over, or leaves that to [`Server::serve`] or [`Server::spawn`]. When
/// it is dropped, its connections are lost.
pub struct Server {
    node: Node,
    hub: Arc<Hub>,
    connector: Connector,
    timer: Timer,
    timer_waker: Waker,
    /// When the timer runs next; none for "until woken".
    timer_due: Option<Mono>,
    connections: HashMap<ConnId, Member>,
    /// When the timeouts of each connection are checked next.
    ticks: BTreeSet<(Mono, ConnId)>,
    mail: Mail,
    /// When a stop cuts off what is left; none while it serves.
    cut: Option<Mono>,
}

/// What the owner of a server does after [`Server::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Call it again: work is left.
    Now,
    /// Call it again after this time, by the node's clock, or when the waker is called.
    After(Duration),
    /// Call it again when the waker is called.
    Woken,
    /// Nothing: the server was stopped, and has no connection any more.
    Ended,
}

/// A connection and its stream. The stream is dropped after the connection is closed, so that a client
/// that reads its end finds the connection gone from the node.
struct Member {
    connection: Connection,
    link: Link,
    tick: Mono,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("node", &self.node)
            .field("connections", &self.connections.len())
            .field("phase", &self.hub.phase())
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server whose connections hold 256 KiB in each direction at most.
    pub fn new(node: Node) -> Server {
        Server::with_capacity(node, CAPACITY)
    }

    /// A server whose connections hold this many bytes in each direction at most, and at least one: a
    /// side that writes more waits until the other reads.
    pub fn with_capacity(node: Node, capacity: usize) -> Server {
        let hub = Arc::<Hub>::default();
        Server {
            connector: Connector::new(node.clone(), Arc::clone(&hub), capacity),
            timer: node.timer(),
            timer_waker: Waker::from(Arc::new(TimerWake(Arc::downgrade(&hub)))),
            timer_due: Some(Mono::ZERO),
            connections: HashMap::new(),
            ticks: BTreeSet::new(),
            mail: Mail::default(),
            cut: None,
            node,
            hub,
        }
    }

    /// The node that it serves.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Connects, as [`Connector::connect`] does.
    ///
    /// # Errors
    /// There are too many connections, the server stops, or the engine is dead.
    pub fn connect(&self, peer: impl Into<String>) -> Result<MemoryStream, ConnectError> {
        self.connector.connect(peer)
    }

    /// What connects to it from other threads.
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// A handle that stops it.
    pub fn stop_handle(&self) -> Stop {
        Stop::new(Arc::clone(&self.hub))
    }

    /// Runs the timer if it is due and drives once every connection that has something to do, each no
    /// longer than its share; returns what the owner does next. `waker` is called when there is
    /// something to do before that.
    ///
    /// After a stop, it accepts no connection and drains those that are there, and ends when the calls
    /// in flight are answered; after [`Limits::stop_timeout`](nfs4_driver::Limits::stop_timeout) it
    /// cuts off what is left.
    ///
    /// # Errors
    /// The engine is dead.
    pub fn poll(&mut self, waker: &Waker) -> Result<Next, EngineDead> {
        let phase = self.hub.collect(&mut self.mail, waker);
        if phase == Phase::Ended {
            return Ok(Next::Ended);
        }
        let now = self.node.now();
        self.run_timer(now)?;
        for (connection, link) in std::mem::take(&mut self.mail.arrived) {
            self.enroll(connection, link, now);
        }
        if phase == Phase::Stopping {
            self.stop(now);
        }
        self.tick(now)?;
        for _ in 0..self.mail.ready.len() {
            if let Some(conn) = self.mail.ready.pop_front() {
                self.drive(conn)?;
            }
        }
        if self.cut.is_some() && self.connections.is_empty() {
            self.hub.enter(Phase::Ended);
            return Ok(Next::Ended);
        }
        Ok(self.next(now))
    }

    fn run_timer(&mut self, now: Mono) -> Result<(), EngineDead> {
        let woken = std::mem::take(&mut self.mail.timer);
        if woken || self.timer_due.is_some_and(|due| due <= now) {
            let span = self.timer.run(&self.timer_waker)?;
            self.timer_due = span.map(|span| now.after(span));
        }
        Ok(())
    }

    fn enroll(&mut self, mut connection: Connection, link: Link, now: Mono) {
        let conn = connection.id();
        // A connection that has just begun has no timeout behind it.
        let tick = now.after(connection.tick().unwrap_or_default());
        if self.cut.is_some() {
            connection.stop();
        }
        self.ticks.insert((tick, conn));
        // Bytes may be there already.
        link.waker.wake_by_ref();
        let member = Member {
            connection,
            link,
            tick,
        };
        self.connections.insert(conn, member);
    }

    /// Begins the stop, or ends what is left of it.
    fn stop(&mut self, now: Mono) {
        let Some(cut) = self.cut else {
            self.cut = Some(now.after(self.node.limits().stop_timeout));
            for member in self.connections.values_mut() {
                member.connection.stop();
                member.link.waker.wake_by_ref();
            }
            return;
        };
        if now >= cut && !self.connections.is_empty() {
            log::cut_off(self.connections.len());
            self.ticks.clear();
            for (_, member) in std::mem::take(&mut self.connections) {
                member.connection.close(&Closing::Stopped);
            }
        }
    }

    /// Checks the timeouts that are due.
    fn tick(&mut self, now: Mono) -> Result<(), EngineDead> {
        while let Some((due, conn)) = self.ticks.first().copied()
            && due <= now
        {
            self.ticks.pop_first();
            let Some(member) = self.connections.get_mut(&conn) else {
                continue;
            };
            match member.connection.tick() {
                Ok(span) => {
                    member.tick = now.after(span.max(SHORTEST));
                    self.ticks.insert((member.tick, conn));
                }
                Err(why) => self.close(conn, &why)?,
            }
        }
        Ok(())
    }

    fn drive(&mut self, conn: ConnId) -> Result<(), EngineDead> {
        let Some(Member {
            connection, link, ..
        }) = self.connections.get_mut(&conn)
        else {
            return Ok(());
        };
        link.begin();
        let driven = connection.drive(&link.waker, &mut &*link);
        match driven {
            Err(why) => self.close(conn, &why),
            // What it has sent was read, or waits behind calls whose replies would find no reader.
            Ok(()) if link.is_lost() && !link.is_queued() => {
                self.close(conn, &Closing::Io(io::ErrorKind::ConnectionReset.into()))
            }
            Ok(()) => Ok(()),
        }
    }

    fn close(&mut self, conn: ConnId, why: &Closing) -> Result<(), EngineDead> {
        if let Some(member) = self.connections.remove(&conn) {
            self.ticks.remove(&(member.tick, conn));
            member.connection.close(why);
        }
        match why {
            Closing::EngineDead(dead) => Err(*dead),
            _ => Ok(()),
        }
    }

    fn next(&self, now: Mono) -> Next {
        if !self.mail.ready.is_empty() || self.hub.has_mail() {
            return Next::Now;
        }
        let tick = self.ticks.first().map(|(due, _)| *due);
        let due = [self.timer_due, tick, self.cut].into_iter().flatten().min();
        match due {
            None => Next::Woken,
            Some(due) if due <= now => Next::Now,
            Some(due) => Next::After(due.since(now)),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.hub.enter(Phase::Ended);
    }
}

/// Bytes in each direction.
const CAPACITY: usize = 256 << 10;
/// Shortest time between two checks of a connection's timeouts.
const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use nfs4_driver::engine::proto::client::{CallCredential, null_call};
    use nfs4_driver::engine::{Now, Wall};
    use nfs4_driver::{Limits, ManualClock};
    use nfs4_vfs::{MemFs, MemFsConfig};

    use super::*;

    fn node(limits: Limits, clock: &Arc<ManualClock>) -> Node {
        let files = MemFs::new(MemFsConfig::new(1, 1 << 20));
        let builder = Node::builder().export_backend("/", files);
        let clock = Arc::clone(clock);
        let built = builder.limits(limits).clock(clock).build();
        built.expect("settings in their ranges")
    }

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::new(Now {
            wall: Wall::default(),
            mono: Mono::ZERO,
        }))
    }

    /// Polls until nothing is to be done at once.
    fn settle(server: &mut Server) -> Next {
        loop {
            match server.poll(Waker::noop()).expect("the engine lives") {
                Next::Now => {}
                next => return next,
            }
        }
    }

    fn send(client: &MemoryStream, xid: u32) {
        let call = null_call(xid, &CallCredential::None);
        let sent = client.try_write(&call).expect("there is room");
        assert_eq!(sent, call.len());
    }

    #[test]
    fn a_poll_works_for_the_connections_with_something_to_do_and_no_other() {
        let mut server = Server::new(node(Limits::default(), &clock()));
        let clients: Vec<MemoryStream> = (0..500)
            .map(|number| server.connect(format!("client {number}")).expect("room"))
            .collect();
        settle(&mut server);
        let before = server.node.lock_acquisitions();
        for number in 0..10 {
            send(&clients[number * 50], 1);
            settle(&mut server);
            let mut reply = [0; 64];
            assert_eq!(clients[number * 50].try_read(&mut reply).ok(), Some(REPLY));
        }
        let taken = server.node.lock_acquisitions() - before;
        assert!(taken <= 20, "the engine's lock is taken {taken} times");
        assert_eq!(
            clients[1].try_read(&mut [0]).unwrap_err().kind(),
            WOULD_BLOCK
        );
    }

    #[test]
    fn a_queue_of_one_byte_passes_calls_and_replies() {
        let mut server = Server::with_capacity(node(Limits::default(), &clock()), 1);
        let client = server.connect("slow").expect("room");
        let mut calls = null_call(1, &CallCredential::None).repeat(5);
        let mut came = Vec::new();
        while came.len() < 5 * REPLY {
            if let Some(byte) = calls.first()
                && client.try_write(&[*byte]).is_ok()
            {
                calls.remove(0);
            }
            settle(&mut server);
            let mut byte = [0];
            if client.try_read(&mut byte).is_ok() {
                came.push(byte[0]);
            }
        }
        assert_eq!(came[..REPLY], came[4 * REPLY..]);
    }

    #[test]
    fn timeouts_go_by_the_clock_of_the_node() {
        let clock = clock();
        let idle_timeout = Duration::from_secs(30);
        let limits = Limits::default().with(|limits| {
            limits.idle_timeout = idle_timeout;
        });
        let mut server = Server::new(node(limits, &clock));
        let client = server.connect("idle").expect("room");
        let mut waited = Duration::ZERO;
        while server.node.connections() == Ok(1) {
            match settle(&mut server) {
                Next::After(span) => {
                    clock.advance(span);
                    waited += span;
                }
                next => panic!("{next:?} while a connection has a timeout"),
            }
            settle(&mut server);
        }
        assert!(
            waited >= idle_timeout && waited <= 2 * idle_timeout,
            "{waited:?}"
        );
        assert_eq!(client.try_read(&mut [0]).ok(), Some(0), "the end");
        assert_eq!(
            client.try_write(&[0]).unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        assert_eq!(
            settle(&mut server),
            Next::Woken,
            "there is nothing to wait for"
        );
    }

    #[test]
    fn a_stop_refuses_connections_and_answers_what_was_sent() {
        let mut server = Server::new(node(Limits::default(), &clock()));
        let connector = server.connector();
        let first = connector.connect("one").expect("room");
        let other = connector.connect("another").expect("room");
        send(&first, 1);
        settle(&mut server);
        drop(other);
        settle(&mut server);
        assert_eq!(server.node.connections(), Ok(1));
        server.stop_handle().stop();
        assert_eq!(
            connector.connect("late").unwrap_err(),
            ConnectError::Stopped
        );
        assert_eq!(settle(&mut server), Next::Ended);
        assert_eq!(settle(&mut server), Next::Ended);
        let mut reply = [0; 64];
        assert_eq!(first.try_read(&mut reply).ok(), Some(REPLY));
        assert_eq!(first.try_read(&mut reply).ok(), Some(0));
    }

    /// Length of the reply to NULL, in bytes.
    const REPLY: usize = 28;
    const WOULD_BLOCK: io::ErrorKind = io::ErrorKind::WouldBlock;
}
