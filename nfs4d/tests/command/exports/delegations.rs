//! Delegations of files in a directory, beside programs of this machine.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::proto::nfs4::Status;
use nfs4_engine::proto::nfs4::args::{DelegReturn, PutFh};
use nfs4_tests::live::{Client, Connection};

use super::{Ground, touch, wait_for};
use crate::daemon::DRIVERS;

#[test]
fn a_program_that_opens_a_delegated_file_waits_until_the_client_returns_it() {
    for driver in DRIVERS {
        let ground = Ground::new(&format!("delegations-{driver}"));
        let data = ground.directory("data");
        let server = ground.serve(&["--export", &data, "--driver", driver]);
        let own = fs::metadata("/proc/self").expect("it is there").uid();
        let host = IpAddr::from([127, 0, 0, 1]);
        let mut holder = Client::on(Connection::from(host, server.address), Some(own));
        holder.reachable = true;
        holder.mount("holder", 1);
        let opened = holder.try_open("f").expect("an open");
        let delegation = opened.delegation.expect("no other has the file");
        let path = ground.path("data").join("f");
        let program = thread::spawn(move || fs::read(path).expect("it is readable"));
        let file = holder.file.clone();
        wait_for("the recall", || {
            assert_eq!(touch(&mut holder, &file), Status::OK);
            !holder.connection.back.recalled.is_empty()
        });
        assert!(!program.is_finished(), "{driver}");
        // What the client has kept reaches the program.
        holder.write(opened.stateid, 0, b"late");
        let back = Instant::now();
        holder.call(|call| {
            let object = &file[..];
            call.putfh(PutFh { object }).delegreturn(DelegReturn {
                deleg_stateid: delegation,
            })
        });
        assert_eq!(program.join().expect("it reads"), b"late", "{driver}");
        // Sooner than the kernel would have taken it from the client.
        assert!(back.elapsed() < Duration::from_secs(30), "{driver}");
    }
}

#[test]
fn the_administrator_is_told_that_the_kernel_waits_less_than_a_lease() {
    let text = fs::read_to_string("/proc/sys/fs/lease-break-time").expect("it is there");
    let time: u64 = text.trim().parse().expect("it is a number");
    if !(1..3_600).contains(&time) {
        println!("NOT RUN: no lease is as long as fs.lease-break-time, {time} s");
        return;
    }
    for (lease, warns) in [(time + 1, true), (time, false)] {
        let ground = Ground::new(&format!("break-time-{lease}"));
        let data = ground.directory("data");
        let lease = lease.to_string();
        let arguments = ["--export", &data, "--lease-time", &lease];
        let mut server = ground.serve(&arguments);
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0));
        let log = server.log();
        assert_eq!(log.contains("fs.lease-break-time"), warns, "{log}");
    }
}
