//! What does not fit into the reply: READ and READDIR bring as much as does, and fail only if nothing
//! does. [RFC 8881 §2.10.6.4, §18.22.3, §18.23.3]

use nfs4_proto::nfs4::args::{self, CreateType};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::{Stateid, Verifier};
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Reply, Sim};

const LARGE: u32 = 5_000;

/// How long replies may be, those that are kept and all.
#[derive(Clone, Copy, Debug)]
struct Limits {
    cached: u32,
    all: u32,
}

/// A client whose replies are limited, and which has made the file "f" of [`LARGE`] bytes before.
fn limited(sim: &mut Sim, minor: u32, limits: Limits) -> Client {
    let mut client = Client::stranger(sim, "a");
    client.minor = minor;
    client.mount(sim);
    client.make_file(sim, b"f", LARGE);
    let mut args = client.session_args();
    args.fore_chan_attrs.maxresponsesize = limits.all;
    args.fore_chan_attrs.maxresponsesize_cached = limits.cached;
    client.create_session_with(sim, args).all_ok();
    client
}

/// READ of so many bytes, in a COMPOUND with so long a tag.
fn read(sim: &mut Sim, client: &mut Client, keep: bool, offset: u64, count: u32) -> Reply {
    let read = args::Read {
        stateid: Stateid::READ_BYPASS,
        offset,
        count,
    };
    let look = args::Lookup { objname: b"f" };
    let request = client.request(sim, 0, keep, |c| c.putrootfh().lookup(look).read(read));
    let reply = request.exchange(sim, client.conn);
    client.advance(0);
    let again = request.again(sim).exchange(sim, client.conn);
    if keep {
        assert_eq!(again.body(), reply.body(), "what is kept is what was sent");
    }
    reply
}

/// The length of a reply to READ without any byte.
fn empty() -> usize {
    let mut sim = Sim::new();
    let limits = Limits {
        cached: 8192,
        all: 8192,
    };
    let mut client = limited(&mut sim, 1, limits);
    read(&mut sim, &mut client, true, 0, 0).all_ok().len()
}

#[test]
fn a_read_of_more_than_the_reply_may_have_brings_what_fits() {
    for minor in [1, 2] {
        for (keep, limit, limits) in [
            (
                true,
                700,
                Limits {
                    cached: 700,
                    all: 2_000,
                },
            ),
            (
                false,
                2_001,
                Limits {
                    cached: 700,
                    all: 2_001,
                },
            ),
            (
                true,
                403,
                Limits {
                    cached: 8_000,
                    all: 403,
                },
            ),
        ] {
            let mut sim = Sim::new();
            let mut client = limited(&mut sim, minor, limits);
            let fits = (limit - empty()) & !3;
            let mut offset = 0;
            while offset < LARGE as usize {
                let asked = LARGE - offset as u32;
                let reply = read(&mut sim, &mut client, keep, offset as u64, asked).all_ok();
                assert!(reply.len() <= limit, "{limits:?}");
                let ok = ok!(reply, Read);
                let left = LARGE as usize - offset;
                assert_eq!(ok.data.len(), fits.min(left), "{limits:?} {keep}");
                assert_eq!(ok.eof, left <= fits);
                offset += ok.data.len();
            }
            // What fits is not cut.
            let reply = read(&mut sim, &mut client, keep, 0, fits as u32 - 1).all_ok();
            assert_eq!(ok!(reply, Read).data.len(), fits - 1);
        }
    }
}

#[test]
fn a_read_fails_only_if_not_even_one_byte_fits() {
    let empty = empty();
    // From where everything before it just fits.
    for limit in empty - 4..empty + 12 {
        for count in [0, 1, 5_000] {
            let mut sim = Sim::new();
            let limits = Limits {
                cached: limit as u32,
                all: 8_000,
            };
            let mut client = limited(&mut sim, 1, limits);
            let reply = read(&mut sim, &mut client, true, 0, count);
            assert!(reply.len() <= limit, "{limit} {count}");
            let least = if count == 0 { empty } else { empty + 4 };
            if limit < least {
                let too_big = (Op::Read, Status::REP_TOO_BIG_TO_CACHE);
                assert_eq!(reply.last(), too_big, "{limit} {count}");
                assert_eq!(sim.fs().requests("Read"), 0, "{limit} {count}");
            } else {
                let fits = (limit - empty) & !3;
                let data = ok!(reply, Read).data.len();
                assert_eq!(data, fits.min(count as usize), "{limit} {count}");
            }
        }
    }
}

#[test]
fn a_read_is_as_long_as_the_file_where_that_fits_whatever_was_asked() {
    let mut sim = Sim::new();
    let limits = Limits {
        cached: 700,
        all: 700,
    };
    let mut client = limited(&mut sim, 1, limits);
    let reply = read(&mut sim, &mut client, true, u64::from(LARGE) - 5, u32::MAX).all_ok();
    let ok = ok!(reply, Read);
    assert_eq!((ok.data.len(), ok.eof), (5, true));
}

#[test]
fn several_reads_of_minor_version_0_share_the_room() {
    let max_io = 128 << 10;
    let mut sim = Sim::with(Sim::config().with(|config| config.max_io = max_io));
    let mut client = Client40::mounted(&mut sim, "a");
    let opened = client.open(&mut sim, b"o", b"f");
    for at in 0..2 {
        let data = vec![7; max_io as usize];
        let write = args::Write {
            stateid: opened.stateid,
            offset: at * u64::from(max_io),
            stable: nfs4_proto::nfs4::basic::StableHow::FileSync,
            data: &data,
        };
        client.on(&mut sim, &opened.fh, |c| c.write(write)).all_ok();
    }
    let read = args::Read {
        stateid: opened.stateid,
        offset: 0,
        count: max_io,
    };
    let twice = client.on(&mut sim, &opened.fh, |c| c.read(read).read(read));
    let twice = twice.all_ok();
    let second = ok!(twice, Read);
    assert!((60 << 10..64 << 10).contains(&second.data.len()));
    assert!(!second.eof);
    let thrice = client.on(&mut sim, &opened.fh, |c| c.read(read).read(read).read(read));
    assert_eq!(thrice.last(), (Op::Read, Status::RESOURCE));
}

/// READDIR of the root, whose one entry beside "f" has a long name.
fn list(sim: &mut Sim, client: &mut Client, maxcount: u32) -> Reply {
    let directory = args::Create {
        objtype: CreateType::Directory,
        objname: &[b'd'; 200],
        createattrs: FattrRaw::EMPTY,
    };
    let made = client.request(sim, 1, false, |c| c.putrootfh().create(directory));
    made.exchange(sim, client.conn);
    client.advance(1);
    let remove = args::Remove { target: b"f" };
    let removed = client.request(sim, 1, false, |c| c.putrootfh().remove(remove));
    removed.exchange(sim, client.conn);
    client.advance(1);
    let args = args::ReadDir {
        cookie: 0,
        cookieverf: Verifier([0; 8]),
        dircount: 0,
        maxcount,
        attr_request: Bitmap::of(&[num::FILEID]),
    };
    client.call(sim, |c| c.putrootfh().readdir(args))
}

#[test]
fn a_listing_fails_by_the_limit_that_its_first_entry_does_not_fit_into() {
    for (maxcount, cached, all, status) in [
        (8_000, 8_000, 8_000, Status::OK),
        (200, 8_000, 8_000, Status::TOOSMALL),
        (8, 8_000, 8_000, Status::TOOSMALL),
        (8_000, 250, 8_000, Status::REP_TOO_BIG_TO_CACHE),
        (8_000, 8_000, 256, Status::REP_TOO_BIG),
        // So that asking for more is of no use.
        (240, 250, 8_000, Status::REP_TOO_BIG_TO_CACHE),
    ] {
        let mut sim = Sim::new();
        let mut client = limited(&mut sim, 1, Limits { cached, all });
        let reply = list(&mut sim, &mut client, maxcount);
        let expected = (Op::ReadDir, status);
        assert_eq!(reply.last(), expected, "{maxcount} {cached} {all}");
        assert!(reply.len() <= cached.min(all) as usize);
    }
}
