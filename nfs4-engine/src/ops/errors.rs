//! The statuses that an operation may return. [RFC 8881 §15.2, RFC 7862 §11.2]

use nfs4_proto::nfs4::errors;
use nfs4_proto::nfs4::opnum::Op;
use nfs4_proto::nfs4::status::Status;

use crate::fs::FsError;
use crate::fs::driver::FsCall;

/// Whether an operation may return this status, by the lists of the RFCs and [`EXCEPTIONS`].
pub(crate) fn permits(op: Op, minor: u32, status: Status) -> bool {
    status == Status::OK
        || errors::allowed(op, minor, status)
        || minor == 0 && EXCEPTIONS_V40.contains(&status)
        || EXCEPTIONS
            .iter()
            .any(|(of, extra, _)| *extra == status && of.is_none_or(|of| of == op))
}

/// The status that an operation uses for a condition in a minor version.
#[inline]
pub(crate) fn named_in(minor: u32, op: Op, status: Status) -> Status {
    if status == Status::OK {
        return status;
    }
    error_named_in(minor, op, status)
}

fn error_named_in(minor: u32, op: Op, status: Status) -> Status {
    let status = match (status, op) {
        // PUTFH leaves the check of a filehandle to the next operation that uses it, and BADHANDLE is
        // only in the list of PUTFH.
        (Status::BADHANDLE, op) if op != Op::PutFh => Status::STALE,
        // The object has no length. SETATTR may not name its kind; only 4.0 has ISDIR. [RFC 7530 §13.2]
        (Status::SYMLINK, Op::SetAttr) => Status::WRONG_TYPE,
        (Status::ISDIR, Op::SetAttr) if minor > 0 => Status::WRONG_TYPE,
        // Unlike LOOKUP, these operations have no status for a symbolic link.
        (Status::SYMLINK, Op::SecInfo | Op::SecInfoNoName) => Status::NOTDIR,
        (Status::WRONG_TYPE, Op::Create) => Status::BADTYPE,
        // A file that has lost its last name gets no new one. 4.1 and later have no status for that.
        // [RFC 8881 §15.2]
        (Status::NOENT, Op::Link) if minor > 0 => Status::STALE,
        // No room for locks. DENIED would name no owner, and DELAY would have the client ask for ever.
        // [RFC 8881 §15.1.1.10, RFC 7530 §13.1.3.4]
        (Status::NOSPC, Op::Lock | Op::LockT) if minor > 0 => Status::SERVERFAULT,
        (Status::NOSPC, Op::Lock | Op::LockT) => Status::RESOURCE,
        (status, _) => status,
    };
    if minor > 0 {
        status
    } else {
        named_in_v40(op, status)
    }
}

/// Some conditions have another status in 4.0: RESOURCE for what is too large for the server, INVAL for
/// a wrong type. [RFC 7530 §13.1]
fn named_in_v40(op: Op, status: Status) -> Status {
    match status {
        Status::REP_TOO_BIG | Status::REP_TOO_BIG_TO_CACHE | Status::TOO_MANY_OPS => {
            Status::RESOURCE
        }
        // OPEN of an object that is neither a directory nor a regular file. [RFC 7530 §16.16.6]
        Status::WRONG_TYPE if op == Op::Open => Status::SYMLINK,
        Status::WRONG_TYPE => Status::INVAL,
        Status::SYMLINK if matches!(op, Op::Link | Op::Lock | Op::LockT) => Status::INVAL,
        // Only the list of LINK has MLINK.
        Status::MLINK if matches!(op, Op::Create | Op::Rename) => Status::NOSPC,
        Status::NOFILEHANDLE if op == Op::RestoreFh => Status::RESTOREFH,
        status => status,
    }
}

/// The error nearest to a file system's error whose status the operation may return.
/// [`FsError::NoAnswer`] is the last resort: nearly all lists have SERVERFAULT.
pub(crate) fn nearest(op: Op, minor: u32, call: FsCall, error: FsError) -> FsError {
    if op == Op::Create && error == FsError::NotSupported {
        // An unsupported type of object has a status of its own. [RFC 8881 §18.4.3]
        return FsError::WrongType;
    }
    if call.operation() == Some(op) && call.may_answer(error) {
        return error;
    }
    let near = if error == FsError::NotFound {
        FsError::Stale
    } else if error == FsError::NotPermitted {
        FsError::AccessDenied
    } else {
        FsError::Io
    };
    let is_allowed = |error: &FsError| {
        let status = named_in(minor, op, error.status());
        errors::allowed(op, minor, status)
    };
    let candidates = [error, near, FsError::Io];
    let found = candidates.into_iter().find(is_allowed);
    found.unwrap_or(FsError::NoAnswer)
}

/// Statuses that every operation of 4.0 may return beyond the lists. RESOURCE means that a COMPOUND is
/// too much for the server [RFC 7530 §13.1.3.4], and not every list has it.
const EXCEPTIONS_V40: &[Status] = &[Status::RESOURCE];

/// Statuses beyond the lists, with the operation (`None`: every one) and the reason.
const EXCEPTIONS: &[(Option<Op>, Status, &str)] = &[
    (
        Some(Op::BindConnToSession),
        Status::RESOURCE,
        "the limit of connections has no other status",
    ),
    (
        Some(Op::CreateSession),
        Status::ENCR_ALG_UNSUPP,
        "callbacks under RPCSEC_GSS only",
    ),
    (
        Some(Op::ExchangeId),
        Status::PERM,
        "case 9 of RFC 8881 §18.35.4; the list forgets it",
    ),
    (
        None,
        Status::NOTSUPP,
        "blocked by configuration, or not there yet",
    ),
    (
        None,
        Status::RETRY_UNCACHED_REP,
        "on whichever operation comes second",
    ),
    (None, Status::BADXDR, "any arguments can be malformed"),
    (None, Status::REP_TOO_BIG, "any result can be too much"),
    (
        None,
        Status::REP_TOO_BIG_TO_CACHE,
        "any result can be too much to keep",
    ),
    (None, Status::SERVERFAULT, "any file system can misbehave"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The operations that may return a status in a minor version.
    fn operations_with(minor: u32, status: Status) -> alloc::vec::Vec<Op> {
        let all = Op::ALL.iter().copied();
        all.filter(|op| permits(*op, minor, status)).collect()
    }

    #[test]
    fn a_status_outside_every_list_is_not_permitted() {
        for minor in [1, 2] {
            assert_eq!(
                operations_with(minor, Status::RESOURCE),
                [Op::BindConnToSession]
            );
            assert_eq!(
                operations_with(minor, Status::CLIENTID_BUSY),
                [Op::DestroyClientId]
            );
            assert_eq!(
                operations_with(minor, Status::SEQ_FALSE_RETRY),
                [Op::Sequence]
            );
            assert!(!permits(Op::GetFh, minor, Status::EXIST));
            assert!(!permits(Op::Read, minor, Status::STALE_STATEID));
        }
        assert_eq!(operations_with(0, Status::BADSESSION), []);
        assert!(permits(Op::GetFh, 0, Status::RESOURCE));
    }

    #[test]
    fn every_exception_is_missing_from_the_lists() {
        for (op, status, why) in EXCEPTIONS {
            let listed = |op: &Op| errors::allowed(*op, 1, *status);
            match op {
                Some(op) => assert!(!listed(op), "{op} {status}: {why}"),
                None => assert!(!Op::ALL.iter().all(listed), "{status}: {why}"),
            }
        }
    }
}
