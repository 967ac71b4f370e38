//! OPEN_DOWNGRADE. [RFC 8881 §18.18.3]

use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, making_args};

fn open(
    sim: &mut Sim,
    client: &mut Client,
    owner: &[u8],
    (share_access, share_deny): (u32, u32),
) -> Reply {
    let args = args::Open {
        share_access: share_access | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        share_deny,
        ..making_args(owner, b"f")
    };
    client.call(sim, |c| c.putrootfh().open(args).getfh())
}

fn close(sim: &mut Sim, client: &mut Client, fh: &[u8], open_stateid: Stateid) {
    let close = args::Close {
        seqid: 0,
        open_stateid,
    };
    let put = args::PutFh { object: fh };
    client.call(sim, |c| c.putfh(put).close(close)).all_ok();
}

/// Whether these bits are the union of some of those.
fn is_union(bits: u32, asked: &[u32]) -> bool {
    let within: Vec<u32> = asked
        .iter()
        .copied()
        .filter(|one| one & !bits == 0)
        .collect();
    !within.is_empty() && within.into_iter().fold(0, |all, one| all | one) == bits
}

const SHARES: [(u32, u32); 12] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (1, 1),
    (2, 1),
    (3, 1),
    (1, 2),
    (2, 2),
    (3, 2),
    (1, 3),
    (2, 3),
    (3, 3),
];

#[test]
fn a_share_is_narrowed_to_the_union_of_some_that_were_opened() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut other = Client::mounted(&mut sim, "b");
    let (mut narrowed, mut refused) = (0, 0);
    for first in SHARES {
        for second in SHARES {
            // An owner's own share counts, too.
            if first.0 & second.1 != 0 || first.1 & second.0 != 0 {
                continue;
            }
            for wanted in SHARES {
                open(&mut sim, &mut client, b"o", first).all_ok();
                let reply = open(&mut sim, &mut client, b"o", second).all_ok();
                let fh = ok!(reply, GetFh).object.to_vec();
                let put = args::PutFh { object: &fh };
                let mut stateid = ok!(reply, Open).stateid;
                let downgrade = args::OpenDowngrade {
                    open_stateid: stateid,
                    seqid: 0,
                    share_access: wanted.0,
                    share_deny: wanted.1,
                };
                let reply = client.call(&mut sim, |c| c.putfh(put).open_downgrade(downgrade));
                let possible = is_union(wanted.0, &[first.0, second.0])
                    && is_union(wanted.1, &[first.1, second.1]);
                if possible {
                    narrowed += 1;
                    let reply = reply.all_ok();
                    let before = stateid;
                    stateid = ok!(reply, OpenDowngrade).open_stateid;
                    assert_eq!((stateid.seqid, stateid.other), (3, before.other));
                    for access in [1, 2] {
                        let reply = open(&mut sim, &mut other, b"p", (access, 0));
                        let denied = wanted.1 & access != 0;
                        assert_eq!(reply.status() == Status::SHARE_DENIED, denied);
                        if !denied {
                            let stateid = ok!(reply, Open).stateid;
                            close(&mut sim, &mut other, &fh, stateid);
                        }
                    }
                } else {
                    refused += 1;
                    let status = (Op::OpenDowngrade, Status::INVAL);
                    assert_eq!(reply.last(), status, "{first:?} {second:?} {wanted:?}");
                }
                close(&mut sim, &mut client, &fh, stateid);
            }
        }
    }
    assert!(narrowed > 50 && refused > 50, "{narrowed} {refused}");
    sim.assert_nothing_is_left();
}
