//! The echo server: what moving the same records costs, and nothing else.
//!
//! A call is an XID, the length of the reply, and filling; the reply is the XID and filling. Calls are
//! taken from a socket as they come, and what is read at once is answered with one write.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use nfs4_proto::rpc::write_mark;

use crate::call::{BULK, ECHO_HEAD};
use crate::fault::{At as _, Fault};
use crate::line::{AT_ONCE, Line};
use crate::outbox::Outbox;
use crate::poller::Poller;

/// Serves until the process ends.
///
/// # Errors
/// The listener or the poller fails.
pub(crate) fn serve(listener: &TcpListener) -> Result<(), Fault> {
    let mut poller = Poller::new().at("epoll")?;
    listener.set_nonblocking(true).at("the listener")?;
    poller.add(LISTENER, listener).at("the listener")?;
    let filling: Arc<[u8]> = vec![0; LONGEST].into();
    let mut buffer = vec![0; AT_ONCE];
    let mut lines: HashMap<usize, Line> = HashMap::new();
    let mut ready = Vec::new();
    for next in 1.. {
        poller
            .wait(Duration::from_secs(60), &mut ready)
            .at("epoll")?;
        for event in &ready {
            if event.number == LISTENER {
                // A connection that is gone already is none.
                if let Ok((socket, _)) = listener.accept() {
                    lines.insert(next, Line::new(next, socket, &poller).at("a connection")?);
                }
                continue;
            }
            let Some(line) = lines.get_mut(&event.number) else {
                continue;
            };
            let open = line.receive(&mut buffer, |head, _, outbox| {
                answer(head, &filling, outbox);
            });
            let sent = line.send(&poller);
            // The peer has gone; its socket is closed, which ends the wait for it.
            if !matches!((open, sent), (Ok(true), Ok(()))) {
                lines.remove(&event.number);
            }
        }
    }
    Ok(())
}

/// Appends the reply to a call; a call that is too short gets none.
fn answer(head: &[u8], filling: &Arc<[u8]>, outbox: &mut Outbox) {
    let Some(&[a, b, c, d, len @ ..]) = head.first_chunk::<ECHO_HEAD>() else {
        return;
    };
    let len = (u32::from_be_bytes(len) as usize).clamp(4, LONGEST);
    let bytes = outbox.bytes();
    bytes.extend_from_slice(&write_mark(len));
    bytes.extend_from_slice(&[a, b, c, d]);
    let rest = len - 4;
    if rest >= BULK {
        outbox.share(filling, rest);
    } else {
        bytes.extend_from_slice(&filling[..rest]);
    }
}

/// Maximum number of bytes of a reply.
const LONGEST: usize = 2 << 20;
/// The number under which the listener is waited for; connections count from 1.
const LISTENER: usize = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_as_long_as_the_call_says() {
        let filling: Arc<[u8]> = vec![0; LONGEST].into();
        for (wanted, got) in [
            (0, 4),
            (4, 4),
            (100, 100),
            (BULK + 9, BULK + 9),
            (1 << 30, LONGEST),
        ] {
            let (mut outbox, mut sent) = (Outbox::default(), Vec::new());
            let mut call = vec![1, 2, 3, 4];
            call.extend((wanted as u32).to_be_bytes());
            answer(&call, &filling, &mut outbox);
            outbox.flush(&mut sent).unwrap();
            assert_eq!(sent[..4], write_mark(got));
            assert_eq!(sent[4..8], [1, 2, 3, 4]);
            assert_eq!(sent.len(), 4 + got);
        }
    }
}
