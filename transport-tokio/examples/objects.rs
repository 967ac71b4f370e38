//! Objects of a store that takes 100 ms for a request, and as long for 64 at once; so do 64 readers:
//!
//!     cargo run -p nfs4-transport-tokio --example objects -- 127.0.0.1:20490
//!     mount -t nfs4 -o vers=4.2,port=20490 127.0.0.1:/ /mnt    # as root
//!     for n in $(seq 64); do dd if=/mnt/$n of=/dev/null status=none & done; wait
use std::time::{Duration, Instant};

use nfs4_transport_tokio::{Server, driver::engine::bytes::Bytes, driver::engine::fs::*};

/// A store that was started then.
struct Store(Instant);

impl Store {
    async fn get(&self, object: u64) -> Bytes {
        let asked = self.0.elapsed().as_millis();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answered = self.0.elapsed().as_millis();
        println!("object {object}: asked at {asked} ms, answered at {answered} ms");
        Bytes::from(vec![b'0' + (object % 10) as u8; 4096])
    }
}

/// The root is number 0, the objects are 1 to 64.
fn entry(id: u64) -> FsResult<Entry> {
    let attrs = match id {
        0 => Attrs::dir(1),
        1..=64 => Attrs::file(id + 1, 4096).with_mode(0o440),
        _ => return Err(FsError::NotFound),
    };
    Ok(Entry::new(id.to_string(), FsHandle::from_number(id), attrs))
}

impl FileSystem for Store {
    fn root(&self) -> FsHandle {
        FsHandle::from_number(0)
    }
    async fn getattr(&self, _: Caller, fh: FsHandle) -> FsResult<Attrs> {
        Ok(entry(fh.number()?).map_err(|_| FsError::BadHandle)?.attrs)
    }
    async fn lookup(&self, _: Caller, _dir: FsHandle, name: Bytes) -> FsResult<(FsHandle, Attrs)> {
        let found = (1..=64).flat_map(entry).find(|entry| entry.name == name);
        Ok(found.ok_or(FsError::NotFound)?.object())
    }
    async fn readdir(&self, _: Caller, _dir: FsHandle, _after: u64) -> FsResult<Entries> {
        Ok(Entries::all((1..=64).flat_map(entry)))
    }
    async fn read(&self, _: Caller, fh: FsHandle, offset: u64, count: u32) -> FsResult<Data> {
        Ok(Data::part_of(&self.get(fh.number()?).await, offset, count))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("no address")?;
    let store = Store(Instant::now());
    let server = Server::builder().export("/", store).bind(address).await?;
    Ok(server.serve(std::future::pending()).await?)
}
