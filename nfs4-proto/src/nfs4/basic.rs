//! Types that many operations share.

use crate::xdr::{Decode, Encode, Reader, Writer, XdrError, xdr};

use super::consts::{NFS4_FHSIZE, NFS4_OPAQUE_LIMIT};

xdr! {
    /// A stateid; what `other` means is the server's own business [RFC 8881 §3.3.12].
    #[derive(Hash)]
    struct Stateid {
        seqid: u32,
        other: [u8; 12],
    }

    /// Seconds since 1970 UTC, and nanoseconds below 10^9 [RFC 8881 §3.3.1].
    #[derive(Hash, PartialOrd, Ord)]
    struct Time {
        seconds: i64,
        nanos: u32,
    }

    /// The identity of a file system [RFC 8881 §3.3.5].
    #[derive(Hash, PartialOrd, Ord)]
    struct Fsid {
        major: u64,
        minor: u64,
    }

    /// What an operation did to the `change` attribute of a directory [RFC 8881 §3.3.8].
    struct ChangeInfo {
        atomic: bool,
        before: u64,
        after: u64,
    }

    /// The device numbers of a device file [RFC 8881 §3.3.4].
    struct SpecData {
        major: u32,
        minor: u32,
    }

    /// An open or lock owner; in 4.1 the client id inside is ignored [RFC 8881 §3.3.10].
    #[derive(Hash)]
    struct Owner<'a> {
        clientid: ClientId,
        owner: &'a [u8] [max NFS4_OPAQUE_LIMIT],
    }

    /// A transport address as a network id and a universal address [RFC 8881 §3.3.9].
    struct NetAddr<'a> {
        netid: &'a [u8] [max NFS4_OPAQUE_LIMIT],
        addr: &'a [u8] [max NFS4_OPAQUE_LIMIT],
    }

    /// A filehandle of any server, as sent [RFC 8881 §3.2].
    #[derive(Hash)]
    struct FileHandle<'a> {
        data: &'a [u8] [max NFS4_FHSIZE],
    }

    /// The type of a file [RFC 8881 §3.2].
    enum FileType {
        Regular = 1 "NF4REG",
        Directory = 2 "NF4DIR",
        Block = 3 "NF4BLK",
        Character = 4 "NF4CHR",
        Symlink = 5 "NF4LNK",
        Socket = 6 "NF4SOCK",
        Fifo = 7 "NF4FIFO",
        AttrDir = 8 "NF4ATTRDIR",
        NamedAttr = 9 "NF4NAMEDATTR",
    }

    /// How far a WRITE has to go before its reply [RFC 8881 §18.32].
    enum StableHow {
        Unstable = 0 "UNSTABLE4",
        DataSync = 1 "DATA_SYNC4",
        FileSync = 2 "FILE_SYNC4",
    }

    /// The kind of a byte-range lock [RFC 8881 §3.2].
    enum LockType {
        Read = 1 "READ_LT",
        Write = 2 "WRITE_LT",
        ReadWait = 3 "READW_LT",
        WriteWait = 4 "WRITEW_LT",
    }

    /// The kind of a delegation [RFC 8881 §18.16].
    enum DelegationType {
        None = 0 "OPEN_DELEGATE_NONE",
        Read = 1 "OPEN_DELEGATE_READ",
        Write = 2 "OPEN_DELEGATE_WRITE",
        NoneExt = 3 "OPEN_DELEGATE_NONE_EXT",
    }

    /// One entry of an access control list [RFC 8881 §6.2.1].
    struct Ace<'a> {
        r#type: u32,
        flag: u32,
        access_mask: u32,
        who: &'a [u8] [max NFS4_OPAQUE_LIMIT],
    }
}

impl Stateid {
    /// All zeros: no state, normal access rules [RFC 8881 §8.2.3].
    pub const ANONYMOUS: Self = Self {
        seqid: 0,
        other: [0; 12],
    };
    /// All ones: no state, READ passes by locks if the server wants [RFC 8881 §8.2.3].
    pub const READ_BYPASS: Self = Self {
        seqid: u32::MAX,
        other: [0xff; 12],
    };
    /// The stateid that an earlier operation of the COMPOUND left [RFC 8881 §8.2.3].
    pub const CURRENT: Self = Self {
        seqid: 1,
        other: [0; 12],
    };
    /// Never valid, and never sent by a server [RFC 8881 §8.2.3].
    pub const INVALID: Self = Self {
        seqid: u32::MAX,
        other: [0; 12],
    };
}

impl LockType {
    /// Whether the lock excludes all others; the waiting kinds are the same lock.
    pub const fn is_write(self) -> bool {
        match self {
            Self::Read | Self::ReadWait => false,
            Self::Write | Self::WriteWait => true,
        }
    }

    /// Whether a client that is denied the lock will ask again [RFC 8881 §9.6].
    pub const fn waits(self) -> bool {
        match self {
            Self::Read | Self::Write => false,
            Self::ReadWait | Self::WriteWait => true,
        }
    }
}

macro_rules! bytes_newtype {
    ($(#[$doc:meta])* $name:ident $n:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub [u8; $n]);

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                crate::xdr::Show::show(&self.0, f)
            }
        }

        crate::xdr::as_debug!($name);

        impl Encode for $name {
            #[inline]
            fn encode(&self, w: &mut Writer) {
                w.fixed(&self.0);
            }
        }

        #[cfg(any(test, feature = "__fuzz"))]
        impl crate::xdr::sample::Sample for $name {
            fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
                <[u8; $n]>::sample(tape, w);
            }
        }

        impl<'a> Decode<'a> for $name {
            const MIN: usize = $n;

            #[inline]
            fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
                r.array().map(Self)
            }
        }
    };
}

bytes_newtype! {
    /// Eight bytes that are only ever compared [RFC 8881 §3.1].
    Verifier 8
}
bytes_newtype! {
    /// The identity of a session [RFC 8881 §3.1].
    SessionId 16
}
bytes_newtype! {
    /// The identity of a pNFS device [RFC 8881 §3.3.14].
    DeviceId 16
}

/// The server's short name for a client [RFC 8881 §3.1].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ClientId(pub u64);

impl core::fmt::Debug for ClientId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

crate::xdr::as_debug!(ClientId);

impl Encode for ClientId {
    #[inline]
    fn encode(&self, w: &mut Writer) {
        w.u64(self.0);
    }
}

impl<'a> Decode<'a> for ClientId {
    const MIN: usize = 8;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, XdrError> {
        r.u64().map(Self)
    }
}

#[cfg(any(test, feature = "__fuzz"))]
impl crate::xdr::sample::Sample for ClientId {
    fn sample(tape: &mut crate::xdr::sample::Tape<'_>, w: &mut Writer) {
        w.u64(tape.u64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(<Stateid as Decode<'_>>::MIN, 16);
        assert_eq!(<Time as Decode<'_>>::MIN, 12);
        assert_eq!(<Owner<'_> as Decode<'_>>::MIN, 12);
        assert_eq!(size_of::<Stateid>(), 16);
    }

    #[test]
    fn special_stateids_on_the_wire() {
        let mut w = Writer::new();
        Stateid::CURRENT.encode(&mut w);
        assert_eq!(
            w.as_slice(),
            [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
    }

    #[test]
    fn limits_of_strings() {
        let mut w = Writer::new();
        w.opaque(&[0; 129]);
        assert_eq!(
            FileHandle::decode(&mut Reader::new(w.as_slice())),
            Err(XdrError::TooLong)
        );
        assert_eq!(
            FileType::decode(&mut Reader::new(&[0; 4])),
            Err(XdrError::BadDiscriminant)
        );
    }
}
