//! Every workload for a moment, against a server in this process.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::ValueEnum as _;
use nfs4_driver::{Clock as _, Limits, Node, SystemClock};
use nfs4_engine::{Boot, Config, Engine, Export};
use nfs4_transport_std::Server;
use nfs4_vfs::{MemFs, MemFsConfig};

use crate::cli::Plain;
use crate::echo;
use crate::load::Load;
use crate::mount::Layout;
use crate::plain;
use crate::workload::{Echo, Size, Task, Workload};

fn load(server: SocketAddr, layout: Layout) -> Load {
    Load {
        server,
        process: Some(std::process::id()),
        layout,
        warm_up: Duration::from_millis(20),
        time: Duration::from_millis(150),
    }
}

const LAYOUT: Layout = Layout {
    connections: 3,
    sessions: 2,
    depth: 5,
};

fn node() -> Node {
    let clock = Arc::new(SystemClock::new());
    let boot = Boot::new(1, [7; 16], b"bench");
    let files = MemFsConfig::new(boot.epoch, 64 << 20).with(|files| files.root_mode = 0o1777);
    let root = Export::new("/", Arc::new(MemFs::new(files)));
    let config = Config::default();
    let limits = Limits::for_max_io(config.max_io);
    let engine = Engine::new(boot, config, vec![root], clock.now()).expect("right settings");
    Node::with_clock(engine, limits, clock).expect("right limits")
}

#[test]
fn every_workload_is_served_without_an_error() {
    let server = Server::bind("127.0.0.1:0", node()).expect("a free port");
    let address = server.local_addr().expect("it is bound");
    let stop = server.stop_handle();
    let serving = thread::spawn(move || server.serve());
    for workload in Workload::value_variants() {
        let sample = load(address, LAYOUT).run(*workload);
        let sample = sample.unwrap_or_else(|why| panic!("{workload:?}: {why}"));
        assert!(sample.requests > 0.0, "{workload:?}");
        assert!(
            sample.errors.is_empty(),
            "{workload:?}: {:?}",
            sample.errors
        );
        assert_eq!(sample.after, None, "{workload:?}");
        assert!(sample.server_us() > 0.0, "{workload:?}");
        let real = sample
            .sizes
            .iter()
            .all(|size| size.call > 40 && size.reply > 40);
        assert!(
            real && !sample.sizes.is_empty(),
            "{workload:?}: {:?}",
            sample.sizes
        );
    }
    stop.stop();
    serving.join().expect("it ends").expect("a good end");
}

#[test]
fn more_slots_than_a_session_has_are_a_fault() {
    let server = Server::bind("127.0.0.1:0", node()).expect("a free port");
    let address = server.local_addr().expect("it is bound");
    let stop = server.stop_handle();
    let serving = thread::spawn(move || server.serve());
    let layout = Layout {
        connections: 2,
        sessions: 1,
        depth: 500,
    };
    let fault = load(address, layout).run(Workload::Sequence).unwrap_err();
    assert!(fault.to_string().contains("1000 are needed"), "{fault}");
    stop.stop();
    serving.join().expect("it ends").expect("a good end");
}

#[test]
fn echoes_are_as_long_as_asked_for() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    // Ends with the process.
    thread::spawn(move || echo::serve(&listener));
    let echo = |call, reply| Echo {
        size: Size { call, reply },
        task: Task::Nothing,
    };
    let echoes = [echo(136, 112), echo(136, 1 << 20), echo(1 << 20, 120)];
    let sample = load(address, LAYOUT).run_echo(&echoes).expect("echoes");
    assert!(sample.requests > 0.0);
    assert!(sample.errors.is_empty(), "{:?}", sample.errors);
}

#[test]
fn the_plain_server_reads_and_writes_a_file() {
    let path = std::env::temp_dir().join(format!("nfs4-bench-plain-{}", std::process::id()));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let options = Plain {
        listen: address,
        file: path.clone(),
    };
    // Ends with the process.
    thread::spawn(move || plain::serve_file(&listener, &options));
    let echo = |call, reply, task| Echo {
        size: Size { call, reply },
        task,
    };
    let echoes = [
        echo(136, 112, Task::Stat),
        echo(136, 4_300, Task::Read(4 << 10)),
        echo(136, (1 << 20) + 200, Task::Read(1 << 20)),
        echo(4_300, 120, Task::Write(4 << 10)),
        echo((1 << 20) + 200, 120, Task::Write(1 << 20)),
    ];
    let sample = load(address, LAYOUT).run_echo(&echoes).expect("replies");
    assert!(sample.requests > 0.0);
    assert!(sample.errors.is_empty(), "{:?}", sample.errors);
    // The data of a call is its filling, and it ends where the file does.
    let content = fs::read(&path).expect("the file");
    assert!(content.len() == 1 << 20 && content.iter().all(|byte| *byte == 0));
    fs::remove_file(&path).expect("the file");
}
