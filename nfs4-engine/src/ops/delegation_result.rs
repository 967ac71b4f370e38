//! The part of an OPEN's result about delegations. [RFC 8881 §18.16.3, open_delegation4]

use alloc::sync::Arc;

use nfs4_proto::nfs4::basic::Ace;
use nfs4_proto::nfs4::consts::{
    ACE4_ACCESS_ALLOWED_ACE_TYPE, ACE4_APPEND_DATA, ACE4_READ_DATA, ACE4_WRITE_DATA,
};
use nfs4_proto::nfs4::res::{
    NoDelegation, OpenDelegation, ReadDelegation, SpaceLimit, WriteDelegation,
};
use nfs4_proto::xdr::{Encode, Reader, Writer};

use super::share::WANT_BITS;
use crate::attr::decimal;
use crate::compound::Cx;
use crate::delegation_kind::DelegationKind;
use crate::fs::Flavor;
use crate::keys::DelegationKey;
use crate::state::file::Share;

/// The delegation that an OPEN gets, or why it gets none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    Granted(DelegationKey),
    Not(OfferRefused),
}

/// Why an OPEN gets no delegation. [RFC 8881 §18.16.3, why_no_delegation4]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfferRefused {
    Contention,
    Resource,
    Reason(u32),
}

/// Writes the part of an OPEN's result about delegations.
pub(super) fn encode<S>(cx: &mut Cx<'_, S>, access: u32, offer: Offer) {
    let key = match offer {
        Offer::Granted(key) => key,
        Offer::Not(why) => {
            // A client that sets no WANT flag gets no reason.
            let none = if access & WANT_BITS == 0 {
                OpenDelegation::None
            } else {
                OpenDelegation::NoneExt(why.encoded())
            };
            none.encode(cx.body());
            return;
        }
    };
    let Some(held) = cx.core.states.delegation(key) else {
        OpenDelegation::None.encode(cx.body());
        return;
    };
    let stateid = cx.core.states.delegation_stateid(key);
    let (kind, rights, recall) = (held.kind, held.rights_of(&held.opener), held.is_recalled());
    let mut name_of_opener = Writer::new();
    let opener = Arc::clone(&held.opener);
    let known = opener.flavor() == Flavor::Sys;
    if known {
        decimal(&mut name_of_opener, opener.uid);
    }
    let permissions = Ace {
        r#type: ACE4_ACCESS_ALLOWED_ACE_TYPE,
        flag: 0,
        access_mask: if known { allowed(kind, rights) } else { 0 },
        who: name(name_of_opener.as_slice()),
    };
    let delegation = match kind {
        DelegationKind::Read => OpenDelegation::Read(ReadDelegation {
            stateid,
            recall,
            permissions,
        }),
        DelegationKind::Write => OpenDelegation::Write(WriteDelegation {
            stateid,
            recall,
            space_limit: SpaceLimit::Size(held.limit),
            permissions,
        }),
    };
    delegation.encode(cx.body());
}

/// The access that the client may grant the opener locally: what the file system allowed the opener.
fn allowed(kind: DelegationKind, rights: Share) -> u32 {
    let mut mask = 0;
    if rights.reads() {
        mask |= ACE4_READ_DATA;
    }
    if rights.writes() && kind == DelegationKind::Write {
        mask |= ACE4_WRITE_DATA | ACE4_APPEND_DATA;
    }
    mask
}

/// The digits in an XDR-encoded opaque.
fn name(opaque: &[u8]) -> &[u8] {
    Reader::new(opaque).opaque(DIGITS).unwrap_or_default()
}

impl OfferRefused {
    /// The server never promises to signal later that a delegation is available. [RFC 8881 §18.16.3]
    fn encoded(self) -> NoDelegation {
        match self {
            OfferRefused::Contention => NoDelegation::Contention(false),
            OfferRefused::Resource => NoDelegation::Resource(false),
            OfferRefused::Reason(why) => NoDelegation::WhyNone(why),
        }
    }
}

/// Maximum number of bytes that a delegation adds to OPEN4resok.
pub(super) const DELEGATION_LEN: usize = 64;
/// Maximum number of digits of a user id.
const DIGITS: usize = 10;
