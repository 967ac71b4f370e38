//! Filehandles as clients see them. [RFC 8881 §4]

use core::fmt;

use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Writer;

use crate::fs::FsHandle;

/// A filehandle: the export, and the file system's handle of the object.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fh {
    pub(crate) export: u16,
    pub(crate) handle: FsHandle,
}

impl Fh {
    /// Number of bytes before the file system's handle.
    pub(crate) const PREFIX_LEN: usize = 3;
    /// A filehandle of maximum length; it names nothing.
    pub(crate) const LONGEST: Fh = Fh {
        export: 0,
        handle: FsHandle::LONGEST,
    };

    /// Decodes a filehandle. [RFC 8881 §4.2]
    ///
    /// # Errors
    /// BADHANDLE if this server never made it.
    pub(crate) fn decode(wire: &[u8]) -> Result<Fh, Status> {
        let [FORMAT, e0, e1, handle @ ..] = wire else {
            return Err(Status::BADHANDLE);
        };
        let handle = FsHandle::new(handle).map_err(|_| Status::BADHANDLE)?;
        Ok(Fh {
            export: u16::from_be_bytes([*e0, *e1]),
            handle,
        })
    }

    /// Stands for all objects of an export.
    pub(crate) const fn all_of(export: u16) -> Fh {
        Fh {
            export,
            handle: FsHandle::EMPTY,
        }
    }

    /// Whether it is this object, or stands for it.
    pub(crate) fn covers(&self, other: &Fh) -> bool {
        self == other || *self == Fh::all_of(other.export)
    }

    /// Encodes it as an XDR opaque.
    pub(crate) fn encode(&self, w: &mut Writer) {
        encode(self.export, &self.handle, w);
    }
}

/// Encodes a filehandle as an XDR opaque.
pub(crate) fn encode(export: u16, handle: &FsHandle, w: &mut Writer) {
    let handle = handle.as_bytes();
    let len = Fh::PREFIX_LEN + handle.len();
    let [e0, e1] = export.to_be_bytes();
    // At most 63 bytes.
    w.raw(&[0, 0, 0, len as u8, FORMAT, e0, e1]);
    w.raw(handle);
    w.pad(len);
}

impl fmt::Debug for Fh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}", self.export, self.handle)
    }
}

/// The first byte of this server's filehandles; another layout gets another.
const FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filehandles_survive_the_wire_and_foreign_ones_are_refused() {
        let fh = Fh {
            export: 0x0102,
            handle: FsHandle::new(&[9; 60]).unwrap(),
        };
        let mut w = Writer::new();
        fh.encode(&mut w);
        assert_eq!(Fh::decode(&w.as_slice()[4..67]), Ok(fh));
        for bad in [&[][..], &[1, 2], &[2, 0, 0, 1], &[1; 64]] {
            assert_eq!(Fh::decode(bad), Err(Status::BADHANDLE));
        }
    }
}
