//! The share that an OPEN has of a file while it truncates it: the share excludes others already, and
//! the open exists only once the truncation has succeeded.

use super::file::Share;
use super::table::States;
use crate::fh::Fh;
use crate::keys::FileKey;

/// The share of an OPEN in execution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) file: FileKey,
    pub(crate) share: Share,
}

impl States {
    /// Takes a share of a file, which the file [`admits`](States::admits).
    pub(crate) fn claim(&mut self, fh: &Fh, share: Share) -> Claim {
        let file = self.files.get_or_insert(fh);
        self.files.claim(file, share);
        Claim { file, share }
    }

    /// Releases it.
    pub(crate) fn unclaim(&mut self, claim: Claim) {
        self.files.unclaim(claim.file, claim.share);
    }
}
