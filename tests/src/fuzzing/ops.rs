//! Operations with arguments that mostly make sense.

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::any::ArgOp;
use nfs4_proto::nfs4::{Op, OpNum, Stateid};
use nfs4_proto::xdr::Writer;
use nfs4_proto::xdr::sample::{self, Sample};

use super::ids::Ids;
use super::tape::Tape;

/// Appends one operation of any minor version; now and then with arguments of any kind.
pub(super) fn append(call: &mut CompoundBuilder, tape: &mut Tape<'_>, ids: &Ids) {
    if tape.one_in(16) {
        let choices: Vec<u8> = (0..24).map(|_| tape.byte()).collect();
        let mut w = Writer::new();
        ArgOp::sample(&mut sample::Tape::new(&choices), &mut w);
        if let Some((op, args)) = w.as_slice().split_first_chunk() {
            call.raw(OpNum(u32::from_be_bytes(*op)), args);
        }
        return;
    }
    let op = tape.pick(OPS);
    append_one(call, op, tape, ids);
}

/// Appends this operation.
pub(super) fn append_one(call: &mut CompoundBuilder, op: Op, tape: &mut Tape<'_>, ids: &Ids) {
    let mut args = Args {
        w: Writer::new(),
        tape,
        ids,
    };
    args.of(op);
    call.raw(op.number(), args.w.as_slice());
}

/// The arguments of one operation.
struct Args<'a, 'b> {
    w: Writer,
    tape: &'a mut Tape<'b>,
    ids: &'a Ids,
}

impl Args<'_, '_> {
    fn of(&mut self, op: Op) {
        match op {
            Op::PutFh => {
                let handle = self.ids.handles.pick(self.tape).unwrap_or_default();
                self.opaque(&handle);
            }
            Op::Lookup | Op::Remove | Op::SecInfo => self.name(),
            Op::Rename => {
                self.name();
                self.name();
            }
            Op::Link => self.name(),
            Op::GetAttr => self.mask(),
            Op::Access | Op::SecInfoNoName => self.small(64),
            Op::Verify | Op::NVerify => self.size(),
            Op::SetAttr => {
                self.stateid();
                self.size();
            }
            Op::Create => {
                let kind = self.tape.pick(&[2_u32, 2, 5, 6, 7, 3]);
                self.w.u32(kind);
                match kind {
                    5 => self.opaque(b"target"),
                    3 => {
                        self.w.u32(1);
                        self.w.u32(2);
                    }
                    _ => {}
                }
                self.name();
                self.mode();
            }
            _ => self.of_state(op),
        }
    }

    /// Of an operation on opens, locks, delegations or the bytes of a file.
    fn of_state(&mut self, op: Op) {
        match op {
            Op::Open => self.open(),
            Op::Close => {
                self.seqid();
                self.stateid();
            }
            Op::OpenConfirm => {
                self.stateid();
                self.seqid();
            }
            Op::OpenDowngrade => {
                self.stateid();
                self.seqid();
                self.small(4);
                self.small(4);
            }
            Op::Lock => self.lock(),
            Op::LockT => {
                self.small(5);
                self.range();
                self.owner();
            }
            Op::LockU => {
                self.small(5);
                self.seqid();
                self.stateid();
                self.range();
            }
            Op::Read => {
                self.stateid();
                self.offset();
                self.count();
            }
            Op::Write => {
                self.stateid();
                self.offset();
                self.small(3);
                let bytes = [7; 40];
                let len = self.tape.below(bytes.len());
                self.opaque(&bytes[..len]);
            }
            Op::Commit => {
                self.offset();
                self.count();
            }
            Op::ReadDir => {
                let cookie = u64::from(self.tape.byte());
                self.w.u64(cookie);
                self.w.u64(0);
                self.count();
                self.count();
                self.mask();
            }
            Op::DelegReturn | Op::FreeStateid => self.stateid(),
            Op::TestStateid => {
                let len = self.tape.below(4) as u32;
                self.w.u32(len);
                for _ in 0..len {
                    self.stateid();
                }
            }
            _ => self.of_client(op),
        }
    }

    /// Of an operation on clients, sessions or connections.
    fn of_client(&mut self, op: Op) {
        match op {
            Op::Renew => self.client_v40(),
            Op::DelegPurge | Op::DestroyClientId => self.client(),
            Op::ReleaseLockOwner => self.owner(),
            Op::ReclaimComplete => self.small(2),
            Op::SetClientId => {
                let verifier = u64::from(self.tape.byte() % 3);
                self.w.u64(verifier);
                self.owner_name();
                self.w.u32(0x4000_0000);
                self.opaque(b"tcp");
                self.opaque(b"192.0.2.1.8.1");
                self.w.u32(1);
            }
            Op::SetClientIdConfirm => {
                let (client, verifier) = self.ids.confirms.pick(self.tape).unwrap_or_default();
                self.w.u64(client);
                self.w.raw(&verifier);
            }
            Op::ExchangeId => {
                let verifier = u64::from(self.tape.byte() % 3);
                self.w.u64(verifier);
                self.owner_name();
                let flags = self.tape.pick(&[0, 0, 0, 0x4000_0000, 0x0001_0000]);
                self.w.u32(flags);
                self.w.u32(0);
                self.w.u32(0);
            }
            Op::CreateSession => {
                self.client();
                let sequence = self.tape.pick(&[1, 1, 1, 2, 3]);
                self.w.u32(sequence);
                let flags = self.tape.pick(&[2, 2, 0, 3]);
                self.w.u32(flags);
                for _ in 0..2 {
                    self.channel();
                }
                self.w.u32(0x4000_0000);
                self.w.u32(1);
                self.w.u32(0);
            }
            Op::DestroySession => self.session(),
            Op::BindConnToSession => {
                self.session();
                let direction = self.tape.pick(&[1, 2, 3, 7, 4]);
                self.w.u32(direction);
                self.w.u32(0);
            }
            Op::BackchannelCtl => {
                self.w.u32(0x4000_0001);
                self.w.u32(1);
                self.w.u32(0);
            }
            _ => {}
        }
    }

    fn open(&mut self) {
        self.seqid();
        let access = self.tape.pick(&[3, 1, 2, 3, 1, 0x0103]);
        self.w.u32(access);
        let deny = self.tape.pick(&[0, 0, 0, 1, 2, 3]);
        self.w.u32(deny);
        self.owner();
        let creates = self.tape.one_in(2);
        self.w.u32(u32::from(creates));
        if creates {
            let how = self.tape.pick(&[0_u32, 0, 1, 2, 3]);
            self.w.u32(how);
            match how {
                0 | 1 => self.size(),
                2 => self.w.u64(5),
                _ => {
                    self.w.u64(5);
                    self.mode();
                }
            }
        }
        let claim = self.tape.pick(&[0_u32, 0, 0, 0, 1, 2, 4, 5]);
        self.w.u32(claim);
        match claim {
            0 => self.name(),
            1 => self.small(3),
            2 => {
                self.stateid();
                self.name();
            }
            5 => self.stateid(),
            _ => {}
        }
    }

    fn lock(&mut self) {
        let kind = self.tape.pick(&[1, 2, 3, 4]);
        self.w.u32(kind);
        self.w.u32(0);
        self.range();
        let new = self.tape.one_in(2);
        self.w.u32(u32::from(new));
        if new {
            self.seqid();
            self.stateid();
            self.seqid();
            self.owner();
        } else {
            self.stateid();
            self.seqid();
        }
    }

    fn channel(&mut self) {
        let sizes = self.tape.pick(&[4_096, 1_049_620, 65_536, 4_096, 600, 200]);
        for value in [0, sizes, sizes, 1_024, 16, 8, 0] {
            self.w.u32(value);
        }
    }

    fn name(&mut self) {
        let name = self
            .tape
            .pick(&[&b"a"[..], b"b", b"c", b"dir", b"", b"..", b"a/b"]);
        self.opaque(name);
    }

    fn owner_name(&mut self) {
        let name = self.tape.pick(&[&b"one"[..], b"two", b"three"]);
        self.opaque(name);
    }

    fn owner(&mut self) {
        self.client_v40();
        self.owner_name();
    }

    fn client(&mut self) {
        let client = self.ids.clients.pick(self.tape);
        let client = client.unwrap_or_else(|| u64::from(self.tape.word()));
        self.w.u64(client);
    }

    fn client_v40(&mut self) {
        let client = self.ids.clients_v40.pick(self.tape);
        self.w.u64(client.unwrap_or(0));
    }

    fn session(&mut self) {
        let session = self.ids.sessions.pick(self.tape);
        self.w.raw(&session.map_or([1; 16], |session| session.0));
    }

    fn stateid(&mut self) {
        let known = self.ids.stateids.pick(self.tape);
        let mut stateid = match (self.tape.below(8), known) {
            (0, _) | (_, None) => Stateid::ANONYMOUS,
            (1, _) => Stateid::CURRENT,
            (2, _) => Stateid::READ_BYPASS,
            (_, Some(known)) => known,
        };
        if self.tape.one_in(8) {
            stateid.seqid = self.tape.word() % 4;
        }
        if self.tape.one_in(16) {
            stateid.other[self.tape.below(12)] ^= self.tape.byte();
        }
        self.w.u32(stateid.seqid);
        self.w.raw(&stateid.other);
    }

    fn seqid(&mut self) {
        self.small(8);
    }

    fn small(&mut self, end: usize) {
        let number = self.tape.below(end) as u32;
        self.w.u32(number);
    }

    fn offset(&mut self) {
        let offset = self
            .tape
            .pick(&[0, 1, 4_096, 1 << 20, u64::MAX - 1, u64::MAX]);
        self.w.u64(offset);
    }

    fn count(&mut self) {
        let count = self.tape.pick(&[0, 1, 100, 4_096, 1 << 20, u32::MAX]);
        self.w.u32(count);
    }

    fn range(&mut self) {
        let from = u64::from(self.tape.byte());
        let len = self.tape.pick(&[1, 10, 100, u64::MAX, 0]);
        self.w.u64(from);
        self.w.u64(len);
    }

    fn mask(&mut self) {
        let words = self.tape.below(4) as u32;
        self.w.u32(words);
        for _ in 0..words {
            let word = self.tape.word();
            self.w.u32(word);
        }
    }

    /// A fattr4 of a size.
    fn size(&mut self) {
        self.w.u32(1);
        self.w.u32(1 << 4);
        self.w.u32(8);
        let size = self.tape.pick(&[0, 10, 4_096, 1 << 40]);
        self.w.u64(size);
    }

    /// A fattr4 of a mode.
    fn mode(&mut self) {
        self.w.u32(2);
        self.w.u32(0);
        self.w.u32(1 << 1);
        self.w.u32(4);
        let mode = self.tape.pick(&[0o644, 0o755, 0o400, 0]);
        self.w.u32(mode);
    }

    fn opaque(&mut self, bytes: &[u8]) {
        self.w.opaque(bytes);
    }
}

/// What is done to a file that is open.
pub(super) const OF_FILES: &[Op] = &[
    Op::OpenConfirm,
    Op::Lock,
    Op::Lock,
    Op::LockU,
    Op::LockT,
    Op::Read,
    Op::Write,
    Op::SetAttr,
    Op::GetAttr,
    Op::OpenDowngrade,
    Op::Close,
    Op::DelegReturn,
];

const OPS: &[Op] = &[
    Op::PutRootFh,
    Op::PutRootFh,
    Op::PutFh,
    Op::PutFh,
    Op::GetFh,
    Op::Lookup,
    Op::LookupP,
    Op::SaveFh,
    Op::RestoreFh,
    Op::GetAttr,
    Op::SetAttr,
    Op::Access,
    Op::Verify,
    Op::NVerify,
    Op::Create,
    Op::Remove,
    Op::Rename,
    Op::Link,
    Op::ReadLink,
    Op::ReadDir,
    Op::Open,
    Op::Open,
    Op::Open,
    Op::OpenConfirm,
    Op::OpenDowngrade,
    Op::Close,
    Op::Lock,
    Op::Lock,
    Op::LockT,
    Op::LockU,
    Op::Read,
    Op::Write,
    Op::Commit,
    Op::DelegReturn,
    Op::DelegPurge,
    Op::FreeStateid,
    Op::TestStateid,
    Op::Renew,
    Op::ReleaseLockOwner,
    Op::ReclaimComplete,
    Op::SetClientId,
    Op::SetClientIdConfirm,
    Op::ExchangeId,
    Op::CreateSession,
    Op::DestroySession,
    Op::DestroyClientId,
    Op::BindConnToSession,
    Op::BackchannelCtl,
    Op::SecInfo,
    Op::SecInfoNoName,
    Op::OpenAttr,
    Op::Allocate,
    Op::Illegal,
];
