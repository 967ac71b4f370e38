//! A model client.

use nfs4_engine::ConnId;
use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::args::{
    self, CallbackSecParms, ChannelAttrs, ClientOwner, CreateHow, OpenClaim, OpenFlag, StateProtect,
};
use nfs4_proto::nfs4::attr::{FattrRaw, SettableAttrs};
use nfs4_proto::nfs4::basic::{ClientId, Owner, SessionId, StableHow, Stateid, Verifier};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::{Decode, List, Reader, Writer};

use super::reply::Reply;
use super::request::Request;
use super::world::Sim;
use crate::ok;

/// One client: its name, its session, and the next seqid of each of its slots.
#[derive(Clone, Debug)]
pub struct Client {
    /// `co_ownerid`.
    pub owner: Vec<u8>,
    /// `co_verifier`: another one is a reboot.
    pub verifier: Verifier,
    /// The user and group id that it calls as.
    pub uid: u32,
    /// The minor version of its calls.
    pub minor: u32,
    /// The connection that it uses unless told otherwise.
    pub conn: ConnId,
    /// What the server calls it.
    pub id: ClientId,
    /// `csa_sequence` of its next CREATE_SESSION.
    pub create_sequence: u32,
    /// Its session.
    pub session: SessionId,
    /// The seqid of the next request on each slot.
    pub slots: Vec<u32>,
}

/// Attributes as they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fattr(Vec<u8>);

impl Client {
    /// A client that the server has not heard of, on a new connection.
    pub fn stranger(sim: &mut Sim, owner: &str) -> Client {
        Client::on(sim.connect(), owner)
    }

    /// A client that no server has heard of, on a connection.
    pub fn on(conn: ConnId, owner: &str) -> Client {
        Client {
            owner: owner.as_bytes().to_vec(),
            verifier: Verifier(*b"incarn-1"),
            uid: 1000,
            minor: 1,
            conn,
            id: ClientId(0),
            create_sequence: 0,
            session: SessionId::default(),
            slots: Vec::new(),
        }
    }

    /// A client with a session, which has said RECLAIM_COMPLETE.
    #[track_caller]
    pub fn mounted(sim: &mut Sim, owner: &str) -> Client {
        let mut client = Client::stranger(sim, owner);
        client.mount(sim);
        client
    }

    /// A client with a session whose arguments `with` has changed, which has said
    /// RECLAIM_COMPLETE.
    #[track_caller]
    pub fn mounted_with(
        sim: &mut Sim,
        owner: &str,
        with: impl FnOnce(&mut args::CreateSession<'_>),
    ) -> Client {
        let mut client = Client::stranger(sim, owner);
        client.exchange_id(sim).all_ok();
        let mut args = client.session_args();
        with(&mut args);
        client.create_session_with(sim, args).all_ok();
        let done = args::ReclaimComplete { one_fs: false };
        client.call(sim, |c| c.reclaim_complete(done)).all_ok();
        client
    }

    /// Makes a file of so many bytes in the root, which stays open; its stateid, for any seqid.
    #[track_caller]
    pub fn make_file(&mut self, sim: &mut Sim, name: &[u8], len: u32) -> Stateid {
        let data = vec![7; len as usize];
        let write = args::Write {
            stateid: Stateid::CURRENT,
            offset: 0,
            stable: StableHow::FileSync,
            data: &data,
        };
        let making = making_args(b"opener", name);
        let reply = self
            .call(sim, |c| c.putrootfh().open(making).write(write))
            .all_ok();
        Stateid {
            seqid: 0,
            ..ok!(reply, Open).stateid
        }
    }

    /// EXCHANGE_ID, CREATE_SESSION and RECLAIM_COMPLETE.
    #[track_caller]
    pub fn mount(&mut self, sim: &mut Sim) {
        self.exchange_id(sim).all_ok();
        self.create_session(sim).all_ok();
        let done = args::ReclaimComplete { one_fs: false };
        self.call(sim, |c| c.reclaim_complete(done)).all_ok();
    }

    /// It starts anew: another verifier, nothing remembered.
    pub fn reboot(&mut self) {
        let [.., last] = &mut self.verifier.0;
        *last = last.wrapping_add(1);
        self.id = ClientId(0);
        self.session = SessionId::default();
        self.slots.clear();
    }

    /// The arguments of its EXCHANGE_ID.
    pub fn introduction(&self) -> args::ExchangeId<'_> {
        args::ExchangeId {
            clientowner: ClientOwner {
                verifier: self.verifier,
                ownerid: &self.owner,
            },
            flags: 0,
            state_protect: StateProtect::None,
            client_impl_id: None,
        }
    }

    /// EXCHANGE_ID; remembers what it was given.
    #[track_caller]
    pub fn exchange_id(&mut self, sim: &mut Sim) -> Reply {
        let args = self.introduction();
        let reply = self.bare(sim, |c| c.exchange_id(args));
        if reply.status() == Status::OK {
            let ok = ok!(reply, ExchangeId);
            self.id = ok.clientid;
            self.create_sequence = ok.sequenceid;
        }
        reply
    }

    /// The arguments of its CREATE_SESSION.
    pub fn session_args(&self) -> args::CreateSession<'static> {
        args::CreateSession {
            clientid: self.id,
            sequence: self.create_sequence,
            flags: 0,
            fore_chan_attrs: SESSION_ATTRS,
            back_chan_attrs: SESSION_ATTRS,
            cb_program: 0x4000_0000,
            sec_parms: List::new(&[CallbackSecParms::None]),
        }
    }

    /// CREATE_SESSION with the usual arguments.
    #[track_caller]
    pub fn create_session(&mut self, sim: &mut Sim) -> Reply {
        self.create_session_with(sim, self.session_args())
    }

    /// CREATE_SESSION; remembers what it was given.
    #[track_caller]
    pub fn create_session_with(&mut self, sim: &mut Sim, args: args::CreateSession<'_>) -> Reply {
        let reply = self.bare(sim, |c| c.create_session(args));
        if reply.status() == Status::OK {
            let ok = ok!(reply, CreateSession);
            self.session = ok.sessionid;
            self.create_sequence = args.sequence.wrapping_add(1);
            self.slots = vec![1; ok.fore_chan_attrs.maxrequests as usize];
        }
        reply
    }

    /// A COMPOUND without SEQUENCE.
    #[track_caller]
    pub fn bare(
        &self,
        sim: &mut Sim,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        let record = self.record(sim.xid(), b"", build);
        sim.exchange(self.conn, record)
    }

    /// A COMPOUND after SEQUENCE on slot 0, to be kept for replay; the slot moves on if SEQUENCE
    /// succeeded.
    #[track_caller]
    pub fn call(
        &mut self,
        sim: &mut Sim,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        let request = self.request(sim, 0, true, build);
        let reply = sim.exchange(self.conn, request.record);
        if reply.statuses().first() == Some(&(Op::Sequence, Status::OK)) {
            self.advance(0);
        }
        reply
    }

    /// A COMPOUND after the next SEQUENCE of a slot; neither is it sent nor does the slot move on.
    pub fn request(
        &self,
        sim: &mut Sim,
        slot: u32,
        cache: bool,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Request {
        let sequence = self.sequence(slot, cache);
        let record = self.record(sim.xid(), b"", |c| build(c.sequence(sequence)));
        Request { record }
    }

    /// The arguments of the next SEQUENCE of a slot.
    pub fn sequence(&self, slot: u32, cache: bool) -> args::Sequence {
        let seqid = self.slots.get(slot as usize).copied().unwrap_or(1);
        args::Sequence {
            cachethis: cache,
            ..sequence_args(self.session, slot, seqid)
        }
    }

    /// The request on a slot is over.
    pub fn advance(&mut self, slot: u32) {
        let seqid = &mut self.slots[slot as usize];
        *seqid = seqid.wrapping_add(1);
    }

    /// A whole call.
    pub fn record(
        &self,
        xid: u32,
        tag: &[u8],
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let cred = CallCredential::Sys(AuthSys {
            stamp: 0,
            machinename: b"model",
            uid: self.uid,
            gid: self.uid,
            gids: List::empty(),
        });
        let mut builder = CompoundBuilder::call(xid, &cred, tag, self.minor);
        build(&mut builder).finish()
    }
}

impl Fattr {
    /// These attributes.
    pub fn new(attrs: &SettableAttrs<'_>) -> Fattr {
        let mut w = Writer::new();
        attrs.encode_fattr(&mut w);
        Fattr(w.into_vec())
    }

    /// A mode.
    pub fn mode(mode: u32) -> Fattr {
        Fattr::new(&SettableAttrs {
            mode: Some(mode),
            ..SettableAttrs::default()
        })
    }

    /// A length.
    pub fn size(size: u64) -> Fattr {
        Fattr::new(&SettableAttrs {
            size: Some(size),
            ..SettableAttrs::default()
        })
    }

    /// For the arguments of an operation.
    pub fn raw(&self) -> FattrRaw<'_> {
        FattrRaw::decode(&mut Reader::new(&self.0)).expect("it was just encoded")
    }
}

/// SEQUENCE, not to be kept.
pub const fn sequence_args(sessionid: SessionId, slotid: u32, sequenceid: u32) -> args::Sequence {
    args::Sequence {
        sessionid,
        sequenceid,
        slotid,
        highest_slotid: slotid,
        cachethis: false,
    }
}

/// OPEN by name, without creation and for reading and writing.
pub const fn open_args<'a>(owner: &'a [u8], name: &'a [u8]) -> args::Open<'a> {
    args::Open {
        seqid: 0,
        share_access: 3,
        share_deny: 0,
        owner: Owner {
            clientid: ClientId(0),
            owner,
        },
        openhow: OpenFlag::NoCreate,
        claim: OpenClaim::Null(name),
    }
}

/// The same, and the file is made if it is not there.
pub const fn making_args<'a>(owner: &'a [u8], name: &'a [u8]) -> args::Open<'a> {
    args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
        ..open_args(owner, name)
    }
}

/// What a client asks for either channel: generous, with eight slots.
pub const SESSION_ATTRS: ChannelAttrs = ChannelAttrs {
    headerpadsize: 0,
    maxrequestsize: 1 << 20,
    maxresponsesize: 1 << 20,
    maxresponsesize_cached: 8192,
    maxoperations: 16,
    maxrequests: 8,
    rdma_ird: None,
};
