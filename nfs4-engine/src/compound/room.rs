//! How long the reply to a COMPOUND may get. [RFC 8881 §2.10.6.4]

use nfs4_proto::nfs4::status::Status;
use nfs4_proto::rpc::reply::SUCCESS_HEADER_LEN;

use super::Compound;

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

    /// How many bytes the current result may still have.
    ///
    /// # Errors
    /// As [`Compound::room_for`], if there is no room at all.
    pub(crate) fn room(&self) -> Result<usize, Status> {
        self.room_for(0)?;
        let most = if self.keep {
            self.max_reply.min(self.max_kept)
        } else {
            self.max_reply
        };
        Ok(most - self.fixed_len())
    }

    /// So many bytes of its reply may be kept for replay.
    pub(crate) fn promised(&self) -> usize {
        if self.keep { self.max_kept } else { 0 }
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
