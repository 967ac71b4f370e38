//! Servers at paths of the file system.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nfs4_driver::{EngineDead, Limits, Node, SystemClock};
use nfs4_transport_std::{self as threads, async_std as on_async_std};
use nfs4_transport_tokio as on_tokio;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::files::RootOnly;
use crate::log;
use crate::peer::Peer;
use crate::server::{Transport, node};
use crate::session::{Session, outcome};

on_each!(a_client_is_served_at_a_path_until_the_server_stops);

async fn a_client_is_served_at_a_path_until_the_server_stops(on: Transport) {
    log::keep();
    let place = Place::new("served", on);
    let path = place.0.join("nfs");
    let node = usual(Limits::default());
    let (stop, server) = serve(on, &path, node.clone()).unwrap();
    let mut peer = connect(&path).await;
    let mut session = Session::establish(&mut peer, b"local").await;
    for round in 0..3 {
        peer.send(&session.getattr(0)).await;
        assert_eq!(outcome(&peer.record().await.unwrap()), (0, Ok(())));
        if round == 1 {
            // Until the reader of a thread waits without a buffer.
            tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        }
    }
    let name = match on {
        Transport::Tokio => "unix:uid=".to_owned(),
        Transport::Threads | Transport::AsyncStd => format!("unix:{}", path.display()),
    };
    assert!(!log::lines("connection opened", &name).is_empty(), "{name}");
    drop(stop);
    peer.is_closed().await;
    assert_eq!(server.await.unwrap(), Ok(()));
    assert!(!path.exists(), "the server has removed its file");
    assert_eq!(node.connections(), Ok(0));
}

on_each!(peers_at_a_path_share_one_part_of_the_limits);

async fn peers_at_a_path_share_one_part_of_the_limits(on: Transport) {
    let place = Place::new("shares", on);
    let path = place.0.join("nfs");
    let limits = Limits::default().with(|limits| {
        limits.max_connections_per_peer = 2;
    });
    let node = usual(limits);
    let (_stop, _server) = serve(on, &path, node.clone()).unwrap();
    let mut bound = Vec::new();
    for name in [b"a", b"b"] {
        let mut peer = connect(&path).await;
        Session::establish(&mut peer, name).await;
        bound.push(peer);
    }
    connect(&path).await.is_closed().await;
    for peer in &mut bound {
        assert!(peer.is_served().await);
    }
}

on_each!(the_file_of_a_dead_server_is_replaced_and_no_other);

async fn the_file_of_a_dead_server_is_replaced_and_no_other(on: Transport) {
    let place = Place::new("stale", on);
    let path = place.0.join("nfs");
    drop(UnixListener::bind(&path).unwrap());
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
    let (stop, server) = serve(on, &path, usual(Limits::default())).unwrap();
    assert!(connect(&path).await.is_served().await);
    let why = serve(on, &path, usual(Limits::default())).err().unwrap();
    assert_eq!(why.kind(), io::ErrorKind::AddrInUse, "{why}");
    assert!(why.to_string().contains(path.to_str().unwrap()), "{why}");
    assert!(connect(&path).await.is_served().await, "it still serves");
    // What has taken its place meanwhile is not its own.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "a file").unwrap();
    drop(stop);
    assert_eq!(server.await.unwrap(), Ok(()));
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    let why = serve(on, &path, usual(Limits::default())).err().unwrap();
    assert_eq!(why.kind(), io::ErrorKind::AlreadyExists, "{why}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
    let nowhere = place.0.join("missing").join("nfs");
    let why = serve(on, &nowhere, usual(Limits::default())).err().unwrap();
    assert_eq!(why.kind(), io::ErrorKind::NotFound, "{why}");
    assert_eq!(
        fs::read_dir(&place.0).unwrap().count(),
        1,
        "nothing is left"
    );
}

on_each!(a_server_at_a_relative_path_is_no_other_directorys);

async fn a_server_at_a_relative_path_is_no_other_directorys(on: Transport) {
    let place = Place::new("relative", on);
    let here = std::env::current_dir().unwrap();
    let mut path: PathBuf = here.ancestors().skip(1).map(|_| "..").collect();
    path.push(place.0.join("nfs").strip_prefix("/").unwrap());
    let name = name_at(on, &path);
    assert_eq!(name, name_at(on, &here.join(path)));
}

/// The name of a server at a path, by which clients know it.
fn name_at(on: Transport, path: &Path) -> Vec<u8> {
    let node = match on {
        Transport::Tokio => {
            let server = on_tokio::Server::builder()
                .export_backend("/", RootOnly)
                .bind_unix(path);
            server.unwrap().node().clone()
        }
        Transport::AsyncStd => {
            let server = on_async_std::Server::builder()
                .export_backend("/", RootOnly)
                .bind_unix(path);
            server.unwrap().node().clone()
        }
        Transport::Threads => {
            let server = threads::Server::builder()
                .export_backend("/", RootOnly)
                .bind_unix(path);
            server.unwrap().node().clone()
        }
    };
    let name = node.look(|engine| engine.start().boot.server_major.clone());
    name.unwrap()
}

type Stop = Box<dyn FnOnce() + Send>;

/// Stops a server when it is dropped.
struct StopOnDrop(Option<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Some(stop) = self.0.take() {
            stop();
        }
    }
}

type Served = JoinHandle<Result<(), EngineDead>>;

/// Serves at a path until the first is dropped.
fn serve(on: Transport, path: &Path, node: Node) -> io::Result<(StopOnDrop, Served)> {
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let (stop, served): (Stop, Served) = match on {
        Transport::Tokio => {
            let server = on_tokio::Server::bind_unix(path, node)?;
            assert!(server.local_addr().is_err());
            let served = async {
                server.serve(shutdown).await.unwrap();
                Ok(())
            };
            (Box::new(|| drop(stop)), tokio::spawn(served))
        }
        Transport::AsyncStd => {
            let server = on_async_std::Server::bind_unix(path, node)?;
            assert!(server.local_addr().is_err());
            let served = async {
                server.serve(shutdown).await.unwrap();
                Ok(())
            };
            (Box::new(|| drop(stop)), tokio::spawn(served))
        }
        Transport::Threads => {
            let server = threads::Server::bind_unix(path, node)?;
            assert!(server.local_addr().is_err());
            let stop = server.stop_handle();
            let served = spawn_blocking(|| {
                server.serve().unwrap();
                Ok(())
            });
            (Box::new(move || stop.stop()), served)
        }
    };
    Ok((StopOnDrop(Some(stop)), served))
}

async fn connect(path: &Path) -> Peer {
    Peer::over(UnixStream::connect(path).await.unwrap()).await
}

fn usual(limits: Limits) -> Node {
    node(limits, Arc::new(RootOnly), Arc::new(SystemClock::new()))
}

/// An empty directory, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str, on: Transport) -> Place {
        let name = format!("nfs4-{}-{name}-{}", std::process::id(), on.driver());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A test that fails has its own message.
        let _ = fs::remove_dir_all(&self.0);
    }
}
