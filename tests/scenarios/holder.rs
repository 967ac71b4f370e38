//! A client that locks bytes of a file, for the scenarios of locks.

use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args::{self, CreateHow, Locker, OpenFlag, OpenToLockOwner};
use nfs4_proto::nfs4::basic::{ClientId, LockType, Owner, Stateid};
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
};
use nfs4_proto::nfs4::res::{LockDenied, Outcome};
use nfs4_proto::nfs4::{FattrRaw, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, open_args};

/// A client that has the file "f" open.
pub(super) struct Holder {
    pub(super) client: Client,
    pub(super) fh: Vec<u8>,
    pub(super) open: Stateid,
}

pub(super) const fn owner(owner: &[u8]) -> Owner<'_> {
    Owner {
        clientid: ClientId(0),
        owner,
    }
}

impl Holder {
    pub(super) fn new(sim: &mut Sim, name: &str, access: u32) -> Holder {
        let client = Client::mounted(sim, name);
        Holder::of(sim, client, b"f", access)
    }

    /// One that the server can call back.
    pub(super) fn called_back(sim: &mut Sim, name: &str, access: u32) -> Holder {
        let mut client = Client::stranger(sim, name);
        client.exchange_id(sim).all_ok();
        let mut args = client.session_args();
        args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
        client.create_session_with(sim, args).all_ok();
        let done = args::ReclaimComplete { one_fs: false };
        client.call(sim, |c| c.reclaim_complete(done)).all_ok();
        Holder::of(sim, client, b"f", access)
    }

    /// One that has this file open.
    pub(super) fn of(sim: &mut Sim, mut client: Client, name: &[u8], access: u32) -> Holder {
        let open = args::Open {
            // A client with a delegation locks the file locally.
            share_access: access | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
            openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
            ..open_args(b"opener", name)
        };
        let reply = client
            .call(sim, |c| c.putrootfh().open(open).getfh())
            .all_ok();
        Holder {
            client,
            fh: ok!(reply, GetFh).object.to_vec(),
            open: ok!(reply, Open).stateid,
        }
    }

    /// LOCK under the open, by an owner that is called like this.
    pub(super) fn lock(
        &mut self,
        sim: &mut Sim,
        name: &[u8],
        kind: LockType,
        range: (u64, u64),
    ) -> Reply {
        let new = Locker::New(OpenToLockOwner {
            open_seqid: 0,
            open_stateid: self.open,
            lock_seqid: 0,
            lock_owner: owner(name),
        });
        self.lock_as(sim, new, kind, range)
    }

    pub(super) fn lock_as(
        &mut self,
        sim: &mut Sim,
        locker: Locker<'_>,
        locktype: LockType,
        (offset, length): (u64, u64),
    ) -> Reply {
        let lock = args::Lock {
            locktype,
            reclaim: false,
            offset,
            length,
            locker,
        };
        let put = args::PutFh { object: &self.fh };
        self.client.call(sim, |c| c.putfh(put).lock(lock))
    }

    pub(super) fn test(
        &mut self,
        sim: &mut Sim,
        name: &[u8],
        (offset, length): (u64, u64),
    ) -> Reply {
        let test = args::LockT {
            locktype: LockType::Write,
            offset,
            length,
            owner: owner(name),
        };
        let put = args::PutFh { object: &self.fh };
        self.client.call(sim, |c| c.putfh(put).lockt(test))
    }

    pub(super) fn unlock(
        &mut self,
        sim: &mut Sim,
        lock_stateid: Stateid,
        (offset, length): (u64, u64),
    ) -> Reply {
        let unlock = args::LockU {
            locktype: LockType::Write,
            seqid: 0,
            lock_stateid,
            offset,
            length,
        };
        let put = args::PutFh { object: &self.fh };
        self.client.call(sim, |c| c.putfh(put).locku(unlock))
    }

    pub(super) fn free(&mut self, sim: &mut Sim, stateid: Stateid) -> Reply {
        let free = args::FreeStateid { stateid };
        self.client.call(sim, |c| c.free_stateid(free))
    }

    pub(super) fn close(&mut self, sim: &mut Sim) -> Reply {
        let close = args::Close {
            seqid: 0,
            open_stateid: self.open,
        };
        let put = args::PutFh { object: &self.fh };
        self.client.call(sim, |c| c.putfh(put).close(close))
    }
}

pub(super) fn stateid(reply: Reply) -> Stateid {
    ok!(reply.all_ok(), Lock).lock_stateid
}

/// Asserts that LOCK is denied by this lock of this owner.
#[track_caller]
pub(super) fn assert_denied(
    reply: &Reply,
    by: &Client,
    name: &[u8],
    kind: LockType,
    range: (u64, u64),
) {
    let (ResOp::Lock(Outcome::Err(Status::DENIED, denied))
    | ResOp::LockT(Outcome::Err(Status::DENIED, denied))) = reply.results()[2]
    else {
        panic!("not denied: {:?}", reply.statuses());
    };
    let expected = LockDenied {
        offset: range.0,
        length: range.1,
        locktype: kind,
        owner: Owner {
            clientid: by.id,
            owner: name,
        },
    };
    assert_eq!(denied, Some(expected));
}
