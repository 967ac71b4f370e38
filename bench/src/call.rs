//! A call that is sent over and over.

use std::sync::Arc;

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::rpc::{Mark, write_mark};

use crate::channel::compound;
use crate::outbox::Outbox;
use crate::workload::Echo;

/// A record with its mark, in which only the XID and the sequence number change.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    head: Vec<u8>,
    /// Bulk data behind the head.
    tail: Option<(Arc<[u8]>, usize)>,
    /// Where the sequence number is, if the call begins with SEQUENCE.
    sequence_at: Option<usize>,
}

impl Call {
    /// A COMPOUND that begins with SEQUENCE.
    pub(crate) fn sequenced(call: &mut CompoundBuilder) -> Call {
        // The operation's number and the session id are in front of it.
        let sequence_at = compound(0).finish().len() + 4 + 16;
        Call {
            head: call.finish(),
            tail: None,
            sequence_at: Some(sequence_at),
        }
    }

    /// A COMPOUND that ends with the first `len` bytes of shared data, which are not copied.
    pub(crate) fn ending_with(call: &mut CompoundBuilder, data: &Arc<[u8]>, len: usize) -> Call {
        let mut whole = Call::sequenced(call);
        // Below that a copy costs less than a second piece in the write.
        if len >= BULK && whole.head.ends_with(&data[..len]) {
            whole.head.truncate(whole.head.len() - len);
            whole.tail = Some((Arc::clone(data), len));
        }
        whole
    }

    /// A whole record that carries no sequence number.
    pub(crate) fn bare(head: Vec<u8>) -> Call {
        Call {
            head,
            tail: None,
            sequence_at: None,
        }
    }

    /// A call to the echo server or to the plain one: an XID, the length of the reply, what the plain one
    /// does, the offset at which it does that, and filling.
    pub(crate) fn echo(echo: Echo, offset: usize, filling: &Arc<[u8]>) -> Call {
        let Echo { size, task } = echo;
        let call = size.call.max(ECHO_HEAD);
        let mut head = write_mark(call).to_vec();
        head.extend([0; 4]);
        let (number, count) = task.encode();
        for word in [size.reply, number, count, offset] {
            head.extend((word as u32).to_be_bytes());
        }
        let rest = call - ECHO_HEAD;
        let mut echo = Call::bare(head);
        if rest >= BULK {
            echo.tail = Some((Arc::clone(filling), rest));
        } else {
            echo.head.resize(Mark::LEN + call, 0);
        }
        echo
    }

    /// The length of the record without its mark.
    pub(crate) fn len(&self) -> usize {
        self.head.len() - Mark::LEN + self.tail.as_ref().map_or(0, |(_, len)| *len)
    }

    /// Appends it to what is to be sent.
    pub(crate) fn send(&self, xid: u32, sequence: u32, outbox: &mut Outbox) {
        let bytes = outbox.bytes();
        let from = bytes.len();
        bytes.extend_from_slice(&self.head);
        let sent = &mut bytes[from..];
        sent[Mark::LEN..Mark::LEN + 4].copy_from_slice(&xid.to_be_bytes());
        if let Some(at) = self.sequence_at {
            sent[at..at + 4].copy_from_slice(&sequence.to_be_bytes());
        }
        if let Some((data, len)) = &self.tail {
            outbox.share(data, *len);
        }
    }
}

/// Bytes from which on data is not copied.
pub(crate) const BULK: usize = 32 << 10;
/// Bytes of an echo server's record before its filling.
pub(crate) const ECHO_HEAD: usize = 20;

#[cfg(test)]
mod tests {
    use nfs4_proto::client::CallReader;
    use nfs4_proto::nfs4::any::ArgOp;
    use nfs4_proto::nfs4::args;
    use nfs4_proto::nfs4::{SessionId, StableHow, Stateid};

    use super::*;
    use crate::workload::{Size, Task};

    fn sequence(sequenceid: u32) -> args::Sequence {
        args::Sequence {
            sessionid: SessionId([9; 16]),
            sequenceid,
            slotid: 5,
            highest_slotid: 7,
            cachethis: false,
        }
    }

    fn sent(call: &Call, xid: u32, sequence: u32) -> Vec<u8> {
        let (mut outbox, mut bytes) = (Outbox::default(), Vec::new());
        call.send(xid, sequence, &mut outbox);
        outbox.flush(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn only_xid_and_sequence_number_change() {
        let data: Arc<[u8]> = vec![3; BULK].into();
        let write = args::Write {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            stable: StableHow::Unstable,
            data: &data,
        };
        let mut builder = compound(0);
        let call = Call::ending_with(builder.sequence(sequence(0)).write(write), &data, BULK);
        assert!(call.tail.is_some());
        let record = sent(&call, 0x0102_0304, 77);
        assert_eq!(call.len(), record.len() - Mark::LEN);
        let mut read = CallReader::parse(&record[Mark::LEN..]).unwrap();
        assert_eq!(read.rpc().xid, 0x0102_0304);
        let first = read.next_op().unwrap();
        assert_eq!(first, Some(ArgOp::Sequence(sequence(77))));
        assert_eq!(read.next_op().unwrap(), Some(ArgOp::Write(write)));
        read.finish().unwrap();
    }

    #[test]
    fn an_echo_is_as_long_as_what_it_stands_for() {
        let filling: Arc<[u8]> = vec![0; 2 << 20].into();
        for call in [ECHO_HEAD, 136, BULK, 1 << 20] {
            let size = Size { call, reply: 99 };
            let task = Task::Read(3);
            let record = sent(&Call::echo(Echo { size, task }, 5, &filling), 7, 0);
            assert_eq!(record.len(), Mark::LEN + call);
            assert_eq!(record[..Mark::LEN], write_mark(call));
            let words = [7, 99, 2, 3, 5_u32].map(u32::to_be_bytes).concat();
            assert_eq!(record[Mark::LEN..Mark::LEN + ECHO_HEAD], words);
        }
    }
}
