//! Plain threads, over TCP.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nfs4_driver::conformance::Transport;
use nfs4_driver::{EngineDead, Node};
use nfs4_transport_std::{ServeError, Server, Stop};

use crate::socket;

struct Threads;

struct Serving {
    address: SocketAddr,
    stop: Stop,
    thread: JoinHandle<Result<(), ServeError>>,
}

impl Transport for Threads {
    type Server = Serving;
    type Stream = TcpStream;

    fn start(&self, node: Node) -> Serving {
        let server = Server::bind("127.0.0.1:0", node).expect("a free port");
        Serving {
            address: server.local_addr().expect("it is bound"),
            stop: server.stop_handle(),
            thread: thread::spawn(|| server.serve()),
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
        server.stop.stop();
    }

    fn join(&self, server: Serving) -> Result<(), EngineDead> {
        match server.thread.join().expect("no panic") {
            Ok(()) => Ok(()),
            Err(ServeError::EngineDead(dead)) => Err(dead),
            Err(ServeError::Start(why)) => panic!("it does not start: {why}"),
        }
    }

    fn most_connections(&self) -> usize {
        socket::most_connections()
    }
}

nfs4_driver::driver_conformance!(Threads);
