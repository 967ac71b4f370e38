//! Which statuses an operation may answer, as the tables of the RFCs have it
//! [RFC 7530 §13, RFC 8881 §15, RFC 7862 §11, RFC 8276 §8.4.5].
//!
//! Nothing is added to the tables here, not even where the text around them says more (COPY
//! answers `NFS4ERR_OFFLOAD_NO_REQS`, SETATTR of a security label `NFS4ERR_WRONG_LFS`): a server
//! that needs an exception states it.

mod v40;
mod v41;
mod v42;

use super::{CbOp, Op, Status};

/// Whether `op` may answer `status` in the minor version `minor`: 0 to 2, later ones have no table.
///
/// An operation that the version does not have may answer nothing.
pub fn allowed(op: Op, minor: u32, status: Status) -> bool {
    if status.is_ok() {
        return succeeds(op, minor) && errors(op, minor).is_some();
    }
    errors(op, minor).is_some_and(|list| list.contains(&status))
}

/// The statuses but OK that `op` may answer in the minor version `minor`, in the order of their
/// names.
pub fn errors(op: Op, minor: u32) -> Option<&'static [Status]> {
    match minor {
        0 => find(v40::ERRORS, op),
        1 => find(v41::ERRORS, op),
        2 => find(v42::ERRORS, op).or_else(|| find(v41::ERRORS, op)),
        _ => None,
    }
}

/// Whether the callback operation `op` may answer `status` in the minor version `minor`.
pub fn cb_allowed(op: CbOp, minor: u32, status: Status) -> bool {
    match cb_errors(op, minor) {
        Some(_) if status.is_ok() => op != CbOp::Illegal,
        Some(list) => list.contains(&status),
        None => false,
    }
}

/// The statuses but OK that the callback operation `op` may answer in the minor version `minor`.
pub fn cb_errors(op: CbOp, minor: u32) -> Option<&'static [Status]> {
    match minor {
        0 => find(v40::CB_ERRORS, op),
        1 => find(v41::CB_ERRORS, op),
        2 => find(v42::CB_ERRORS, op).or_else(|| find(v41::CB_ERRORS, op)),
        _ => None,
    }
}

/// Operations that always fail: the illegal one, and in 4.1 and later what must not be implemented
/// [RFC 8881 §15.2].
fn succeeds(op: Op, minor: u32) -> bool {
    let never = [
        Op::OpenConfirm,
        Op::ReleaseLockOwner,
        Op::Renew,
        Op::SetClientId,
        Op::SetClientIdConfirm,
    ];
    op != Op::Illegal && (minor == 0 || !never.contains(&op))
}

type Table<T> = &'static [(T, &'static [Status])];

fn find<T: Copy + PartialEq>(table: Table<T>, op: T) -> Option<&'static [Status]> {
    table
        .iter()
        .find(|(row, _)| *row == op)
        .map(|(_, list)| *list)
}

macro_rules! table {
    ($(#[$m:meta])* $name:ident: $op:ident $($variant:ident: $($status:ident),*;)*) => {
        $(#[$m])*
        pub(super) const $name: Table<$op> =
            &[$(($op::$variant, &[$(Status::$status),*])),*];
    };
}

use table;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_a_version_has_a_row() {
        for op in Op::ALL {
            for minor in 0..3 {
                let there = errors(*op, minor).is_some();
                assert_eq!(there, op.first_minor() <= minor, "{op} in 4.{minor}");
            }
            assert_eq!(errors(*op, 3), None);
        }
        for op in CbOp::ALL {
            for minor in 0..3 {
                let there = cb_errors(*op, minor).is_some();
                assert_eq!(there, op.first_minor() <= minor, "{op} in 4.{minor}");
            }
        }
    }

    #[test]
    fn rows_are_sets_of_known_errors() {
        for op in Op::ALL {
            for list in (0..3).filter_map(|minor| errors(*op, minor)) {
                assert!(list.is_sorted_by_key(|s| s.name().unwrap()), "{op}");
                assert!(!list.is_empty() && !list.contains(&Status::OK), "{op}");
            }
        }
    }

    #[test]
    fn a_few_by_eye() {
        assert!(allowed(Op::Open, 1, Status::WRONGSEC));
        assert!(allowed(Op::Sequence, 1, Status::SEQ_MISORDERED));
        assert!(!allowed(Op::Sequence, 0, Status::OK));
        assert!(!allowed(Op::PutRootFh, 1, Status::NOENT));
        assert!(allowed(Op::Read, 0, Status::RESOURCE) && !allowed(Op::Read, 1, Status::RESOURCE));
        assert!(allowed(Op::SetClientId, 0, Status::OK));
        assert!(!allowed(Op::SetClientId, 1, Status::OK));
        assert!(allowed(Op::SetClientId, 1, Status::NOTSUPP));
        assert!(allowed(Op::SetXattr, 2, Status::XATTR2BIG));
        assert!(!allowed(Op::Illegal, 1, Status::OK));
        assert!(cb_allowed(CbOp::Recall, 1, Status::BAD_STATEID));
        assert!(cb_allowed(CbOp::Sequence, 1, Status::OK));
    }
}
