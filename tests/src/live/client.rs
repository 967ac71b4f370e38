//! A client of NFSv4.1 with one slot, which waits for each of its replies.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use nfs4_proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::args::{
    self, CallbackSecParms, ChannelDirFromClient, CreateHow, Locker, OpenClaim, OpenFlag,
    OpenToLockOwner,
};
use nfs4_proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_proto::nfs4::res::OpenDelegation;
use nfs4_proto::nfs4::{
    ClientId, DelegationType, FattrRaw, LockType, Owner, SessionId, StableHow, Stateid, Status,
    Verifier,
};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::List;

use super::connection::Connection;

/// A client on a connection of its own.
#[derive(Debug)]
pub struct Client {
    /// Its connection.
    pub connection: Connection,
    /// What EXCHANGE_ID has given it.
    pub id: ClientId,
    /// What CREATE_SESSION has given it.
    pub session: SessionId,
    /// The file that it opened last.
    pub file: Vec<u8>,
    /// The stateid under which it did.
    pub open: Stateid,
    /// Whether replies are to be kept for replay.
    pub cachethis: bool,
    /// The minor version, from 1 on.
    pub minor: u32,
    /// Whether its sessions get a backchannel on the connection that makes them.
    pub reachable: bool,
    /// How often its CREATE_SESSIONs were told DELAY.
    pub delayed: u32,
    /// What it calls itself, and its open-owner.
    name: String,
    create_sequence: u32,
    sequence: u32,
    uid: Option<u32>,
}

/// What an OPEN has given.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// The open.
    pub stateid: Stateid,
    /// The delegation that came with it.
    pub delegation: Option<Stateid>,
}

impl Client {
    /// A client on a connection from 127.0.0.1, as user 65 534.
    pub fn connect(server: SocketAddr) -> Client {
        Client::on(Connection::new(server), None)
    }

    /// A client on this connection, which is this user to RPC.
    pub fn on(connection: Connection, uid: Option<u32>) -> Client {
        Client {
            connection,
            id: ClientId(0),
            session: SessionId::default(),
            file: Vec::new(),
            open: Stateid::ANONYMOUS,
            cachethis: true,
            minor: 1,
            reachable: false,
            delayed: 0,
            name: String::new(),
            create_sequence: 0,
            sequence: 0,
            uid,
        }
    }

    /// EXCHANGE_ID, CREATE_SESSION and RECLAIM_COMPLETE.
    pub fn mount(&mut self, name: &str, incarnation: u8) {
        self.introduce(name, incarnation);
        self.enter();
    }

    /// EXCHANGE_ID.
    pub fn introduce(&mut self, name: &str, incarnation: u8) {
        let status = self.try_introduce(name, incarnation);
        assert_eq!(status, Status::OK, "it is known");
    }

    /// How EXCHANGE_ID ends.
    pub fn try_introduce(&mut self, name: &str, incarnation: u8) -> Status {
        self.name = name.to_owned();
        let exchange = args::ExchangeId {
            clientowner: args::ClientOwner {
                verifier: Verifier([incarnation; 8]),
                ownerid: name.as_bytes(),
            },
            flags: 0,
            state_protect: args::StateProtect::None,
            client_impl_id: None,
        };
        let call = self.compound().exchange_id(exchange).finish();
        let reply = self.connection.exchange(&call).expect("it answers");
        let mut results = results(&reply);
        let status = results.status();
        if let Ok(made) = results.exchange_id() {
            self.id = made.clientid;
            self.create_sequence = made.sequenceid;
        }
        status
    }

    /// CREATE_SESSION, sent again as long as it is told DELAY, and RECLAIM_COMPLETE.
    pub fn enter(&mut self) {
        self.enter_to_reclaim();
        let done = args::ReclaimComplete { one_fs: false };
        self.call(|c| c.reclaim_complete(done));
    }

    /// CREATE_SESSION, sent again as long as it is told DELAY.
    pub fn enter_to_reclaim(&mut self) {
        let reply = loop {
            let reply = self.create_session(self.id, self.create_sequence);
            if results(&reply).status() != Status::DELAY {
                break reply;
            }
            // The incarnation before is going.
            self.delayed += 1;
            thread::sleep(Duration::from_millis(1));
        };
        self.create_sequence += 1;
        self.session = results(&reply)
            .create_session()
            .expect("a session")
            .sessionid;
        self.sequence = 0;
    }

    /// How RECLAIM_COMPLETE ends.
    pub fn complete_reclaims(&mut self) -> Status {
        let done = args::ReclaimComplete { one_fs: false };
        self.in_session(|c| c.reclaim_complete(done))
    }

    /// How it ends to open the file that it opened last, and to lock ten bytes of it; `reclaim` if it had both
    /// at a server that is dead.
    pub fn lock(&mut self, offset: u64, reclaim: bool) -> Status {
        let (name, object) = (self.name.clone(), self.file.clone());
        let owner = Owner {
            clientid: ClientId(0),
            owner: name.as_bytes(),
        };
        let open = args::Open {
            seqid: 0,
            share_access: 3,
            share_deny: 0,
            owner,
            openhow: OpenFlag::NoCreate,
            claim: match reclaim {
                true => OpenClaim::Previous(DelegationType::None),
                false => OpenClaim::Fh,
            },
        };
        let lock = args::Lock {
            locktype: LockType::Write,
            reclaim,
            offset,
            length: 10,
            locker: Locker::New(OpenToLockOwner {
                open_seqid: 0,
                open_stateid: Stateid::CURRENT,
                lock_seqid: 0,
                lock_owner: owner,
            }),
        };
        let object = &object[..];
        self.in_session(|c| c.putfh(args::PutFh { object }).open(open).lock(lock))
    }

    /// How CREATE_SESSION ends for a client id that may be another's.
    pub fn enter_as(&mut self, id: ClientId, sequence: u32) -> Status {
        results(&self.create_session(id, sequence)).status()
    }

    fn create_session(&mut self, clientid: ClientId, sequence: u32) -> Vec<u8> {
        let channel = args::ChannelAttrs {
            headerpadsize: 0,
            maxrequestsize: 2 << 20,
            maxresponsesize: 2 << 20,
            maxresponsesize_cached: 4_096,
            maxoperations: 16,
            maxrequests: 1,
            rdma_ird: None,
        };
        let create = args::CreateSession {
            clientid,
            sequence,
            flags: match self.reachable {
                true => CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
                false => 0,
            },
            fore_chan_attrs: channel,
            back_chan_attrs: channel,
            cb_program: 0x4000_0000,
            sec_parms: List::new(&[CallbackSecParms::None]),
        };
        let call = self.compound().create_session(create).finish();
        self.connection.exchange(&call).expect("it answers")
    }

    /// Opens a file of the root directory for reading and writing, and makes it if it is not there.
    pub fn open(&mut self, name: &str) -> Stateid {
        let opened = self.try_open(name).expect("an open");
        opened.stateid
    }

    /// The same, or how it ends otherwise.
    ///
    /// # Errors
    /// What OPEN answers.
    pub fn try_open(&mut self, name: &str) -> Result<Opened, Status> {
        self.try_open_at(&[], name)
    }

    /// The same in the directory at a path.
    ///
    /// # Errors
    /// What LOOKUP or OPEN answers.
    pub fn try_open_at(&mut self, path: &[&str], name: &str) -> Result<Opened, Status> {
        let owner = self.name.clone();
        let open = args::Open {
            seqid: 0,
            share_access: 3,
            share_deny: 0,
            owner: Owner {
                clientid: ClientId(0),
                owner: owner.as_bytes(),
            },
            openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
            claim: OpenClaim::Null(name.as_bytes()),
        };
        let reply = self.reply_to(|call| {
            call.putrootfh();
            for name in path {
                let objname = name.as_bytes();
                call.lookup(args::Lookup { objname });
            }
            call.open(open).getfh()
        });
        let mut results = results(&reply);
        if results.status() != Status::OK {
            return Err(results.status());
        }
        results.sequence().expect("in its session");
        results.putrootfh().expect("a root");
        for _ in path {
            results.lookup().expect("it is there");
        }
        let opened = results.open().expect("an open");
        self.file = results.getfh().expect("a filehandle").object.to_vec();
        self.open = opened.stateid;
        Ok(Opened {
            stateid: opened.stateid,
            delegation: match opened.delegation {
                OpenDelegation::None | OpenDelegation::NoneExt(_) => None,
                OpenDelegation::Read(read) => Some(read.stateid),
                OpenDelegation::Write(write) => Some(write.stateid),
            },
        })
    }

    /// WRITE to the file that it opened last.
    pub fn write(&mut self, stateid: Stateid, offset: u64, data: &[u8]) {
        let object = &self.file.clone()[..];
        let write = args::Write {
            stateid,
            offset,
            stable: StableHow::Unstable,
            data,
        };
        self.call(|c| c.putfh(args::PutFh { object }).write(write));
    }

    /// READ from the file that it opened last; the reply is not kept.
    pub fn read(&mut self, stateid: Stateid, offset: u64, count: u32) {
        let object = &self.file.clone()[..];
        let read = args::Read {
            stateid,
            offset,
            count,
        };
        let kept = std::mem::replace(&mut self.cachethis, false);
        self.call(|c| c.putfh(args::PutFh { object }).read(read));
        self.cachethis = kept;
    }

    /// CLOSE and REMOVE of the file that it opened last, of this name.
    pub fn remove(&mut self, open_stateid: Stateid, name: &str) {
        let object = &self.file.clone()[..];
        let close = args::Close {
            seqid: 0,
            open_stateid,
        };
        let remove = args::Remove {
            target: name.as_bytes(),
        };
        self.call(|c| {
            c.putfh(args::PutFh { object })
                .close(close)
                .putrootfh()
                .remove(remove)
        });
    }

    /// CLOSE of the file that it opened last.
    pub fn close(&mut self) {
        let object = &self.file.clone()[..];
        let close = args::Close {
            seqid: 0,
            open_stateid: self.open,
        };
        self.call(|c| c.putfh(args::PutFh { object }).close(close));
    }

    /// DESTROY_SESSION: its record stays.
    pub fn leave(&mut self) {
        let sessionid = self.session;
        self.call(|c| c.destroy_session(args::DestroySession { sessionid }));
    }

    /// DESTROY_SESSION and DESTROY_CLIENTID.
    pub fn unmount(&mut self) {
        self.leave();
        let clientid = self.id;
        self.bare(|c| c.destroy_clientid(args::DestroyClientId { clientid }));
    }

    /// REMOVE of a name in the root directory.
    pub fn unlink(&mut self, name: &str) {
        let target = name.as_bytes();
        self.call(|c| c.putrootfh().remove(args::Remove { target }));
    }

    /// How a COMPOUND without a session ends.
    pub fn status(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Status {
        let call = build(&mut self.compound()).finish();
        let reply = self.connection.exchange(&call).expect("it answers");
        results(&reply).status()
    }

    /// A COMPOUND in its session, in which every operation must succeed.
    pub fn call(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let call = build(&mut self.compose()).finish();
        self.exchange(&call)
    }

    /// How a COMPOUND in its session ends.
    pub fn in_session(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Status {
        results(&self.reply_to(build)).status()
    }

    /// The reply to a COMPOUND in its session, however that ends.
    pub fn reply_to(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let call = build(&mut self.compose()).finish();
        self.connection.exchange(&call).expect("it answers")
    }

    /// Goes on with its session on another connection. [RFC 8881 §18.34]
    pub fn come_back(&mut self, connection: Connection) {
        let before = std::mem::replace(&mut self.connection, connection);
        self.connection.back = before.back;
        let bind = args::BindConnToSession {
            sessid: self.session,
            dir: match self.reachable {
                true => ChannelDirFromClient::ForeOrBoth,
                false => ChannelDirFromClient::Fore,
            },
            use_conn_in_rdma_mode: false,
        };
        self.bare(|c| c.bind_conn_to_session(bind));
    }

    /// A COMPOUND without a session, in which every operation must succeed.
    pub fn bare(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let call = build(&mut self.compound()).finish();
        self.exchange(&call)
    }

    /// Starts the next COMPOUND of its slot.
    pub fn compose(&mut self) -> CompoundBuilder {
        self.sequence += 1;
        let mut call = self.compound();
        call.sequence(args::Sequence {
            sessionid: self.session,
            sequenceid: self.sequence,
            slotid: 0,
            highest_slotid: 0,
            cachethis: self.cachethis,
        });
        call
    }

    fn compound(&self) -> CompoundBuilder {
        let credential = match self.uid {
            None => crate::NOBODY,
            Some(uid) => CallCredential::Sys(AuthSys {
                stamp: 0,
                machinename: b"tests",
                uid,
                gid: uid,
                gids: List::empty(),
            }),
        };
        CompoundBuilder::call(7, &credential, b"", self.minor)
    }

    fn exchange(&mut self, call: &[u8]) -> Vec<u8> {
        let reply = self.connection.exchange(call).expect("it answers");
        results(&reply).finish().expect("all operations succeed");
        reply
    }
}

fn results(reply: &[u8]) -> ReplyReader<'_> {
    ReplyReader::parse(reply).expect("a reply to a COMPOUND")
}

/// CLOSE of what was opened in the same COMPOUND.
pub const CLOSE: args::Close = args::Close {
    seqid: 0,
    open_stateid: Stateid::CURRENT,
};
