//! Connections that break and are made anew.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use nfs4_driver::engine::proto::rpc::Mark;
use nfs4_tests::sim::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::peer::{NULL, record};
use crate::server::PATIENCE;

/// As many connections all the time, each with any number of requests under way.
pub(crate) struct Lines {
    /// Where the server is reached; the connections take turns.
    servers: Vec<SocketAddr>,
    lines: Vec<tokio::sync::Mutex<Wire>>,
    /// Still open, but not read.
    forsaken: Mutex<VecDeque<Wire>>,
    xid: AtomicU32,
    cuts: AtomicU64,
    faults: Faults,
}

/// What connections did that no connection may do.
type Faults = Arc<Mutex<Vec<String>>>;

/// A connection.
struct Wire {
    writer: OwnedWriteHalf,
    reader: AbortHandle,
    waiting: Waiting,
}

/// The lane that waits for the reply to each call; none once the connection is cut.
type Waiting = Arc<Mutex<Option<HashMap<u32, oneshot::Sender<Vec<u8>>>>>>;

impl Lines {
    pub(crate) async fn new(servers: Vec<SocketAddr>, count: usize) -> Lines {
        let faults = Faults::default();
        let mut lines = Vec::new();
        for line in 0..count {
            let server = servers[line % servers.len()];
            lines.push(Wire::connect(server, &faults).await.into());
        }
        Lines {
            servers,
            lines,
            forsaken: Mutex::default(),
            xid: AtomicU32::new(1),
            cuts: AtomicU64::new(0),
            faults,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }

    /// Sends a call under a transaction id of its own.
    pub(crate) async fn send(&self, line: usize, call: &mut [u8]) -> Awaited {
        let xid = self.xid.fetch_add(1, Ordering::Relaxed);
        call[Mark::LEN..][..4].copy_from_slice(&xid.to_be_bytes());
        let (reply, replied) = oneshot::channel();
        let mut wire = self.lines[line].lock().await;
        let others = wire
            .waiting
            .lock()
            .unwrap()
            .as_mut()
            .map(|w| w.insert(xid, reply));
        assert!(
            matches!(others, Some(None)),
            "the line is whole and the id is new"
        );
        wire.writer.write_all(call).await.expect("the server reads");
        Awaited(replied)
    }

    /// Cuts a connection in some way, and makes it anew.
    pub(crate) async fn cut(&self, line: usize, rng: &mut Rng) {
        let fresh = Wire::connect(self.servers[line % self.servers.len()], &self.faults).await;
        let mut wire = std::mem::replace(&mut *self.lines[line].lock().await, fresh);
        *wire.waiting.lock().unwrap() = None;
        self.cuts.fetch_add(1, Ordering::Relaxed);
        match rng.below(8) {
            // In the middle of a record.
            0 | 1 => {
                let call = record(&NULL);
                let torn = 1 + rng.index(call.len() - 1);
                wire.writer
                    .write_all(&call[..torn])
                    .await
                    .expect("the server reads");
            }
            // What the server has not read yet is lost.
            2..=4 => {
                wire.writer.as_ref().set_zero_linger().unwrap();
                wire.reader.abort();
                wire.writer.forget();
            }
            // The server cannot tell until it is closed, later.
            5 => {
                let mut forsaken = self.forsaken.lock().unwrap();
                forsaken.push_back(wire);
                if forsaken.len() > FORSAKEN {
                    forsaken.pop_front();
                }
            }
            _ => {}
        }
    }

    /// Closes the connections that are not read.
    pub(crate) fn leave_forsaken(&self) {
        self.forsaken.lock().unwrap().clear();
    }

    /// Closes all connections; says what they did that they may not do.
    pub(crate) fn close(self) -> Vec<String> {
        for wire in self.lines {
            *wire.into_inner().waiting.lock().unwrap() = None;
        }
        std::mem::take(&mut *self.faults.lock().unwrap())
    }
}

/// The reply to a call under way.
pub(crate) struct Awaited(oneshot::Receiver<Vec<u8>>);

impl Awaited {
    /// The reply; none if the connection was cut before it came.
    pub(crate) async fn reply(self) -> Option<Vec<u8>> {
        let reply = timeout(PATIENCE, self.0).await;
        reply.expect("an answer in time").ok()
    }
}

impl Wire {
    async fn connect(server: SocketAddr, faults: &Faults) -> Wire {
        let stream = TcpStream::connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        let waiting = Waiting::new(Mutex::new(Some(HashMap::new())));
        let hearing = hear(reader, Arc::clone(&waiting), Arc::clone(faults));
        Wire {
            writer,
            reader: tokio::spawn(hearing).abort_handle(),
            waiting,
        }
    }
}

/// Hands every reply to the lane that waits for it, until the connection is cut.
async fn hear(mut reader: OwnedReadHalf, waiting: Waiting, faults: Faults) {
    loop {
        let record = one_record(&mut reader).await;
        let mut waiting = waiting.lock().unwrap();
        let Some(waiting) = &mut *waiting else { return };
        let fault = match record {
            Ok(record) => match waiting.remove(&xid(&record)) {
                // It may have lost its patience.
                Some(reply) => {
                    let _ = reply.send(record);
                    continue;
                }
                None => format!("a reply to no call: {record:?}"),
            },
            Err(why) => format!("the server closed a connection: {why}"),
        };
        faults.lock().unwrap().push(fault);
        return;
    }
}

async fn one_record(reader: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let mut mark = [0; Mark::LEN];
    reader.read_exact(&mut mark).await?;
    let mut record = vec![0; Mark::from_bytes(mark).len as usize];
    reader.read_exact(&mut record).await?;
    Ok(record)
}

/// Number of open connections that are not read: each holds places of sessions.
const FORSAKEN: usize = 4;

fn xid(record: &[u8]) -> u32 {
    record
        .first_chunk()
        .map_or(0, |xid| u32::from_be_bytes(*xid))
}
