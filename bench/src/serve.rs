//! A server of the bench's own: one thread, many connections, what is read at once is answered with one
//! write.

use std::collections::HashMap;
use std::net::TcpListener;
use std::time::Duration;

use crate::fault::{At as _, Fault};
use crate::line::{AT_ONCE, Line};
use crate::outbox::Outbox;
use crate::poller::Poller;

/// The server's end of a connection.
pub(crate) trait Peer {
    /// Takes what has arrived, and appends the replies.
    fn take(&mut self, bytes: &[u8], outbox: &mut Outbox);
}

/// Serves until the process ends; `meet` makes the peer of a new connection.
///
/// # Errors
/// The listener or the poller fails.
pub(crate) fn serve<P: Peer>(
    listener: &TcpListener,
    mut meet: impl FnMut() -> P,
) -> Result<(), Fault> {
    let mut poller = Poller::new().at("epoll")?;
    listener.set_nonblocking(true).at("the listener")?;
    poller.add(LISTENER, listener).at("the listener")?;
    let mut buffer = vec![0; AT_ONCE];
    let mut lines: HashMap<usize, (Line, P)> = HashMap::new();
    let mut ready = Vec::new();
    for next in 1.. {
        poller
            .wait(Duration::from_secs(60), &mut ready)
            .at("epoll")?;
        for event in &ready {
            if event.number == LISTENER {
                // A connection that is gone already is none.
                if let Ok((socket, _)) = listener.accept() {
                    let line = Line::new(next, socket, &poller).at("a connection")?;
                    lines.insert(next, (line, meet()));
                }
                continue;
            }
            let Some((line, peer)) = lines.get_mut(&event.number) else {
                continue;
            };
            let open = line.receive_raw(&mut buffer, |bytes, outbox| peer.take(bytes, outbox));
            let sent = line.send(&poller);
            // The peer has gone; its socket is closed, which ends the wait for it.
            if !matches!((open, sent), (Ok(true), Ok(()))) {
                lines.remove(&event.number);
            }
        }
    }
    Ok(())
}

/// The number under which the listener is waited for; connections count from 1.
const LISTENER: usize = 0;
