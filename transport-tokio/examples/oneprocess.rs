//! A server and a client in one process: they share a pipe in memory, and others may mount the files.
//!
//!     cargo run -p nfs4-transport-tokio --example oneprocess -- 127.0.0.1:20490
//!     mount -t nfs4 -o vers=4.2,port=20490 127.0.0.1:/ /mnt    # as root; then: readlink /mnt/hello
use std::error::Error;

use nfs4_transport_tokio::{Runner, Server, driver::engine::proto};
use nfs4_vfs::{MemFs, MemFsConfig};
use proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use proto::nfs4::FattrRaw;
use proto::nfs4::args::{Create, CreateType};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Sends a call with its record mark, and returns the reply without.
async fn call(stream: &mut DuplexStream, call: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(call).await?;
    let mark = stream.read_u32().await?;
    let mut reply = vec![0; (mark & 0x7fff_ffff) as usize]; // one fragment, as this server sends
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

/// Makes a symbolic link and reads it back; in minor version 0 this needs no session.
async fn client(mut stream: DuplexStream) -> Result<(), Box<dyn Error>> {
    let hello = Create {
        objtype: CreateType::Symlink(b"of the same process"),
        objname: b"hello",
        createattrs: FattrRaw::EMPTY,
    };
    let mut compound = CompoundBuilder::call(1, &CallCredential::None, b"", 0);
    let reply = call(
        &mut stream,
        &compound.putrootfh().create(hello).readlink().finish(),
    )
    .await?;
    let mut results = ReplyReader::parse(&reply)?;
    results.putrootfh()?;
    results.create()?;
    let target = results.readlink()?.link;
    println!("hello is a link to {:?}", String::from_utf8_lossy(target));
    Ok(results.finish()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("no address")?;
    let mut config = MemFsConfig::new(1, 1 << 20);
    config.root_mode = 0o1777;
    let server = Server::builder().export_backend("/", MemFs::new(config));
    let server = server.bind(address).await?;
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let runner = Runner::start(server.node().clone());
    tokio::spawn(runner.serve_stream(theirs, "the client in this process"));
    client(ours).await?;
    Ok(server.serve(std::future::pending()).await?)
}
