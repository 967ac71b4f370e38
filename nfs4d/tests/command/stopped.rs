//! A process that is stopped for a while.

use std::time::Duration;

use nfs4_engine::proto::client::ReplyReader;
use nfs4_engine::proto::nfs4::Status;
use nfs4_tests::live::Client;

use crate::daemon::{DRIVERS, Server};

/// Requests that clients send meanwhile wait in the sockets, and renew the leases.
#[test]
fn time_in_which_the_process_is_stopped_ends_no_lease() {
    for driver in DRIVERS {
        let server = Server::start(&["--driver", driver, "--lease-time=3", "--courtesy-time=0"]);
        let mut client = Client::connect(server.address);
        client.mount("client", 1);
        let open = client.open("file");
        server.signal("STOP");
        std::thread::sleep(Duration::from_secs(1));
        let renewal = client.compose().finish();
        client
            .connection
            .send(&renewal)
            .expect("the socket takes it");
        std::thread::sleep(Duration::from_secs(4));
        server.signal("CONT");
        let reply = client.connection.record().expect("it is answered");
        let status = ReplyReader::parse(&reply).expect("a reply").status();
        assert_eq!(status, Status::OK, "{driver}");
        client.write(open, 0, b"still open");
        // Time advances afterwards: a client that is silent for longer than a lease is removed.
        std::thread::sleep(Duration::from_secs(7));
        assert_eq!(client.in_session(|c| c), Status::BADSESSION, "{driver}");
    }
}
