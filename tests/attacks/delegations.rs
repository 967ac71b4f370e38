//! Delegations that are kept from others, or are another's.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_proto::client::{CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::args::{self, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::res::OpenDelegation;
use nfs4_proto::nfs4::{Bitmap, ClientId, FattrRaw, Owner, StableHow, Stateid, Status};
use nfs4_tests::live::{Client, Client40, Connection, Scene, Transport};

use crate::peer;

on_each!(a_holder_that_answers_recalls_and_gives_nothing_back_gets_no_more);

fn a_holder_that_answers_recalls_and_gives_nothing_back_gets_no_more(on: Transport) {
    let name = "delegations that are not given back";
    let mut scene = Scene::start(name, on, short_lease(), Limits::default());
    let mut tries = 0;
    let told = scene.attack(|scene, until| {
        tries += 1;
        let mut holder = reachable(scene, 2);
        holder.mount(&format!("holder {tries}"), 1);
        // What was recalled rests for a while.
        let first = format!("first {tries}");
        let opened = holder.try_open(&first).unwrap();
        assert!(opened.delegation.is_some(), "it may have one");
        let waited = wait_for(scene, &first, || {
            holder.in_session(|c| c);
        });
        assert!(
            holder.connection.back.recalls > 0,
            "it is asked to give it back"
        );
        let (mut opened, mut incarnation) = (0, 1);
        while opened < 64 || Instant::now() < until {
            if opened % 32 == 31 {
                incarnation += 1;
                holder.mount(&format!("holder {tries}"), incarnation);
            }
            let file = format!("next {}", opened % 8);
            let next = holder.try_open(&file).unwrap();
            assert_eq!(next.delegation, None, "it has one again");
            holder.close();
            opened += 1;
        }
        let again = wait_for(scene, "next 0", || {});
        assert!(again < LEASE / 2, "another waits {again:?} again");
        holder.mount(&format!("holder {tries}"), incarnation + 1);
        holder.unmount();
        format!("none for {opened} opens; another waits {waited:?} once, then {again:?}")
    });
    scene.end("one lapse an hour", told);
}

on_each!(a_holder_that_never_answers_callbacks_costs_others_one_wait_and_the_server_little);

fn a_holder_that_never_answers_callbacks_costs_others_one_wait_and_the_server_little(
    on: Transport,
) {
    let mut scene = Scene::start(
        "callbacks without an answer",
        on,
        short_lease().with(|config| {
            config.callback_timeout = LEASE / 4;
        }),
        Limits::default(),
    );
    let mut tries = 0;
    let told = scene.attack(|scene, until| {
        tries += 1;
        // Those to a former holder end with their attempts.
        let before = scene.node().table_lengths().unwrap().callbacks;
        // It reads nothing between its own calls.
        let mut holder = reachable(scene, 2);
        holder.mount(&format!("deaf {tries}"), 1);
        let files: Vec<String> = (0..32).map(|n| format!("{tries} {n}")).collect();
        let held = files.iter().filter(|file| {
            let opened = holder.try_open(file).unwrap();
            opened.delegation.is_some()
        });
        let held = held.count();
        assert!(held > 0, "it may have some");
        let mut other = Client::on(Connection::from(peer(3), scene.address()), Some(2));
        other.mount("other", 1);
        let (mut delayed, mut most) = (0, 0);
        let start = Instant::now();
        let mut left: Vec<&String> = files.iter().collect();
        while !left.is_empty() || Instant::now() < until {
            left.retain(|file| match other.try_open(file) {
                Ok(_) => {
                    other.close();
                    false
                }
                Err(status) => {
                    assert_eq!(status, Status::DELAY);
                    delayed += 1;
                    true
                }
            });
            most = most.max(scene.node().table_lengths().unwrap().callbacks);
            assert!(start.elapsed() < PATIENCE, "others wait for ever");
            thread::sleep(Duration::from_millis(10));
        }
        let waited = start.elapsed();
        // One recall each, and nothing besides.
        assert!(
            most <= before + held + 1,
            "{most} callbacks for {held} delegations, and {before} before"
        );
        other.unmount();
        drop(holder);
        format!("{held} delegations, at most {most} callbacks, {delayed} DELAYs in {waited:?}")
    });
    scene.end("one callback a delegation, revoked after a lease", told);
}

on_each!(a_holder_of_minor_version_0_gets_no_more_either);

fn a_holder_of_minor_version_0_gets_no_more_either(on: Transport) {
    let name = "delegations that are not given back in 4.0";
    let mut scene = Scene::start(name, on, short_lease(), Limits::default());
    let mut tries = 0;
    let told = scene.attack(|scene, until| {
        tries += 1;
        let mut holder = Old::mounted(scene, 2, &format!("old {tries}"));
        let [first, next] = ["first", "next"].map(|name| format!("{name} {tries}"));
        for file in [&first, &next] {
            let mut owner = Client::on(Connection::from(peer(2), scene.address()), Some(2));
            owner.mount(&format!("makes {tries}"), 1);
            let _ = owner.try_open(file).unwrap();
            owner.close();
            owner.unmount();
        }
        let start = Instant::now();
        while holder.open(&first).is_none() {
            assert!(start.elapsed() < PATIENCE, "it is not delegated to");
            thread::sleep(Duration::from_millis(5));
        }
        let waited = wait_for(scene, &first, || {
            let clientid = holder.client.id;
            holder.client.status(|c| c.renew(args::Renew { clientid }));
        });
        assert!(holder.client.back().unwrap().recalls > 0, "it is called");
        let mut opened = 0;
        while opened < 64 || Instant::now() < until {
            assert_eq!(holder.open(&next), None, "it has one again");
            opened += 1;
        }
        let again = wait_for(scene, &next, || {});
        assert!(again < LEASE / 2, "another waits {again:?} again");
        format!("none for {opened} opens; another waits {waited:?} once, then {again:?}")
    });
    scene.end("one lapse an hour", told);
}

on_each!(a_delegation_of_another_that_is_known_or_guessed_gives_no_way_in);

fn a_delegation_of_another_that_is_known_or_guessed_gives_no_way_in(on: Transport) {
    let name = "delegations of another principal";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let mut victim = reachable(&scene, 9);
    victim.mount("victim", 1);
    let held = victim.try_open("secret").unwrap().delegation.unwrap();
    shut(&mut victim);
    let fh = victim.file.clone();
    let told = scene.attack(|scene, until| {
        let mut thief = Client::on(Connection::from(peer(2), scene.address()), Some(2));
        thief.mount("thief", 1);
        let mut old = Client40::on(Connection::from(peer(2), scene.address()), 2);
        old.mount("old thief", 1);
        let told = steal(held, &fh, until, |stolen, minor| match minor {
            Minor::One => thief.in_session(|c| stolen(c, ClientId(0))),
            Minor::Zero => {
                let id = old.id;
                old.status(|c| stolen(c, id))
            }
        });
        thief.unmount();
        told
    });
    let tables = scene.node().table_lengths().unwrap();
    assert_eq!(tables.write_delegations, 1, "the victim has it still");
    give_back(&mut victim, held, &fh);
    victim.remove(victim.open, "secret");
    victim.unmount();
    drop(victim);
    scene.end("client, principal, keyed ids", told);
}

on_each!(a_delegation_of_minor_version_0_gives_another_no_way_in_either);

fn a_delegation_of_minor_version_0_gives_another_no_way_in_either(on: Transport) {
    let name = "delegations of another principal in 4.0";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let mut victim = Old::mounted(&scene, 9, "victim");
    let mut owner = Client::on(Connection::from(peer(9), scene.address()), Some(9));
    owner.mount("makes", 1);
    owner.open("secret");
    shut(&mut owner);
    owner.close();
    let start = Instant::now();
    let held = loop {
        if let Some(held) = victim.open("secret") {
            break held;
        }
        assert!(start.elapsed() < PATIENCE, "it is not delegated to");
        thread::sleep(Duration::from_millis(5));
    };
    let fh = owner.file.clone();
    let told = scene.attack(|scene, until| {
        let mut thief = Client40::on(Connection::from(peer(2), scene.address()), 2);
        thief.mount("thief", 1);
        let mut new = Client::on(Connection::from(peer(2), scene.address()), Some(2));
        new.mount("new thief", 1);
        let told = steal(held, &fh, until, |stolen, minor| match minor {
            Minor::One => new.in_session(|c| stolen(c, ClientId(0))),
            Minor::Zero => {
                let id = thief.id;
                thief.status(|c| stolen(c, id))
            }
        });
        new.unmount();
        told
    });
    let tables = scene.node().table_lengths().unwrap();
    assert_eq!(tables.read_delegations, 1, "the victim has it still");
    let object = args::PutFh { object: &fh };
    let back = args::DelegReturn {
        deleg_stateid: held,
    };
    victim.client.call(|c| c.putfh(object).delegreturn(back));
    owner.unlink("secret");
    owner.unmount();
    drop((owner, victim));
    scene.end("client, principal, keyed ids", told);
}

/// Whose session or client id a thief has itself.
#[derive(Clone, Copy)]
enum Minor {
    Zero,
    One,
}

/// What a thief asks for, with its own client id if that is to be said.
type Stolen<'a> = &'a dyn for<'c> Fn(&'c mut CompoundBuilder, ClientId) -> &'c mut CompoundBuilder;

/// Asks for all that a delegation allows, with its stateid and such that are like it; what it is told.
fn steal(
    held: Stateid,
    fh: &[u8],
    until: Instant,
    mut ask: impl FnMut(Stolen<'_>, Minor) -> Status,
) -> String {
    let file = args::PutFh { object: fh };
    let mut told = BTreeMap::<String, u32>::new();
    let mut tried = 0_usize;
    while tried < 1 + GUESSED || Instant::now() < until {
        let mut stateid = held;
        let at = tried % (1 + GUESSED);
        if at > 0 {
            stateid.other[(at - 1) / 8] ^= 1 << ((at - 1) % 8);
        }
        tried += 1;
        let read = args::Read {
            stateid,
            offset: 0,
            count: 1,
        };
        let write = args::Write {
            stateid,
            offset: 0,
            stable: StableHow::Unstable,
            data: b"w",
        };
        let cut = args::SetAttr {
            stateid,
            obj_attributes: FattrRaw {
                mask: Bitmap::of(&[num::SIZE]),
                values: &[0; 8],
            },
        };
        let back = args::DelegReturn {
            deleg_stateid: stateid,
        };
        let owner = format!("thief {tried}");
        let open = |clientid| args::Open {
            seqid: 1,
            share_access: 1,
            share_deny: 0,
            owner: Owner {
                clientid,
                owner: owner.as_bytes(),
            },
            openhow: OpenFlag::NoCreate,
            claim: OpenClaim::DelegateCur {
                delegate_stateid: stateid,
                file: b"secret",
            },
        };
        let asked: [Stolen<'_>; 5] = [
            &|c, _| c.putfh(file).read(read),
            &|c, _| c.putfh(file).write(write),
            &|c, _| c.putfh(file).setattr(cut),
            &|c, _| c.putfh(file).delegreturn(back),
            &|c, clientid| c.putrootfh().open(open(clientid)),
        ];
        for (which, stolen) in asked.into_iter().enumerate() {
            for minor in [Minor::Zero, Minor::One] {
                let status = ask(stolen, minor);
                assert!(
                    REFUSED.contains(&status),
                    "{status:?} for guess {at}, operation {which}"
                );
                *told.entry(format!("{status:?}")).or_default() += 1;
            }
        }
    }
    format!("{told:?}")
}

/// A holder of minor version 0, and what it opens for reading.
struct Old {
    client: Client40,
}

impl Old {
    /// One that listens at its address.
    fn mounted(scene: &Scene, host: u8, name: &str) -> Old {
        let connection = Connection::from(peer(host), scene.address());
        let mut client = Client40::on(connection, host.into());
        client.listen(peer(host));
        client.mount(name, 1);
        Old { client }
    }

    /// Opens a file for reading; what was delegated with it.
    fn open(&mut self, name: &str) -> Option<Stateid> {
        let open = args::Open {
            seqid: self.client.seqid(),
            share_access: 1,
            share_deny: 0,
            owner: self.client.owner(b"opener"),
            openhow: OpenFlag::NoCreate,
            claim: OpenClaim::Null(name.as_bytes()),
        };
        let reply = self.client.call(|c| c.putrootfh().open(open).getfh());
        let mut results = ReplyReader::parse(&reply).unwrap();
        results.putrootfh().unwrap();
        let opened = results.open().unwrap();
        let fh = results.getfh().unwrap().object.to_vec();
        let open_stateid = self.client.confirm(&fh, opened.rflags, opened.stateid);
        let close = args::Close {
            seqid: self.client.seqid(),
            open_stateid,
        };
        let object = args::PutFh { object: &fh };
        self.client.call(|c| c.putfh(object).close(close));
        match opened.delegation {
            OpenDelegation::None => None,
            OpenDelegation::Read(read) => Some(read.stateid),
            other => panic!("{other:?}"),
        }
    }
}

/// Has another client open a file for writing, which may wait until it is revoked, and says for how
/// long it does.
fn wait_for(scene: &Scene, name: &str, mut meanwhile: impl FnMut()) -> Duration {
    let mut other = Client::on(Connection::from(peer(3), scene.address()), Some(2));
    other.mount("other", 1);
    let start = Instant::now();
    loop {
        match other.try_open(name) {
            Ok(_) => break,
            Err(status) => assert_eq!(status, Status::DELAY),
        }
        assert!(start.elapsed() < PATIENCE, "another waits for ever");
        meanwhile();
        thread::sleep(Duration::from_millis(10));
    }
    let waited = start.elapsed();
    other.close();
    other.unmount();
    waited
}

/// A client that can be called back.
fn reachable(scene: &Scene, host: u8) -> Client {
    let connection = Connection::from(peer(host), scene.address());
    let mut client = Client::on(connection, Some(host.into()));
    client.reachable = true;
    client
}

/// Denies all others the file that a client has open.
fn shut(client: &mut Client) {
    let object = &client.file.clone()[..];
    let mode = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: FattrRaw {
            mask: Bitmap::of(&[num::MODE]),
            values: &0o600_u32.to_be_bytes(),
        },
    };
    client.call(|c| c.putfh(args::PutFh { object }).setattr(mode));
}

fn give_back(client: &mut Client, deleg_stateid: Stateid, fh: &[u8]) {
    let object = args::PutFh { object: fh };
    let back = args::DelegReturn { deleg_stateid };
    client.call(|c| c.putfh(object).delegreturn(back));
}

fn short_lease() -> Config {
    Config::default().with(|config| config.lease = LEASE)
}

const LEASE: Duration = Duration::from_secs(1);
/// So many bits of a stateid are changed, one at a time.
const GUESSED: usize = 96;
/// What a thief may be told.
const REFUSED: [Status; 4] = [
    Status::ACCESS,
    Status::BAD_STATEID,
    Status::OPENMODE,
    Status::STALE_STATEID,
];
const PATIENCE: Duration = Duration::from_secs(10);
