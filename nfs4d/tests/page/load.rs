//! Clients that read and write while the page is looked at.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nfs4_engine::proto::client::{CompoundBuilder, ReplyReader};
use nfs4_engine::proto::nfs4::args::{self, BindConnToSession, ChannelDirFromClient};
use nfs4_engine::proto::nfs4::{Stateid, Status};
use nfs4_tests::live::{Client, Connection};

/// A client from this address of the machine, with a file of its own that is open.
pub(crate) fn mount(server: SocketAddr, from: IpAddr, name: &str) -> Client {
    let mut client = Client::on(Connection::from(from, server), None);
    client.reachable = true;
    client.mount(name, 1);
    client.open(&format!("file of {from}"));
    client
}

/// Another connection of the session of `client`, for its fore channel.
pub(crate) fn another_connection(client: &Client, server: SocketAddr, from: IpAddr) -> Client {
    let mut other = Client::on(Connection::from(from, server), None);
    (other.id, other.session) = (client.id, client.session);
    let bind = BindConnToSession {
        sessid: client.session,
        dir: ChannelDirFromClient::Fore,
        use_conn_in_rdma_mode: false,
    };
    let status = other.status(|c| c.bind_conn_to_session(bind));
    assert_eq!(status, Status::OK);
    other
}

/// Clients at work until they are stopped, or have ended otherwise.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Ended>>>,
}

/// A client, and the status that has ended its work; none if that was [`Load::end`] or the end of its
/// connection.
pub(crate) type Ended = (Client, Option<Status>);

impl Load {
    /// Each thread works for some of the clients in turn, and waits `pause` after each turn.
    pub(crate) fn start(clients: Vec<Client>, threads: usize, pause: Duration) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let mut shares: Vec<Vec<Client>> = Vec::new();
        shares.resize_with(threads, Vec::new);
        for (at, client) in clients.into_iter().enumerate() {
            shares[at % threads].push(client);
        }
        let start = |share| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || work(share, &stop, pause))
        };
        let threads = shares.into_iter().map(start).collect();
        Load { stop, threads }
    }

    /// Stops the work that has not ended.
    pub(crate) fn end(self) -> Vec<Ended> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.threads.into_iter();
        ended
            .flat_map(|thread| thread.join().expect("it does not panic"))
            .collect()
    }

    /// Whether all have ended.
    pub(crate) fn is_over(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }
}

fn work(clients: Vec<Client>, stop: &AtomicBool, pause: Duration) -> Vec<Ended> {
    let (mut busy, mut ended) = (clients, Vec::new());
    while !busy.is_empty() && !stop.load(Ordering::Relaxed) {
        for mut client in std::mem::take(&mut busy) {
            match turn(&mut client) {
                Ok(Status::OK) => busy.push(client),
                Ok(status) => ended.push((client, Some(status))),
                Err(_) => ended.push((client, None)),
            }
        }
        thread::sleep(pause);
    }
    ended.extend(busy.into_iter().map(|client| (client, None)));
    ended
}

/// One COMPOUND with WRITE and READ; how it ends.
fn turn(client: &mut Client) -> std::io::Result<Status> {
    let object = &client.file.clone()[..];
    let stateid: Stateid = client.open;
    let write = args::Write {
        stateid,
        offset: 0,
        stable: nfs4_engine::proto::nfs4::StableHow::Unstable,
        data: &[7; 8_192],
    };
    let read = args::Read {
        stateid,
        offset: 0,
        count: 4_096,
    };
    client.cachethis = false;
    let mut call: CompoundBuilder = client.compose();
    let call = call
        .putfh(args::PutFh { object })
        .write(write)
        .read(read)
        .finish();
    let reply = client.connection.exchange(&call)?;
    Ok(ReplyReader::parse(&reply)
        .expect("a reply is well formed")
        .status())
}
