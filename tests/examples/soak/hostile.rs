//! Peers that mean harm, at a pace that leaves the machine to others.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::args::{self, ChannelDirFromClient};
use nfs4_proto::nfs4::{Bitmap, ClientId, Stateid, Status, Verifier};
use nfs4_proto::rpc::Mark;
use nfs4_proto::xdr::List;
use nfs4_tests::fuzzing::Mutant;
use nfs4_tests::live::{Client, Client40, Connection, null_call};
use nfs4_tests::sim::Rng;

use super::good::SHARED;
use super::ranges;
use super::tally::Tally;

/// Where an attacker is, and until when one attack lasts.
pub(crate) struct Ground<'a> {
    pub(crate) server: SocketAddr,
    /// Its addresses are 127.0.`net`.*.
    pub(crate) net: u8,
    pub(crate) until: Instant,
    /// The filehandle of a file of a megabyte that all may read.
    pub(crate) large: &'a [u8],
    pub(crate) tally: &'a Tally,
}

type Attack = fn(&Ground<'_>, &mut Rng) -> u64;

const ATTACKS: [(&str, Attack); 15] = [
    ("unread replies", unread),
    ("unfinished records", unfinished),
    ("idle connections", idle),
    ("clients without end", clients),
    ("clients that come back", come_back),
    ("guessed ids", guess),
    ("mutants", mutants),
    ("ranges", ranges::attack),
    ("denials", ranges::denials),
    ("dials", dials),
    ("delegations kept", keep_delegations),
    ("listings", listings),
    ("lists of stateids", stateids),
    ("floods", floods),
    ("slow readers", slow),
];

/// Attacks until all is to end: one attack after the other, each for some seconds. Which are likely
/// changes every minute.
pub(crate) fn play(ground: &Ground<'_>, rng: &mut Rng) {
    let start = Instant::now();
    while ground.tally.rest(Duration::from_millis(rng.below(4_000))) {
        if ground.tally.is_calm() {
            continue;
        }
        let minute = start.elapsed().as_secs() / 60;
        let favoured = Rng::new(minute).index(ATTACKS.len());
        let at = match rng.below(3) {
            0 => favoured,
            _ => rng.index(ATTACKS.len()),
        };
        let (name, attack) = ATTACKS[at];
        let until = Instant::now() + Duration::from_millis(1_000 + rng.below(9_000));
        let ground = Ground { until, ..*ground };
        // An attacker that is cut off, or told what it did not expect, has lost.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| attack(&ground, rng)));
        ground.tally.attacked(name, done.unwrap_or(1));
    }
}

impl Ground<'_> {
    pub(crate) fn connect(&self, host: u64) -> Connection {
        let from = IpAddr::from([127, 0, self.net, 1 + (host % 250) as u8]);
        Connection::from(from, self.server)
    }

    pub(crate) fn client(&self, host: u64) -> Client {
        Client::on(self.connect(host), Some(2_000 + u32::from(self.net)))
    }

    /// Waits a little; whether the attack goes on.
    pub(crate) fn goes_on(&self) -> bool {
        thread::sleep(PACE);
        Instant::now() < self.until && !self.tally.stopped() && !self.tally.is_calm()
    }

    fn name(&self, what: &str, number: u64) -> String {
        format!("{what} {} {number}", self.net)
    }
}

/// READs of a megabyte without a session, of which no reply is taken.
fn unread(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let read = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: 1 << 20,
    };
    let object = ground.large;
    let call = CompoundBuilder::call(7, &CallCredential::None, b"", 0)
        .putfh(args::PutFh { object })
        .read(read)
        .finish();
    let mut deaf = Vec::new();
    while deaf.len() < 60 && ground.goes_on() {
        let connection = ground.connect(rng.below(4));
        let _ = connection.stream.set_nonblocking(true);
        for _ in 0..16 {
            let _ = (&connection.stream).write(&call);
        }
        deaf.push(connection);
    }
    while ground.goes_on() {}
    deaf.len() as u64
}

/// Records that lack their last byte.
fn unfinished(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let mark = Mark {
        last: true,
        len: 1 << 20,
    };
    let record = [&mark.to_bytes()[..], &vec![0; (1 << 20) - 1]].concat();
    let mut open = Vec::new();
    while open.len() < 60 && ground.goes_on() {
        let connection = ground.connect(rng.below(4));
        let _ = connection.stream.set_nonblocking(true);
        let _ = (&connection.stream).write(&record);
        open.push(connection);
    }
    while ground.goes_on() {}
    open.len() as u64
}

/// Connections that say nothing.
fn idle(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let mut open = Vec::new();
    while open.len() < 200 && ground.goes_on() {
        open.push(ground.connect(rng.below(8)));
    }
    while ground.goes_on() {}
    open.len() as u64
}

/// EXCHANGE_ID and CREATE_SESSION under one name after the other.
fn clients(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let (mut made, mut kept) = (0, Vec::new());
    let round = rng.next_u64();
    while ground.goes_on() {
        let mut one = ground.client(1);
        made += 1;
        let name = ground.name("client", round.wrapping_add(made));
        if one.try_introduce(&name, 1) != Status::OK {
            continue;
        }
        one.enter();
        match made % 8 {
            0 => kept.push(one),
            1 => one.leave(),
            _ => {}
        }
        kept.truncate(32);
    }
    made
}

/// A client that reboots again and again with files open.
fn come_back(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let mut client = ground.client(2);
    let mut incarnation = rng.below(256) as u8;
    let mut opened = 0;
    while ground.goes_on() {
        incarnation = incarnation.wrapping_add(1);
        client.mount(&ground.name("comes back", 0), incarnation);
        for number in 0..60 {
            client.open(&ground.name("opened", number));
            opened += 1;
        }
    }
    opened
}

/// Ids of another client, or of none.
fn guess(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let mut victim = ground.client(3);
    victim.mount(&ground.name("victim", 0), rng.below(256) as u8);
    let mut thief = Client::on(ground.connect(4), Some(2_100));
    thief.introduce(&ground.name("thief", 0), rng.below(256) as u8);
    let sessid = victim.session;
    let mut tried = 0;
    while ground.goes_on() {
        tried += 1;
        let clientid = match tried % 4 {
            0 => victim.id,
            _ => ClientId(thief.id.0.wrapping_add(rng.below(1_000))),
        };
        let bind = args::BindConnToSession {
            sessid,
            dir: ChannelDirFromClient::Fore,
            use_conn_in_rdma_mode: false,
        };
        let taken = [
            tried % 4 == 0
                && thief.status(|c| c.destroy_clientid(args::DestroyClientId { clientid }))
                    == Status::OK,
            thief.status(|c| c.bind_conn_to_session(bind)) == Status::OK,
            thief.enter_as(victim.id, 1) == Status::OK,
        ];
        if taken.contains(&true) {
            ground.tally.fault(format!("a thief got in: {taken:?}"));
        }
    }
    victim.unmount();
    tried
}

/// Records that are nearly right.
fn mutants(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let mut mutant = Mutant::new(rng.next_u64());
    let mut records = 0;
    while ground.goes_on() {
        let mut connection = ground.connect(5);
        let patience = Some(Duration::from_millis(100));
        let _ = connection.stream.set_read_timeout(patience);
        let _ = connection.stream.set_write_timeout(patience);
        while ground.goes_on() {
            records += 1;
            match connection.exchange(&mutant.record()) {
                Ok(reply) => mutant.learn(&reply),
                Err(_) => break,
            }
        }
    }
    records
}

/// Clients of 4.0 that are confirmed, listen, and have gone before they are dialled.
fn dials(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let mut confirmed = 0;
    let round = rng.next_u64();
    while ground.goes_on() {
        let mut client = Client40::on(ground.connect(6), 2_006);
        let host = IpAddr::from([127, 0, ground.net, 7]);
        client.listen(host);
        let name = ground.name("dialled", round.wrapping_add(confirmed));
        client.mount(&name, 1);
        confirmed += 1;
    }
    confirmed
}

/// Takes delegations of files that others want, agrees to every recall, and gives none back.
fn keep_delegations(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let mut holder = ground.client(8 + rng.below(4));
    holder.reachable = true;
    let mut other = ground.client(20);
    let name = ground.name("holder", rng.next_u64());
    holder.mount(&name, 1);
    other.mount(&ground.name("other", rng.next_u64()), 1);
    let shared = format!("shared {}", rng.below(SHARED));
    let mut asked = 0;
    while ground.goes_on() {
        asked += 1;
        let _ = holder.try_open(&ground.name("kept", asked % 4));
        // Good clients want this one, too.
        let _ = holder.try_open(&shared);
        let _ = other.try_open(&ground.name("kept", asked % 4));
        holder.in_session(|c| c);
    }
    asked
}

/// READDIR of all there is.
fn listings(ground: &Ground<'_>, _: &mut Rng) -> u64 {
    let mut client = ground.client(9);
    client.mount(&ground.name("lists", 0), 1);
    client.cachethis = false;
    let list = args::ReadDir {
        cookie: 0,
        cookieverf: Verifier::default(),
        dircount: 1 << 20,
        maxcount: 1 << 20,
        attr_request: Bitmap::EMPTY,
    };
    let mut listed = 0;
    while ground.goes_on() {
        for _ in 0..8 {
            client.in_session(|c| c.putrootfh().readdir(list));
            listed += 1;
        }
    }
    client.unmount();
    listed
}

/// TEST_STATEID of very many.
fn stateids(ground: &Ground<'_>, _: &mut Rng) -> u64 {
    let mut client = ground.client(10);
    client.cachethis = false;
    client.mount(&ground.name("tests", 0), 1);
    let list = vec![Stateid::ANONYMOUS; 20_000];
    let mut tested = 0;
    while ground.goes_on() {
        let stateids = List::new(&list);
        client.in_session(|c| c.test_stateid(args::TestStateid { stateids }));
        tested += 20_000;
        thread::sleep(4 * PACE);
    }
    client.unmount();
    tested
}

/// Many calls at once by many connections.
fn floods(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let connections = 8 + rng.below(48);
    let mut all: Vec<_> = (0..connections).map(|at| ground.connect(at % 3)).collect();
    let calls = null_call().repeat(32);
    let mut sent = 0;
    while ground.goes_on() {
        for connection in &mut all {
            if connection.send(&calls).is_err() {
                return sent;
            }
        }
        for connection in &mut all {
            for _ in 0..32 {
                if connection.record().is_err() {
                    return sent;
                }
                sent += 1;
            }
        }
        thread::sleep(4 * PACE);
    }
    sent
}

/// Takes the replies to READs of a megabyte a few bytes at a time.
fn slow(ground: &Ground<'_>, _: &mut Rng) -> u64 {
    let mut client = ground.client(11);
    client.mount(&ground.name("slow", 0), 1);
    client.cachethis = false;
    let object = ground.large;
    let read = args::Read {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        count: 1 << 20,
    };
    let call = client
        .compose()
        .putfh(args::PutFh { object })
        .read(read)
        .finish();
    if client.connection.send(&call).is_err() {
        return 0;
    }
    let mut taken = 0;
    while ground.goes_on() {
        match client.connection.stream.read(&mut [0; 256]) {
            Ok(0) | Err(_) => return taken,
            Ok(count) => taken += count as u64,
        }
    }
    taken
}

/// From one step of an attack to the next.
const PACE: Duration = Duration::from_millis(8);
