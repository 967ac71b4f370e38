//! How long the reply to a COMPOUND may get. [RFC 8881 §2.10.6.4]

use nfs4_proto::nfs4::status::Status;
use nfs4_proto::rpc::reply::SUCCESS_HEADER_LEN;

use super::Compound;
use crate::keys::SessionKey;

impl Compound {
    /// Whether `more` bytes still fit into the reply, and after them at least an error for the
    /// operation that follows.
    ///
    /// # Errors
    /// REP_TOO_BIG, or REP_TOO_BIG_TO_CACHE if only a reply to be kept is too long.
    pub(crate) fn room_for(&self, more: usize) -> Result<(), Status> {
        let len = self.fixed_len() + more;
        if len > self.max_reply {
            Err(Status::REP_TOO_BIG)
        } else if self.keep && len > self.max_kept {
            Err(Status::REP_TOO_BIG_TO_CACHE)
        } else {
            Ok(())
        }
    }

    /// How many bytes a result may have that can be made shorter, but not shorter than `least`.
    ///
    /// # Errors
    /// As [`Compound::room_for`], if there is less room than that.
    pub(crate) fn room(&self, least: usize) -> Result<usize, Status> {
        self.room_for(least)?;
        let (len, most) = (self.fixed_len(), self.most());
        match most.checked_sub(len) {
            Some(room) if room >= least => Ok(room),
            _ => Err(Status::REP_TOO_BIG_TO_CACHE),
        }
    }

    /// Why a result is shorter than `wanted`, if it is the reply that leaves no room for more.
    pub(crate) fn cut_by(&self, wanted: usize) -> Option<Status> {
        let most = self.most();
        let is_cut = self.fixed_len() + wanted > most;
        is_cut.then_some(if most < self.max_reply {
            Status::REP_TOO_BIG_TO_CACHE
        } else {
            Status::REP_TOO_BIG
        })
    }

    /// How long a reply may be with results that can be made shorter.
    fn most(&self) -> usize {
        if self.keep {
            self.max_reply.min(self.max_kept).min(self.spare)
        } else {
            self.max_reply
        }
    }

    /// How many bytes of its reply may be kept for replay, by which session.
    pub(crate) fn promised(&self) -> Option<(SessionKey, usize)> {
        let scope = self.sequenced.as_ref().filter(|_| self.keep)?;
        Some((scope.session, self.max_kept))
    }

    /// What the RPC reply has at the least, if nothing more is added to the current result.
    fn fixed_len(&self) -> usize {
        let next = if self.begun < self.count {
            RESULT_HEAD
        } else {
            0
        };
        SUCCESS_HEADER_LEN + self.reply.len() + next
    }
}

/// What every error takes: operation number and status, and a SETATTR's that nothing was set.
const RESULT_HEAD: usize = 12;
