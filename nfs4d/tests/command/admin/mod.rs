//! The administration interface as a program uses it.

mod events;
mod limits;
mod refusals;
mod routes;
mod start;

use std::net::SocketAddr;

use nfs4_engine::proto::client::{CompoundBuilder, ReplyReader};
use nfs4_engine::proto::nfs4::args::{BindConnToSession, ChannelDirFromClient};
use nfs4_tests::live::{Client, Connection};

use crate::daemon::Server;
use crate::http::{Answer, ask};

const LOOPBACK: [&str; 2] = ["--admin", "127.0.0.1:0"];

/// A server that is administered without a token.
fn server() -> Server {
    Server::start(&LOOPBACK)
}

/// A client of 4.1 with a session.
fn client(server: &Server, name: &str) -> Client {
    let mut client = Client::connect(server.address);
    client.mount(name, 1);
    client
}

/// One more connection of a session, for both channels.
fn bind(server: SocketAddr, client: &Client) -> Connection {
    let mut connection = Connection::new(server);
    let mut call = CompoundBuilder::call(7, &nfs4_tests::NOBODY, b"", 1);
    call.bind_conn_to_session(BindConnToSession {
        sessid: client.session,
        dir: ChannelDirFromClient::ForeOrBoth,
        use_conn_in_rdma_mode: false,
    });
    let reply = connection.exchange(&call.finish()).expect("it answers");
    let mut results = ReplyReader::parse(&reply).expect("a reply");
    results.bind_conn_to_session().expect("it is bound");
    connection
}

fn client_id(client: &Client) -> String {
    format!("{:016x}", client.id.0)
}

fn session_id(client: &Client) -> String {
    let bytes = client.session.0.iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// What a route answers.
fn get(server: &Server, path: &str) -> Answer {
    ask(server.admin(), "GET", path, &[], "")
}
