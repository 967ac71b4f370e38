//! A node, a file system that answers later, and a client of NFSv4.1.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Poll, Waker};

use nfs4_driver::engine::fs::{
    Attrs, Backend, Capabilities, Completion, FsHandle, FsReply, FsRequest, FsResult, Pending,
};
use nfs4_driver::engine::proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use nfs4_driver::engine::proto::nfs4::args::{self, CallbackSecParms};
use nfs4_driver::engine::proto::nfs4::{Bitmap, ClientId, SessionId, Verifier};
use nfs4_driver::engine::proto::xdr::List;
use nfs4_driver::engine::{Boot, Config, Engine, Export, Now};
use nfs4_driver::{Closing, Connection, Limits, ManualClock, Node, Stream};
use shuttle::sync::{Condvar, Mutex};

use crate::park::Park;

/// A node with this file system, on a clock that stands still.
pub fn node(files: Arc<dyn Backend>) -> Node {
    let boot = Boot::new(1, [7; 16], b"interleavings");
    let exports = vec![Export::new("/", files)];
    let engine = Engine::new(boot, Config::default(), exports, Now::default()).unwrap();
    let clock = Arc::new(ManualClock::default());
    Node::with_clock(engine, Limits::default(), clock).unwrap()
}

/// A file system whose answers are held back until another thread gives them.
#[derive(Default)]
pub struct Held {
    held: Mutex<Vec<Completion>>,
    came: Condvar,
}

/// The root directory of [`Held`].
pub const FS_ROOT: u64 = 1;

impl Held {
    /// Answers the next request; waits for it.
    pub fn answer_one(&self) {
        let held = self.held.lock().unwrap();
        let mut held = self.came.wait_while(held, |held| held.is_empty()).unwrap();
        let completion = held.remove(0);
        drop(held);
        let attrs = Attrs::dir(FS_ROOT);
        completion.complete(Ok(FsReply::Attrs { attrs, stat: None }));
    }
}

impl Backend for Held {
    fn root(&self) -> FsHandle {
        FsHandle::from_number(FS_ROOT)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn submit(&self, _: FsRequest, pending: &mut Pending<'_>) -> Poll<FsResult> {
        self.held.lock().unwrap().push(pending.completion());
        self.came.notify_one();
        Poll::Pending
    }

    fn release(&self, _: FsHandle) {}
}

/// A client of NFSv4.1 and its server's side of the connection, driven by the calling thread.
pub struct Client {
    connection: Connection,
    pipe: Pipe,
    park: Arc<Park>,
    waker: Waker,
    session: SessionId,
}

/// Bytes on their way to the server and back.
#[derive(Default)]
struct Pipe {
    to_server: Vec<u8>,
    to_client: Vec<u8>,
}

impl Client {
    /// A client that has a session.
    pub fn enter(node: &Node, name: &str) -> Client {
        let mut client = Client::on(node, SessionId([0; 16]));
        let exchange = args::ExchangeId {
            clientowner: args::ClientOwner {
                verifier: Verifier([1; 8]),
                ownerid: name.as_bytes(),
            },
            flags: 0,
            state_protect: args::StateProtect::None,
            client_impl_id: None,
        };
        client.send(compound().exchange_id(exchange));
        let reply = client.reply();
        let made = results(&reply).exchange_id().unwrap();
        client.create(made.clientid, made.sequenceid);
        client
    }

    /// The same client on a new connection.
    pub fn again(&self, node: &Node) -> Client {
        Client::on(node, self.session)
    }

    fn on(node: &Node, session: SessionId) -> Client {
        let (park, waker) = Park::new();
        Client {
            connection: node.open("192.0.2.1:700").unwrap(),
            pipe: Pipe::default(),
            park,
            waker,
            session,
        }
    }

    fn create(&mut self, clientid: ClientId, sequence: u32) {
        let channel = args::ChannelAttrs {
            headerpadsize: 0,
            maxrequestsize: 65_536,
            maxresponsesize: 65_536,
            maxresponsesize_cached: 4_096,
            maxoperations: 16,
            maxrequests: 4,
            rdma_ird: None,
        };
        let create = args::CreateSession {
            clientid,
            sequence,
            flags: 0,
            fore_chan_attrs: channel,
            back_chan_attrs: channel,
            cb_program: 0x4000_0000,
            sec_parms: List::new(&[CallbackSecParms::None]),
        };
        self.send(compound().create_session(create));
        let reply = self.reply();
        self.session = results(&reply).create_session().unwrap().sessionid;
    }

    /// Sends SEQUENCE, PUTROOTFH and GETATTR on a slot.
    pub fn send_getattr(&mut self, slotid: u32, sequenceid: u32) {
        let sequence = args::Sequence {
            sessionid: self.session,
            sequenceid,
            slotid,
            highest_slotid: 3,
            cachethis: true,
        };
        let mut call = compound();
        // The bit of the type, which every object has.
        let call = call.sequence(sequence).putrootfh().getattr(args::GetAttr {
            attr_request: Bitmap::from_words([2, 0, 0]),
        });
        self.send(call);
    }

    fn send(&mut self, call: &mut CompoundBuilder) {
        self.pipe.to_server.extend(call.finish());
    }

    /// Does what can be done without waiting.
    pub fn work(&mut self) -> Result<(), Closing> {
        self.connection.drive(&self.waker, &mut self.pipe)
    }

    /// Waits for a reply in which every operation succeeds, and returns it.
    pub fn reply(&mut self) -> Vec<u8> {
        loop {
            self.work().unwrap();
            if let Some(reply) = self.pipe.take_record() {
                results(&reply).finish().expect("all operations succeed");
                return reply;
            }
            self.park.wait();
        }
    }

    /// Closes the connection.
    pub fn close(self) {
        self.connection.close(&Closing::EndOfStream);
    }
}

impl Pipe {
    fn take_record(&mut self) -> Option<Vec<u8>> {
        let mark = self.to_client.first_chunk::<4>()?;
        let length = (u32::from_be_bytes(*mark) & 0x7fff_ffff) as usize;
        if self.to_client.len() < 4 + length {
            return None;
        }
        let rest = self.to_client.split_off(4 + length);
        let record = std::mem::replace(&mut self.to_client, rest);
        Some(record[4..].to_vec())
    }
}

impl Stream for Pipe {
    fn read(&mut self, space: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.to_server.is_empty() {
            return Poll::Pending;
        }
        let count = space.len().min(self.to_server.len());
        space[..count].copy_from_slice(&self.to_server[..count]);
        self.to_server.drain(..count);
        Poll::Ready(Ok(count))
    }

    fn write(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let before = self.to_client.len();
        for slice in slices {
            self.to_client.extend_from_slice(slice);
        }
        Poll::Ready(Ok(self.to_client.len() - before))
    }
}

fn compound() -> CompoundBuilder {
    CompoundBuilder::call(7, &CallCredential::None, b"", 1)
}

fn results(reply: &[u8]) -> ReplyReader<'_> {
    ReplyReader::parse(reply).unwrap()
}
