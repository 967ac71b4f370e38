//! Clients of all minor versions at once, on one connection and on ten.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use nfs4_driver::Limits;
use nfs4_driver::engine::proto::client::{CompoundBuilder, ReplyReader};
use nfs4_driver::engine::proto::dump::Dump;
use nfs4_driver::engine::proto::nfs4::basic::{NetAddr, StableHow};
use nfs4_driver::engine::proto::nfs4::{ClientId, FattrRaw, Op, Owner, SessionId, Stateid, args};
use nfs4_driver::engine::proto::rpc::Mark;
use nfs4_driver::engine::proto::xdr::List;
use nfs4_tests::NOBODY;
use nfs4_tests::sim::Rng;
use nfs4_vfs::{MemFs, MemFsConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use crate::caller::CHANNEL;
use crate::server::{PATIENCE, Running, Transport};

on_each!(streams_of_all_versions_share_one_connection);

async fn streams_of_all_versions_share_one_connection(on: Transport) {
    all_versions_at_once(on, 1).await;
}

on_each!(streams_of_all_versions_have_a_connection_each);

async fn streams_of_all_versions_have_a_connection_each(on: Transport) {
    all_versions_at_once(on, STREAMS).await;
}

/// Ten streams of a hundred COMPOUNDs, each of a minor version that chance chooses.
async fn all_versions_at_once(on: Transport, connections: u32) {
    let root = MemFs::new(MemFsConfig::new(1, 16 << 20).with(|files| files.root_mode = 0o777));
    let server = Running::serve(on, Limits::default(), Arc::new(root)).await;
    let mut lines = Vec::new();
    for _ in 0..connections {
        lines.push(Line::connect(server.address).await);
    }
    let streams = (0..STREAMS).map(|number| {
        let line = Arc::clone(&lines[(number % connections) as usize]);
        tokio::spawn(Stream::run(number, line))
    });
    let mut expected = [0; 3];
    for stream in streams.collect::<Vec<_>>() {
        let counts = stream.await.expect("a stream that ends well");
        for (sum, count) in expected.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    assert_eq!(expected.iter().sum::<u64>(), u64::from(STREAMS) * COMPOUNDS);
    let counted = server
        .node
        .metrics(|metrics| [0, 1, 2].map(|minor| metrics.succeeded(Op::PutRootFh, minor)));
    assert_eq!(counted, Ok(expected));
}

const STREAMS: u32 = 10;
const COMPOUNDS: u64 = 100;

/// A connection that several streams share.
struct Line {
    writer: Mutex<OwnedWriteHalf>,
    waiting: Mutex<HashMap<u32, oneshot::Sender<Vec<u8>>>>,
}

impl Line {
    async fn connect(server: SocketAddr) -> LineHandle {
        let stream = TcpStream::connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        let line = Arc::new(Line {
            writer: Mutex::new(writer),
            waiting: Mutex::default(),
        });
        tokio::spawn(Line::listen(Arc::clone(&line), reader));
        line
    }

    /// Gives each reply to the thread that waits for it.
    async fn listen(line: LineHandle, mut reader: OwnedReadHalf) {
        loop {
            let mut mark = [0; Mark::LEN];
            if reader.read_exact(&mut mark).await.is_err() {
                return;
            }
            let mut record = vec![0; Mark::from_bytes(mark).len as usize];
            reader.read_exact(&mut record).await.unwrap();
            let xid = u32::from_be_bytes(*record.first_chunk().unwrap());
            let waiting = line.waiting.lock().await.remove(&xid);
            waiting.expect("somebody asked").send(record).unwrap();
        }
    }

    async fn exchange(&self, xid: u32, call: &[u8]) -> Vec<u8> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().await.insert(xid, answer);
        self.writer.lock().await.write_all(call).await.unwrap();
        timeout(PATIENCE, answered).await.unwrap().unwrap()
    }
}

type LineHandle = Arc<Line>;

/// A program that speaks all versions, and is a client of its own in each.
struct Stream {
    number: u32,
    line: LineHandle,
    xid: u32,
    name: String,
    old: ClientId,
    /// Of its open-owner in 4.0.
    seqid: u32,
    sessions: [Session; 2],
    /// What the file must hold.
    written: Option<[u8; 8]>,
}

#[derive(Default)]
struct Session {
    id: SessionId,
    sequence: u32,
}

impl Stream {
    /// How many COMPOUNDs of each minor version there were.
    async fn run(number: u32, line: LineHandle) -> [u64; 3] {
        let mut stream = Stream {
            number,
            line,
            xid: 0,
            name: format!("file-{number}"),
            old: ClientId(0),
            seqid: 0,
            sessions: Default::default(),
            written: None,
        };
        stream.introduce().await;
        stream.enter(1).await;
        stream.enter(2).await;
        let mut rng = Rng::new(u64::from(number));
        let mut counts = [0; 3];
        for round in 0..COMPOUNDS {
            let minor = rng.below(3) as u32;
            counts[minor as usize] += 1;
            let even = rng.below(2) == 0;
            stream.step(minor, round, even).await;
        }
        counts
    }

    async fn introduce(&mut self) {
        let name = self.name.clone();
        let args = args::SetClientId {
            client: args::NfsClientId {
                verifier: Default::default(),
                id: name.as_bytes(),
            },
            callback: args::CbClient {
                cb_program: 0,
                cb_location: NetAddr {
                    netid: b"tcp",
                    addr: b"",
                },
            },
            callback_ident: 0,
        };
        let record = self.bare(0, |c| c.setclientid(args)).await;
        let made = ReplyReader::parse(&record).unwrap().setclientid().unwrap();
        self.old = made.clientid;
        let confirm = args::SetClientIdConfirm {
            clientid: made.clientid,
            setclientid_confirm: made.setclientid_confirm,
        };
        all_ok(&self.bare(0, |c| c.setclientid_confirm(confirm)).await);
    }

    async fn enter(&mut self, minor: u32) {
        let owner = format!("{}-{minor}", self.name);
        let exchange = args::ExchangeId {
            clientowner: args::ClientOwner {
                verifier: Default::default(),
                ownerid: owner.as_bytes(),
            },
            flags: 0,
            state_protect: args::StateProtect::None,
            client_impl_id: None,
        };
        let record = self.bare(minor, |c| c.exchange_id(exchange)).await;
        let made = ReplyReader::parse(&record).unwrap().exchange_id().unwrap();
        let create = args::CreateSession {
            clientid: made.clientid,
            sequence: made.sequenceid,
            flags: 0,
            fore_chan_attrs: CHANNEL,
            back_chan_attrs: CHANNEL,
            cb_program: 0,
            sec_parms: List::new(&[]),
        };
        let record = self.bare(minor, |c| c.create_session(create)).await;
        let made = ReplyReader::parse(&record)
            .unwrap()
            .create_session()
            .unwrap();
        self.sessions[minor as usize - 1].id = made.sessionid;
        let done = args::ReclaimComplete { one_fs: false };
        all_ok(&self.call(minor, |c| c.reclaim_complete(done)).await);
    }

    /// One COMPOUND: the file is opened and written, or what was written last is read, by whichever
    /// version.
    async fn step(&mut self, minor: u32, round: u64, reads: bool) {
        let name = self.name.clone();
        let lookup = args::Lookup {
            objname: name.as_bytes(),
        };
        if let Some(written) = self.written
            && reads
        {
            let read = args::Read {
                stateid: Stateid::ANONYMOUS,
                offset: 0,
                count: 64,
            };
            let record = self
                .call(minor, |c| c.putrootfh().lookup(lookup).read(read))
                .await;
            let mut results = ReplyReader::parse(&record).unwrap();
            let skipped = if minor == 0 { 2 } else { 3 };
            for _ in 0..skipped {
                results.next_result().unwrap();
            }
            assert_eq!(results.read().unwrap().data, written, "in 4.{minor}");
            return;
        }
        let data = (u64::from(self.number) << 32 | round).to_be_bytes();
        let open = self.open(minor, name.as_bytes());
        let write = args::Write {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            stable: StableHow::FileSync,
            data: &data,
        };
        all_ok(
            &self
                .call(minor, |c| c.putrootfh().open(open).write(write))
                .await,
        );
        self.written = Some(data);
    }

    /// OPEN by an owner whose seqid counts in minor version 0, and in no other.
    fn open<'a>(&mut self, minor: u32, name: &'a [u8]) -> args::Open<'a> {
        if minor == 0 {
            self.seqid += 1;
        }
        args::Open {
            seqid: if minor == 0 { self.seqid } else { 12_345 },
            share_access: 3,
            share_deny: 0,
            owner: Owner {
                clientid: self.old,
                owner: b"opener",
            },
            openhow: args::OpenFlag::Create(args::CreateHow::Unchecked(FattrRaw::EMPTY)),
            claim: args::OpenClaim::Null(name),
        }
    }

    /// A COMPOUND, after SEQUENCE where there is one.
    async fn call(
        &mut self,
        minor: u32,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let sequence = self.sessions.get_mut((minor as usize).wrapping_sub(1));
        let sequence = sequence.map(|session| {
            session.sequence += 1;
            args::Sequence {
                sessionid: session.id,
                sequenceid: session.sequence,
                slotid: 0,
                highest_slotid: 0,
                cachethis: true,
            }
        });
        self.bare(minor, |c| match sequence {
            Some(sequence) => build(c.sequence(sequence)),
            None => build(c),
        })
        .await
    }

    async fn bare(
        &mut self,
        minor: u32,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        self.xid += 1;
        let xid = self.number << 16 | self.xid;
        let mut call = CompoundBuilder::call(xid, &NOBODY, b"", minor);
        let call = build(&mut call).finish();
        self.line.exchange(xid, &call).await
    }
}

#[track_caller]
fn all_ok(record: &[u8]) {
    let done = ReplyReader::parse(record).unwrap().finish();
    assert_eq!(done, Ok(()), "{}", Dump::new(record));
}
