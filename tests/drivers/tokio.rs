//! Tasks on tokio, over TCP.

use std::io;
use std::net::TcpStream;
use std::time::Duration;

use nfs4_driver::conformance::Transport;
use nfs4_driver::{EngineDead, Node};
use nfs4_transport_tokio::Server;
use tokio::runtime::Builder;

use crate::socket;
use crate::task::Serving;

struct Tokio;

impl Transport for Tokio {
    type Server = Serving;
    type Stream = TcpStream;

    fn start(&self, node: Node) -> Serving {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let server = runtime.block_on(Server::bind("127.0.0.1:0", node));
        let server = server.expect("a free port");
        let address = server.local_addr().expect("it is bound");
        Serving::start(runtime, address, |stopped| server.serve(stopped.wait()))
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
        server.stop();
    }

    fn join(&self, server: Serving) -> Result<(), EngineDead> {
        server.join()
    }

    fn most_connections(&self) -> usize {
        socket::most_connections()
    }
}

nfs4_driver::driver_conformance!(Tokio);
