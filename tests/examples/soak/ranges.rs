//! Attackers that lock ranges without end.

use nfs4_proto::client::ReplyReader;
use nfs4_proto::nfs4::args::{self, Locker, OpenToLockOwner};
use nfs4_proto::nfs4::basic::LockType;
use nfs4_proto::nfs4::{ClientId, Owner, Stateid, Status};
use nfs4_tests::live::Client;
use nfs4_tests::sim::Rng;

use super::hostile::Ground;

/// Locks very many ranges, and unlocks them at a stroke.
pub(crate) fn attack(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let mut client = ground.client(30);
    client.mount("ranges", rng.below(256) as u8);
    let name = format!("ranges {}", ground.net);
    let open = client.open(&name);
    let mut locked = 0;
    while ground.goes_on() {
        let mut last = None;
        for batch in 0..40 {
            last = lock_some(&mut client, open, batch).or(last);
            locked += BATCH;
        }
        if let Some(stateid) = last {
            let object = &client.file.clone()[..];
            client.in_session(|c| c.putfh(args::PutFh { object }).locku(all(stateid)));
        }
    }
    client.remove(open, &name);
    client.unmount();
    locked
}

/// LOCKT and LOCK of what another has, among very many ranges.
pub(crate) fn denials(ground: &Ground<'_>, rng: &mut Rng) -> u64 {
    let name = format!("denied {}", ground.net);
    let mut holder = ground.client(31);
    holder.mount("holder of ranges", rng.below(256) as u8);
    let open = holder.open(&name);
    let mut last = None;
    for batch in 0..60 {
        last = lock_some(&mut holder, open, batch).or(last);
    }
    let mut asker = ground.client(32);
    asker.mount("asker for ranges", rng.below(256) as u8);
    let object = &holder.file.clone()[..];
    let mut denied = 0;
    while ground.goes_on() {
        for _ in 0..16 {
            let test = args::LockT {
                locktype: LockType::Write,
                offset: rng.below(2 * 60 * BATCH),
                length: 1 + rng.below(1_000),
                owner: Owner {
                    clientid: ClientId(0),
                    owner: b"asker",
                },
            };
            asker.in_session(|c| c.putfh(args::PutFh { object }).lockt(test));
            denied += 1;
        }
    }
    asker.unmount();
    if let Some(stateid) = last {
        holder.in_session(|c| c.putfh(args::PutFh { object }).locku(all(stateid)));
    }
    holder.remove(open, &name);
    holder.unmount();
    denied
}

fn all(lock_stateid: Stateid) -> args::LockU {
    args::LockU {
        locktype: LockType::Write,
        seqid: 0,
        lock_stateid,
        offset: 0,
        length: u64::MAX,
    }
}

/// Locks ranges that do not touch, and says under what, if it may.
fn lock_some(client: &mut Client, open_stateid: Stateid, batch: u64) -> Option<Stateid> {
    let object = &client.file.clone()[..];
    let reply = client.reply_to(|c| {
        c.putfh(args::PutFh { object });
        for number in batch * BATCH..(batch + 1) * BATCH {
            c.lock(args::Lock {
                locktype: LockType::Write,
                reclaim: false,
                offset: 2 * number,
                length: 1,
                locker: Locker::New(OpenToLockOwner {
                    open_seqid: 0,
                    open_stateid,
                    lock_seqid: 0,
                    lock_owner: Owner {
                        clientid: ClientId(0),
                        owner: b"holder",
                    },
                }),
            });
        }
        c
    });
    let mut results = ReplyReader::parse(&reply).expect("a reply");
    if results.status() != Status::OK {
        return None;
    }
    results.sequence().expect("in its session");
    results.putfh().expect("a file");
    let stateid = results.lock().expect("a lock").lock_stateid;
    Some(Stateid {
        seqid: 0,
        ..stateid
    })
}

/// So many LOCKs are in one COMPOUND.
const BATCH: u64 = 12;
