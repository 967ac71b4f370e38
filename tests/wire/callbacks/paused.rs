//! Callbacks on a connection from which nothing more is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use nfs4_driver::Limits;
use nfs4_driver::engine::fs::{
    Backend, Capabilities, FsHandle, FsOp, FsRequest, FsResult, Pending,
};
use nfs4_driver::engine::proto::nfs4::args;
use nfs4_vfs::MemFs;

use super::{callback, flags, memory, over, patient, provoke, reachable, serve_files};
use crate::caller::Caller;
use crate::files::{Held, root_attrs};
use crate::flight::wait_for;
use crate::server::{Running, Transport};

on_each!(the_answer_behind_calls_that_may_not_start_is_read);

async fn the_answer_behind_calls_that_may_not_start_is_read(on: Transport) {
    let (server, files) = serve(on, 2).await;
    let mut client = reachable(&server, b"called").await;
    let mut other = Caller::mounted(server.address, b"other").await;
    // As many as may be in flight.
    let looks: Vec<u8> = (1..=2).flat_map(|slot| look(&mut client, slot)).collect();
    files.hold(true);
    client.peer.send(&looks).await;
    wait_for(&files.held, 2).await;
    files.hold(false);
    provoke_by_another(&server, &mut client, &mut other).await;
    let callback = callback(&mut client.peer).await;

    files.hold(true);
    let behind: Vec<u8> = (3..=4).flat_map(|slot| look(&mut client, slot)).collect();
    client.peer.send(&behind).await;
    client.peer.send(&callback.ok()).await;
    over(&server).await;
    assert_eq!(files.held.waiting(), 2, "no more than may be in flight");
    for _ in 0..4 {
        wait_for(&files.held, 1).await;
        files.held.take(0).complete(Ok(root_attrs()));
        client.reply().await.all_ok();
    }
    assert_eq!(flags(&mut client).await, 0);
}

on_each!(but_no_more_calls_are_taken_in_for_it_than_may_be_in_flight);

async fn but_no_more_calls_are_taken_in_for_it_than_may_be_in_flight(on: Transport) {
    let (server, files) = serve(on, 1).await;
    let mut client = reachable(&server, b"called").await;
    let mut other = Caller::mounted(server.address, b"other").await;
    let first = look(&mut client, 1);
    files.hold(true);
    client.peer.send(&first).await;
    wait_for(&files.held, 1).await;
    files.hold(false);
    provoke_by_another(&server, &mut client, &mut other).await;
    let callback = callback(&mut client.peer).await;

    // One is in flight and one is taken in; in front of the answer is another.
    let behind: Vec<u8> = (2..=3).flat_map(|slot| look(&mut client, slot)).collect();
    client.peer.send(&behind).await;
    client.peer.send(&callback.ok()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.node.table_lengths().unwrap().flights, 1);
    files.held.take(0).complete(Ok(root_attrs()));
    over(&server).await;
    for _ in 0..3 {
        client.reply().await.all_ok();
    }
}

on_each!(a_callback_leaves_while_nothing_is_read);

/// The connection is not read, and it is called all the same.
async fn a_callback_leaves_while_nothing_is_read(on: Transport) {
    let (server, files) = serve(on, 1).await;
    let mut client = reachable(&server, b"called").await;
    let mut other = Caller::mounted(server.address, b"other").await;
    let looks: Vec<u8> = (1..=3).flat_map(|slot| look(&mut client, slot)).collect();
    files.hold(true);
    client.peer.send(&looks).await;
    wait_for(&files.held, 1).await;
    files.hold(false);
    provoke_by_another(&server, &mut client, &mut other).await;
    let callback = callback(&mut client.peer).await;
    files.held.take(0).complete(Ok(root_attrs()));
    for _ in 0..3 {
        client.reply().await.all_ok();
    }
    client.peer.send(&callback.ok()).await;
    over(&server).await;
}

/// A server of a file system in memory whose looks at attributes can be held, with so many calls of
/// a connection in flight.
async fn serve(on: Transport, max_in_flight: u32) -> (Running, Arc<Holding>) {
    let files = Arc::new(Holding {
        held: Held::default(),
        holding: AtomicBool::new(false),
        memory: memory(),
    });
    let limits = Limits::default().with(|limits| limits.max_in_flight = max_in_flight);
    let server = serve_files(on, patient(), limits, Arc::clone(&files) as _).await;
    (server, files)
}

/// Has the server call a client whose first connection is busy: what the client does for it goes by
/// another.
async fn provoke_by_another(server: &Running, client: &mut Caller, other: &mut Caller) {
    let second = crate::peer::Peer::connect(server.address).await;
    let busy = std::mem::replace(&mut client.peer, second);
    provoke(client, other, b"file").await;
    client.peer = busy;
}

/// A look at the root's attributes.
fn look(client: &mut Caller, slot: u32) -> Vec<u8> {
    let look = args::GetAttr {
        attr_request: Default::default(),
    };
    client.request(slot, |c| c.putrootfh().getattr(look))
}

struct Holding {
    held: Held,
    holding: AtomicBool,
    memory: MemFs,
}

impl Holding {
    fn hold(&self, hold: bool) {
        self.held.hold(hold);
        self.holding.store(hold, Ordering::SeqCst);
    }
}

impl Backend for Holding {
    fn root(&self) -> FsHandle {
        self.memory.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.memory.capabilities()
    }

    fn submit(&self, request: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        let is_look = matches!(request.op, FsOp::GetAttrs { .. });
        if is_look && self.holding.load(Ordering::SeqCst) {
            self.held.submit(request, pending)
        } else {
            self.memory.submit(request, pending)
        }
    }

    fn release(&self, fh: FsHandle) {
        self.memory.release(fh);
    }
}
