//! A client of NFSv4.0, which waits for each of its replies and may listen for callbacks.

use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use nfs4_proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::args::{self, CbClient, NfsClientId};
use nfs4_proto::nfs4::basic::NetAddr;
use nfs4_proto::nfs4::consts::OPEN4_RESULT_CONFIRM;
use nfs4_proto::nfs4::{ClientId, Owner, Stateid, Status, Verifier};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::List;

use super::backchannel::BackChannel;
use super::connection::Connection;

/// A client with one open-owner on a connection of its own.
pub struct Client40 {
    /// Its connection.
    pub connection: Connection,
    /// What SETCLIENTID has given it.
    pub id: ClientId,
    uid: u32,
    xid: u32,
    seqid: u32,
    listener: Option<Listener>,
}

/// Where a client is called back.
struct Listener {
    address: SocketAddr,
    back: Arc<Mutex<BackChannel>>,
    accepted: Arc<Mutex<Accepted>>,
}

/// The connection that the server has made last.
#[derive(Default)]
struct Accepted {
    stream: Option<TcpStream>,
    /// No more are taken.
    stopped: bool,
}

impl Client40 {
    /// A client on this connection, which is this user to RPC.
    pub fn on(connection: Connection, uid: u32) -> Client40 {
        Client40 {
            connection,
            id: ClientId(0),
            uid,
            xid: 0,
            seqid: 0,
            listener: None,
        }
    }

    /// Listens for callbacks at its address, on a thread that ends with it.
    ///
    /// The server is told with the next SETCLIENTID, and dials once that is confirmed.
    pub fn listen(&mut self, at: IpAddr) {
        let socket = TcpListener::bind((at, 0)).expect("a free port");
        let listener = Listener {
            address: socket.local_addr().expect("it is bound"),
            back: Arc::default(),
            accepted: Arc::default(),
        };
        let (back, accepted) = (Arc::clone(&listener.back), Arc::clone(&listener.accepted));
        thread::spawn(move || {
            while let Ok((stream, _)) = socket.accept() {
                let mut accepted = locked(&accepted);
                if accepted.stopped {
                    return;
                }
                accepted.stream = stream.try_clone().ok();
                drop(accepted);
                answer_all(stream, &back);
            }
        });
        self.listener = Some(listener);
    }

    /// What its listener was told, if it has one.
    pub fn back(&self) -> Option<MutexGuard<'_, BackChannel>> {
        self.listener
            .as_ref()
            .map(|listener| locked(&listener.back))
    }

    /// SETCLIENTID and SETCLIENTID_CONFIRM. [RFC 7530 §16.33, §16.34]
    pub fn mount(&mut self, name: &str, incarnation: u8) {
        let universal = self
            .listener
            .as_ref()
            .map(|listener| universal(listener.address));
        let introduction = args::SetClientId {
            client: NfsClientId {
                verifier: Verifier([incarnation; 8]),
                id: name.as_bytes(),
            },
            callback: CbClient {
                cb_program: 0x4000_0000,
                cb_location: NetAddr {
                    netid: b"tcp",
                    addr: universal.as_deref().unwrap_or_default().as_bytes(),
                },
            },
            callback_ident: 1,
        };
        let reply = self.call(|c| c.setclientid(introduction));
        let given = results(&reply).setclientid().expect("a client id");
        self.id = given.clientid;
        self.seqid = 0;
        let confirmation = args::SetClientIdConfirm {
            clientid: given.clientid,
            setclientid_confirm: given.setclientid_confirm,
        };
        // The incarnation before may still be going.
        while self.status(|c| c.setclientid_confirm(confirmation)) == Status::DELAY {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// One of its owners.
    pub fn owner<'a>(&self, owner: &'a [u8]) -> Owner<'a> {
        Owner {
            clientid: self.id,
            owner,
        }
    }

    /// The seqid of the next request of its open-owner, which it then is not any more.
    pub fn seqid(&mut self) -> u32 {
        self.seqid = self.seqid.wrapping_add(1);
        self.seqid
    }

    /// OPEN_CONFIRM of what an OPEN has opened, if that wants it: the stateid to go on with.
    pub fn confirm(&mut self, fh: &[u8], rflags: u32, open_stateid: Stateid) -> Stateid {
        if rflags & OPEN4_RESULT_CONFIRM == 0 {
            return open_stateid;
        }
        let seqid = self.seqid();
        let confirm = args::OpenConfirm {
            open_stateid,
            seqid,
        };
        let reply = self.call(|c| c.putfh(args::PutFh { object: fh }).open_confirm(confirm));
        let mut results = results(&reply);
        results.putfh().expect("its file");
        results.open_confirm().expect("an open").open_stateid
    }

    /// How a COMPOUND ends.
    pub fn status(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Status {
        results(&self.reply_to(build)).status()
    }

    /// A COMPOUND in which every operation must succeed.
    pub fn call(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let reply = self.reply_to(build);
        results(&reply).finish().expect("all operations succeed");
        reply
    }

    /// The reply to a COMPOUND, however that ends.
    pub fn reply_to(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let call = build(&mut self.compose()).finish();
        self.connection.exchange(&call).expect("it answers")
    }

    /// Starts the next COMPOUND.
    pub fn compose(&mut self) -> CompoundBuilder {
        self.xid = self.xid.wrapping_add(1);
        let user = CallCredential::Sys(AuthSys {
            stamp: 0,
            machinename: b"tests",
            uid: self.uid,
            gid: self.uid,
            gids: List::empty(),
        });
        CompoundBuilder::call(self.xid, &user, b"", 0)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut accepted = locked(&self.accepted);
        accepted.stopped = true;
        if let Some(stream) = accepted.stream.take() {
            // It may be closed.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(accepted);
        // So that the thread looks up.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers calls until the connection ends.
fn answer_all(stream: TcpStream, back: &Mutex<BackChannel>) {
    let mut connection = Connection {
        stream,
        back: BackChannel::default(),
    };
    while let Ok(call) = connection.record() {
        let answer = locked(back).answer(&call);
        if connection.send(&answer).is_err() {
            return;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A universal address. [RFC 5665 §5.2.3.3]
fn universal(address: SocketAddr) -> String {
    let [high, low] = address.port().to_be_bytes();
    format!("{}.{high}.{low}", address.ip())
}

fn results(reply: &[u8]) -> ReplyReader<'_> {
    ReplyReader::parse(reply).expect("a reply to a COMPOUND")
}
