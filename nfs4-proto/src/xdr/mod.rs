//! XDR [RFC 4506]: a borrowing reader, an appending writer, and the two traits every wire type has.

mod list;
mod macros;
mod prim;
mod reader;
#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod sample;
mod show;
mod writer;

pub use self::list::{List, ListIter};
pub(crate) use self::macros::xdr;
pub use self::reader::Reader;
pub use self::show::Show;
pub(crate) use self::show::as_debug;
pub use self::writer::{Writer, pad_len};

/// A value that can be appended to a [`Writer`]; encoding cannot fail [RFC 4506].
pub trait Encode {
    /// Appends the XDR form of `self`.
    fn encode(&self, w: &mut Writer);
}

/// A value that can be read from wire bytes; variable data stays borrowed from them [RFC 4506].
pub trait Decode<'a>: Sized {
    /// The least number of bytes that any encoded value of this type takes.
    ///
    /// List lengths are held against `remaining / MIN` before anything is sized by them.
    const MIN: usize;

    /// Reads one value and leaves the reader behind it; on an error the reader's place is unspecified.
    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError>;
}

/// A variable-length value whose length has a named limit [RFC 4506 §4.10, §4.13].
pub trait DecodeMax<'a>: Decode<'a> {
    /// Reads one value of at most `max` bytes or elements; a longer one is [`XdrError::TooLong`].
    fn decode_max(r: &mut Reader<'a>, max: usize) -> Result<Self, XdrError>;
}

/// Why bytes are not a value of the wanted type: the peer's fault, in every case [RFC 4506].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum XdrError {
    /// The bytes end before the value does.
    #[error("the data ends early")]
    Short,
    /// A length is over its limit.
    #[error("a length is over its limit")]
    TooLong,
    /// A boolean is neither 0 nor 1 [RFC 4506 §4.4].
    #[error("a boolean is neither 0 nor 1")]
    BadBool,
    /// An enum or the discriminant of a union has a value that its type does not list.
    #[error("an enum value is not one of its type")]
    BadDiscriminant,
    /// Bytes are left after the last value where none may be.
    #[error("bytes are left over")]
    Trailing,
}
