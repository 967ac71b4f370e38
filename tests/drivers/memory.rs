//! Clients in the same process.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use nfs4_driver::conformance::Transport;
use nfs4_driver::{EngineDead, Node};
use nfs4_tests::tree::TreeFs;
use nfs4_transport_memory::{MemoryStream, Running, Server};

struct Memory;

impl Transport for Memory {
    type Server = Running;
    type Stream = MemoryStream;

    fn start(&self, node: Node) -> Running {
        Server::new(node).spawn().expect("a thread")
    }

    fn connect(&self, server: &Running) -> io::Result<MemoryStream> {
        server.connect("memory").map_err(io::Error::other)
    }

    fn set_timeout(&self, stream: &MemoryStream, span: Duration) -> io::Result<()> {
        stream.set_read_timeout(Some(span))?;
        stream.set_write_timeout(Some(span))
    }

    fn end_writes(&self, stream: &MemoryStream) -> io::Result<()> {
        stream.shutdown(Shutdown::Write);
        Ok(())
    }

    fn stop(&self, server: &mut Running) {
        server.stop();
    }

    fn join(&self, server: Running) -> Result<(), EngineDead> {
        server.join()
    }
}

nfs4_driver::driver_conformance!(Memory);

#[test]
fn two_servers_of_a_process_are_not_one_to_clients() {
    let name = || {
        let server = Server::builder().export("/", TreeFs::new(0o777)).build();
        let node = server.unwrap().node().clone();
        node.look(|engine| engine.start().boot.server_major.clone())
    };
    assert_ne!(name(), name());
}
