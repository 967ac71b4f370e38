//! Unstable bytes that a file system loses.

use std::sync::atomic::{AtomicU64, Ordering};

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Attrs, Caller, Data, Entries, FileSystem, FsError, FsHandle, Stability, Written,
};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{StableHow, Stateid, Verifier, args};
use nfs4_tests::live::Client;

use crate::served::{Polled, Served, results, walk};

/// A file of which unstable bytes are lost while they are written, and again when they are committed.
#[derive(Default)]
struct Losing(AtomicU64);

impl Losing {
    fn lose(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl FileSystem for Losing {
    fn root(&self) -> FsHandle {
        FsHandle::from_number(1)
    }

    fn losses(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    async fn getattr(&self, _: Caller, node: FsHandle) -> Result<Attrs, FsError> {
        match node.number()? {
            1 => Ok(Attrs::dir(1).with_mode(0o777)),
            _ => Ok(Attrs::file(2, 10).with_mode(0o777)),
        }
    }

    async fn lookup(
        &self,
        caller: Caller,
        _: FsHandle,
        _: Bytes,
    ) -> Result<(FsHandle, Attrs), FsError> {
        let file = FsHandle::from_number(2);
        Ok((file, self.getattr(caller, file).await?))
    }

    async fn readdir(&self, _: Caller, _: FsHandle, _: u64) -> Result<Entries, FsError> {
        Ok(Entries::all([]))
    }

    async fn read(&self, _: Caller, _: FsHandle, _: u64, _: u32) -> Result<Data, FsError> {
        Ok(Data::new(Bytes::new(), true))
    }

    async fn write(
        &self,
        _: Caller,
        _: FsHandle,
        _: u64,
        data: Bytes,
        stability: Stability,
    ) -> Result<Written, FsError> {
        self.lose();
        let count = data.len() as u32;
        Ok(Written { count, stability })
    }

    async fn commit(&self, _: Caller, _: FsHandle, _: u64, _: u32) -> Result<(), FsError> {
        self.lose();
        Ok(())
    }
}

/// The verifiers of an unstable WRITE, if there is one, and of a COMMIT.
fn verifiers(
    user: &mut Client,
    build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
) -> Vec<Verifier> {
    let reply = user.reply_to(build);
    let mut results = results(&reply);
    let mut found = Vec::new();
    while let Some(result) = results.next_result().unwrap() {
        match result {
            ResOp::Write(Outcome::Ok(ok)) => found.push(ok.writeverf),
            ResOp::Commit(Outcome::Ok(ok)) => found.push(ok.writeverf),
            _ => {}
        }
    }
    found
}

on_all!(the_verifier_counts_losses_from_before_a_write_to_after_a_commit);

fn the_verifier_counts_losses_from_before_a_write_to_after_a_commit(on: Polled) {
    let write = args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: StableHow::Unstable,
        data: b"bytes",
    };
    let commit = args::Commit {
        offset: 0,
        count: 0,
    };
    let served = Served::start(on, Losing::default());
    let mut user = served.client(1);
    let seen = verifiers(&mut user, |c| {
        walk(c, &["file"]).write(write).write(write).commit(commit)
    });
    let numbers: Vec<u64> = seen.iter().map(|seen| u64::from_be_bytes(seen.0)).collect();
    let first = numbers[0];
    assert_eq!(numbers, [first, first + 1, first + 3]);
    served.end([user]);
}
