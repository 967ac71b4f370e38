//! Results with their status, since some errors have a body.

use core::fmt;

use super::{
    ClientIdInUse, CopyRequirements, DeviceTooSmall, LayoutTryLater, LockDenied, SetAttrRes,
};
use crate::nfs4::Status;
use crate::xdr::{Decode, Encode, Reader, Show, Writer, XdrError};

/// The whole result of an operation: the results, or a status with what it carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome<T, E = ()> {
    /// `NFS4_OK` and the results.
    Ok(T),
    /// Any other status, with its body.
    Err(Status, E),
}

impl<T, E> Outcome<T, E> {
    /// The status.
    pub const fn status(&self) -> Status {
        match self {
            Self::Ok(_) => Status::OK,
            Self::Err(status, _) => *status,
        }
    }

    /// The results, if it succeeded.
    pub fn ok(self) -> Option<T> {
        match self {
            Self::Ok(value) => Some(value),
            Self::Err(..) => None,
        }
    }
}

impl<T: Show, E: Show> fmt::Debug for Outcome<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f)
    }
}

impl<T: Show, E: Show> Show for Outcome<T, E> {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok(value) => value.show(f),
            Self::Err(status, body) => {
                write!(f, "{status} ")?;
                body.show(f)
            }
        }
    }
}

impl<T: Encode, E: ErrorBody> Encode for Outcome<T, E> {
    fn encode(&self, w: &mut Writer) {
        self.status().encode(w);
        match self {
            Self::Ok(value) => value.encode(w),
            Self::Err(_, body) => body.encode_error(w),
        }
    }
}

impl<'a, T: Decode<'a>, E: DecodeError<'a>> Decode<'a> for Outcome<T, E> {
    const MIN: usize = 4;

    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        let status = Status::decode(r)?;
        if status.is_ok() {
            T::decode(r).map(Self::Ok)
        } else {
            E::decode_error(status, r).map(|body| Self::Err(status, body))
        }
    }
}

/// What follows a status that is not OK.
pub trait ErrorBody: Copy {
    /// Appends the body.
    fn encode_error(&self, w: &mut Writer);
}

/// Reads what follows a status that is not OK.
pub trait DecodeError<'a>: ErrorBody {
    /// Reads the body that belongs to `status`.
    fn decode_error(status: Status, r: &mut Reader<'a>) -> Result<Self, XdrError>;
}

/// Nothing follows, as nearly always.
impl ErrorBody for () {
    fn encode_error(&self, _: &mut Writer) {}
}

impl<'a> DecodeError<'a> for () {
    fn decode_error(_: Status, _: &mut Reader<'a>) -> Result<Self, XdrError> {
        Ok(())
    }
}

/// SETATTR says what it set, whatever the status [RFC 8881 §18.30].
impl ErrorBody for SetAttrRes {
    fn encode_error(&self, w: &mut Writer) {
        self.encode(w);
    }
}

impl<'a> DecodeError<'a> for SetAttrRes {
    fn decode_error(_: Status, r: &mut Reader<'a>) -> Result<Self, XdrError> {
        Self::decode(r)
    }
}

/// A body that belongs to one status only.
pub trait WithStatus: Copy {
    /// The status that it follows.
    const STATUS: Status;
}

impl WithStatus for LockDenied<'_> {
    const STATUS: Status = Status::DENIED;
}

impl WithStatus for ClientIdInUse<'_> {
    const STATUS: Status = Status::CLID_INUSE;
}

impl WithStatus for LayoutTryLater {
    const STATUS: Status = Status::LAYOUTTRYLATER;
}

impl WithStatus for DeviceTooSmall {
    const STATUS: Status = Status::TOOSMALL;
}

impl WithStatus for CopyRequirements {
    const STATUS: Status = Status::OFFLOAD_NO_REQS;
}

/// There exactly if the status is [`WithStatus::STATUS`].
impl<T: WithStatus + Encode> ErrorBody for Option<T> {
    fn encode_error(&self, w: &mut Writer) {
        if let Some(body) = self {
            body.encode(w);
        }
    }
}

impl<'a, T: WithStatus + Encode + Decode<'a>> DecodeError<'a> for Option<T> {
    fn decode_error(status: Status, r: &mut Reader<'a>) -> Result<Self, XdrError> {
        if status == T::STATUS {
            T::decode(r).map(Some)
        } else {
            Ok(None)
        }
    }
}

#[cfg(any(test, feature = "__fuzz"))]
mod sampling {
    use super::*;
    use crate::xdr::sample::{Sample, SampleError, Tape};

    impl SampleError for () {
        fn sample_error(_: &mut Tape<'_>, w: &mut Writer) {
            Status::DELAY.encode(w);
        }
    }

    impl SampleError for SetAttrRes {
        fn sample_error(tape: &mut Tape<'_>, w: &mut Writer) {
            Status::ATTRNOTSUPP.encode(w);
            Self::sample(tape, w);
        }
    }

    impl<T: WithStatus + Sample> SampleError for Option<T> {
        fn sample_error(tape: &mut Tape<'_>, w: &mut Writer) {
            if tape.byte() & 1 == 0 {
                Status::DELAY.encode(w);
            } else {
                T::STATUS.encode(w);
                T::sample(tape, w);
            }
        }
    }

    impl<T: Sample, E: SampleError> Sample for Outcome<T, E> {
        fn sample(tape: &mut Tape<'_>, w: &mut Writer) {
            if tape.byte() & 1 == 0 {
                Status::OK.encode(w);
                T::sample(tape, w);
            } else {
                E::sample_error(tape, w);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nfs4::basic::{ClientId, LockType, Owner};
    use crate::nfs4::res::LockOk;

    type LockRes<'a> = Outcome<LockOk, Option<LockDenied<'a>>>;

    #[test]
    fn bodies_of_errors() {
        let owner = Owner {
            clientid: ClientId(1),
            owner: b"o",
        };
        let denied = LockDenied {
            offset: 0,
            length: 1,
            locktype: LockType::Read,
            owner,
        };
        let outcomes = [
            LockRes::Err(Status::DENIED, Some(denied)),
            LockRes::Err(Status::GRACE, None),
        ];
        for outcome in outcomes {
            let mut w = Writer::new();
            outcome.encode(&mut w);
            let mut r = Reader::new(w.as_slice());
            assert_eq!(LockRes::decode(&mut r), Ok(outcome));
            assert!(r.is_empty());
        }
    }
}
