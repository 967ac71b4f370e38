//! Delegations of files to clients. [RFC 8881 §10.4]

use alloc::sync::Arc;
use core::time::Duration;

use super::file::Share;
use crate::callback::Referred;
use crate::delegation_kind::DelegationKind;
use crate::delegation_kind::Touch;
use crate::fs::Credential;
use crate::keys::{ClientKey, FileKey, kind};
use crate::principal::Principal;
use crate::slab::Entry;
use crate::time::Mono;

/// What a delegation stateid names: a file that its client may open and cache by itself.
pub(crate) struct Delegation {
    pub(crate) client: ClientKey,
    pub(crate) file: FileKey,
    pub(crate) kind: DelegationKind,
    /// The stateid's seqid: from 1, and up by one when the delegation becomes one of another kind.
    pub(crate) seqid: u32,
    pub(crate) phase: DelegationPhase,
    /// Why it is revoked as soon as stable storage knows that: it is of no use to its client any more.
    pub(crate) doomed: Option<Revocation>,
    /// The access for which the file system let its opener open the file.
    rights: Share,
    /// The user that it was granted for.
    pub(crate) opener: Arc<Credential>,
    /// Its file is leased by the file system until it ends.
    pub(crate) leased: bool,
    /// The request whose reply granted it.
    pub(crate) granted_by: Option<Referred>,
    /// The change attribute that the client knows. [RFC 8881 §10.4.3]
    pub(crate) change: u64,
    /// The size up to which the client may write before it knows that there is room.
    pub(crate) limit: u64,
    pub(crate) probe: AttrQuery,
    /// Since when requests wait for the holder's answer.
    awaited: Option<AnswerAwaited>,
    /// What other clients got of it, if that is not what the file system has.
    reported: Option<ReportedSize>,
    /// The latest change attribute that other clients got since the holder was asked first.
    reported_change: u64,
    // Where it stands in its client's list, and in its file's.
    pub(super) place: u32,
    pub(super) file_place: u32,
}

/// The phase of a delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DelegationPhase {
    /// The client has it.
    Held,
    /// The client has it, and is to return it.
    Recalled(Recall),
    /// The client has lost it, and has not acknowledged that yet.
    Revoked(Revocation),
}

/// Why a delegation was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revocation {
    /// The client did not return it.
    NotReturned,
    /// The administrator has removed the export of the file, or has changed what it allows.
    Administrator,
    /// Another client needed the file when the lease of the client had expired.
    LeaseExpired,
}

/// The recall of a delegation. [RFC 8881 §10.4.4]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recall {
    /// When the delegation is revoked.
    pub(crate) until: Mono,
    pub(crate) progress: RecallProgress,
    /// Not before then CB_RECALL is sent again.
    pub(crate) again: Mono,
    /// The file is about to be truncated to length zero: the client need not write its cached data.
    pub(crate) truncate: bool,
    /// How often the client has answered with an error.
    pub(crate) refusals: u8,
}

/// Whether a client knows of a recall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecallProgress {
    /// CB_RECALL was not sent, or has failed.
    No,
    /// CB_RECALL is under way.
    Asked,
    /// The client has answered CB_RECALL.
    Yes,
}

/// What is known of a file that the holder of its write delegation may have changed.
/// [RFC 8881 §10.4.3]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AttrQuery {
    /// Nothing.
    #[default]
    Idle,
    /// CB_GETATTR is under way.
    Asked,
    /// What the holder has answered.
    Answered(HolderAnswer),
}

/// A holder's answer to CB_GETATTR. [RFC 8881 §20.1]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HolderAnswer {
    /// When it came.
    pub(crate) at: Mono,
    /// It was used by a GETATTR.
    pub(crate) used: bool,
    pub(crate) change: Option<u64>,
    pub(crate) size: Option<u64>,
}

/// The size of the file that a holder reported, as other clients got it. The file system does not have
/// that size, so it must never be seen beside the change attribute that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReportedSize {
    pub(crate) size: u64,
    /// The change attribute that was sent.
    pub(crate) change: u64,
    /// and the next one, which the file system has had since.
    pub(crate) after: u64,
}

/// Others wait for what a holder says.
#[derive(Clone, Copy, Debug)]
struct AnswerAwaited {
    since: Mono,
    /// When one last asked.
    last: Mono,
}

/// A delegation about to be made.
pub(crate) struct Grant {
    pub(crate) kind: DelegationKind,
    /// For what the file system let the opener in.
    pub(crate) rights: Share,
    pub(crate) opener: Arc<Credential>,
    /// The file is leased for it.
    pub(crate) leased: bool,
    pub(crate) granted_by: Option<Referred>,
    pub(crate) change: u64,
    /// What is there can be written over; room for more is not reserved, so the client has to see
    /// at every close whether there is some. [RFC 8881 §10.4.1]
    pub(crate) limit: u64,
}

impl Entry for Delegation {
    type Kind = kind::Delegation;
}

impl Delegation {
    pub(super) fn new(
        client: ClientKey,
        file: FileKey,
        grant: Grant,
        place: u32,
        file_place: u32,
    ) -> Delegation {
        let Grant {
            kind,
            rights,
            opener,
            leased,
            granted_by,
            change,
            limit,
        } = grant;
        Delegation {
            client,
            file,
            kind,
            seqid: 1,
            phase: DelegationPhase::Held,
            doomed: None,
            rights,
            opener,
            leased,
            granted_by,
            change,
            limit,
            probe: AttrQuery::Idle,
            awaited: None,
            reported: None,
            reported_change: 0,
            place,
            file_place,
        }
    }

    /// It becomes one of another kind, and perhaps another user's.
    pub(super) fn grant_anew(&mut self, grant: Grant) {
        let Grant {
            kind,
            rights,
            opener,
            leased,
            granted_by,
            change,
            limit,
        } = grant;
        self.rights = self.rights_of(&opener).union(rights);
        self.kind = kind;
        self.opener = opener;
        self.leased = leased;
        self.granted_by = granted_by;
        self.change = change;
        self.limit = limit;
        (self.reported, self.reported_change) = (None, 0);
        self.advance();
    }

    /// One more request asks for the holder's attributes; returns whether it can wait, having waited for
    /// less than `patience`. A client that got DELAY asks again within a few times that.
    pub(crate) fn is_awaited(&mut self, now: Mono, patience: Duration) -> bool {
        let since = match self.awaited {
            Some(before) if now <= before.last.after(COMES_AGAIN * patience) => before.since,
            Some(_) | None => now,
        };
        self.awaited = Some(AnswerAwaited { since, last: now });
        now < since.after(patience)
    }

    /// What other clients got of its file, if the file system does not have that.
    pub(crate) fn reported(&self) -> Option<ReportedSize> {
        self.reported
    }

    /// Other clients get the file's attributes with this change attribute and, if that is not the file
    /// system's, the size in `reported`. A later change attribute that was reported before stays in force.
    pub(crate) fn set_reported(&mut self, change: u64, reported: Option<ReportedSize>) {
        let after = |reported: Option<ReportedSize>| reported.map_or(0, |reported| reported.after);
        let after = after(self.reported).max(after(reported));
        if change >= self.reported_change {
            self.reported_change = change;
            self.reported = reported;
        }
        if let Some(reported) = &mut self.reported {
            reported.after = after;
        }
    }

    /// The holder has said what it has made of the file.
    pub(crate) fn answers(&mut self, answer: HolderAnswer) {
        self.probe = AttrQuery::Answered(answer);
        self.awaited = None;
    }

    /// Where it stands in its client's list.
    pub(crate) fn place(&self) -> u32 {
        self.place
    }

    /// Where it stands in its file's list, unless it is revoked.
    pub(crate) fn file_place(&self) -> u32 {
        self.file_place
    }

    /// Whether it is to come back.
    pub(crate) fn is_recalled(&self) -> bool {
        matches!(self.phase, DelegationPhase::Recalled(_))
    }

    pub(crate) fn is_revoked(&self) -> bool {
        matches!(self.phase, DelegationPhase::Revoked(_))
    }

    /// The recall, if there is one.
    pub(crate) fn recall_mut(&mut self) -> Option<&mut Recall> {
        match &mut self.phase {
            DelegationPhase::Recalled(recall) => Some(recall),
            DelegationPhase::Held | DelegationPhase::Revoked(_) => None,
        }
    }

    /// The access for which the file system let a user open the file when it was delegated: only the
    /// opener was checked, and a stateid is no password. [RFC 8881 §18.16.4]
    pub(crate) fn rights_of(&self, cred: &Credential) -> Share {
        if Principal::of(&self.opener) == Principal::of(cred) {
            self.rights
        } else {
            Share::default()
        }
    }

    /// Whether it allows this to no client but its holder.
    pub(crate) fn forbids(&self, touch: Touch) -> bool {
        match self.kind {
            DelegationKind::Read => touch == Touch::Change,
            DelegationKind::Write => true,
        }
    }

    /// The next seqid of its stateid; it wraps past zero, which means "the current one".
    fn advance(&mut self) {
        self.seqid = self.seqid.checked_add(1).unwrap_or(1);
    }
}

/// Number of times the wait for a holder a client that got DELAY may take to ask again.
const COMES_AGAIN: u32 = 4;
