//! What is asked of file systems, and what they answer.

use nfs4_proto::xdr::{Reader, Writer, XdrError};

use super::value::{Value, enums, structs, variant};
use crate::fs::driver::{FsCall, FsFault, FsTicket};
use crate::fs::{
    AccessMask, Attrs, Authority, ByteLock, ByteRange, Capabilities, Creation, Credential, Device,
    DirChange, DirWriter, FileKind, Flavor, FsError, FsHandle, FsOp, FsReply, FsRequest, FsStat,
    Guarded, LockKind, NewNode, OpenHow, Opened, Payload, Push, Pushed, SetAttrs, SetTime,
    Stability, Target, Want,
};

structs! {
    ByteLock { range, kind }
    ByteRange { first, last }
    Attrs {
        kind, mode, links, uid, gid, device, fileid, change, size, space_used, accessed, modified,
        changed, created, fs, mounted_on,
    }
    Capabilities {
        hard_links, symlinks, case_insensitive, case_preserving, max_name, max_links,
        max_file_size, time_granularity, ordered_cookies, local_locks,
    }
    Device { major, minor }
    DirChange { atomic, before, after }
    FsRequest { cred, now, op }
    FsStat { space_total, space_free, space_avail, files_total, files_free, files_avail }
    FsTicket { conn, index, generation, export, call }
    Pushed { number, max, requested, pushed }
    OpenHow { read, write, create }
    Opened { fh, attrs, created, dir }
    SetAttrs { size, mode, uid, gid, accessed, modified, created }
    Want { attrs, stat }
}

enums! {
    Authority { 0 = Credential, 1 = Open }
    Creation {
        0 = No,
        1 = Unchecked(set),
        2 = Guarded(set),
        3 = Exclusive { verifier, set },
    }
    FileKind {
        0 = Regular, 1 = Directory, 2 = BlockDevice, 3 = CharDevice, 4 = Symlink, 5 = Socket,
        6 = Fifo,
    }
    Flavor { 0 = None, 1 = Sys }
    // Logs without leases have whether the file system is private.
    Guarded { 0 = Not, 1 = Private, 2 = Leases }
    FsFault {
        0 = Error(error), 1 = Reply, 2 = Again, 3 = Attributes, 4 = Stat, 5 = Length, 6 = Pieces,
        7 = Stability, 8 = Target, 9 = Handle, 10 = Name, 11 = Cookie, 12 = Unended, 13 = Lock,
    }
    FsReply {
        0 = Done,
        1 = Attrs { attrs, stat },
        2 = Access { granted, kind },
        3 = Node { fh, attrs, stat },
        4 = Entries(entries),
        5 = Link(target),
        6 = Data { data, eof },
        7 = Written { count, stability, losses },
        8 = Created { fh, attrs, dir },
        9 = Opened(opened),
        10 = Linked { dir },
        11 = Removed { dir },
        12 = Renamed { from, to },
        13 = Committed { losses },
        14 = Leased(attrs),
        15 = Lock { held },
    }
    LockKind { 0 = Read, 1 = Write }
    NewNode {
        0 = Directory, 1 = Symlink(target), 2 = BlockDevice(device), 3 = CharDevice(device),
        4 = Socket, 5 = Fifo,
    }
    Push { 0 = Entry { cookie, name, fh, attrs }, 1 = Conceal, 2 = End }
    SetTime { 0 = Keep, 1 = Server, 2 = Client(time) }
    Stability { 0 = Unstable, 1 = Data, 2 = File }
    Target { 0 = Name { dir, name }, 1 = Handle(fh) }
    FsOp {
        0 = GetAttrs { fh, want },
        1 = SetAttrs { fh, set, authority },
        2 = Access { fh, mask },
        3 = Lookup { dir, name, want },
        4 = LookupParent { dir, want },
        5 = ReadDir { dir, cookie, entries },
        6 = ReadLink { fh },
        7 = Read { fh, offset, count, authority, payload },
        8 = Write { fh, offset, data, stability, authority },
        9 = Commit { fh, offset, count },
        10 = Create { dir, name, node, set },
        11 = Open { target, how },
        12 = Link { fh, dir, name },
        13 = Remove { dir, name },
        14 = Rename { from_dir, from, to_dir, to },
        15 = Lease { fh, kind },
        16 = Lock { fh, lock },
        17 = TestLock { fh, lock },
    }
}

impl Value for FsCall {
    fn put(&self, w: &mut Writer) {
        w.u32(*self as u32);
    }

    fn take(r: &mut Reader<'_>) -> Result<FsCall, XdrError> {
        variant(FsCall::ALL, r)
    }
}

impl Value for FsError {
    fn put(&self, w: &mut Writer) {
        w.u32(*self as u32);
    }

    fn take(r: &mut Reader<'_>) -> Result<FsError, XdrError> {
        variant(FsError::ALL, r)
    }
}

impl Value for AccessMask {
    fn put(&self, w: &mut Writer) {
        w.u32(self.0);
    }

    fn take(r: &mut Reader<'_>) -> Result<AccessMask, XdrError> {
        r.u32().map(AccessMask)
    }
}

impl Value for FsHandle {
    fn put(&self, w: &mut Writer) {
        w.opaque(self.as_bytes());
    }

    fn take(r: &mut Reader<'_>) -> Result<FsHandle, XdrError> {
        FsHandle::new(r.opaque(FsHandle::MAX)?).map_err(|_| XdrError::TooLong)
    }
}

/// The user and the groups are what a constructor has made of them.
impl Value for Credential {
    fn put(&self, w: &mut Writer) {
        self.flavor().put(w);
        w.u32(self.uid);
        w.u32(self.gid);
        self.groups().to_vec().put(w);
    }

    fn take(r: &mut Reader<'_>) -> Result<Credential, XdrError> {
        let flavor = Flavor::take(r)?;
        let (uid, gid) = (r.u32()?, r.u32()?);
        let groups = alloc::vec::Vec::<u32>::take(r)?;
        Ok(match flavor {
            Flavor::None => Credential::none_as(uid, gid),
            Flavor::Sys => Credential::sys(uid, gid, &groups),
        })
    }
}

impl Value for Payload {
    fn put(&self, w: &mut Writer) {
        w.u32(u32::try_from(self.piece_count()).unwrap_or(u32::MAX));
        self.pieces().for_each(|piece| piece.put(w));
    }

    fn take(r: &mut Reader<'_>) -> Result<Payload, XdrError> {
        let mut payload = Payload::new();
        for _ in 0..r.u32()? {
            payload.push(Value::take(r)?);
        }
        Ok(payload)
    }
}

impl Value for DirWriter {
    fn put(&self, w: &mut Writer) {
        self.listing().put(w);
    }

    fn take(r: &mut Reader<'_>) -> Result<DirWriter, XdrError> {
        DirWriter::of(Pushed::take(r)?).ok_or(XdrError::Short)
    }
}
