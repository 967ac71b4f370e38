//! Large payloads, which are read into buffers of their size and sent without a copy.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nfs4_driver::Limits;
use nfs4_driver::engine::proto::client::ReplyReader;
use nfs4_driver::engine::proto::nfs4::{ClientId, FattrRaw, Owner, StableHow, Stateid, args};
use nfs4_driver::engine::proto::rpc::Mark;
use nfs4_vfs::{MemFs, MemFsConfig};
use tokio::net::TcpSocket;
use tokio::task::spawn_blocking;

use crate::peer::Peer;
use crate::server::{PATIENCE, Running, Transport};
use crate::session::Session;

on_each!(a_mebibyte_goes_there_and_back);

async fn a_mebibyte_goes_there_and_back(on: Transport) {
    let server = serve(on, Limits::default()).await;
    let mut user = User::establish(Peer::connect(server.address).await, b"user").await;
    user.write(7).await;
    user.ask(&[0, 1, 2, 3], 0).await;
    for _ in 0..4 {
        let record = user.peer.record().await.unwrap();
        assert_read(&record, 0, 7);
    }
}

on_each!(replies_are_whole_however_slowly_they_are_taken);

/// Other requests are answered meanwhile.
async fn replies_are_whole_however_slowly_they_are_taken(on: Transport) {
    let server = serve(on, Limits::default()).await;
    let mut other = User::establish(Peer::connect(server.address).await, b"other").await;
    other.write(1).await;
    for (receive_buffer, step, count) in [(None, 1, 2), (Some(2_048), 999, 4)] {
        let peer = connect(server.address, receive_buffer).await;
        let mut slow = User::establish(peer, format!("{receive_buffer:?}{step}").as_bytes()).await;
        // Across the borders of all chunks; the last one reaches beyond the end of the file.
        slow.ask(&[0, 1, 2, 3][..count], 13).await;
        let stream = slow.peer.stream.into_std().unwrap();
        let taking = spawn_blocking(move || take(stream, count, step));
        let mut answered = 0;
        while !taking.is_finished() {
            let asked = Instant::now();
            other.peer.send(&other.session.getattr(9)).await;
            other.peer.record().await.unwrap();
            assert!(
                asked.elapsed() < Duration::from_secs(1),
                "{:?}",
                asked.elapsed()
            );
            answered += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(answered > 10, "{answered} requests were answered meanwhile");
        for record in taking.await.unwrap() {
            assert_read(&record, 13, 1);
        }
    }
}

on_each!(a_write_does_not_change_a_reply_that_waits);

async fn a_write_does_not_change_a_reply_that_waits(on: Transport) {
    let message = Limits::default().max_reply;
    let limits = Limits::default().with(|limits| limits.max_unsent = 8 * u64::from(message));
    let server = serve(on, limits.clone()).await;
    let mut other = User::establish(Peer::connect(server.address).await, b"other").await;
    other.write(1).await;
    let peer = connect(server.address, Some(4_096)).await;
    let mut slow = User::establish(peer, b"slow").await;
    let blocks: Vec<u32> = (0..64).map(|slot| slot % 4).collect();
    slow.ask(&blocks, 0).await;
    // As many are read as may wait, and no more.
    let deadline = Instant::now() + PATIENCE;
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let (_, held) = server.node.held_bytes();
        assert!(held <= limits.max_unsent + SLACK, "{held} bytes are held");
        if held > 6 << 20 && held == before {
            break;
        }
        assert!(Instant::now() < deadline, "{held} bytes are held");
        before = held;
    }
    for seed in 2..5 {
        other.write(seed).await;
        let (_, held) = server.node.held_bytes();
        assert!(held <= limits.max_unsent + SLACK, "{held} bytes are held");
    }
    let stream = slow.peer.stream.into_std().unwrap();
    let records = spawn_blocking(move || take(stream, 64, 1 << 20))
        .await
        .unwrap();
    let seeds: Vec<Vec<u8>> = records.iter().map(|record| read_seeds(record)).collect();
    let old = seeds
        .iter()
        .take_while(|seeds| seeds.iter().all(|seed| *seed == 1));
    // Those that waited are as they were read. A READ may run beside a WRITE of the same bytes.
    assert!(old.count() >= 6, "{seeds:?}");
    assert!(seeds[63].iter().all(|seed| *seed == 4), "{seeds:?}");
}

/// A client that has a file open: that of all clients.
struct User {
    peer: Peer,
    session: Session,
    file: Vec<u8>,
    stateid: Stateid,
}

impl User {
    async fn establish(mut peer: Peer, name: &[u8]) -> User {
        let mut session = Session::establish(&mut peer, name).await;
        let reclaimed = args::ReclaimComplete { one_fs: false };
        peer.send(&session.compound(0).reclaim_complete(reclaimed).finish())
            .await;
        ReplyReader::parse(&peer.record().await.unwrap())
            .unwrap()
            .finish()
            .unwrap();
        let open = args::Open {
            seqid: 0,
            share_access: 3,
            share_deny: 0,
            owner: Owner {
                clientid: ClientId(0),
                owner: b"owner",
            },
            openhow: args::OpenFlag::Create(args::CreateHow::Unchecked(FattrRaw::EMPTY)),
            claim: args::OpenClaim::Null(b"file"),
        };
        peer.send(&session.compound(0).putrootfh().open(open).getfh().finish())
            .await;
        let record = peer.record().await.unwrap();
        let mut reply = ReplyReader::parse(&record).unwrap();
        reply.sequence().unwrap();
        reply.putrootfh().unwrap();
        let stateid = Stateid {
            seqid: 0,
            ..reply.open().unwrap().stateid
        };
        let file = reply.getfh().unwrap().object.to_vec();
        User {
            peer,
            session,
            file,
            stateid,
        }
    }

    /// Writes all blocks of the file.
    async fn write(&mut self, seed: u8) {
        let object = &self.file;
        let mut calls = Vec::new();
        for block in 0..BLOCKS {
            let write = args::Write {
                stateid: self.stateid,
                offset: (block * SIZE) as u64,
                stable: StableHow::Unstable,
                data: &bytes(block * SIZE, SIZE, seed),
            };
            let put = args::PutFh { object };
            let mut call = self.session.compound(block as u32);
            calls.extend(call.putfh(put).write(write).finish());
        }
        self.peer.send(&calls).await;
        for _ in 0..BLOCKS {
            let record = self.peer.record().await.unwrap();
            let mut reply = ReplyReader::parse(&record).unwrap();
            reply.sequence().unwrap();
            reply.putfh().unwrap();
            assert_eq!(reply.write().unwrap().count, SIZE as u32);
        }
    }

    /// Sends a READ of each of these blocks, on a slot of its own, from `shift` bytes behind its
    /// beginning.
    async fn ask(&mut self, blocks: &[u32], shift: u64) {
        let mut calls = Vec::new();
        for (slot, block) in blocks.iter().enumerate() {
            let read = args::Read {
                stateid: self.stateid,
                offset: u64::from(*block) * SIZE as u64 + shift,
                count: SIZE as u32,
            };
            let put = args::PutFh { object: &self.file };
            let mut call = self.session.compound(slot as u32);
            calls.extend(call.putfh(put).read(read).finish());
        }
        self.peer.send(&calls).await;
    }
}

async fn serve(on: Transport, limits: Limits) -> Running {
    let root = MemFs::new(MemFsConfig::new(1, 64 << 20).with(|files| files.root_mode = 0o777));
    Running::serve(on, limits, Arc::new(root)).await
}

async fn connect(server: SocketAddr, receive_buffer: Option<u32>) -> Peer {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    Peer::on(socket.connect(server).await.unwrap())
}

/// Takes so many records, at most `step` bytes at a time.
fn take(mut stream: TcpStream, records: usize, step: usize) -> Vec<Vec<u8>> {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut read = |bytes: &mut [u8]| {
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = rest.len().min(step);
            let count = stream.read(&mut rest[..most]).expect("a byte in time");
            assert_ne!(count, 0, "the server closes the connection");
            rest = &mut rest[count..];
        }
    };
    let mut taken = Vec::new();
    for _ in 0..records {
        let mut mark = [0; Mark::LEN];
        read(&mut mark);
        let mut record = vec![0; Mark::from_bytes(mark).len as usize];
        read(&mut record);
        taken.push(record);
    }
    taken
}

/// The reply to READ of the block by which its slot, which is its transaction id, was asked for.
fn assert_read(record: &[u8], shift: usize, seed: u8) {
    let mut reply = ReplyReader::parse(record).unwrap();
    let block = reply.xid() as usize % BLOCKS;
    reply.sequence().unwrap();
    reply.putfh().unwrap();
    let read = reply.read().unwrap();
    let offset = block * SIZE + shift;
    let len = SIZE.min(BLOCKS * SIZE - offset);
    assert!(read.data == bytes(offset, len, seed), "block {block}");
    assert_eq!(read.eof, offset + len == BLOCKS * SIZE);
    reply.finish().unwrap();
}

/// The seed of each chunk that was read: no chunk has two.
fn read_seeds(record: &[u8]) -> Vec<u8> {
    let mut reply = ReplyReader::parse(record).unwrap();
    let block = reply.xid() as usize % BLOCKS;
    reply.sequence().unwrap();
    reply.putfh().unwrap();
    let data = reply.read().unwrap().data;
    assert_eq!(data.len(), SIZE);
    let chunks = data.chunks(CHUNK).enumerate();
    let seeds = chunks.map(|(number, chunk)| {
        let offset = block * SIZE + number * CHUNK;
        let seed = chunk[0].wrapping_sub(bytes(offset, 1, 0)[0]);
        assert!(chunk == bytes(offset, CHUNK, seed), "block {block}");
        seed
    });
    seeds.collect()
}

/// Bytes of the file.
fn bytes(offset: usize, len: usize, seed: u8) -> Vec<u8> {
    let byte = |at: usize| (at * 7 + (at >> 12)) as u8;
    (offset..offset + len)
        .map(|at| byte(at).wrapping_add(seed))
        .collect()
}

/// Number of blocks in the file, and their size in bytes.
const BLOCKS: usize = 4;
const SIZE: usize = 1 << 20;
/// What `MemFs` keeps in one piece, in bytes.
const CHUNK: usize = 64 << 10;
/// Bytes of requests that are not whole, beside the replies.
const SLACK: u64 = 256 << 10;
