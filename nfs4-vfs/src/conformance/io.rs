//! Requests for the bytes of files.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{Authority, FsError, FsHandle, FsOp, FsReply, Payload, Stability};

use super::user::User;

impl User {
    /// Writes all of it, as a client does that goes on after a part.
    #[track_caller]
    pub(super) fn write(&self, fh: FsHandle, offset: u64, data: &[u8]) -> Result<(), FsError> {
        self.write_by(fh, offset, data, Authority::Open)
    }

    #[track_caller]
    pub(super) fn write_by(
        &self,
        fh: FsHandle,
        offset: u64,
        data: &[u8],
        authority: Authority,
    ) -> Result<(), FsError> {
        let mut done = 0;
        loop {
            let op = FsOp::Write {
                fh,
                offset: offset + done as u64,
                data: Bytes::copy_from_slice(&data[done..]),
                stability: Stability::Unstable,
                authority,
            };
            match self.ask(op)? {
                FsReply::Written { count, .. } => done += count as usize,
                other => panic!("{other:?}"),
            }
            if done == data.len() {
                return Ok(());
            }
        }
    }

    #[track_caller]
    pub(super) fn read_by(
        &self,
        fh: FsHandle,
        offset: u64,
        count: u32,
        authority: Authority,
    ) -> Result<(Payload, bool), FsError> {
        let op = FsOp::Read {
            fh,
            offset,
            count,
            authority,
            payload: Payload::new(),
        };
        match self.ask(op)? {
            FsReply::Data { data, eof } => {
                assert!(eof || data.len() == count as usize, "a part before the end");
                Ok((data, eof))
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn read_part(
        &self,
        fh: FsHandle,
        offset: u64,
        count: u32,
    ) -> Result<(Bytes, bool), FsError> {
        let (data, eof) = self.read_by(fh, offset, count, Authority::Open)?;
        Ok((Bytes::from(data.to_vec()), eof))
    }

    /// All bytes of a file.
    #[track_caller]
    pub(super) fn read(&self, fh: FsHandle) -> Bytes {
        let size = self.attrs(fh).expect("a file").size;
        let size = u32::try_from(size).expect("a small file");
        let (data, eof) = self.read_part(fh, 0, size).expect("a file");
        assert!(eof && data.len() == size as usize);
        data
    }

    #[track_caller]
    pub(super) fn commit(&self, fh: FsHandle, offset: u64, count: u32) -> Result<(), FsError> {
        self.ask(FsOp::Commit { fh, offset, count }).map(drop)
    }
}
