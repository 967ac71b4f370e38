//! ONC RPC version 2 over a byte stream [RFC 5531].

pub mod auth;
pub mod call;
pub mod record;
pub mod reply;
pub mod uaddr;

use crate::xdr::{Reader, XdrError};

pub use self::auth::{AuthFlavor, AuthStat, AuthSys, OpaqueAuth};
pub use self::call::{CallError, CallHeader};
pub use self::record::{Cut, Mark, RecordCutter, RecordError, RecordLimits, write_mark};
pub use self::reply::{Fault, ReplyError, ReplyHeader};
pub use self::uaddr::{format_uaddr, parse_uaddr};

/// The version of RPC itself [RFC 5531 §9].
pub const RPC_VERSION: u32 = 2;
/// The program number of NFS [RFC 8881 §17].
pub const NFS4_PROGRAM: u32 = 100_003;
/// The version of the program that this crate speaks [RFC 8881 §17].
pub const NFS_V4: u32 = 4;
/// The procedure that does nothing [RFC 8881 §16.1].
pub const NFSPROC4_NULL: u32 = 0;
/// The procedure that does everything [RFC 8881 §16.2].
pub const NFSPROC4_COMPOUND: u32 = 1;
/// The version of the callback program, whatever number the client gave the program
/// [RFC 8881 §19; RFC 5662].
pub const NFS_CB: u32 = 1;
/// The callback procedure that does nothing [RFC 8881 §19.1].
pub const CB_NULL: u32 = 0;
/// The callback procedure that does everything [RFC 8881 §19.2].
pub const CB_COMPOUND: u32 = 1;

/// What a record is: on a connection with a backchannel both kinds come in from both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// A call, 0 on the wire.
    Call,
    /// A reply, 1 on the wire.
    Reply,
}

impl MessageType {
    /// The value on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Self::Call => 0,
            Self::Reply => 1,
        }
    }
}

/// Reads only the transaction id and the kind of a record [RFC 5531 §9].
#[inline]
pub fn peek_message_type(record: &[u8]) -> Result<(u32, MessageType), XdrError> {
    let mut r = Reader::new(record);
    let xid = r.u32()?;
    match r.u32()? {
        0 => Ok((xid, MessageType::Call)),
        1 => Ok((xid, MessageType::Reply)),
        2.. => Err(XdrError::BadDiscriminant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peeks() {
        assert_eq!(
            peek_message_type(&[0, 0, 0, 9, 0, 0, 0, 1, 7]),
            Ok((9, MessageType::Reply))
        );
        assert_eq!(
            peek_message_type(&[0, 0, 0, 9, 0, 0, 0, 0]),
            Ok((9, MessageType::Call))
        );
        assert_eq!(
            peek_message_type(&[0, 0, 0, 9, 0, 0, 0, 2]),
            Err(XdrError::BadDiscriminant)
        );
        assert_eq!(peek_message_type(&[0, 0, 0, 9, 0, 0]), Err(XdrError::Short));
    }
}
