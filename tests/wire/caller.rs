//! A client of NFSv4.1 that waits for each of its replies.

use std::net::SocketAddr;

use nfs4_driver::engine::proto::client::{CompoundBuilder, ReplyReader};
use nfs4_driver::engine::proto::dump::Dump;
use nfs4_driver::engine::proto::nfs4::{
    ClientId, FattrRaw, Op, Owner, SessionId, Stateid, Status, Verifier, args,
};
use nfs4_driver::engine::proto::rpc::{MessageType, peek_message_type};
use nfs4_driver::engine::proto::xdr::List;

use nfs4_tests::NOBODY;

use crate::peer::Peer;

/// A client with one connection and one session.
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    pub(crate) minor: u32,
    pub(crate) id: ClientId,
    pub(crate) session: SessionId,
    create_sequence: u32,
    sequence: [u32; 64],
}

/// A reply without its mark.
pub(crate) struct Reply(Vec<u8>);

impl Caller {
    /// A client that the server has not heard of.
    pub(crate) async fn stranger(server: SocketAddr) -> Caller {
        Caller::by(Peer::connect(server).await)
    }

    /// The same, by this connection.
    pub(crate) fn by(peer: Peer) -> Caller {
        Caller {
            peer,
            minor: 1,
            id: ClientId(0),
            session: SessionId::default(),
            create_sequence: 0,
            sequence: [0; 64],
        }
    }

    /// A client with a session, which has said RECLAIM_COMPLETE.
    pub(crate) async fn mounted(server: SocketAddr, owner: &[u8]) -> Caller {
        let mut caller = Caller::stranger(server).await;
        caller.introduce(owner).await.all_ok();
        caller.enter(CHANNEL, 0).await.all_ok();
        caller
    }

    /// EXCHANGE_ID.
    pub(crate) async fn introduce(&mut self, owner: &[u8]) -> Reply {
        self.introduce_as(owner, Verifier::default()).await
    }

    /// EXCHANGE_ID of an incarnation.
    pub(crate) async fn introduce_as(&mut self, owner: &[u8], verifier: Verifier) -> Reply {
        let exchange = args::ExchangeId {
            clientowner: args::ClientOwner {
                verifier,
                ownerid: owner,
            },
            flags: 0,
            state_protect: args::StateProtect::None,
            client_impl_id: None,
        };
        let reply = self.bare(|c| c.exchange_id(exchange)).await;
        if let Ok(made) = reply.results().exchange_id() {
            self.id = made.clientid;
            self.create_sequence = made.sequenceid;
        }
        reply
    }

    /// CREATE_SESSION, and RECLAIM_COMPLETE if that has not failed.
    pub(crate) async fn enter(&mut self, channel: args::ChannelAttrs, flags: u32) -> Reply {
        let create = args::CreateSession {
            clientid: self.id,
            sequence: self.create_sequence,
            flags,
            fore_chan_attrs: channel,
            back_chan_attrs: channel,
            cb_program: 0x4000_0000,
            sec_parms: List::new(&[args::CallbackSecParms::None]),
        };
        let reply = self.bare(|c| c.create_session(create)).await;
        if let Ok(made) = reply.results().create_session() {
            let is_first = self.session == SessionId::default();
            self.create_sequence += 1;
            self.session = made.sessionid;
            self.sequence = [0; 64];
            if is_first {
                let done = args::ReclaimComplete { one_fs: false };
                self.call(|c| c.reclaim_complete(done)).await.all_ok();
            }
        }
        reply
    }

    /// BIND_CONN_TO_SESSION on another connection.
    pub(crate) async fn bind(&self, peer: &mut Peer, dir: args::ChannelDirFromClient) -> Reply {
        let bind = args::BindConnToSession {
            sessid: self.session,
            dir,
            use_conn_in_rdma_mode: false,
        };
        let call = self.compound().bind_conn_to_session(bind).finish();
        exchange(peer, &call).await
    }

    /// A COMPOUND without SEQUENCE.
    pub(crate) async fn bare(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        let call = build(&mut self.compound()).finish();
        exchange(&mut self.peer, &call).await
    }

    /// A COMPOUND on slot 0, to be kept for replay.
    pub(crate) async fn call(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        let call = self.request(0, build);
        exchange(&mut self.peer, &call).await
    }

    /// The next COMPOUND on a slot, to be kept for replay.
    pub(crate) fn request(
        &mut self,
        slot: u32,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let sequence = &mut self.sequence[slot as usize];
        *sequence += 1;
        let sequence = args::Sequence {
            sessionid: self.session,
            sequenceid: *sequence,
            slotid: slot,
            highest_slotid: 63,
            cachethis: true,
        };
        build(self.compound().sequence(sequence)).finish()
    }

    /// Sends a call and waits for the reply.
    pub(crate) async fn send(&mut self, call: &[u8]) -> Reply {
        exchange(&mut self.peer, call).await
    }

    /// Waits for the reply to a call sent before.
    pub(crate) async fn reply(&mut self) -> Reply {
        Reply(self.peer.reply().await.expect("a reply"))
    }

    /// Waits for the reply to a call sent before, past calls of the server's.
    pub(crate) async fn reply_past_callbacks(&mut self) -> Reply {
        loop {
            let record = self.peer.record().await.expect("a reply");
            if matches!(peek_message_type(&record), Ok((_, MessageType::Reply))) {
                return Reply(record);
            }
        }
    }

    fn compound(&self) -> CompoundBuilder {
        CompoundBuilder::call(7, &NOBODY, b"", self.minor)
    }
}

impl Reply {
    /// A reader before the first result.
    pub(crate) fn results(&self) -> ReplyReader<'_> {
        ReplyReader::parse(&self.0).expect("a reply to a COMPOUND")
    }

    /// A reader after the result of SEQUENCE, and of `skip` operations more.
    pub(crate) fn after(&self, skip: usize) -> ReplyReader<'_> {
        let mut results = self.results();
        for _ in 0..=skip {
            results.next_result().unwrap().expect("a result");
        }
        results
    }

    /// Operation and status of the last result.
    pub(crate) fn last(&self) -> (Op, Status) {
        let mut results = self.results();
        let mut last = None;
        while let Some(result) = results.next_result().unwrap() {
            last = Some((result.op(), result.status()));
        }
        last.expect("a result")
    }

    pub(crate) fn status(&self) -> Status {
        self.results().status()
    }

    /// Itself, if every operation succeeded.
    #[track_caller]
    pub(crate) fn all_ok(self) -> Reply {
        let done = self.results().finish();
        assert_eq!(done, Ok(()), "{}", Dump::new(&self.0));
        self
    }
}

async fn exchange(peer: &mut Peer, call: &[u8]) -> Reply {
    peer.send(call).await;
    Reply(peer.reply().await.expect("a reply"))
}

/// OPEN for reading and writing, which makes the file if it is not there.
pub(crate) fn open(name: &[u8]) -> args::Open<'_> {
    args::Open {
        seqid: 0,
        share_access: 3,
        share_deny: 0,
        owner: Owner {
            clientid: ClientId(0),
            owner: b"opener",
        },
        openhow: args::OpenFlag::Create(args::CreateHow::Unchecked(FattrRaw::EMPTY)),
        claim: args::OpenClaim::Null(name),
    }
}

/// CLOSE of what was opened in the same COMPOUND.
pub(crate) const CLOSE: args::Close = args::Close {
    seqid: 0,
    open_stateid: Stateid::CURRENT,
};

/// What is asked of both channels of a session: more than is granted by default.
pub(crate) const CHANNEL: args::ChannelAttrs = args::ChannelAttrs {
    headerpadsize: 0,
    maxrequestsize: 4 << 20,
    maxresponsesize: 4 << 20,
    maxresponsesize_cached: 1 << 20,
    maxoperations: 1_000,
    maxrequests: 64,
    rdma_ird: None,
};
