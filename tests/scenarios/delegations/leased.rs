//! Files of a file system that other processes use, and that keeps those from a file by a lease while it is
//! delegated.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use nfs4_engine::fs::{
    Backend, Capabilities, FsError, FsHandle, FsOp, FsReply, FsRequest, FsResult, Pending, Want,
};
use nfs4_engine::{Admin, Touch};
use nfs4_proto::nfs4::consts::{
    OPEN4_SHARE_ACCESS_WANT_ANY_DELEG, OPEN4_SHARE_ACCESS_WANT_READ_DELEG,
    OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG,
};
use nfs4_tests::sim::{Pace, Request};

use super::*;

const ANY: u32 = OPEN4_SHARE_ACCESS_WANT_ANY_DELEG;

/// A file system that is not private, and leases files.
struct Leasing {
    inner: Arc<dyn Backend>,
    state: Arc<State>,
}

/// What became of its leases.
#[derive(Default)]
struct State {
    refuses: AtomicBool,
    asked: Mutex<Vec<DelegationKind>>,
    held: AtomicUsize,
}

impl State {
    fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    /// For which delegations it was asked for a lease since the last call.
    fn take_asked(&self) -> Vec<DelegationKind> {
        std::mem::take(&mut *self.asked.lock().expect("no test panics with it"))
    }
}

impl Backend for Leasing {
    fn root(&self) -> FsHandle {
        self.inner.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn is_private(&self) -> bool {
        false
    }

    fn leases(&self) -> bool {
        true
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        let FsOp::Lease { fh, kind } = request.op else {
            return self.inner.submit(request, pending);
        };
        self.state
            .asked
            .lock()
            .expect("no test panics with it")
            .push(kind);
        if self.state.refuses.load(Ordering::SeqCst) {
            return Poll::Ready(Err(FsError::Busy));
        }
        let want = Want::ATTRS;
        let op = FsOp::GetAttrs { fh, want };
        let look = FsRequest::new(request.cred, request.now, op);
        let Poll::Ready(Ok(FsReply::Attrs { attrs, .. })) = self.inner.submit(look, pending) else {
            panic!("the file is open");
        };
        self.state.held.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Ok(FsReply::Leased(attrs)))
    }

    fn release(&self, fh: FsHandle) {
        self.inner.release(fh);
    }

    fn unlease(&self, _: FsHandle) {
        let held = self.state.held.fetch_sub(1, Ordering::SeqCst);
        assert!(held > 0, "a lease ends twice");
    }
}

/// A server of such a file system with a file "f", and two clients that can be called back.
fn leasing() -> (Sim, Client, Client, Arc<State>) {
    let state = Arc::<State>::default();
    let mut sim = Sim::serving(&["/"], |export| {
        export.backend = Arc::new(Leasing {
            inner: Arc::clone(&export.backend),
            state: Arc::clone(&state),
        });
    });
    let mut one = reachable(&mut sim, "one");
    let two = reachable(&mut sim, "two");
    make(&mut sim, &mut one, b"f");
    assert_eq!(state.take_asked(), [], "no delegation was wanted");
    (sim, one, two, state)
}

/// An OPEN for which the file is leased, which the engine has not heard of.
fn open_until_leased(sim: &mut Sim, client: &Client) -> Request {
    sim.set_pace(Pace::Held);
    let request = client.request(sim, 1, true, |c| {
        c.putrootfh().open(opening(3, b"f")).getfh()
    });
    request.send(sim, client.conn);
    sim.settle();
    while !matches!(sim.held()[0].op, FsOp::Lease { .. }) {
        sim.answer(0);
    }
    sim.execute(0);
    request
}

#[test]
fn a_file_is_leased_as_long_as_it_is_delegated() {
    for (access, kind) in [(1, READ), (3, WRITE)] {
        let (mut sim, mut one, _, state) = leasing();
        let held = delegated(&mut sim, &mut one, access, b"f", kind);
        assert_eq!((state.take_asked(), state.held()), (vec![kind], 1));
        give_back(&mut sim, &mut one, &held).all_ok();
        assert_eq!(state.held(), 0);
        sim.assert_nothing_is_left();
    }
}

#[test]
fn without_a_lease_there_is_no_delegation_and_the_file_is_open() {
    let (mut sim, mut one, _, state) = leasing();
    state.refuse(true);
    let reply = open(&mut sim, &mut one, opening(3, b"f")).all_ok();
    assert_eq!(ok!(reply, Open).delegation, OpenDelegation::None);
    let reply = open(&mut sim, &mut one, opening(3 | ANY, b"f")).all_ok();
    assert_eq!(refused(&reply), NoDelegation::Contention(false));
    assert_eq!((state.take_asked().len(), state.held()), (2, 0));
    assert_eq!((counts(&sim), sim.tables().opens), ((0, 0, 0), 1));
    state.refuse(false);
    delegated(&mut sim, &mut one, 3, b"f", WRITE);
    sim.assert_nothing_is_left();
    assert_eq!(state.held(), 0, "its client has gone");
}

#[test]
fn no_lease_is_asked_for_where_the_server_itself_writes() {
    let (mut sim, mut one, _, state) = leasing();
    let read = 3 | OPEN4_SHARE_ACCESS_WANT_READ_DELEG;
    let reply = open(&mut sim, &mut one, opening(read, b"f")).all_ok();
    assert_eq!(refused(&reply), NoDelegation::Contention(false));
    assert_eq!(state.take_asked(), []);
}

#[test]
fn an_upgrade_has_one_lease() {
    let (mut sim, mut one, _, state) = leasing();
    delegated(&mut sim, &mut one, 1, b"f", READ);
    let write = 3 | OPEN4_SHARE_ACCESS_WANT_WRITE_DELEG;
    let held = delegated(&mut sim, &mut one, write, b"f", WRITE);
    assert_eq!((state.take_asked(), state.held()), (vec![READ, WRITE], 1));
    give_back(&mut sim, &mut one, &held).all_ok();
    assert_eq!(state.held(), 0);
    // Without the second lease, the first stays.
    let (mut sim, mut one, _, state) = leasing();
    delegated(&mut sim, &mut one, 1, b"f", READ);
    state.refuse(true);
    let reply = open(&mut sim, &mut one, opening(write, b"f")).all_ok();
    assert_eq!(refused(&reply), NoDelegation::Contention(false));
    assert_eq!((counts(&sim), state.held()), ((1, 0, 0), 1));
}

#[test]
fn a_process_that_waits_gets_the_file_when_the_delegation_is_back() {
    let (mut sim, mut one, _, state) = leasing();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    assert!(!sim.touch(&held.fh, Touch::Read));
    assert_eq!(state.held(), 1);
    comes_back(&mut sim, &mut one, &held);
    assert_eq!(state.held(), 0);
    let reply = open(&mut sim, &mut one, opening(3 | ANY, b"f")).all_ok();
    assert_eq!(refused(&reply), NoDelegation::Contention(false), "too soon");
    assert_eq!(state.held(), 0);
}

#[test]
fn a_delegation_whose_lease_is_lost_is_revoked_at_once() {
    let (mut sim, mut one, mut two, state) = leasing();
    let held = delegated(&mut sim, &mut one, 3, b"f", WRITE);
    sim.touch(&held.fh, Touch::Change);
    recall(&called(&mut sim));
    sim.lose_lease(&held.fh, Touch::Change);
    assert_eq!((counts(&sim), state.held()), ((0, 0, 1), 0));
    let reply = give_back(&mut sim, &mut one, &held);
    assert_last(&reply, Op::DelegReturn, Status::DELEG_REVOKED);
    // Also one that was not recalled.
    make(&mut sim, &mut two, b"g");
    let held = delegated(&mut sim, &mut two, 1, b"g", READ);
    sim.lose_lease(&held.fh, Touch::Read);
    assert_eq!((counts(&sim), state.held()), ((1, 0, 1), 1), "two may read");
    sim.lose_lease(&held.fh, Touch::Change);
    assert_eq!((counts(&sim), state.held()), ((0, 0, 2), 0));
}

#[test]
fn a_process_that_came_before_the_delegation_was_granted_keeps_it_from_being_granted() {
    let (mut sim, mut one, _, state) = leasing();
    let quiet = opening(OPEN4_SHARE_ACCESS_WANT_NO_DELEG | 1, b"f");
    let fh = handle(&open(&mut sim, &mut one, quiet).all_ok());
    let request = open_until_leased(&mut sim, &one);
    assert_eq!(state.held(), 1);
    sim.touch(&fh, Touch::Change);
    sim.complete_all();
    let reply = sim.take_reply(request.xid()).expect("it is answered");
    assert_eq!(ok!(reply.all_ok(), Open).delegation, OpenDelegation::None);
    assert_eq!((counts(&sim), state.held()), ((0, 0, 0), 0));
}

#[test]
fn a_lease_that_comes_when_its_client_or_its_export_has_gone_ends() {
    for export_goes in [false, true] {
        let (mut sim, one, _, state) = leasing();
        open_until_leased(&mut sim, &one);
        assert_eq!(state.held(), 1);
        if export_goes {
            sim.admin(Admin::RemoveExport { path: "/".into() });
        } else {
            let client = one.id.0;
            sim.admin(Admin::EvictClient { client });
        }
        sim.complete_all();
        assert_eq!((counts(&sim), state.held()), ((0, 0, 0), 0));
    }
}

#[test]
fn nothing_is_delegated_by_a_reply_that_no_session_keeps() {
    let (mut sim, mut one, _, state) = leasing();
    open_until_leased(&mut sim, &one);
    let first = one.session;
    let second = args::CreateSession {
        flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        ..one.session_args()
    };
    one.create_session_with(&mut sim, second).all_ok();
    sim.admin(Admin::DestroySession { session: first });
    sim.complete_all();
    assert_eq!((counts(&sim), state.held()), ((0, 0, 0), 0));
    assert_eq!(sim.tables().opens, 1);
}

#[test]
fn leases_end_with_their_clients_and_exports() {
    let (mut sim, mut one, mut two, state) = leasing();
    for client in [&mut one, &mut two] {
        delegated(&mut sim, client, 1, b"f", READ);
    }
    assert_eq!(state.held(), 2);
    let client = one.id.0;
    sim.admin(Admin::EvictClient { client });
    assert_eq!(state.held(), 1);
    sim.admin(Admin::RemoveExport { path: "/".into() });
    sim.sleep(std::time::Duration::from_secs(1));
    assert_eq!(state.held(), 0);
}

#[test]
fn a_file_that_is_leased_for_writing_is_not_delegated_if_its_export_is_read_only_by_then() {
    for denied in [false, true] {
        let state = Arc::<State>::default();
        let served = std::cell::RefCell::new(None);
        let mut sim = Sim::serving(&["/"], |export| {
            export.backend = Arc::new(Leasing {
                inner: Arc::clone(&export.backend),
                state: Arc::clone(&state),
            });
            *served.borrow_mut() = Some(export.clone());
        });
        let mut one = reachable(&mut sim, "one");
        make(&mut sim, &mut one, b"f");
        let request = open_until_leased(&mut sim, &one);
        one.advance(1);
        let export = served.take().expect("it is served").with(|export| {
            export.read_only = true;
            if denied {
                let elsewhere = "198.51.100.0/24".parse().expect("a network");
                export.access = vec![nfs4_engine::NetworkRule::new(elsewhere)];
            }
        });
        sim.admin(Admin::PutExport(Box::new(export)));
        sim.complete_all();
        sim.set_pace(Pace::Delayed);
        sim.run();
        let reply = sim.take_reply(request.xid()).expect("it is answered");
        let reply = reply.all_ok();
        let open = ok!(reply, Open);
        assert!(
            matches!(
                open.delegation,
                OpenDelegation::None | OpenDelegation::NoneExt(_)
            ),
            "{:?}",
            open.delegation
        );
        assert_eq!(state.held(), 0, "the lease has ended");
        sim.assert_nothing_is_left();
    }
}
