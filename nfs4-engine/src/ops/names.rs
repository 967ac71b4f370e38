//! The names that requests bring. [RFC 8881 §14]

use bytes::Bytes;
use nfs4_proto::nfs4::status::Status;
use nfs4_proto::xdr::Writer;

use crate::compound::Cx;
use crate::exports::Fh;
use crate::fs::DirChange;

/// A name in a directory, as a slice of the record. Any bytes are taken but those that cannot be
/// in a name; they need not be UTF-8.
///
/// # Errors
/// INVAL if empty, NAMETOOLONG, BADNAME for "." and "..", BADCHAR for '/' and NUL.
pub(crate) fn component<S>(cx: &Cx<'_, S>, dir: &Fh, name: &[u8]) -> Result<Bytes, Status> {
    let capabilities = cx
        .core
        .exports
        .capabilities(dir.export)
        .ok_or(Status::STALE)?;
    if name.is_empty() {
        return Err(Status::INVAL);
    }
    if name.len() > capabilities.max_name.min(MAX_NAME) as usize {
        return Err(Status::NAMETOOLONG);
    }
    if name == b"." || name == b".." {
        return Err(Status::BADNAME);
    }
    if name.iter().any(|byte| *byte == b'/' || *byte == 0) {
        return Err(Status::BADCHAR);
    }
    Ok(cx.record.slice_ref(name))
}

/// No name is longer, whatever the file system says.
const MAX_NAME: u32 = 255;

/// change_info4. [RFC 8881 §3.3.5]
pub(crate) fn change_info(w: &mut Writer, change: DirChange) {
    w.bool(change.atomic);
    w.u64(change.before);
    w.u64(change.after);
}
