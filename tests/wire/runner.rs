//! Streams that the embedder has, served by a runner and no other code.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use nfs4_driver::engine::Config;
use nfs4_driver::engine::proto::client::CbCallReader;
use nfs4_driver::engine::proto::nfs4::any::CbArgOp;
use nfs4_driver::engine::proto::nfs4::consts::CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
use nfs4_driver::engine::proto::nfs4::{Op, Status};
use nfs4_driver::{Closing, EngineDead, Limits, Node, Refused, SystemClock};
use nfs4_transport_std::{self as threads, async_std as on_async_std};
use nfs4_transport_tokio as on_tokio;
use nfs4_vfs::{MemFs, MemFsConfig};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::caller::{CHANNEL, Caller, open};
use crate::engine::Broken;
use crate::files::{Held, RootOnly, root_attrs};
use crate::flight::wait_for;
use crate::peer::Peer;
use crate::server::{PATIENCE, Transport, node, node_of};
use crate::session::{Session, outcome};

on_each!(a_bare_stream_expires_leases_and_recalls_delegations);

async fn a_bare_stream_expires_leases_and_recalls_delegations(on: Transport) {
    let config = Config::default().with(|config| {
        config.lease = Duration::from_secs(1);
        config.courtesy = Duration::ZERO;
    });
    let root = Arc::new(MemFs::new(MemFsConfig::new(1, 16 << 20).with(|files| {
        files.root_mode = 0o777;
    })));
    let clock = Arc::new(SystemClock::new());
    let node = node_of(config, Limits::default(), root, clock);
    let runner = Bare::start(on, node.clone());
    let mut holder = reachable(&runner, b"holder").await;
    let mut other = reachable(&runner, b"other").await;
    let call = holder.request(0, |c| c.putrootfh().open(open(b"f")));
    holder.peer.send(&call).await;
    holder.reply_past_callbacks().await.all_ok();
    let refused = other.call(|c| c.putrootfh().open(open(b"f"))).await;
    assert_eq!(refused.last(), (Op::Open, Status::DELAY));
    let callback = holder.peer.called().await;
    let mut callback = CbCallReader::parse(&callback).unwrap();
    let sequence = callback.next_op().unwrap();
    assert!(matches!(sequence, Some(CbArgOp::Sequence(_))));
    let recall = callback.next_op().unwrap();
    assert!(matches!(recall, Some(CbArgOp::Recall(_))), "{recall:?}");
    eventually("both leases expire", || {
        node.table_lengths().unwrap().clients == 0
    })
    .await;
}

/// A client that can be called back.
async fn reachable(runner: &Bare, owner: &[u8]) -> Caller {
    let mut client = Caller::by(runner.connect().await.0);
    client.introduce(owner).await.all_ok();
    let flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    client.enter(CHANNEL, flags).await.all_ok();
    client
}

on_each!(nothing_is_left_of_a_runner_that_is_dropped);

async fn nothing_is_left_of_a_runner_that_is_dropped(on: Transport) {
    let clock = Arc::new(SystemClock::new());
    let node = node(
        Limits::default(),
        Arc::new(RootOnly),
        Arc::clone(&clock) as _,
    );
    let runner = Bare::start(on, node.clone());
    let (mut peer, served) = runner.connect().await;
    assert!(peer.is_served().await);
    if let Bare::Threads(_) = runner {
        // The thread that serves the stream has the runner too.
        drop(peer);
        assert!(matches!(served.await, Ok(Ok(Closing::EndOfStream))));
        drop(runner);
    } else {
        drop(runner);
        peer.is_closed().await;
        assert!(matches!(served.await, Ok(Ok(Closing::Stopped))));
    }
    assert_eq!(node.connections(), Ok(0));
    drop(node);
    // Every task and every thread that has the node would hold its clock.
    eventually("all has ended", || Arc::strong_count(&clock) == 1).await;
}

on_each!(a_runner_that_is_stopped_answers_what_is_in_flight);

async fn a_runner_that_is_stopped_answers_what_is_in_flight(on: Transport) {
    let files = Arc::new(Held::default());
    let clock = Arc::new(SystemClock::new());
    let node = node(Limits::default(), Arc::clone(&files) as _, clock);
    let runner = Bare::start(on, node.clone());
    let (mut idle, idling) = runner.connect().await;
    assert!(idle.is_served().await);
    let (mut peer, served) = runner.connect().await;
    let mut session = Session::establish(&mut peer, b"stopped").await;
    files.hold(true);
    peer.send(&session.getattr(0)).await;
    wait_for(&files, 1).await;
    let stopped = tokio::spawn(runner.clone().stop());
    idle.is_closed().await;
    assert!(matches!(idling.await.unwrap(), Ok(Closing::Stopped)));
    assert!(!stopped.is_finished());
    files.take(0).complete(Ok(root_attrs()));
    assert_eq!(outcome(&peer.record().await.unwrap()), (0, Ok(())));
    peer.is_closed().await;
    assert!(matches!(served.await.unwrap(), Ok(Closing::Stopped)));
    assert_eq!(stopped.await.unwrap(), Ok(()));
    let (mut late, refused) = runner.connect().await;
    late.is_closed().await;
    assert!(matches!(refused.await.unwrap(), Ok(Closing::Stopped)));
}

on_each!(a_runner_cuts_off_what_is_never_answered);

async fn a_runner_cuts_off_what_is_never_answered(on: Transport) {
    let files = Arc::new(Held::default());
    let limits = Limits::default().with(|limits| {
        limits.stop_timeout = Duration::from_millis(100);
    });
    let node = node(
        limits,
        Arc::clone(&files) as _,
        Arc::new(SystemClock::new()),
    );
    let runner = Bare::start(on, node.clone());
    let (mut peer, served) = runner.connect().await;
    let mut session = Session::establish(&mut peer, b"cut").await;
    files.hold(true);
    peer.send(&session.getattr(0)).await;
    wait_for(&files, 1).await;
    let stopped = timeout(PATIENCE, runner.stop()).await;
    assert_eq!(stopped.expect("an end"), Ok(()));
    peer.is_closed().await;
    let why = served.await.unwrap();
    assert!(
        matches!(
            why,
            Ok(Closing::Stopped | Closing::EndOfStream | Closing::Io(_))
        ),
        "{why:?}"
    );
    assert_eq!(node.connections(), Ok(0));
}

on_each!(a_runner_says_why_it_refuses_a_stream);

async fn a_runner_says_why_it_refuses_a_stream(on: Transport) {
    let limits = Limits::default().with(|limits| {
        limits.max_connections_per_peer = 1;
    });
    let clock = Broken::not_yet();
    let node = node(limits, Arc::new(RootOnly), Arc::clone(&clock) as _);
    let runner = Bare::start(on, node.clone());
    let (mut peer, served) = runner.connect().await;
    let mut session = Session::establish(&mut peer, b"only").await;
    let (_, refused) = runner.connect().await;
    assert_eq!(refused.await.unwrap().err(), Some(Refused::TooManyOfPeer));
    clock.break_down();
    peer.send(&session.getattr(0)).await;
    peer.is_closed().await;
    assert!(served.await.is_err(), "the panic ended its task");
    let (_, refused) = runner.connect().await;
    let dead = Refused::EngineDead(EngineDead);
    assert_eq!(refused.await.unwrap().err(), Some(dead));
    if let Bare::Tokio(runner) = &runner {
        assert_eq!(timeout(PATIENCE, runner.failed()).await, Ok(EngineDead));
    }
    if let Bare::AsyncStd(runner) = &runner {
        assert_eq!(timeout(PATIENCE, runner.failed()).await, Ok(EngineDead));
    }
    assert_eq!(runner.stop().await, Err(EngineDead));
}

/// A runner, whose streams are no sockets that it listens at.
#[derive(Clone)]
enum Bare {
    Tokio(Arc<on_tokio::Runner>),
    Threads(Arc<threads::Runner>),
    AsyncStd(Arc<on_async_std::Runner>),
}

impl Bare {
    fn start(on: Transport, node: Node) -> Bare {
        match on {
            Transport::Tokio => Bare::Tokio(Arc::new(on_tokio::Runner::start(node))),
            Transport::Threads => Bare::Threads(Arc::new(threads::Runner::start(node).unwrap())),
            Transport::AsyncStd => Bare::AsyncStd(Arc::new(on_async_std::Runner::start(node))),
        }
    }

    /// A peer, and how its stream ends.
    async fn connect(&self) -> (Peer, oneshot::Receiver<Result<Closing, Refused>>) {
        let (end, ended) = oneshot::channel();
        if let Bare::Tokio(runner) = self {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            let served = runner.serve_stream(ours, "a pipe");
            tokio::spawn(async { drop(end.send(served.await)) });
            return (Peer::over(theirs).await, ended);
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        match self {
            Bare::Threads(runner) => {
                let runner = Arc::clone(runner);
                std::thread::spawn(move || {
                    let ended = runner.serve_stream(ours, "a pipe");
                    drop(runner);
                    drop(end.send(ended));
                });
            }
            Bare::Tokio(_) => unreachable!("it has no sockets"),
            Bare::AsyncStd(runner) => {
                let ours = async_std::os::unix::net::UnixStream::from(ours);
                let served = runner.serve_stream(ours, "a pipe");
                async_std::task::spawn(async { drop(end.send(served.await)) });
            }
        }
        let theirs = tokio::net::UnixStream::from_std(theirs).unwrap();
        (Peer::over(theirs).await, ended)
    }

    async fn stop(self) -> Result<(), EngineDead> {
        match self {
            Bare::Tokio(runner) => runner.stop().await,
            Bare::Threads(runner) => spawn_blocking(move || runner.stop()).await.unwrap(),
            Bare::AsyncStd(runner) => runner.stop().await,
        }
    }
}

async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let reached = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect(what);
}
