//! Requests that are nearly right, made by chance: whatever they hold, the server answers each and
//! nothing is left in the end. What must not happen is checked by the engine's own assertions.

use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::opnum::OpNum;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_proto::xdr::{Encode, Writer};
use nfs4_tests::sim::{Client, Rng, Sim};

/// What was seen in replies and may be asked for again.
struct Known {
    rng: Rng,
    handles: Vec<Vec<u8>>,
    stateids: Vec<Stateid>,
}

/// Operations with the shape of their arguments: see [`Known::token`].
const SHAPES: &[(u32, &str)] = &[
    (3, "w"),
    (4, "ws"),
    (5, "qw"),
    (6, "2nf"),
    (6, "5nnf"),
    (6, "3wwnf"),
    (6, "7nf"),
    (9, "b"),
    (10, ""),
    (11, "n"),
    (12, "t0qq1wswqn"),
    (12, "t0qq0sw"),
    (13, "tqqqn"),
    (14, "twsqq"),
    (15, "n"),
    (16, ""),
    (17, "f"),
    (18, "waaqn00n"),
    (18, "waaqn10f0n"),
    (18, "waaqn11f0n"),
    (18, "waaqn12v0n"),
    (18, "waaqn13vf0n"),
    (18, "waaqn04"),
    (21, "swaa"),
    (22, "h"),
    (22, "h"),
    (24, ""),
    (24, ""),
    (25, "sqw"),
    (26, "qvwwb"),
    (27, ""),
    (28, "n"),
    (29, "nn"),
    (31, ""),
    (32, ""),
    (33, "n"),
    (34, "sf"),
    (37, "f"),
    (38, "sqwn"),
    (45, "s"),
    (52, "w"),
    (55, "2ss"),
    (57, "q"),
    (58, "1"),
];

impl Known {
    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.rng.index(from.len())]
    }

    fn small(&mut self) -> u32 {
        *self.pick(&[0, 0, 1, 1, 2, 3, 4, 8, 100, 4096, 1 << 20, u32::MAX])
    }

    fn large(&mut self) -> u64 {
        *self.pick(&[
            0,
            0,
            1,
            5,
            4096,
            65_536,
            1 << 40,
            i64::MAX as u64,
            u64::MAX - 1,
            u64::MAX,
        ])
    }

    fn args(&mut self, shape: &str) -> Vec<u8> {
        let mut w = Writer::new();
        for token in shape.chars() {
            self.token(token, &mut w);
        }
        let mut args = w.into_vec();
        if self.rng.below(20) == 0 && !args.is_empty() {
            let at = self.rng.index(args.len());
            args[at] ^= 1 << self.rng.below(8);
        }
        args
    }

    fn token(&mut self, token: char, w: &mut Writer) {
        match token {
            '0'..='9' => w.u32(token as u32 - '0' as u32),
            'w' => w.u32(self.small()),
            'q' => w.u64(self.large()),
            't' => w.u32(1 + self.rng.below(4) as u32),
            'a' => w.u32(self.rng.below(4) as u32),
            'v' => w.u64(self.rng.below(2)),
            'n' => self.name(w),
            'h' => self.handle(w),
            's' => self.stateid(w),
            'b' => {
                w.u32(3);
                for _ in 0..3 {
                    let bits = self.rng.next_u64() as u32;
                    w.u32(if self.rng.below(3) == 0 {
                        bits
                    } else {
                        bits & 0x0018_091a
                    });
                }
            }
            'f' => self.attributes(w),
            _ => unreachable!("no such token"),
        }
    }

    fn name(&mut self, w: &mut Writer) {
        let long = [b'x'; 300];
        let name = *self.pick(&[
            &b"a"[..],
            b"a",
            b"b",
            b"c",
            b"d",
            b"",
            b".",
            b"..",
            b"a/b",
            &long[..255],
            &long,
        ]);
        w.opaque(name);
    }

    fn handle(&mut self, w: &mut Writer) {
        match self.rng.below(8) {
            0 => w.opaque(&[1, 0, 0, 9, 9]),
            _ if self.handles.is_empty() => w.opaque(&[]),
            _ => {
                let at = self.rng.index(self.handles.len());
                w.opaque(&self.handles[at]);
            }
        }
    }

    fn stateid(&mut self, w: &mut Writer) {
        let mut stateid = match self.rng.below(8) {
            0 => Stateid::ANONYMOUS,
            1 => Stateid::READ_BYPASS,
            2 | 3 => Stateid::CURRENT,
            4 => Stateid::INVALID,
            _ if self.stateids.is_empty() => Stateid::CURRENT,
            _ => self.stateids[self.rng.index(self.stateids.len())],
        };
        if self.rng.below(4) == 0 {
            stateid.seqid = 0;
        }
        stateid.encode(w);
    }

    fn attributes(&mut self, w: &mut Writer) {
        match self.rng.below(5) {
            0 => {
                w.u32(0);
                w.u32(0);
            }
            1 => {
                // A mode.
                for word in [2, 0, 2, 4] {
                    w.u32(word);
                }
                w.u32(*self.pick(&[0o644, 0o777, 0, u32::MAX]));
            }
            2 | 3 => {
                // A length.
                for word in [1, 0x10, 8] {
                    w.u32(word);
                }
                w.u64(self.large());
            }
            _ => {
                self.token('b', w);
                w.opaque(&[0; 40]);
            }
        }
    }
}

#[test]
fn whatever_is_asked_is_answered_and_nothing_is_left() {
    for seed in 0..ROUNDS {
        let mut sim = match seed % 2 {
            0 => Sim::new(),
            _ => Sim::serving(&["/a", "/b"], |_| {}),
        };
        let mut known = Known {
            rng: Rng::new(seed),
            handles: Vec::new(),
            stateids: Vec::new(),
        };
        let mut clients = [
            Client::mounted(&mut sim, "a"),
            Client::mounted(&mut sim, "b"),
        ];
        clients[1].minor = 2;
        if seed % 3 == 0 {
            // Replies that hardly fit.
            let mut args = clients[0].session_args();
            args.fore_chan_attrs.maxresponsesize = 500;
            args.fore_chan_attrs.maxresponsesize_cached = 300;
            clients[0].create_session_with(&mut sim, args).all_ok();
        }
        for _ in 0..REQUESTS {
            let client = known.rng.index(2);
            let client = &mut clients[client];
            let operations: Vec<(u32, Vec<u8>)> = (0..1 + known.rng.below(10))
                .map(|_| {
                    if known.rng.below(20) == 0 {
                        return (known.rng.below(80) as u32, known.args("wqwqww"));
                    }
                    let (op, shape) = *known.pick(SHAPES);
                    (op, known.args(shape))
                })
                .collect();
            let reply = client.call(&mut sim, |c| {
                c.putrootfh();
                for (op, args) in &operations {
                    c.raw(OpNum(*op), args);
                }
                c
            });
            assert_eq!(reply.statuses()[0], (Op::Sequence, Status::OK));
            for result in reply.results() {
                match result {
                    ResOp::GetFh(Outcome::Ok(ok)) => known.handles.push(ok.object.to_vec()),
                    ResOp::Open(Outcome::Ok(ok)) => known.stateids.push(ok.stateid),
                    ResOp::Lock(Outcome::Ok(ok)) => known.stateids.push(ok.lock_stateid),
                    _ => {}
                }
            }
        }
        sim.assert_nothing_is_left();
    }
}

const ROUNDS: u64 = 48;
const REQUESTS: usize = 300;
