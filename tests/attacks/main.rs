//! Attacks on a server over sockets: each meets a limit, and no other client waits for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::net::IpAddr;

use nfs4_tests::counting::Counting;

/// Makes a test of a function over each `Transport`.
macro_rules! on_each {
    ($name:ident) => {
        mod $name {
            use nfs4_tests::live::Transport;

            #[test]
            fn tokio() {
                super::$name(Transport::Tokio);
            }

            #[test]
            fn threads() {
                super::$name(Transport::Threads);
            }

            #[test]
            fn async_std() {
                super::$name(Transport::AsyncStd);
            }
        }
    };
}

mod compounds;
mod connections;
mod delegations;
mod dials;
mod memory;
mod mutants;
mod principals;
mod records;
mod renames;
mod tables;
mod walks;

/// 127.0.0.`host`.
fn peer(host: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, host])
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
