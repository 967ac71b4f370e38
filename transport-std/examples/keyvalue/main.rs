//! A key-value store as a directory, on plain threads: a file is a value, and its name is the key.
//!
//!     cargo run -p nfs4-transport-std --example keyvalue -- 127.0.0.1:20490
//!     mount -t nfs4 -o vers=4.2,port=20490 127.0.0.1:/ /mnt    # as root; then: echo 1 >/mnt/one
mod store;

use nfs4_transport_std::{Server, driver::engine::bytes::Bytes, driver::engine::fs::*};
use store::Store;

type Fh = FsHandle;

impl FileSystem for Store {
    fn root(&self) -> Fh {
        Fh::from_number(Store::DIRECTORY)
    }
    async fn getattr(&self, _: Caller, fh: Fh) -> FsResult<Attrs> {
        self.with(fh, |value| Ok(value.attrs))
    }
    async fn lookup(&self, _: Caller, _: Fh, key: Bytes) -> FsResult<(Fh, Attrs)> {
        self.find(&key)
    }
    async fn readdir(&self, _: Caller, _: Fh, _after: u64) -> FsResult<Entries> {
        Ok(Entries::all(self.all()))
    }
    async fn read(&self, _: Caller, fh: Fh, offset: u64, count: u32) -> FsResult<Data> {
        self.with(fh, |value| Ok(Data::part_of(&value.bytes, offset, count)))
    }
    async fn setattr(&self, by: Caller, fh: Fh, set: SetAttrs) -> FsResult<Attrs> {
        self.with(fh, |value| value.set(&set, by.now.wall))
    }
    async fn write(
        &self,
        by: Caller,
        fh: Fh,
        offset: u64,
        data: Bytes,
        _: Stability,
    ) -> FsResult<Written> {
        self.with(fh, |value| value.write(offset, &data, &by))
    }
    async fn create(&self, by: Caller, _: Fh, key: Bytes, set: SetAttrs) -> FsResult<(Fh, Attrs)> {
        self.insert(key, &set, by.now.wall)
    }
    async fn remove(&self, by: Caller, _: Fh, key: Bytes) -> FsResult<()> {
        self.remove(&key, by.now.wall)
    }
    async fn rename(&self, by: Caller, _: Fh, from: Bytes, _: Fh, to: Bytes) -> FsResult<()> {
        self.rename(&from, to, by.now.wall)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("no address")?;
    let server = Server::builder().export("/", Store::new()).bind(address)?;
    Ok(server.serve()?)
}
