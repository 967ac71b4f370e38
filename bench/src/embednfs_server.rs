//! Serves the in-memory file system of the crate embednfs at the address that is given.

use std::io;

use embednfs::{MemFs, NfsServer};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.ok_or_else(|| io::Error::other("usage: embednfs-server ADDR:PORT"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(NfsServer::new(MemFs::new()).listen(&address))
}
