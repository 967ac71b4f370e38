//! Makes a file in the root directory of a server as a user, or writes into it: `write_as ADDR:PORT UID NAME TEXT`.
//! The exit code is 0 if every operation succeeds; a refusal is the status on standard output and exit code 1.

use std::process::ExitCode;

use nfs4_tests::live::{Client, Connection};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, uid, name, text] = &arguments[..] else {
        eprintln!("usage: write_as ADDR:PORT UID NAME TEXT");
        return ExitCode::from(2);
    };
    let server = address.parse().expect("an address with a port");
    let uid: u32 = uid.parse().expect("a user id");
    let mut client = Client::on(Connection::new(server), Some(uid));
    client.mount(&format!("write_as {uid}"), 1);
    let opened = client.try_open(name);
    let status = match opened {
        Ok(opened) => {
            client.write(opened.stateid, 0, text.as_bytes());
            client.close();
            ExitCode::SUCCESS
        }
        Err(status) => {
            println!("{status:?}");
            ExitCode::FAILURE
        }
    };
    client.unmount();
    status
}
