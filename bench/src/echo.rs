//! The echo server: what moving the same records costs, and nothing else.
//!
//! A call is an XID, the length of the reply, and filling; the reply is the XID and filling. Calls are
//! taken from a socket as they come, and what is read at once is answered with one write.

use std::net::TcpListener;
use std::sync::Arc;

use nfs4_proto::rpc::write_mark;

use crate::call::BULK;
use crate::cutter::Cutter;
use crate::fault::Fault;
use crate::outbox::Outbox;
use crate::serve::{Peer, serve as serve_peers};

/// Serves until the process ends.
///
/// # Errors
/// The listener or the poller fails.
pub(crate) fn serve(listener: &TcpListener) -> Result<(), Fault> {
    let filling = filling();
    serve_peers(listener, || EchoPeer {
        cutter: Cutter::default(),
        filling: Arc::clone(&filling),
    })
}

/// What replies are filled with.
pub(crate) fn filling() -> Arc<[u8]> {
    vec![0; LONGEST].into()
}

struct EchoPeer {
    cutter: Cutter,
    filling: Arc<[u8]>,
}

impl Peer for EchoPeer {
    fn take(&mut self, bytes: &[u8], outbox: &mut Outbox) {
        let EchoPeer { cutter, filling } = self;
        cutter.feed(bytes, |head, _| answer(head, filling, outbox));
    }
}

/// Appends the reply to a call; a call that is too short gets none.
fn answer(head: &[u8], filling: &Arc<[u8]>, outbox: &mut Outbox) {
    let Some(&[a, b, c, d, len @ ..]) = head.first_chunk::<8>() else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_as_long_as_the_call_says() {
        let filling = filling();
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
