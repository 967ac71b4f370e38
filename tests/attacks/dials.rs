//! Addresses that the server is told to call back.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::args::{self, CbClient, NfsClientId};
use nfs4_proto::nfs4::basic::NetAddr;
use nfs4_tests::live::{Connection, Scene, Transport};

use crate::peer;

on_each!(a_peer_that_asks_for_dials_without_end_is_paced_and_delays_no_other);

/// It confirms one client after the other; some name a port that counts its connections, and the others
/// one that neither takes a connection nor refuses it.
fn a_peer_that_asks_for_dials_without_end_is_paced_and_delays_no_other(on: Transport) {
    let name = "dials to any port of a host";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let mut host = 10;
    let told = scene.attack(|scene, until| {
        // Another in each try: what one has asked for still waits.
        host += 1;
        let start = Instant::now();
        let counted = listener(peer(host));
        let hole = BlackHole::at(peer(host));
        let mut attacker = Connection::from(peer(host), scene.address());
        let (mut asked, mut came) = (0_u32, 0);
        let mut honest = None;
        while Instant::now() < until || honest.is_none() {
            let target = if asked % 4 == 0 {
                hole.address
            } else {
                counted.1
            };
            confirm(
                &mut attacker,
                format!("attacker {asked}").as_bytes(),
                target,
            );
            asked += 1;
            while counted.0.accept().is_ok() {
                came += 1;
            }
            if asked == 512 {
                let (listener, address) = listener(peer(3));
                let mut other = Connection::from(peer(3), scene.address());
                confirm(&mut other, b"honest", address);
                let since = Instant::now();
                while listener.accept().is_err() {
                    assert!(since.elapsed() < Duration::from_secs(2), "it waits");
                    std::thread::sleep(Duration::from_millis(1));
                }
                honest = Some(since.elapsed());
            }
        }
        let most = BURST + start.elapsed().as_millis() / PACE.as_millis() + 1;
        assert!(came > 0 && came <= most, "{came} of at most {most}");
        format!("{came} connections for {asked} clients, an honest one's after {honest:?}")
    });
    scene.end("32 dials at once and 8 a second for a peer", told);
}

/// A listener whose queue is full.
struct BlackHole {
    address: SocketAddr,
    _listener: socket2::Socket,
    _queued: Vec<socket2::Socket>,
}

impl BlackHole {
    fn at(host: IpAddr) -> BlackHole {
        let stream = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let listener = stream().unwrap();
        listener.bind(&SocketAddr::new(host, 0).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let queued = (0..8).map(|_| {
            let one = stream().unwrap();
            one.set_nonblocking(true).unwrap();
            // It is on its way, or waits for room in the queue.
            let _ = one.connect(&address.into());
            one
        });
        BlackHole {
            address,
            _queued: queued.collect(),
            _listener: listener,
        }
    }
}

fn listener(host: IpAddr) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((host, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// SETCLIENTID and SETCLIENTID_CONFIRM. [RFC 7530 §16.33, §16.34]
fn confirm(connection: &mut Connection, id: &[u8], back: SocketAddr) {
    let [high, low] = back.port().to_be_bytes();
    let universal = format!("{}.{high}.{low}", back.ip());
    let introduction = args::SetClientId {
        client: NfsClientId {
            verifier: Default::default(),
            id,
        },
        callback: CbClient {
            cb_program: 0x4000_0000,
            cb_location: NetAddr {
                netid: b"tcp",
                addr: universal.as_bytes(),
            },
        },
        callback_ident: 1,
    };
    let call = || CompoundBuilder::call(7, &CallCredential::None, b"", 0);
    let reply = connection.exchange(&call().setclientid(introduction).finish());
    let reply = reply.unwrap();
    let given = ReplyReader::parse(&reply).unwrap().setclientid().unwrap();
    let confirmation = args::SetClientIdConfirm {
        clientid: given.clientid,
        setclientid_confirm: given.setclientid_confirm,
    };
    let reply = connection.exchange(&call().setclientid_confirm(confirmation).finish());
    ReplyReader::parse(&reply.unwrap())
        .unwrap()
        .finish()
        .unwrap();
}

/// How many dials a peer gets at once, and how long it waits for each more.
const BURST: u128 = 32;
const PACE: Duration = Duration::from_millis(125);
