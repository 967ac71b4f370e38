//! Delegations of files that other programs may change.

use nfs4_tests::live::Client;
use nfs4_tests::tree::TreeFs;

use crate::served::{Polled, Served};

on_all!(only_a_private_file_system_is_delegated);

fn only_a_private_file_system_is_delegated(on: Polled) {
    assert!(!is_delegated(on, TreeFs::new(0o777)));
    assert!(is_delegated(on, TreeFs::new(0o777).private()));
}

/// Whether a client that can be called back gets a delegation of a file that it makes.
fn is_delegated(on: Polled, fs: TreeFs) -> bool {
    let served = Served::start(on, fs);
    let mut client = Client::on(served.connection(), Some(1));
    client.reachable = true;
    client.mount("client", 1);
    let opened = client.try_open("file").unwrap();
    client.remove(opened.stateid, "file");
    served.end([client]);
    opened.delegation.is_some()
}
