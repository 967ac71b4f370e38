//! An address for a server that has to be told one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};

/// An address of this machine that nothing else uses: a host in 127.0.0.0/8 for this process and this
/// call.
///
/// A port that was bound and given back will not do. A child that another thread starts has the
/// listener too, until it runs its program: a test that connects meanwhile takes it for the server,
/// which in turn finds its port in use.
pub fn own_address() -> SocketAddr {
    static GIVEN: AtomicU8 = AtomicU8::new(2);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let last = GIVEN.fetch_add(1, Ordering::Relaxed);
    SocketAddr::from(([127, high, low, last], 20_490))
}
