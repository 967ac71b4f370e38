//! Decoding borrows: however long a message claims to be, walking over it allocates nothing.

#![expect(clippy::unwrap_used, reason = "a test")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

use nfs4_proto::client::{CallCredential, CallReader, CompoundBuilder};
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::{FattrRaw, Op, OpNum, Stateid};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::List;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is the system allocator's; the counter allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of this very method.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    f();
    ALLOCATIONS.with(Cell::get) - before
}

fn walk(record: &[u8]) -> usize {
    let mut ops = 0;
    let mut call = CallReader::parse(record.get(4..).unwrap()).unwrap();
    AuthSys::from_body(call.rpc().cred.body).unwrap();
    while let Ok(Some(op)) = call.next_op() {
        core::hint::black_box(op);
        ops += 1;
    }
    ops
}

#[test]
fn walking_allocates_nothing() {
    let stateids = [Stateid::CURRENT; 1000];
    let gids = [1; 16];
    let sys = AuthSys {
        stamp: 0,
        machinename: b"m",
        uid: 0,
        gid: 0,
        gids: List::new(&gids),
    };
    let data = [7; 65536];
    let mut call = CompoundBuilder::call(1, &CallCredential::Sys(sys), b"tag", 1);
    call.test_stateid(args::TestStateid {
        stateids: List::new(&stateids),
    })
    .write(args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: nfs4_proto::nfs4::StableHow::Unstable,
        data: &data,
    })
    .setattr(args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: FattrRaw::EMPTY,
    });
    let record = call.finish();
    let mut ops = 0;
    assert_eq!(count(|| ops = walk(&record)), 0);
    assert_eq!(ops, 3);
}

#[test]
fn lies_allocate_nothing() {
    let sys = AuthSys {
        stamp: 0,
        machinename: b"m",
        uid: 0,
        gid: 0,
        gids: List::empty(),
    };
    for op in Op::ALL {
        let mut call = CompoundBuilder::call(1, &CallCredential::Sys(sys), b"", 1);
        let record = call
            .raw(OpNum(op.value()), &[0xff; 64])
            .set_count(u32::MAX)
            .finish();
        assert_eq!(count(|| assert!(walk(&record) <= 1)), 0, "{op}");
    }
}
