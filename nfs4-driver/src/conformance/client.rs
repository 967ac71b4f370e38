//! A client of NFSv4.1 on a stream of the transport.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nfs4_engine::proto::client::{CallCredential, CompoundBuilder, ReplyReader, null_call};
use nfs4_engine::proto::nfs4::attr::num;
use nfs4_engine::proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_engine::proto::nfs4::{Bitmap, ClientId, Op, SessionId, Status, Verifier, args};
use nfs4_engine::proto::rpc::{AuthSys, Fault, Mark, MessageType, ReplyHeader, peek_message_type};
use nfs4_engine::proto::xdr::List;

use super::Transport;

/// A client with one connection.
pub(super) struct Client<'a, T: Transport> {
    transport: &'a T,
    stream: T::Stream,
    session: Session,
    /// Calls of the server that came while a reply was waited for.
    calls: VecDeque<Vec<u8>>,
    /// Replies that came while a call was waited for.
    replies: VecDeque<Vec<u8>>,
}

/// What the server knows of a client, on whichever connection.
#[derive(Clone, Default)]
pub(super) struct Session {
    pub(super) client: ClientId,
    pub(super) id: SessionId,
    /// The sequence ids of the slots.
    sequence: Vec<u32>,
}

impl<'a, T: Transport> Client<'a, T> {
    /// A client that has sent nothing yet.
    pub(super) fn new(transport: &'a T, stream: T::Stream) -> io::Result<Client<'a, T>> {
        transport.set_timeout(&stream, PATIENCE)?;
        Ok(Client {
            transport,
            stream,
            session: Session::default(),
            calls: VecDeque::new(),
            replies: VecDeque::new(),
        })
    }

    /// Its session.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// EXCHANGE_ID, CREATE_SESSION with a backchannel, and RECLAIM_COMPLETE.
    pub(super) fn mount(&mut self, name: &str) {
        let exchange = args::ExchangeId {
            clientowner: args::ClientOwner {
                verifier: Verifier::default(),
                ownerid: name.as_bytes(),
            },
            flags: 0,
            state_protect: args::StateProtect::None,
            client_impl_id: None,
        };
        let reply = self.bare(|call| call.exchange_id(exchange));
        let made = results(&reply).exchange_id().expect("a client id");
        let create = args::CreateSession {
            clientid: made.clientid,
            sequence: made.sequenceid,
            flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
            fore_chan_attrs: CHANNEL,
            back_chan_attrs: CHANNEL,
            cb_program: CB_PROGRAM,
            sec_parms: List::new(&[args::CallbackSecParms::None]),
        };
        let clientid = made.clientid;
        let reply = self.bare(|call| call.create_session(create));
        let made = results(&reply).create_session().expect("a session");
        self.session = Session {
            client: clientid,
            id: made.sessionid,
            sequence: vec![0; SLOTS as usize],
        };
        let done = args::ReclaimComplete { one_fs: false };
        self.call(|call| call.reclaim_complete(done));
    }

    /// BIND_CONN_TO_SESSION: uses the session of another connection, in both directions.
    pub(super) fn bind(&mut self, session: Session) {
        let bind = args::BindConnToSession {
            sessid: session.id,
            dir: args::ChannelDirFromClient::ForeOrBoth,
            use_conn_in_rdma_mode: false,
        };
        self.session = session;
        self.bare(|call| call.bind_conn_to_session(bind));
    }

    /// DESTROY_SESSION and DESTROY_CLIENTID.
    pub(super) fn unmount(&mut self) {
        let sessionid = self.session.id;
        self.bare(|call| call.destroy_session(args::DestroySession { sessionid }));
        let clientid = self.session.client;
        self.bare(|call| call.destroy_clientid(args::DestroyClientId { clientid }));
    }

    /// A COMPOUND without a session, in which every operation must succeed.
    #[track_caller]
    pub(super) fn bare(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let (xid, mut call) = compound();
        let call = build(&mut call).finish();
        self.send(&call).expect("it is read");
        succeeded(self.reply_to(xid))
    }

    /// A COMPOUND on the first slot, in which every operation must succeed.
    #[track_caller]
    pub(super) fn call(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        succeeded(self.try_call(build))
    }

    /// A COMPOUND on the first slot, however it ends.
    #[track_caller]
    pub(super) fn try_call(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let (xid, call) = self.request(0, build);
        self.send(&call).expect("it is read");
        self.reply_to(xid)
    }

    /// The next COMPOUND of a slot, with its transaction id; it is not sent.
    pub(super) fn request(
        &mut self,
        slot: u32,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> (u32, Vec<u8>) {
        let sequence = &mut self.session.sequence[slot as usize];
        *sequence += 1;
        let sequence = args::Sequence {
            sessionid: self.session.id,
            sequenceid: *sequence,
            slotid: slot,
            highest_slotid: SLOTS - 1,
            cachethis: false,
        };
        let (xid, mut call) = compound();
        (xid, build(call.sequence(sequence)).finish())
    }

    /// A request for the attributes of the root directory.
    pub(super) fn getattr(&mut self, slot: u32) -> (u32, Vec<u8>) {
        let attr_request = Bitmap::of(&[num::TYPE, num::SIZE]);
        let getattr = args::GetAttr { attr_request };
        self.request(slot, |call| call.putrootfh().getattr(getattr))
    }

    /// Sends a request for attributes on each of the first slots, all in one piece; returns their
    /// transaction ids.
    pub(super) fn send_getattrs(&mut self, count: u32) -> Vec<u32> {
        let (mut xids, mut calls) = (Vec::new(), Vec::new());
        for slot in 0..count {
            let (xid, call) = self.getattr(slot);
            xids.push(xid);
            calls.extend(call);
        }
        self.send(&calls).expect("it is read");
        xids
    }

    /// Whether the server answers NULL.
    pub(super) fn is_served(&mut self) -> bool {
        let xid = next_xid();
        let sent = self.send(&null_call(xid, &CallCredential::None));
        sent.is_ok()
            && self
                .reply()
                .is_ok_and(|reply| outcome(&reply) == (xid, Ok(())))
    }

    /// Sends bytes.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Sends nothing more.
    pub(super) fn end_writes(&mut self) {
        let ended = self.transport.end_writes(&self.stream);
        ended.expect("a half of it is closed");
    }

    /// The next reply; calls that come before it are kept.
    pub(super) fn reply(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(reply) = self.replies.pop_front() {
                return Ok(reply);
            }
            self.sort()?;
        }
    }

    /// The next reply, which must be to the call with this transaction id.
    #[track_caller]
    pub(super) fn reply_to(&mut self, xid: u32) -> Vec<u8> {
        let reply = self.reply().expect("a reply");
        assert_eq!(outcome(&reply).0, xid, "a reply to another call");
        reply
    }

    /// The replies to these calls, in any order, and no other.
    #[track_caller]
    pub(super) fn replies_to(&mut self, xids: &[u32]) -> BTreeMap<u32, Vec<u8>> {
        let mut replies = BTreeMap::new();
        for _ in xids {
            let reply = self.reply().expect("a reply");
            let xid = outcome(&reply).0;
            assert!(
                xids.contains(&xid),
                "a reply to a call of another connection"
            );
            let twice = replies.insert(xid, reply);
            assert!(twice.is_none(), "a second reply to one call");
        }
        replies
    }

    /// The next call of the server; replies that come before it are kept.
    pub(super) fn called(&mut self) -> Vec<u8> {
        loop {
            if let Some(call) = self.calls.pop_front() {
                return call;
            }
            self.sort().expect("a call");
        }
    }

    /// The next record, read in steps of at most so many bytes.
    pub(super) fn record(&mut self, step: usize) -> io::Result<Vec<u8>> {
        let mut mark = [0; Mark::LEN];
        self.read(&mut mark, step)?;
        let mark = Mark::from_bytes(mark);
        assert!(mark.last, "the server sends one fragment a record");
        let mut record = vec![0; mark.len as usize];
        self.read(&mut record, step)?;
        Ok(record)
    }

    /// Whether the stream ends, without a byte before its end.
    pub(super) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(why) => !is_timeout(&why),
        }
    }

    /// Whether nothing comes for a while.
    pub(super) fn is_quiet(&mut self, span: Duration) -> bool {
        let set = |span| self.transport.set_timeout(&self.stream, span);
        set(span).expect("a timeout");
        let read = self.stream.read(&mut [0]);
        let set = |span| self.transport.set_timeout(&self.stream, span);
        set(PATIENCE).expect("a timeout");
        read.is_err_and(|why| is_timeout(&why))
    }

    fn read(&mut self, bytes: &mut [u8], step: usize) -> io::Result<()> {
        for part in bytes.chunks_mut(step) {
            self.stream.read_exact(part)?;
        }
        Ok(())
    }

    fn sort(&mut self) -> io::Result<()> {
        let record = self.record(usize::MAX)?;
        match peek_message_type(&record).expect("a call or a reply").1 {
            MessageType::Call => self.calls.push_back(record),
            MessageType::Reply => self.replies.push_back(record),
        }
        Ok(())
    }
}

/// A transaction id that no other call of the process has: a reply on a wrong connection is found.
pub(super) fn next_xid() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The transaction id of a reply, and what RPC says of its call.
pub(super) fn outcome(reply: &[u8]) -> (u32, Result<(), Fault>) {
    let reply = ReplyHeader::decode(reply).expect("a reply");
    (reply.xid, reply.outcome.map(|_| ()))
}

/// A reader before the first result.
pub(super) fn results(reply: &[u8]) -> ReplyReader<'_> {
    ReplyReader::parse(reply).expect("a reply to a COMPOUND")
}

/// Operation and status of the last result.
pub(super) fn last(reply: &[u8]) -> (Op, Status) {
    let mut results = results(reply);
    let mut last = None;
    while let Some(result) = results.next_result().expect("results") {
        last = Some((result.op(), result.status()));
    }
    last.expect("a result")
}

/// The reply, in which every operation must have succeeded.
#[track_caller]
pub(super) fn succeeded(reply: Vec<u8>) -> Vec<u8> {
    let done = results(&reply).finish();
    assert_eq!(done, Ok(()), "every operation succeeds");
    reply
}

fn compound() -> (u32, CompoundBuilder) {
    let xid = next_xid();
    let user = CallCredential::Sys(AuthSys {
        stamp: 0,
        machinename: b"conformance",
        uid: 65_534,
        gid: 65_534,
        gids: List::empty(),
    });
    let call = CompoundBuilder::call(xid, &user, b"", 1);
    (xid, call)
}

fn is_timeout(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Slots of a session.
pub(super) const SLOTS: u32 = 64;
/// The program number of callbacks.
const CB_PROGRAM: u32 = 0x4000_0000;
/// Longer than anything takes here, on a machine that does much else.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

const CHANNEL: args::ChannelAttrs = args::ChannelAttrs {
    headerpadsize: 0,
    maxrequestsize: 2 << 20,
    maxresponsesize: 2 << 20,
    maxresponsesize_cached: 4_096,
    maxoperations: 16,
    maxrequests: SLOTS,
    rdma_ird: None,
};
