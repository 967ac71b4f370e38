//! A session of NFSv4.1 on a peer's connection.

use nfs4_driver::engine::proto::client::{ClientError, CompoundBuilder, ReplyReader};
use nfs4_driver::engine::proto::nfs4::attr::num;
use nfs4_driver::engine::proto::nfs4::{Bitmap, SessionId, args};
use nfs4_driver::engine::proto::xdr::List;

use nfs4_tests::NOBODY;

use crate::peer::Peer;

/// A session with its slots' sequence ids.
pub(crate) struct Session {
    id: SessionId,
    sequence: [u32; 64],
}

impl Session {
    /// Makes a client and its session.
    pub(crate) async fn establish(peer: &mut Peer, owner: &[u8]) -> Session {
        let exchange = args::ExchangeId {
            clientowner: args::ClientOwner {
                verifier: Default::default(),
                ownerid: owner,
            },
            flags: 0,
            state_protect: args::StateProtect::None,
            client_impl_id: None,
        };
        peer.send(&call(1).exchange_id(exchange).finish()).await;
        let record = peer.record().await.unwrap();
        let made = ReplyReader::parse(&record).unwrap().exchange_id().unwrap();
        let channel = args::ChannelAttrs {
            headerpadsize: 0,
            maxrequestsize: 2 << 20,
            maxresponsesize: 2 << 20,
            maxresponsesize_cached: 4_096,
            maxoperations: 16,
            maxrequests: 64,
            rdma_ird: None,
        };
        let create = args::CreateSession {
            clientid: made.clientid,
            sequence: made.sequenceid,
            flags: 0,
            fore_chan_attrs: channel,
            back_chan_attrs: channel,
            cb_program: 0,
            sec_parms: List::new(&[]),
        };
        peer.send(&call(2).create_session(create).finish()).await;
        let record = peer.record().await.unwrap();
        let made = ReplyReader::parse(&record)
            .unwrap()
            .create_session()
            .unwrap();
        Session {
            id: made.sessionid,
            sequence: [0; 64],
        }
    }

    /// A GETATTR of the root directory, with the slot as its transaction id.
    pub(crate) fn getattr(&mut self, slot: u32) -> Vec<u8> {
        let attr_request = Bitmap::of(&[num::TYPE, num::SIZE]);
        self.compound(slot)
            .putrootfh()
            .getattr(args::GetAttr { attr_request })
            .finish()
    }

    /// Starts a COMPOUND on a slot, which is its transaction id.
    pub(crate) fn compound(&mut self, slot: u32) -> CompoundBuilder {
        let sequence = self.next(slot);
        let mut call = call(slot);
        call.sequence(sequence);
        call
    }

    fn next(&mut self, slot: u32) -> args::Sequence {
        let sequence = &mut self.sequence[slot as usize];
        *sequence += 1;
        args::Sequence {
            sessionid: self.id,
            sequenceid: *sequence,
            slotid: slot,
            highest_slotid: 63,
            cachethis: false,
        }
    }
}

/// The transaction id of a reply and whether every operation succeeded.
pub(crate) fn outcome(record: &[u8]) -> (u32, Result<(), ClientError>) {
    let mut reader = ReplyReader::parse(record).expect("a reply to a COMPOUND");
    (reader.xid(), reader.finish())
}

/// Starts a COMPOUND of user 65 534.
pub(crate) fn call(xid: u32) -> CompoundBuilder {
    CompoundBuilder::call(xid, &NOBODY, b"", 1)
}
