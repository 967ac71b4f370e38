//! The connection of a callback path: made, probed, lost, and made again.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use nfs4_proto::rpc::{CB_NULL, parse_uaddr};

use crate::action::{Action, Outbox};
use crate::callback::channel::no_credential;
use crate::callback::flight::{Flight, Path, xid_of};
use crate::callback::path::{CallbackPath, PathConnection, PathPhase};
use crate::callback::{CallbackEnd, CallbackFailed, encode};
use crate::core::Core;
use crate::ids::{ConnId, DialId};
use crate::input::DialError;
use crate::keys::{ClientKey, DialKey};
use crate::slab::Key;
use crate::time::{Mono, Now};
use crate::timer::Due;

impl Core {
    /// A client of minor version 0 has confirmed where it wants to be called back, by this
    /// connection. What waits for an old path is sent by the new one.
    pub(crate) fn open_path(&mut self, key: ClientKey, by: ConnId, out: &mut Outbox) {
        let asking = self.connections.get(by);
        let peer = asking.map_or_else(String::new, |open| open.peer.clone());
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let Some(introduction) = &client.introduction else {
            return;
        };
        let callback = &introduction.callback;
        let (program, ident) = (callback.program, callback.ident);
        let Some(target) = parse_uaddr(&callback.netid, &callback.address) else {
            self.close_path(key, CallbackFailed::NoPath, out);
            return;
        };
        match &mut client.path {
            Some(path)
                if (path.target, path.program, path.ident) == (target, program, ident)
                    && path.connection != PathConnection::GivenUp =>
            {
                return;
            }
            Some(_) => {
                self.close_connection(key, CallbackFailed::NoPath, out);
                if let Some(path) = self.path_mut(key) {
                    (path.target, path.program, path.ident) = (target, program, ident);
                    (path.peer, path.failures) = (peer, 0);
                }
            }
            path @ None => {
                *path = Some(Box::new(CallbackPath {
                    target,
                    peer,
                    program,
                    ident,
                    connection: PathConnection::GivenUp,
                    failures: 0,
                    queue: VecDeque::new(),
                    sent: Vec::new(),
                    reminded: Mono::NEVER,
                }));
            }
        }
        self.dial(key, out);
    }

    /// Gives a path up, and all callbacks that wait for it.
    pub(crate) fn close_path(&mut self, key: ClientKey, why: CallbackFailed, out: &mut Outbox) {
        self.close_connection(key, why, out);
        let path = self
            .clients
            .get_mut(key)
            .and_then(|client| client.path.take());
        for call in path.iter().flat_map(|path| path.calls()) {
            self.end_path_call(call, CallbackEnd::Failed(why), out);
        }
    }

    /// A dial has ended. What became of its client meanwhile decides whether it was of use.
    pub(crate) fn dialed(
        &mut self,
        dial: DialId,
        result: Result<ConnId, DialError>,
        out: &mut Outbox,
    ) {
        let client = self.callbacks.dials.remove(key_of(dial));
        let wanted = client.filter(|key| {
            let path = self.path(*key);
            path.is_some_and(|path| path.connection == PathConnection::Dialling { dial })
        });
        match result {
            Ok(conn) => {
                let target = wanted
                    .and_then(|key| self.path(key))
                    .map(|path| path.target);
                let peer = target.map_or_else(String::new, |target| target.to_string());
                self.connection_opened(conn, peer, out.now.wall);
                match wanted {
                    Some(key) => self.probe_path(key, conn, out),
                    None => out.push(Action::Close { conn }),
                }
            }
            Err(why) => {
                let Some(key) = wanted else {
                    return;
                };
                match why {
                    DialError::Refused => self.give_up_path(key, out),
                    DialError::Failed | DialError::TimedOut => self.schedule_dial(key, out.now),
                }
            }
        }
    }

    /// The connection of a path is closed, by either side.
    pub(crate) fn path_lost(&mut self, key: ClientKey, conn: ConnId, out: &mut Outbox) {
        let now = out.now;
        if self.path(key).and_then(CallbackPath::conn) != Some(conn) {
            return;
        }
        self.leave_waiting_line(key, now.mono);
        self.requeue(key, CallbackFailed::NoPath, out);
        self.schedule_dial(key, now);
    }

    /// CB_NULL was answered.
    pub(crate) fn path_is_up(&mut self, key: ClientKey, conn: ConnId, out: &mut Outbox) {
        if let Some(path) = self.path_mut(key)
            && let PathConnection::Probing { conn: probed, .. } = path.connection
            && probed == conn
        {
            let since = out.now.mono;
            path.connection = PathConnection::Up { conn, since };
            self.pump_path(key, out);
        }
    }

    /// The connection is of no use: another one is tried after a while.
    pub(crate) fn retry_path(&mut self, key: ClientKey, why: CallbackFailed, out: &mut Outbox) {
        self.close_connection(key, why, out);
        self.schedule_dial(key, out.now);
    }

    /// Nothing is tried any more, and what waits has no path.
    pub(crate) fn give_up_path(&mut self, key: ClientKey, out: &mut Outbox) {
        let why = CallbackFailed::NoPath;
        self.close_connection(key, why, out);
        let Some(path) = self.path_mut(key) else {
            return;
        };
        path.connection = PathConnection::GivenUp;
        for call in mem::take(&mut path.queue) {
            self.end_path_call(call, CallbackEnd::Failed(why), out);
        }
    }

    /// Checks a path whose time has come: at its connection, at what is overdue and at what has
    /// waited for long enough.
    pub(crate) fn on_path_timer(&mut self, key: ClientKey, out: &mut Outbox) {
        let now = out.now;
        let Some(path) = self.path_mut(key) else {
            return;
        };
        path.reminded = Mono::NEVER;
        let line = path.connection;
        match line {
            PathConnection::Backoff { until } if until <= now.mono => self.dial(key, out),
            PathConnection::Probing { until, .. } if until <= now.mono => {
                self.retry_path(key, CallbackFailed::TimedOut, out);
            }
            PathConnection::Up { .. } if self.is_answer_late(key, now.mono) => {
                self.retry_path(key, CallbackFailed::TimedOut, out);
            }
            PathConnection::Up { .. } => self.pump_path(key, out),
            PathConnection::Backoff { .. }
            | PathConnection::Probing { .. }
            | PathConnection::Dialling { .. }
            | PathConnection::GivenUp => {}
        }
        self.give_up_old(key, out);
        self.remind_path(key);
    }

    /// Sets the reminder for whatever comes next.
    pub(crate) fn remind_path(&mut self, key: ClientKey) {
        let Some(path) = self.path(key) else {
            return;
        };
        let line = match path.connection {
            PathConnection::Backoff { until } | PathConnection::Probing { until, .. } => until,
            PathConnection::Up { .. }
            | PathConnection::Dialling { .. }
            | PathConnection::GivenUp => Mono::NEVER,
        };
        let calls = path.calls().filter_map(|call| {
            let call = self.callbacks.path_calls.get(call)?;
            Some(match call.phase {
                PathPhase::Queued { not_before } if path.is_up() => not_before.min(call.until),
                PathPhase::Queued { .. } => call.until,
                PathPhase::Sent { late } => late,
            })
        });
        // At most as many as may wait and be sent.
        let next = calls.min().unwrap_or(Mono::NEVER).min(line);
        if next < path.reminded {
            if let Some(path) = self.path_mut(key) {
                path.reminded = next;
            }
            self.set_timer(next, Due::Path(key));
        }
    }

    /// Has a connection made.
    fn dial(&mut self, key: ClientKey, out: &mut Outbox) {
        let dial = dial_of(self.callbacks.dials.insert(key));
        if let Some(path) = self.path_mut(key) {
            path.connection = PathConnection::Dialling { dial };
            out.push(Action::Dial {
                dial,
                target: path.target,
                peer: path.peer.clone(),
            });
        }
    }

    /// Sends CB_NULL, to find out whether the other end takes callbacks. [RFC 7530 §10.2.1, §17.1]
    fn probe_path(&mut self, key: ClientKey, conn: ConnId, out: &mut Outbox) {
        let now = out.now;
        let until = now.mono.after(self.config.callback_timeout);
        let flight = self.callbacks.flights.insert(Flight {
            conn,
            path: Path::Dialled {
                client: key,
                call: None,
            },
            sent: now.mono,
            overdue: false,
        });
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.flights.push(flight);
        }
        self.connections.serve(conn, Some(key));
        let Some(path) = self.path_mut(key) else {
            return;
        };
        path.connection = PathConnection::Probing { conn, until };
        let xid = xid_of(flight);
        let head = encode::head(xid, path.program, CB_NULL, &no_credential(), 0);
        out.callback(conn, xid, &head, &[]);
        self.remind_path(key);
    }

    /// Closes the connection, if there is one; what was sent by it waits again.
    fn close_connection(&mut self, key: ClientKey, why: CallbackFailed, out: &mut Outbox) {
        if let Some(conn) = self.leave_waiting_line(key, out.now.mono) {
            let connection = self.connections.get_mut(conn);
            let flights = connection.map(|connection| mem::take(&mut connection.flights));
            self.connections.serve(conn, None);
            for flight in flights.into_iter().flatten() {
                self.land(flight);
            }
            out.push(Action::Close { conn });
        }
        self.requeue(key, why, out);
    }

    /// There is no line any more: nothing is sent while what was sent is gone through. Gives the
    /// connection, if there was one.
    fn leave_waiting_line(&mut self, key: ClientKey, now: Mono) -> Option<ConnId> {
        let path = self.path_mut(key)?;
        let conn = path.conn();
        if let PathConnection::Up { since, .. } = path.connection
            && now.since(since) >= STEADY
        {
            path.failures = 0;
        }
        path.connection = PathConnection::Backoff { until: Mono::NEVER };
        conn
    }

    /// What was sent and not answered waits again, unless it was sent as often as may be.
    fn requeue(&mut self, key: ClientKey, why: CallbackFailed, out: &mut Outbox) {
        let now = out.now;
        let Some(path) = self.path_mut(key) else {
            return;
        };
        for call in mem::take(&mut path.sent).into_iter().rev() {
            self.send_again(call, now.mono, CallbackEnd::Failed(why), out);
        }
    }

    /// Waits before the next connection, the longer the more were of no use in a row.
    fn schedule_dial(&mut self, key: ClientKey, now: Now) {
        let Some(path) = self.path_mut(key) else {
            return;
        };
        let pause = BACKOFF
            .saturating_mul(1 << path.failures.min(16))
            .min(MAX_BACKOFF);
        path.failures = path.failures.saturating_add(1);
        path.connection = PathConnection::Backoff {
            until: now.mono.after(pause),
        };
        self.remind_path(key);
    }

    pub(crate) fn path(&self, key: ClientKey) -> Option<&CallbackPath> {
        self.clients.get(key)?.path.as_deref()
    }

    pub(crate) fn path_mut(&mut self, key: ClientKey) -> Option<&mut CallbackPath> {
        self.clients.get_mut(key)?.path.as_deref_mut()
    }
}

fn dial_of(key: DialKey) -> DialId {
    DialId::new(u64::from(key.generation) << 32 | u64::from(key.index))
}

fn key_of(dial: DialId) -> DialKey {
    let [_, _, _, _, index @ ..] = dial.get().to_be_bytes();
    let [generation @ .., _, _, _, _] = dial.get().to_be_bytes();
    Key::new(u32::from_be_bytes(index), u32::from_be_bytes(generation))
}

/// Between a connection that was of no use and the next; twice as long each time.
const BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(300);
/// A connection that was up for as long was of use.
const STEADY: Duration = Duration::from_secs(60);
