//! A tree that is computed, read-only: primes as files, and their squares as links to them.
//!
//!     cargo run -p nfs4-transport-tokio --example generated -- 127.0.0.1:20490
//!     mount -t nfs4 -o vers=4.2,port=20490 127.0.0.1:/ /mnt    # as root; then: cat /mnt/squares/9
use nfs4_transport_tokio::{Server, driver::engine::bytes::Bytes, driver::engine::fs::*};

const DIRS: [&str; 3] = ["", "primes", "squares"];
/// The object of a number: 0 to 2 are the directories, 1000 + n a prime, 2000 + n its square.
fn entry(id: u64) -> Option<Entry> {
    let (n, size) = (id % 1000, text(id).len() as u64);
    let is_prime = n > 1 && (2..n).all(|m| n % m != 0);
    let (name, attrs) = match id {
        0..3 => (DIRS[id as usize].into(), Attrs::dir(id + 1)),
        1000..2000 if is_prime => (format!("{n}"), Attrs::file(id + 1, size)),
        2000..3000 if is_prime => (format!("{}", n * n), Attrs::symlink(id + 1, size)),
        _ => return None,
    };
    Some(Entry::new(name, FsHandle::from_number(id), attrs))
}

fn entries(dir: FsHandle) -> FsResult<impl Iterator<Item = Entry> + Send + 'static> {
    let first = dir.number()?.min(3) * 1000;
    Ok((first + 1..first + 1000).filter_map(entry))
}

fn text(id: u64) -> String {
    let before = if id < 2000 { "prime " } else { "../primes/" };
    format!("{before}{}", id % 1000)
}

struct Primes;
impl FileSystem for Primes {
    fn root(&self) -> FsHandle {
        FsHandle::from_number(0)
    }
    async fn getattr(&self, _: Caller, fh: FsHandle) -> FsResult<Attrs> {
        Ok(entry(fh.number()?).ok_or(FsError::BadHandle)?.attrs)
    }
    async fn lookup(&self, _: Caller, dir: FsHandle, name: Bytes) -> FsResult<(FsHandle, Attrs)> {
        let found = entries(dir)?.find(|entry| entry.name == name);
        Ok(found.ok_or(FsError::NotFound)?.object())
    }
    async fn readdir(&self, _: Caller, dir: FsHandle, _after: u64) -> FsResult<Entries> {
        Ok(Entries::all(entries(dir)?))
    }
    async fn read(&self, _: Caller, fh: FsHandle, offset: u64, count: u32) -> FsResult<Data> {
        Ok(Data::part_of(&text(fh.number()?).into(), offset, count))
    }
    async fn readlink(&self, _: Caller, link: FsHandle) -> FsResult<Bytes> {
        Ok(text(link.number()?).into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("no address")?;
    let server = Server::builder().export("/", Primes).bind(address).await?;
    Ok(server.serve(std::future::pending()).await?)
}
