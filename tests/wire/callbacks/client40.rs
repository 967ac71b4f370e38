//! A client of NFSv4.0 that listens for callbacks.

use std::net::SocketAddr;
use std::time::Duration;

use nfs4_driver::engine::proto::client::{CompoundBuilder, ReplyReader};
use nfs4_driver::engine::proto::nfs4::args::{self, CbClient, NfsClientId};
use nfs4_driver::engine::proto::nfs4::basic::NetAddr;
use nfs4_driver::engine::proto::nfs4::consts::OPEN4_RESULT_CONFIRM;
use nfs4_driver::engine::proto::nfs4::res::OpenDelegation;
use nfs4_driver::engine::proto::nfs4::{ClientId, Owner, Stateid, Status};
use nfs4_driver::engine::proto::rpc::CallHeader;
use nfs4_driver::engine::proto::rpc::reply::write_success;
use nfs4_driver::engine::proto::xdr::Writer;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use nfs4_tests::NOBODY;

use crate::peer::{Peer, mark};
use crate::server::{PATIENCE, Running};

/// One client, its one open owner, and where it listens.
pub(crate) struct Client40 {
    peer: Peer,
    listener: Option<TcpListener>,
    id: ClientId,
    seqid: u32,
    /// The file that it opened last.
    pub(crate) fh: Vec<u8>,
    /// What fills its listener's queue.
    _queued: Vec<TcpStream>,
}

impl Client40 {
    /// A client that listens on the address it calls from, and is confirmed.
    pub(crate) async fn introduced(server: &Running, name: &[u8]) -> Client40 {
        Client40::introduced_at(server, name, "127.0.0.1").await
    }

    /// The same on another address.
    pub(crate) async fn introduced_at(server: &Running, name: &[u8], host: &str) -> Client40 {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        Client40::introduce(server, name, listener, Vec::new()).await
    }

    /// A client whose address takes no connection and refuses none.
    pub(crate) async fn introduced_deaf(server: &Running, name: &[u8]) -> Client40 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let target = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        let patience = Duration::from_millis(100);
        while let Ok(stream) = timeout(patience, TcpStream::connect(target)).await {
            queued.push(stream.unwrap());
        }
        Client40::introduce(server, name, listener, queued).await
    }

    async fn introduce(
        server: &Running,
        name: &[u8],
        listener: TcpListener,
        queued: Vec<TcpStream>,
    ) -> Client40 {
        let address = listener.local_addr().unwrap();
        let mut client = Client40 {
            peer: Peer::connect(server.address).await,
            listener: Some(listener),
            id: ClientId(0),
            seqid: 0,
            fh: Vec::new(),
            _queued: queued,
        };
        let universal = universal(address);
        let introduction = args::SetClientId {
            client: NfsClientId {
                verifier: Default::default(),
                id: name,
            },
            callback: CbClient {
                cb_program: PROGRAM,
                cb_location: NetAddr {
                    netid: if address.is_ipv6() { b"tcp6" } else { b"tcp" },
                    addr: universal.as_bytes(),
                },
            },
            callback_ident: IDENT,
        };
        let reply = client.ok(|c| c.setclientid(introduction)).await;
        let given = ReplyReader::parse(&reply).unwrap().setclientid().unwrap();
        client.id = given.clientid;
        let confirmation = args::SetClientIdConfirm {
            clientid: given.clientid,
            setclientid_confirm: given.setclientid_confirm,
        };
        client.ok(|c| c.setclientid_confirm(confirmation)).await;
        client
    }

    /// The connection that the server makes.
    pub(crate) async fn dialled(&self) -> Peer {
        let listener = self.listener.as_ref().expect("it listens");
        let accepted = timeout(PATIENCE, listener.accept()).await;
        let (stream, _) = accepted.expect("a connection in time").unwrap();
        Peer::on(stream)
    }

    /// Whether the server makes a connection soon.
    pub(crate) async fn is_dialled(&self) -> bool {
        let listener = self.listener.as_ref().expect("it listens");
        timeout(Duration::from_millis(300), listener.accept())
            .await
            .is_ok()
    }

    pub(crate) fn stop_listening(&mut self) {
        self.listener = None;
    }

    /// Opens a file for reading, confirms that if need be, and gives the read delegation if one
    /// came.
    pub(crate) async fn open(&mut self, name: &[u8]) -> Option<Stateid> {
        let open = args::Open {
            seqid: self.seqid(),
            share_access: 1,
            share_deny: 0,
            owner: Owner {
                clientid: self.id,
                owner: b"opener",
            },
            openhow: args::OpenFlag::NoCreate,
            claim: args::OpenClaim::Null(name),
        };
        let record = self.ok(|c| c.putrootfh().open(open).getfh()).await;
        let mut reply = ReplyReader::parse(&record).unwrap();
        reply.putrootfh().unwrap();
        let opened = reply.open().unwrap();
        self.fh = reply.getfh().unwrap().object.to_vec();
        if opened.rflags & OPEN4_RESULT_CONFIRM != 0 {
            let confirm = args::OpenConfirm {
                open_stateid: opened.stateid,
                seqid: self.seqid(),
            };
            let fh = self.fh.clone();
            let file = args::PutFh { object: &fh };
            self.ok(|c| c.putfh(file).open_confirm(confirm)).await;
        }
        match opened.delegation {
            OpenDelegation::None => None,
            OpenDelegation::Read(read) => Some(read.stateid),
            other => panic!("{other:?}"),
        }
    }

    /// DELEGRETURN.
    pub(crate) async fn give_back(&mut self, deleg_stateid: Stateid) {
        let fh = self.fh.clone();
        let file = args::PutFh { object: &fh };
        let give_back = args::DelegReturn { deleg_stateid };
        self.ok(|c| c.putfh(file).delegreturn(give_back)).await;
    }

    /// What RENEW says.
    pub(crate) async fn renew(&mut self) -> Status {
        let clientid = self.id;
        let record = self.call(|c| c.renew(args::Renew { clientid })).await;
        ReplyReader::parse(&record).unwrap().status()
    }

    fn seqid(&mut self) -> u32 {
        self.seqid += 1;
        self.seqid
    }

    async fn ok(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let record = self.call(build).await;
        let done = ReplyReader::parse(&record).unwrap().finish();
        assert_eq!(done, Ok(()));
        record
    }

    async fn call(
        &mut self,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Vec<u8> {
        let mut call = CompoundBuilder::call(9, &NOBODY, b"", 0);
        self.peer.send(&build(&mut call).finish()).await;
        self.peer.reply().await.unwrap()
    }
}

/// Answers CB_NULL.
pub(crate) async fn answer_null(back: &mut Peer, null: &[u8]) {
    let (header, _) = CallHeader::decode(null).unwrap();
    let mut reply = Writer::new();
    write_success(&mut reply, header.xid);
    back.send(&mark(reply.as_slice())).await;
}

/// A universal address. [RFC 5665 §5.2.3.3]
fn universal(address: SocketAddr) -> String {
    let [high, low] = address.port().to_be_bytes();
    format!("{}.{high}.{low}", address.ip())
}

/// The callback program and ident of all these clients.
pub(crate) const PROGRAM: u32 = 0x4000_0123;
pub(crate) const IDENT: u32 = 77;
