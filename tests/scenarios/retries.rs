//! What a retry may have otherwise than the request that it repeats, because its client encodes it
//! anew, and what makes it another request. [RFC 8881 §2.10.6.1.3.1]

use nfs4_engine::{Export, Squash};
use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::args::{self, CreateType};
use nfs4_proto::nfs4::{FattrRaw, Op, Status};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::List;
use nfs4_tests::sim::{Client, Reply, Sim};

/// A request that makes the directory "d", as it is encoded.
#[derive(Clone, Copy, Debug)]
struct Encoded {
    minor: u32,
    tag: &'static [u8],
    cred: CallCredential<'static>,
    highest_slot: u32,
    cache: bool,
    name: &'static [u8],
    looks: bool,
}

const SYS: AuthSys<'static> = AuthSys {
    stamp: 1,
    machinename: b"model",
    uid: 1000,
    gid: 1000,
    gids: List::empty(),
};

impl Encoded {
    const fn first(minor: u32) -> Encoded {
        Encoded {
            minor,
            tag: b"",
            cred: CallCredential::Sys(SYS),
            highest_slot: 3,
            cache: true,
            name: b"d",
            looks: false,
        }
    }

    const fn by(self, sys: AuthSys<'static>) -> Encoded {
        Encoded {
            cred: CallCredential::Sys(sys),
            ..self
        }
    }

    /// Sends it on slot 3 under seqid 1, always with the same transaction id.
    fn exchange(self, sim: &mut Sim, client: &Client) -> Reply {
        let record = self.record(|c| {
            let sequence = args::Sequence {
                highest_slotid: self.highest_slot,
                ..client.sequence(3, self.cache)
            };
            c.sequence(sequence)
        });
        sim.exchange(client.conn, record)
    }

    fn record(self, begin: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder) -> Vec<u8> {
        let mut builder = CompoundBuilder::call(7, &self.cred, self.tag, self.minor);
        let c = begin(&mut builder).putrootfh().create(args::Create {
            objtype: CreateType::Directory,
            objname: self.name,
            createattrs: FattrRaw::EMPTY,
        });
        if self.looks { c.getfh() } else { c }.finish()
    }
}

/// What a client may well encode otherwise when it sends a request again.
fn honest(first: Encoded) -> [Encoded; 7] {
    [
        Encoded {
            highest_slot: 7,
            ..first
        },
        Encoded {
            highest_slot: 0,
            ..first
        },
        first.by(AuthSys { stamp: 2, ..SYS }),
        first.by(AuthSys {
            machinename: b"another name",
            ..SYS
        }),
        first.by(AuthSys {
            gids: List::new(&[4, 24, 27]),
            ..SYS
        }),
        Encoded {
            tag: b"again",
            ..first
        },
        Encoded {
            cache: false,
            ..first
        },
    ]
}

#[test]
fn what_a_client_encodes_anew_makes_no_other_request() {
    for minor in [1, 2] {
        let first = Encoded::first(minor);
        for again in honest(first) {
            let mut sim = Sim::new();
            let mut client = Client::mounted(&mut sim, "a");
            let answer = first.exchange(&mut sim, &client).all_ok();
            // The client comes back by another connection.
            sim.kill(client.conn);
            client.conn = sim.connect();
            let reply = again.exchange(&mut sim, &client);
            assert_eq!(reply.body(), answer.body(), "{again:?}: {reply:?}");
            assert_eq!(sim.fs().creations(b"d"), 1, "{again:?}");
        }
    }
}

#[test]
fn a_request_that_is_not_kept_is_told_by_the_same() {
    let first = Encoded {
        cache: false,
        ..Encoded::first(1)
    };
    for again in honest(first) {
        let mut sim = Sim::new();
        let client = Client::mounted(&mut sim, "a");
        first.exchange(&mut sim, &client).all_ok();
        let reply = again.exchange(&mut sim, &client);
        let expected = [
            (Op::Sequence, Status::OK),
            (Op::PutRootFh, Status::RETRY_UNCACHED_REP),
        ];
        assert_eq!(reply.statuses(), expected, "{again:?}");
        assert_eq!(sim.fs().creations(b"d"), 1, "{again:?}");
    }
}

#[test]
fn another_user_version_or_operation_makes_a_false_retry() {
    let first = Encoded::first(1);
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    first.exchange(&mut sim, &client).all_ok();
    for other in [
        first.by(AuthSys { uid: 1001, ..SYS }),
        Encoded {
            cred: CallCredential::None,
            ..first
        },
        Encoded { minor: 2, ..first },
        Encoded {
            name: b"e",
            ..first
        },
        Encoded {
            looks: true,
            ..first
        },
    ] {
        let reply = other.exchange(&mut sim, &client);
        let status = Status::SEQ_FALSE_RETRY;
        assert!(reply.is_only(Op::Sequence, status), "{other:?}: {reply:?}");
    }
    assert_eq!(sim.fs().creations(b"e"), 0);
    first.exchange(&mut sim, &client).all_ok();
    assert_eq!(sim.fs().creations(b"d"), 1);
}

/// Whether the request of one user is the retry of the other's, where exports are squashed so.
fn are_one(squash: [Squash; 2], users: [u32; 2]) -> bool {
    let rules = |export: &mut Export| {
        export.squash = squash[usize::from(export.path == "/two")];
    };
    let mut sim = Sim::serving(&["/one", "/two"], rules);
    let client = Client::mounted(&mut sim, "a");
    let replies = users.map(|uid| {
        let encoded = Encoded::first(1).by(AuthSys { uid, ..SYS });
        encoded.exchange(&mut sim, &client)
    });
    // Nothing is made among the exports.
    assert_eq!(replies[0].last().0, Op::Create);
    if replies[1].is_only(Op::Sequence, Status::SEQ_FALSE_RETRY) {
        return false;
    }
    assert_eq!(replies[0].body(), replies[1].body());
    true
}

#[test]
fn users_squashed_alike_in_every_export_count_as_one() {
    use Squash::{All, None, Root};
    const NOBODY: u32 = 65_534;
    for (squash, users, one) in [
        ([None, None], [0, NOBODY], false),
        ([None, Root], [0, NOBODY], false),
        ([Root, Root], [0, NOBODY], true),
        ([Root, All], [0, NOBODY], true),
        ([Root, All], [1, 2], false),
        ([All, All], [1, 2], true),
        ([All, All], [0, NOBODY], true),
    ] {
        assert_eq!(are_one(squash, users), one, "{squash:?} {users:?}");
    }
}

#[test]
fn a_retry_of_minor_version_0_is_told_by_the_same() {
    let first = Encoded::first(0);
    // There is no slot and nothing is asked to be kept.
    for again in honest(first) {
        let mut sim = Sim::new();
        let conn = sim.connect();
        let answer = sim.exchange(conn, first.record(|c| c)).all_ok();
        sim.kill(conn);
        let conn = sim.connect();
        let reply = sim.exchange(conn, again.record(|c| c));
        assert_eq!(reply.body(), answer.body(), "{again:?}: {reply:?}");
        assert_eq!(sim.fs().creations(b"d"), 1, "{again:?}");
    }
    for other in [
        first.by(AuthSys { uid: 1001, ..SYS }),
        Encoded {
            looks: true,
            ..first
        },
    ] {
        let mut sim = Sim::new();
        let conn = sim.connect();
        sim.exchange(conn, first.record(|c| c)).all_ok();
        let reply = sim.exchange(conn, other.record(|c| c));
        assert_eq!(reply.last(), (Op::Create, Status::EXIST), "{other:?}");
    }
}
