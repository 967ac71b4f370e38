//! On which terms the peer of a request uses an export.

use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

use crate::compound::Cx;
use crate::exports::Viewer;
use crate::fs::{AccessMask, FsError};
use crate::terms::{Barrier, KnownTerms, Terms};

impl<S> Cx<'_, S> {
    /// The terms of the peer for an export.
    ///
    /// # Errors
    /// There is no such export, or not for the peer.
    #[inline]
    pub(crate) fn terms(&self, export: u16) -> Result<Terms, Barrier> {
        match self.core.exports.plain_terms(export) {
            Some(terms) => Ok(terms),
            None => self.terms_of_peer(export),
        }
    }

    /// Checks that the current operation, on an object of this export, may be executed for the peer.
    ///
    /// # Errors
    /// STALE if the export is not served any more. ACCESS if it is not for the peer: the object exists, and
    /// can be used again once the administrator permits it, so that STALE, for which clients forget an
    /// object, would be wrong [RFC 8881 §15.1.2.7, §15.1.6.1].
    #[inline]
    pub(crate) fn admit(&mut self, export: u16, op: Op) -> Result<(), Status> {
        if self.core.exports.plain_terms(export).is_some() {
            return Ok(());
        }
        self.admit_peer(export, op)
    }

    /// The rights that can be granted on objects of an export at all.
    pub(crate) fn rights(&self, export: u16) -> AccessMask {
        let terms = self.terms(export);
        terms.map_or(AccessMask::default(), Terms::rights)
    }

    /// The peer, as far as it decides which exports there are.
    pub(crate) fn viewer(&self) -> Viewer {
        let connection = self.core.connections.get(self.run.conn);
        Viewer {
            host: connection.map(|found| found.address).or(self.run.address),
            minor: self.run.minor,
        }
    }

    #[cold]
    fn admit_peer(&mut self, export: u16, op: Op) -> Result<(), Status> {
        self.know_terms(export);
        match self.terms_of_peer(export) {
            Ok(_) => Ok(()),
            Err(Barrier::Gone) => Err(Status::STALE),
            // What gives state back, or consults no file, tells nothing.
            Err(Barrier::Denied) if is_harmless(op) => Ok(()),
            Err(Barrier::Denied) => Err(Status::ACCESS),
        }
    }

    /// Notes the terms of the peer for an export, with the connection and the request.
    fn know_terms(&mut self, export: u16) {
        let exports = &self.core.exports;
        let changes = exports.changes();
        let is_known = |known: &KnownTerms| (known.export, known.changes) == (export, changes);
        if self.run.known_terms.as_ref().is_some_and(is_known) {
            return;
        }
        let viewer = self.viewer();
        let exports = &self.core.exports;
        let connection = self.core.connections.get_mut(self.run.conn);
        let known = connection.and_then(|connection| {
            if let Some(known) = connection.terms.get(export, changes) {
                return Some(known);
            }
            let known = KnownTerms {
                export,
                changes,
                terms: exports.terms_of_host(export, viewer.host)?,
            };
            connection.terms.note(known);
            self.core.states.walked += exports.steps_to_terms(export);
            Some(known)
        });
        self.run.known_terms = known.or(self.run.known_terms);
    }

    fn terms_of_peer(&self, export: u16) -> Result<Terms, Barrier> {
        let exports = &self.core.exports;
        if let Some(known) = self.run.known_terms
            && (known.export, known.changes) == (export, exports.changes())
            && exports.is_served_in(export, self.run.minor)
        {
            return known.terms.ok_or(Barrier::Denied);
        }
        exports.terms(export, self.viewer())
    }
}

impl From<Barrier> for FsError {
    fn from(barrier: Barrier) -> FsError {
        match barrier {
            Barrier::Gone => FsError::Stale,
            Barrier::Denied => FsError::AccessDenied,
        }
    }
}

/// Whether a peer may execute an operation on an object that is not for it: one that gives back what the
/// client has, or that only moves the filehandle.
fn is_harmless(op: Op) -> bool {
    [
        Op::Close,
        Op::DelegReturn,
        Op::GetFh,
        Op::LockU,
        Op::OpenConfirm,
        Op::OpenDowngrade,
        Op::SaveFh,
    ]
    .contains(&op)
}
