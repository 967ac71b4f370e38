//! READ brings the bytes of the file, from however many pieces its reply is made. [RFC 8881 §18.22]

use std::collections::BTreeSet;

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::{StableHow, Stateid};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Fattr, Reply, Sim, making_args};
use proptest::prelude::*;

use crate::runner::{Property, cases};

#[test]
fn a_read_brings_the_bytes_of_the_file_and_its_replay_the_same() {
    let property = Property {
        name: "reads",
        cases: cases() / 4,
        to_be_seen: &[
            Seen::Replay,
            Seen::Shortened,
            Seen::Border,
            Seen::Hole,
            Seen::End,
            Seen::Large,
            Seen::V40,
        ],
    };
    property.holds(
        (1..3_u32, prop::collection::vec(step(), 1..20)),
        |(minor, steps)| {
            let mut play = Play::new(minor);
            steps.into_iter().for_each(|step| play.step(step));
            play.seen
        },
    );
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// A reply that was kept.
    Replay,
    /// A READ that brought no more than can be kept.
    Shortened,
    /// Bytes on both sides of a chunk's border.
    Border,
    /// Bytes that were never written.
    Hole,
    /// The end of the file before the requested bytes did.
    End,
    /// At least 512 KiB.
    Large,
    /// In minor version 0.
    V40,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Write {
        offset: usize,
        len: usize,
        seed: u8,
    },
    Truncate {
        size: usize,
    },
    Read {
        offset: usize,
        count: usize,
        by: Reader,
    },
}

/// Which client reads, and how.
#[derive(Clone, Copy, Debug)]
enum Reader {
    V40,
    Session { keep: bool },
}

fn offset() -> impl Strategy<Value = usize> {
    prop_oneof![
        (0..20_usize, 0..10_usize)
            .prop_map(|(chunk, more)| (chunk * CHUNK + more).saturating_sub(5)),
        0..20 * CHUNK,
        Just(0),
    ]
}

fn length() -> impl Strategy<Value = usize> {
    let around = |len: usize| (len - 5)..(len + 6);
    prop_oneof![
        1 => 0..10_usize,
        1 => around(1024),
        1 => around(4096),
        1 => around(16 << 10),
        1 => around(32 << 10),
        1 => around(CHUNK),
        1 => 0..4 * CHUNK,
        2 => (MAX_IO - 5)..=MAX_IO,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let by = prop_oneof![
        Just(Reader::V40),
        any::<bool>().prop_map(|keep| Reader::Session { keep }),
    ];
    prop_oneof![
        3 => (offset(), length(), any::<u8>())
            .prop_map(|(offset, len, seed)| Step::Write { offset, len, seed }),
        1 => offset().prop_map(|size| Step::Truncate { size }),
        6 => (offset(), length(), by)
            .prop_map(|(offset, count, by)| Step::Read { offset, count, by }),
    ]
}

/// A file, two clients that use it, and what is in it: nothing where it was never written.
struct Play {
    sim: Sim,
    client: Client,
    v40: Client40,
    fh: Vec<u8>,
    bytes: Vec<Option<u8>>,
    seen: BTreeSet<Seen>,
}

impl Play {
    fn new(minor: u32) -> Play {
        let mut sim = Sim::new();
        let mut client = Client::stranger(&mut sim, "session");
        client.minor = minor;
        client.exchange_id(&mut sim).all_ok();
        let mut args = client.session_args();
        args.fore_chan_attrs.maxrequestsize = MESSAGE;
        args.fore_chan_attrs.maxresponsesize = MESSAGE;
        args.fore_chan_attrs.maxresponsesize_cached = KEPT as u32;
        client.create_session_with(&mut sim, args).all_ok();
        let done = args::ReclaimComplete { one_fs: false };
        client.call(&mut sim, |c| c.reclaim_complete(done)).all_ok();
        let making = making_args(b"opener", b"f");
        let reply = client
            .call(&mut sim, |c| c.putrootfh().open(making).getfh())
            .all_ok();
        let v40 = Client40::mounted(&mut sim, "v40");
        Play {
            fh: ok!(reply, GetFh).object.to_vec(),
            sim,
            client,
            v40,
            bytes: Vec::new(),
            seen: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Write { offset, len, seed } => self.write(offset, len, seed),
            Step::Truncate { size } => {
                let size_only = Fattr::size(size as u64);
                let set = args::SetAttr {
                    stateid: Stateid::ANONYMOUS,
                    obj_attributes: size_only.raw(),
                };
                self.call(|c| c.setattr(set)).all_ok();
                self.bytes.resize(size, None);
            }
            Step::Read { offset, count, by } => self.read(offset, count, by),
        }
    }

    fn write(&mut self, offset: usize, len: usize, seed: u8) {
        let data: Vec<u8> = (0..len).map(|at| (at * 7) as u8 ^ seed).collect();
        let write = args::Write {
            stateid: Stateid::ANONYMOUS,
            offset: offset as u64,
            stable: StableHow::FileSync,
            data: &data,
        };
        let reply = self.call(|c| c.write(write)).all_ok();
        assert_eq!(ok!(reply, Write).count as usize, len);
        if len > 0 {
            let end = offset + len;
            self.bytes.resize(self.bytes.len().max(end), None);
            self.bytes.splice(offset..end, data.into_iter().map(Some));
        }
    }

    fn read(&mut self, offset: usize, count: usize, by: Reader) {
        let read = args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: offset as u64,
            count: count as u32,
        };
        let put = args::PutFh { object: &self.fh };
        // What follows is where it should be only if the padding is right. A READ of a kept reply may
        // leave no room for it.
        let kept = matches!(by, Reader::Session { keep: true });
        let build = |c: &mut CompoundBuilder| {
            c.putfh(put).read(read);
            if !kept {
                c.getfh();
            }
        };
        let (sim, client) = (&mut self.sim, &mut self.client);
        let (reply, again) = match by {
            Reader::V40 => {
                self.seen.insert(Seen::V40);
                let record = self.v40.record(sim.xid(), |c| {
                    build(c);
                    c
                });
                let reply = sim.exchange(self.v40.conn, record.clone());
                (reply, sim.exchange(self.v40.conn, record))
            }
            Reader::Session { keep } => {
                let request = client.request(sim, 0, keep, |c| {
                    build(c);
                    c
                });
                let reply = request.exchange(sim, client.conn);
                let again = request.again(sim).exchange(sim, client.conn);
                client.advance(0);
                (reply, again)
            }
        };
        if kept || matches!(by, Reader::V40) {
            assert!(again.body() == reply.body(), "the replay is another reply");
        }
        let reply = reply.all_ok();
        if !kept {
            assert_eq!(ok!(reply, GetFh).object, self.fh);
        }
        let result = ok!(reply, Read);
        let there = self.bytes.get(offset..).unwrap_or_default();
        let expected = &there[..count.min(there.len())];
        let len = result.data.len();
        if kept && len < expected.len() {
            assert!(len + 300 > KEPT, "{len} of {count} bytes in a kept reply");
            self.seen.insert(Seen::Shortened);
        } else {
            assert_eq!(len, expected.len(), "{count} bytes from {offset}");
        }
        let bytes = expected[..len].iter().map(|byte| byte.unwrap_or(0));
        assert!(
            bytes.eq(result.data.iter().copied()),
            "{count} from {offset}"
        );
        assert_eq!(result.eof, len == there.len(), "{count} from {offset}");
        let all_seen = [
            (Seen::Replay, kept && len > 4096),
            (
                Seen::Border,
                len > 0 && offset / CHUNK != (offset + len - 1) / CHUNK,
            ),
            (Seen::Hole, expected[..len].contains(&None)),
            (Seen::End, len < count && result.eof),
            (Seen::Large, len >= 512 << 10),
        ];
        let seen = all_seen.into_iter().filter(|(_, seen)| *seen);
        self.seen.extend(seen.map(|(seen, _)| seen));
    }

    /// An operation on the file, by the client with a session.
    fn call(&mut self, build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder) -> Reply {
        let put = args::PutFh { object: &self.fh };
        self.client.call(&mut self.sim, |c| build(c.putfh(put)))
    }
}

/// What `MemFs` keeps in one piece, in bytes.
const CHUNK: usize = 64 << 10;
/// Maximum bytes of READ and WRITE.
const MAX_IO: usize = 1 << 20;
/// Maximum bytes of requests and of replies, and of replies that are kept.
const MESSAGE: u32 = (1 << 20) + 4096;
const KEPT: usize = 32 << 10;
