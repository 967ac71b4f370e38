//! A model client of minor version 0.

use std::collections::HashMap;

use nfs4_engine::ConnId;
use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::args::{
    self, CbClient, CreateHow, Locker, NfsClientId, OpenClaim, OpenFlag, OpenToLockOwner,
};
use nfs4_proto::nfs4::basic::{ClientId, LockType, NetAddr, Owner, Stateid, Verifier};
use nfs4_proto::nfs4::consts::OPEN4_RESULT_CONFIRM;
use nfs4_proto::nfs4::{FattrRaw, Status};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::List;

use super::reply::Reply;
use super::world::Sim;
use crate::ok;

/// One client of minor version 0: its name, its id, and the next seqid of each of its owners.
#[derive(Clone, Debug)]
pub struct Client40 {
    /// `id` of SETCLIENTID.
    pub name: Vec<u8>,
    /// `verifier`: another one is a reboot.
    pub verifier: Verifier,
    /// The user and group id that it calls as.
    pub uid: u32,
    /// Where it listens for callbacks, a universal address of TCP.
    pub listens: &'static str,
    /// The connection that it uses unless told otherwise.
    pub conn: ConnId,
    /// What the server calls it.
    pub id: ClientId,
    /// What it must show to confirm.
    pub confirm: Verifier,
    /// The next seqid of each open owner.
    pub seqids: HashMap<Vec<u8>, u32>,
}

/// A file that an owner has open.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Its filehandle.
    pub fh: Vec<u8>,
    /// The open's stateid.
    pub stateid: Stateid,
}

impl Client40 {
    /// A client that the server has not heard of, on a new connection.
    pub fn stranger(sim: &mut Sim, name: &str) -> Client40 {
        Client40::by(sim.connect(), name)
    }

    /// A client that no server has heard of, on a connection.
    pub fn by(conn: ConnId, name: &str) -> Client40 {
        Client40 {
            name: name.as_bytes().to_vec(),
            verifier: Verifier(*b"incarn-1"),
            uid: 1000,
            listens: "192.0.2.1.8.1",
            conn,
            id: ClientId(0),
            confirm: Verifier::default(),
            seqids: HashMap::new(),
        }
    }

    /// A client that is confirmed.
    #[track_caller]
    pub fn mounted(sim: &mut Sim, name: &str) -> Client40 {
        let mut client = Client40::stranger(sim, name);
        client.mount(sim);
        client
    }

    /// SETCLIENTID and SETCLIENTID_CONFIRM.
    #[track_caller]
    pub fn mount(&mut self, sim: &mut Sim) {
        self.introduce(sim).all_ok();
        self.confirm(sim).all_ok();
    }

    /// It starts anew: another verifier, nothing remembered.
    pub fn reboot(&mut self) {
        let [.., last] = &mut self.verifier.0;
        *last = last.wrapping_add(1);
        self.seqids.clear();
    }

    /// SETCLIENTID; remembers what it was given.
    #[track_caller]
    pub fn introduce(&mut self, sim: &mut Sim) -> Reply {
        let args = args::SetClientId {
            client: NfsClientId {
                verifier: self.verifier,
                id: &self.name,
            },
            callback: CbClient {
                cb_program: 0x4000_0000,
                cb_location: NetAddr {
                    netid: b"tcp",
                    addr: self.listens.as_bytes(),
                },
            },
            callback_ident: 7,
        };
        let reply = self.call(sim, |c| c.setclientid(args));
        if reply.status() == Status::OK {
            let ok = ok!(reply, SetClientId);
            self.id = ok.clientid;
            self.confirm = ok.setclientid_confirm;
        }
        reply
    }

    /// SETCLIENTID_CONFIRM of what it was given last.
    #[track_caller]
    pub fn confirm(&self, sim: &mut Sim) -> Reply {
        let args = args::SetClientIdConfirm {
            clientid: self.id,
            setclientid_confirm: self.confirm,
        };
        self.call(sim, |c| c.setclientid_confirm(args))
    }

    /// RENEW.
    #[track_caller]
    pub fn renew(&self, sim: &mut Sim) -> Reply {
        let clientid = self.id;
        self.call(sim, |c| c.renew(args::Renew { clientid }))
    }

    /// A COMPOUND.
    #[track_caller]
    pub fn call(
        &self,
        sim: &mut Sim,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        let record = self.record(sim.xid(), build);
        sim.exchange(self.conn, record)
    }

    /// A whole call.
    pub fn record(
        &self,
        xid: u32,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let cred = CallCredential::Sys(AuthSys {
            stamp: 0,
            machinename: b"model",
            uid: self.uid,
            gid: self.uid,
            gids: List::empty(),
        });
        let mut builder = CompoundBuilder::call(xid, &cred, b"", 0);
        build(&mut builder).finish()
    }

    /// One of its open or lock owners.
    pub fn owner<'a>(&self, owner: &'a [u8]) -> Owner<'a> {
        Owner {
            clientid: self.id,
            owner,
        }
    }

    /// The seqid of an open owner's next request, which it then is not any more.
    pub fn seqid(&mut self, owner: &[u8]) -> u32 {
        let next = self.seqids.entry(owner.to_vec()).or_insert(1);
        let seqid = *next;
        *next += 1;
        seqid
    }

    /// OPEN for reading and writing, of a file that is made if it is not there.
    pub fn open_args<'a>(&mut self, owner: &'a [u8], name: &'a [u8]) -> args::Open<'a> {
        args::Open {
            seqid: self.seqid(owner),
            share_access: 3,
            share_deny: 0,
            owner: self.owner(owner),
            openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
            claim: OpenClaim::Null(name),
        }
    }

    /// Opens a file and confirms the open if that is wanted.
    #[track_caller]
    pub fn open(&mut self, sim: &mut Sim, owner: &[u8], name: &[u8]) -> Opened {
        let args = self.open_args(owner, name);
        let reply = self
            .call(sim, |c| c.putrootfh().open(args).getfh())
            .all_ok();
        let ok = ok!(reply, Open);
        let mut opened = Opened {
            fh: ok!(reply, GetFh).object.to_vec(),
            stateid: ok.stateid,
        };
        if ok.rflags & OPEN4_RESULT_CONFIRM != 0 {
            let args = self.confirm_args(owner, &opened);
            let reply = self.on(sim, &opened.fh, |c| c.open_confirm(args)).all_ok();
            opened.stateid = ok!(reply, OpenConfirm).open_stateid;
        }
        opened
    }

    /// OPEN_CONFIRM.
    pub fn confirm_args(&mut self, owner: &[u8], opened: &Opened) -> args::OpenConfirm {
        args::OpenConfirm {
            open_stateid: opened.stateid,
            seqid: self.seqid(owner),
        }
    }

    /// CLOSE.
    pub fn close_args(&mut self, owner: &[u8], opened: &Opened) -> args::Close {
        args::Close {
            seqid: self.seqid(owner),
            open_stateid: opened.stateid,
        }
    }

    /// LOCK of a range for writing, by a lock-owner without state in the file.
    pub fn lock_args<'a>(
        &mut self,
        owner: &[u8],
        opened: &Opened,
        locker: &'a [u8],
        (offset, length): (u64, u64),
    ) -> args::Lock<'a> {
        args::Lock {
            locktype: LockType::Write,
            reclaim: false,
            offset,
            length,
            locker: Locker::New(OpenToLockOwner {
                open_seqid: self.seqid(owner),
                open_stateid: opened.stateid,
                lock_seqid: 1,
                lock_owner: self.owner(locker),
            }),
        }
    }

    /// An operation on a file.
    #[track_caller]
    pub fn on(
        &self,
        sim: &mut Sim,
        fh: &[u8],
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        self.call(sim, |c| build(c.putfh(args::PutFh { object: fh })))
    }
}
