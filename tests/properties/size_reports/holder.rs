//! The holder of the write delegation: what it changes, writes, answers and returns.

use nfs4_engine::Admin;
use nfs4_proto::client::CbReplyBuilder;
use nfs4_proto::nfs4::any::{CbArgOp, CbResOp};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::{StableHow, Stateid};
use nfs4_proto::nfs4::callback::res;
use nfs4_proto::nfs4::consts::{OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG};
use nfs4_proto::nfs4::res::{OpenDelegation, Outcome};
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, open_args};

use super::How;
use super::play::{Play, pair};
use crate::reachable_client::reachable_client;

pub(super) struct Holder {
    pub(super) client: Client,
    pub(super) incarnation: u32,
    pub(super) held: Option<Held>,
}

pub(super) struct Held {
    pub(super) open: Stateid,
    pub(super) delegation: Stateid,
    /// The change attribute that the delegation came with.
    pub(super) change: u64,
    /// The file's size in the holder's cache, and whether the server does not have it yet.
    pub(super) size: u64,
    pub(super) dirty: bool,
}

/// The steps of the holder.
impl Play {
    pub(super) fn flush(&mut self, size: u64) {
        let Some(held) = &mut self.holder.held else {
            return;
        };
        let data = vec![7; size as usize];
        let write = args::Write {
            stateid: held.delegation,
            offset: 0,
            stable: StableHow::FileSync,
            data: &data,
        };
        let put = args::PutFh { object: &self.fh };
        let reply = self
            .holder
            .client
            .call(&mut self.sim, |c| c.putfh(put).write(write));
        if reply.status() == Status::OK {
            held.size = held.size.max(size);
        } else {
            self.acknowledge_revocation(&reply);
        }
    }

    /// The holder answers the oldest callback.
    pub(super) fn answer(&mut self, busy: bool) {
        if self.callbacks.is_empty() {
            return;
        }
        let callback = self.callbacks.remove(0);
        if callback.conn != self.holder.client.conn {
            return;
        }
        let ops = callback.ops();
        let record = match (ops.as_slice(), &self.holder.held) {
            ([CbArgOp::Sequence(_), CbArgOp::GetAttr(_)], Some(_)) if busy => {
                callback.with(Status::DELAY)
            }
            ([CbArgOp::Sequence(sequence), CbArgOp::GetAttr(asked)], Some(held)) => {
                let ok = res::CbSequenceOk {
                    sessionid: sequence.sessionid,
                    sequenceid: sequence.sequenceid,
                    slotid: sequence.slotid,
                    highest_slotid: 15,
                    target_highest_slotid: 15,
                };
                let change = held.change + u64::from(held.dirty);
                let values = [change.to_be_bytes(), held.size.to_be_bytes()].concat();
                let attrs = res::CbGetAttrOk {
                    obj_attributes: FattrRaw {
                        mask: asked.attr_request,
                        values: &values,
                    },
                };
                CbReplyBuilder::reply(callback.xid(), b"")
                    .result(&CbResOp::Sequence(Outcome::Ok(ok)))
                    .result(&CbResOp::GetAttr(Outcome::Ok(attrs)))
                    .finish()
            }
            ([_, CbArgOp::GetAttr(_)], None) => callback.with(Status::BADHANDLE),
            _ => callback.ok(),
        };
        let conn = callback.conn;
        self.with_held_fs(|play| play.sim.send(conn, record));
    }

    pub(super) fn return_delegation(&mut self) {
        let Some(held) = self.holder.held.take() else {
            return;
        };
        let back = args::DelegReturn {
            deleg_stateid: held.delegation,
        };
        let close = args::Close {
            seqid: 0,
            open_stateid: held.open,
        };
        let fh = self.fh.clone();
        let put = args::PutFh { object: &fh };
        // The requests that wait for its answer continue.
        self.with_held_fs(|play| {
            let client = &mut play.holder.client;
            client.call(&mut play.sim, |c| c.putfh(put).delegreturn(back));
        });
        self.holder
            .client
            .call(&mut self.sim, |c| c.putfh(put).close(close))
            .all_ok();
    }

    /// The delegation was revoked: the holder frees its stateid.
    fn acknowledge_revocation(&mut self, reply: &Reply) {
        assert_eq!(reply.last().1, Status::DELEG_REVOKED);
        if let Some(held) = &self.holder.held {
            let free = args::FreeStateid {
                stateid: held.delegation,
            };
            self.holder
                .client
                .call(&mut self.sim, |c| c.free_stateid(free))
                .all_ok();
        }
        self.return_delegation();
    }

    pub(super) fn open(&mut self) {
        if self.holder.held.is_some() {
            return;
        }
        let args = args::Open {
            share_access: OPEN4_SHARE_ACCESS_BOTH | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
            ..open_args(b"holder", b"f")
        };
        let attrs = args::GetAttr {
            attr_request: Bitmap::of(&[num::CHANGE, num::SIZE]),
        };
        let reply = self
            .holder
            .client
            .call(&mut self.sim, |c| c.putrootfh().open(args).getattr(attrs));
        let opened = ok!(reply, Open);
        if let OpenDelegation::Write(write) = opened.delegation {
            let (change, size) = pair(&reply, How::GetAttr);
            self.holder.held = Some(Held {
                open: opened.stateid,
                delegation: write.stateid,
                change,
                size,
                dirty: false,
            });
            return;
        }
        let close = args::Close {
            seqid: 0,
            open_stateid: opened.stateid,
        };
        let put = args::PutFh { object: &self.fh };
        self.holder
            .client
            .call(&mut self.sim, |c| c.putfh(put).close(close))
            .all_ok();
        // The backchannel may be broken.
        self.evict();
    }

    pub(super) fn evict(&mut self) {
        let client = self.holder.client.id.0;
        self.with_held_fs(|play| play.sim.admin(Admin::EvictClient { client }));
        self.holder.incarnation += 1;
        self.holder.client = holder_client(&mut self.sim, self.holder.incarnation);
        self.holder.held = None;
    }
}

pub(super) fn holder_client(sim: &mut Sim, incarnation: u32) -> Client {
    reachable_client(sim, &format!("holder {incarnation}"))
}
