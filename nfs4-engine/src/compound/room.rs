//! The maximum length of the reply to a COMPOUND. [RFC 8881 §2.10.6.4]

use nfs4_proto::nfs4::status::Status;
use nfs4_proto::rpc::reply::SUCCESS_HEADER_LEN;

use super::Compound;
use crate::keys::SessionKey;

impl Compound {
    /// Whether the reply has room for `more` bytes and for an error of the next operation.
    ///
    /// # Errors
    /// REP_TOO_BIG, or REP_TOO_BIG_TO_CACHE if the reply is too long only to be kept for replay.
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

    /// Maximum length of a result that the operation can shorten to `least` bytes.
    ///
    /// # Errors
    /// As [`Compound::room_for`], if there is room for fewer than `least` bytes.
    pub(crate) fn room(&self, least: usize) -> Result<usize, Status> {
        self.room_for(least)?;
        let (len, most) = (self.fixed_len(), self.most());
        match most.checked_sub(len) {
            Some(room) if room >= least => Ok(room),
            _ => Err(Status::REP_TOO_BIG_TO_CACHE),
        }
    }

    /// The limit of the reply that makes a result shorter than `wanted`, if one does.
    pub(crate) fn cut_by(&self, wanted: usize) -> Option<Status> {
        let most = self.most();
        let is_cut = self.fixed_len() + wanted > most;
        is_cut.then_some(if most < self.max_reply {
            Status::REP_TOO_BIG_TO_CACHE
        } else {
            Status::REP_TOO_BIG
        })
    }

    /// Maximum length of a reply whose results can be shortened, in bytes.
    fn most(&self) -> usize {
        if self.keep {
            self.max_reply.min(self.max_kept).min(self.cache_room)
        } else {
            self.max_reply
        }
    }

    /// The session that keeps the reply for replay, and the maximum length of the kept reply, in bytes.
    pub(crate) fn promised(&self) -> Option<(SessionKey, usize)> {
        let scope = self.sequenced.as_ref().filter(|_| self.keep)?;
        Some((scope.session, self.max_kept))
    }

    /// Minimum length of the RPC reply if the current result does not grow, in bytes.
    fn fixed_len(&self) -> usize {
        let next = if self.begun < self.count {
            RESULT_HEAD
        } else {
            0
        };
        SUCCESS_HEADER_LEN + self.reply.len() + next
    }
}

/// Length of an error, in bytes: operation number, status, and SETATTR's empty list of attributes.
const RESULT_HEAD: usize = 12;
