//! Tasks on async-std, over TCP.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nfs4_driver::conformance::Transport;
use nfs4_driver::{EngineDead, Node};
use nfs4_transport_std::async_std::{ServeError, Server};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::socket;

struct AsyncStd;

struct Serving {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: JoinHandle<Result<(), ServeError>>,
}

impl Transport for AsyncStd {
    type Server = Serving;
    type Stream = TcpStream;

    fn start(&self, node: Node) -> Serving {
        // It only polls what accepts.
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let server = runtime.block_on(Server::bind("127.0.0.1:0", node));
        let server = server.expect("a free port");
        let address = server.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        Serving {
            address,
            stop: Some(stop),
            thread: thread::spawn(move || runtime.block_on(server.serve(shutdown))),
        }
    }

    fn connect(&self, server: &Serving) -> io::Result<TcpStream> {
        socket::connect(server.address)
    }

    fn set_timeout(&self, stream: &TcpStream, span: Duration) -> io::Result<()> {
        socket::set_timeout(stream, span)
    }

    fn end_writes(&self, stream: &TcpStream) -> io::Result<()> {
        socket::end_writes(stream)
    }

    fn stop(&self, server: &mut Serving) {
        drop(server.stop.take());
    }

    fn join(&self, server: Serving) -> Result<(), EngineDead> {
        match server.thread.join().expect("no panic") {
            Ok(()) => Ok(()),
            Err(ServeError::EngineDead(dead)) => Err(dead),
        }
    }

    fn most_connections(&self) -> usize {
        socket::most_connections()
    }
}

nfs4_driver::driver_conformance!(AsyncStd);
