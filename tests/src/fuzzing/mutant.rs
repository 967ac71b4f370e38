//! A client that sends valid records with some bytes changed.

use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::Op;
use nfs4_proto::rpc::{AuthSys, Mark};
use nfs4_proto::xdr::List;

use super::compose;
use super::ids::Ids;
use super::ops;
use super::tape::Tape;

/// Records for a socket, made of random choices and of what the server has told.
pub struct Mutant {
    random: u64,
    ids: Ids,
    xid: u32,
    last: Vec<u8>,
}

impl Mutant {
    /// One whose choices follow from `seed`.
    pub fn new(seed: u64) -> Mutant {
        Mutant {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            ids: Ids::default(),
            xid: 0,
            last: Vec::new(),
        }
    }

    /// The next record, with its mark; one in four has some bytes changed, in the mark or behind it.
    pub fn record(&mut self) -> Vec<u8> {
        let choices: Vec<u8> = (0..CHOICES).flat_map(|_| self.word()).collect();
        let tape = &mut Tape::new(&choices);
        if self.last.is_empty() || !tape.one_in(8) {
            self.xid = self.xid.wrapping_add(1);
            self.last = self.compound(tape);
        }
        let mut record = self.last.clone();
        if tape.one_in(4) {
            let skipped = if tape.one_in(8) { 0 } else { Mark::LEN };
            for _ in 0..=tape.below(4) {
                let at = tape.word() as usize % (record.len() - skipped);
                record[skipped + at] ^= 1 << tape.below(8);
            }
        }
        if tape.one_in(64) {
            let len = tape.word() as usize % record.len();
            record.truncate(len);
        }
        record
    }

    fn compound(&self, tape: &mut Tape<'_>) -> Vec<u8> {
        let uid = tape.pick(&[0, 2, 2, 1000]);
        let user = CallCredential::Sys(AuthSys {
            stamp: 0,
            machinename: b"mutant",
            uid,
            gid: uid,
            gids: List::empty(),
        });
        let first = tape.below(16);
        let minor = match first {
            0 | 1 => 0,
            2 | 3 => 1,
            _ => tape.pick(&[0, 1, 1, 1, 2]),
        };
        let mut call = CompoundBuilder::call(self.xid, &user, b"", minor);
        let alone = match first {
            0 => Some(Op::SetClientId),
            1 => Some(Op::SetClientIdConfirm),
            2 => Some(Op::ExchangeId),
            3 => Some(Op::CreateSession),
            _ => None,
        };
        match alone {
            Some(op) => ops::append_one(&mut call, op, tape, &self.ids),
            None => compose::operations(&mut call, minor, tape, &self.ids),
        }
        call.finish()
    }

    /// Takes what a reply tells, which comes without its mark.
    pub fn learn(&mut self, reply: &[u8]) {
        self.ids.learn(&[&[0; Mark::LEN], reply].concat());
    }

    /// xorshift64*.
    fn word(&mut self) -> [u8; 8] {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let word = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d);
        word.to_be_bytes()
    }
}

/// So many words of choices are there for a record; what comes after them is zero.
const CHOICES: usize = 32;
