//! Large payloads, which are read into buffers of their size and sent without a copy.

use std::sync::Arc;

use nfs4_driver::Limits;
use nfs4_driver::engine::proto::client::ReplyReader;
use nfs4_driver::engine::proto::nfs4::{ClientId, FattrRaw, Owner, StableHow, Stateid, args};
use nfs4_vfs::{MemFs, MemFsConfig};

use crate::peer::Peer;
use crate::server::{Running, Transport};
use crate::session::Session;

on_both!(a_mebibyte_goes_there_and_back);

async fn a_mebibyte_goes_there_and_back(on: Transport) {
    let root = MemFs::new(MemFsConfig {
        root_mode: 0o777,
        ..MemFsConfig::new(1, 64 << 20)
    });
    let server = Running::serve(on, Limits::default(), Arc::new(root)).await;
    let mut peer = Peer::connect(server.address).await;
    let mut session = Session::establish(&mut peer, b"transfer").await;
    let reclaimed = args::ReclaimComplete { one_fs: false };
    peer.send(&session.compound(0).reclaim_complete(reclaimed).finish())
        .await;
    ReplyReader::parse(&peer.record().await.unwrap())
        .unwrap()
        .finish()
        .unwrap();

    let (stateid, fh) = open_file(&mut peer, &mut session).await;
    let file = args::PutFh { object: &fh };
    let size = 1 << 20;
    let payload =
        |block: usize| -> Vec<u8> { (0..size).map(|at| (at * 7 + block) as u8).collect() };
    let mut calls = Vec::new();
    for block in 0..4 {
        let (data, offset) = (&payload(block)[..], (block * size) as u64);
        let write = args::Write {
            stateid,
            offset,
            stable: StableHow::Unstable,
            data,
        };
        calls.extend(
            session
                .compound(block as u32)
                .putfh(file)
                .write(write)
                .finish(),
        );
    }
    peer.send(&calls).await;
    for _ in 0..4 {
        let record = peer.record().await.unwrap();
        let mut reply = ReplyReader::parse(&record).unwrap();
        reply.sequence().unwrap();
        reply.putfh().unwrap();
        assert_eq!(reply.write().unwrap().count, size as u32);
    }

    let mut calls = Vec::new();
    for block in 0..4 {
        let read = args::Read {
            stateid,
            offset: (block * size) as u64,
            count: size as u32,
        };
        calls.extend(
            session
                .compound(block as u32)
                .putfh(file)
                .read(read)
                .finish(),
        );
    }
    peer.send(&calls).await;
    for _ in 0..4 {
        let record = peer.record().await.unwrap();
        let mut reply = ReplyReader::parse(&record).unwrap();
        let block = reply.xid() as usize;
        reply.sequence().unwrap();
        reply.putfh().unwrap();
        assert!(
            reply.read().unwrap().data == &payload(block)[..],
            "block {block}"
        );
    }
}

/// Makes a file and opens it; the stateid and the filehandle.
async fn open_file(peer: &mut Peer, session: &mut Session) -> (Stateid, Vec<u8>) {
    let open = args::Open {
        seqid: 0,
        share_access: 3,
        share_deny: 0,
        owner: Owner {
            clientid: ClientId(0),
            owner: b"owner",
        },
        openhow: args::OpenHow::Create(args::CreateHow::Unchecked(FattrRaw::EMPTY)),
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
    (stateid, reply.getfh().unwrap().object.to_vec())
}
