//! Where clients are told to find the file systems: fs_locations. [RFC 8881 §11.16, RFC 7530 §8.8]

use nfs4_engine::{Boot, Config, Engine, Export, Now, ServerAddress};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args;
use nfs4_proto::nfs4::attr::{AttrValue, FsLocations, num};
use nfs4_proto::nfs4::basic::Stateid;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status, Verifier};
use nfs4_proto::xdr::{Decode, List, Reader};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Fs, Reply, Sim};

const PATHS: [&str; 3] = ["/srv/a", "/srv/b", "/home"];
const LOCATIONS: Bitmap = Bitmap::of(&[num::FS_LOCATIONS]);
const ASK: args::GetAttr = args::GetAttr {
    attr_request: LOCATIONS,
};

fn addresses() -> Vec<ServerAddress> {
    let ip = |ip: &str, port| ServerAddress::Ip(ip.parse().expect("an address"), port);
    vec![
        ip("192.0.2.1", 2049),
        ip("192.0.2.1", 20_490),
        ip("2001:db8::1", 2049),
        ServerAddress::Name("files.example".to_owned()),
    ]
}

/// The addresses as clients see them: with a port only if it is another than 2049.
const TOLD: [&str; 4] = [
    "192.0.2.1",
    "192.0.2.1.80.10",
    "2001:db8::1",
    "files.example",
];

fn config() -> Config {
    Sim::config().with(|config| config.server_addresses = addresses())
}

fn named(name: &str) -> args::Lookup<'_> {
    args::Lookup {
        objname: name.as_bytes(),
    }
}

/// From the root along these names.
fn walk<'a>(c: &'a mut CompoundBuilder, path: &[&str]) -> &'a mut CompoundBuilder {
    let c = c.putrootfh();
    path.iter().fold(c, |c, name| c.lookup(named(name)))
}

/// A client of some minor version.
enum Asker {
    Old(Client40),
    New(Client),
}

impl Asker {
    fn mounted(sim: &mut Sim, minor: u32) -> Asker {
        if minor == 0 {
            return Asker::Old(Client40::mounted(sim, "old"));
        }
        let mut client = Client::stranger(sim, "new");
        client.minor = minor;
        client.mount(sim);
        Asker::New(client)
    }

    fn call(
        &mut self,
        sim: &mut Sim,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        match self {
            Asker::Old(client) => client.call(sim, build),
            Asker::New(client) => client.call(sim, build),
        }
    }
}

fn attrs(reply: &Reply) -> (Bitmap, Vec<u8>) {
    let ResOp::GetAttr(Outcome::Ok(ok)) = reply.result(Op::GetAttr) else {
        panic!("no attributes: {:?}", reply.statuses())
    };
    (ok.obj_attributes.mask, ok.obj_attributes.values.to_vec())
}

/// A path as people write it.
fn path(names: List<'_, &[u8]>) -> String {
    let text = |name: &[u8]| String::from_utf8(name.to_vec()).expect("names are text");
    names
        .iter()
        .map(|name| "/".to_owned() + &text(name))
        .collect()
}

/// fs_root, and for each location its servers and its rootpath.
type Told = (String, Vec<(Vec<String>, String)>);

fn read(locations: FsLocations<'_>) -> Told {
    let text = |name: &[u8]| String::from_utf8(name.to_vec()).expect("names are text");
    let at = locations.locations.iter().map(|at| {
        let servers = at.server.iter().map(text).collect();
        (servers, path(at.rootpath))
    });
    (path(locations.fs_root), at.collect())
}

/// What a file system at this path is told of.
fn expected(path: &str) -> Told {
    let servers = TOLD.map(str::to_owned).to_vec();
    (path.to_owned(), vec![(servers, path.to_owned())])
}

fn told(reply: &Reply) -> Told {
    let (mask, values) = attrs(reply);
    assert_eq!(mask, LOCATIONS);
    let mut values = Reader::new(&values);
    let locations = FsLocations::decode(&mut values).expect("it is an fs_locations4");
    assert!(values.is_empty());
    read(locations)
}

/// An attribute to be set or compared: fs_locations as encoded in `values`.
fn of(values: &[u8]) -> FattrRaw<'_> {
    FattrRaw {
        mask: LOCATIONS,
        values,
    }
}

#[test]
fn without_addresses_of_the_server_the_attribute_is_not_served() {
    let supported = args::GetAttr {
        attr_request: Bitmap::of(&[num::SUPPORTED_ATTRS]),
    };
    let verify = args::Verify {
        obj_attributes: of(&[0; 8]),
    };
    for minor in 0..3 {
        for served in [false, true] {
            let mut sim = if served {
                Sim::with(config())
            } else {
                Sim::new()
            };
            let mut asker = Asker::mounted(&mut sim, minor);
            let reply = asker.call(&mut sim, |c| c.putrootfh().getattr(supported));
            let (_, values) = attrs(&reply);
            let set = Bitmap::decode(&mut Reader::new(&values)).expect("a bitmap");
            assert_eq!(set.contains(num::FS_LOCATIONS), served, "{minor}");
            let reply = asker.call(&mut sim, |c| c.putrootfh().getattr(ASK));
            let (mask, values) = attrs(&reply.all_ok());
            assert_eq!(mask.contains(num::FS_LOCATIONS), served, "{minor}");
            assert_eq!(values.is_empty(), !served, "{minor}");
            let reply = asker.call(&mut sim, |c| c.putrootfh().verify(verify));
            let differs = if served {
                Status::NOT_SAME
            } else {
                Status::ATTRNOTSUPP
            };
            assert_eq!(reply.last(), (Op::Verify, differs), "{minor}");
        }
    }
}

#[test]
fn fs_locations_cannot_be_set() {
    let set = args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: of(&[0; 8]),
    };
    for minor in 0..3 {
        for (config, status) in [
            (Sim::config(), Status::ATTRNOTSUPP),
            (config(), Status::INVAL),
        ] {
            let mut sim = Sim::with(config);
            let mut asker = Asker::mounted(&mut sim, minor);
            let reply = asker.call(&mut sim, |c| c.putrootfh().setattr(set));
            assert_eq!(reply.last(), (Op::SetAttr, status), "{minor}");
        }
    }
}

#[test]
fn each_file_system_is_at_its_own_path_on_each_address() {
    for minor in 0..3 {
        let mut sim = Sim::serving_with(&PATHS, config());
        let mut asker = Asker::mounted(&mut sim, minor);
        for (walked, root) in [
            (&[][..], ""),
            (&["srv"], ""),
            (&["srv", "a"], "/srv/a"),
            (&["srv", "b"], "/srv/b"),
            (&["home"], "/home"),
        ] {
            let reply = asker.call(&mut sim, |c| walk(c, walked).getattr(ASK));
            assert_eq!(told(&reply.all_ok()), expected(root), "{minor}: {walked:?}");
        }
        // Within one it is the path of its root that counts.
        let directory = args::Create {
            objtype: args::CreateType::Directory,
            objname: b"within",
            createattrs: FattrRaw::EMPTY,
        };
        let reply = asker.call(&mut sim, |c| {
            walk(c, &["srv", "b"]).create(directory).getattr(ASK)
        });
        assert_eq!(told(&reply.all_ok()), expected("/srv/b"), "{minor}");
    }
}

#[test]
fn the_path_of_a_file_system_at_the_root_has_no_components() {
    for minor in 0..3 {
        let mut sim = Sim::with(config());
        let mut asker = Asker::mounted(&mut sim, minor);
        let reply = asker.call(&mut sim, |c| c.putrootfh().getattr(ASK));
        assert_eq!(told(&reply.all_ok()), expected(""), "{minor}");
    }
}

#[test]
fn what_was_told_can_be_verified() {
    for minor in 0..3 {
        let mut sim = Sim::serving_with(&PATHS, config());
        let mut asker = Asker::mounted(&mut sim, minor);
        let reply = asker.call(&mut sim, |c| walk(c, &["home"]).getattr(ASK));
        let (_, values) = attrs(&reply.all_ok());
        let obj_attributes = of(&values);
        let verify = args::Verify { obj_attributes };
        let reply = asker.call(&mut sim, |c| walk(c, &["home"]).verify(verify));
        reply.all_ok();
        let reply = asker.call(&mut sim, |c| walk(c, &["srv"]).verify(verify));
        assert_eq!(reply.last(), (Op::Verify, Status::NOT_SAME));
        let differ = args::NVerify { obj_attributes };
        let reply = asker.call(&mut sim, |c| walk(c, &["home"]).nverify(differ));
        assert_eq!(reply.last(), (Op::NVerify, Status::SAME));
    }
}

/// What a listing tells of each name.
fn listed(reply: &Reply) -> Vec<(String, Option<Told>)> {
    let entries = ok!(reply, ReadDir).entries;
    let told = |attrs: FattrRaw<'_>| match attrs.get(num::FS_LOCATIONS) {
        Some(AttrValue::FsLocations(locations)) => Some(read(locations)),
        _ => None,
    };
    let name = |name: &[u8]| String::from_utf8(name.to_vec()).expect("names are text");
    let entries = entries.iter();
    entries
        .map(|entry| (name(entry.name), told(entry.attrs)))
        .collect()
}

const fn list(maxcount: u32) -> args::ReadDir {
    args::ReadDir {
        cookie: 0,
        cookieverf: Verifier([0; 8]),
        dircount: 4096,
        maxcount,
        attr_request: Bitmap::of(&[num::RDATTR_ERROR, num::FS_LOCATIONS, num::SPACE_FREE]),
    }
}

#[test]
fn a_listing_tells_it_of_every_entry_that_is_not_of_another_file_system() {
    let directory = |objname| args::Create {
        objtype: args::CreateType::Directory,
        objname,
        createattrs: FattrRaw::EMPTY,
    };
    for minor in 0..3 {
        let mut sim = Sim::serving_with(&PATHS, config());
        let mut asker = Asker::mounted(&mut sim, minor);
        for name in [b"x", b"y"] {
            let reply = asker.call(&mut sim, |c| walk(c, &["home"]).create(directory(name)));
            reply.all_ok();
        }
        let reply = asker.call(&mut sim, |c| walk(c, &["home"]).readdir(list(8192)));
        let home = Some(expected("/home"));
        let all = [("x".to_owned(), home.clone()), ("y".to_owned(), home)];
        let mut told = listed(&reply.all_ok());
        told.sort();
        assert_eq!(told, all, "{minor}");
        let reply = asker.call(&mut sim, |c| c.putrootfh().readdir(list(8192)));
        let above = [
            ("home".to_owned(), None),
            ("srv".to_owned(), Some(expected(""))),
        ];
        let mut told = listed(&reply.all_ok());
        told.sort();
        assert_eq!(told, above, "{minor}");
        // Its length counts: one entry is 200 bytes.
        let reply = asker.call(&mut sim, |c| walk(c, &["home"]).readdir(list(300)));
        assert_eq!(listed(&reply.all_ok()).len(), 1, "{minor}");
        let reply = asker.call(&mut sim, |c| walk(c, &["home"]).readdir(list(150)));
        assert_eq!(reply.last(), (Op::ReadDir, Status::TOOSMALL), "{minor}");
    }
}

#[test]
fn the_length_of_fs_locations_counts_in_the_reply_size() {
    let mut sim = Sim::with(config());
    let mut client = Client::stranger(&mut sim, "small");
    client.exchange_id(&mut sim).all_ok();
    let mut args = client.session_args();
    args.fore_chan_attrs.maxresponsesize = 400;
    args.fore_chan_attrs.maxresponsesize_cached = 400;
    client.create_session_with(&mut sim, args).all_ok();
    let done = args::ReclaimComplete { one_fs: false };
    client.call(&mut sim, |c| c.reclaim_complete(done)).all_ok();
    let reply = client.call(&mut sim, |c| c.putrootfh().getattr(ASK));
    reply.all_ok();
    let reply = client.call(&mut sim, |c| {
        (0..5).fold(c.putrootfh(), |c, _| c.getattr(ASK))
    });
    assert_eq!(reply.last(), (Op::GetAttr, Status::REP_TOO_BIG));
    assert!(reply.len() <= 400, "{}", reply.len());
    sim.assert_nothing_is_left();
}

#[test]
fn addresses_that_clients_cannot_be_told_are_refused_all_at_once() {
    let ip = |ip: &str, port| ServerAddress::Ip(ip.parse().expect("an address"), port);
    let mut server_addresses = vec![
        ip("0.0.0.0", 2049),
        ip("192.0.2.1", 0),
        ServerAddress::Name("192.0.2.1".to_owned()),
        ip("192.0.2.2", 2049),
        ip("192.0.2.2", 2049),
    ];
    server_addresses.extend((0..12).map(|n| ip("192.0.2.3", 1_000 + n)));
    let config = Config::default().with(|config| {
        config.fore_slots = 0;
        config.server_addresses = server_addresses;
    });
    let boot = Boot::new(1, [1; 16], b"server");
    let exports = vec![Export::new("/", std::sync::Arc::new(Fs::new()))];
    let refused = Engine::new(boot, config, exports, Now::default()).err();
    let refused = refused.expect("it is refused");
    let text = refused.to_string();
    let told: Vec<&str> = text.split("; ").collect();
    assert_eq!(
        told,
        [
            "fore_slots is 0, but must be from 1 to 1024",
            "server_addresses (how many) is 17, but must be from 0 to 16",
            "server_addresses has 0.0.0.0:2049: it is not the address of one host",
            "server_addresses has 192.0.2.1:0: its port is 0",
            "server_addresses has \"192.0.2.1\": it is not a host name of letters, digits and hyphens",
            "server_addresses has 192.0.2.2:2049: it is there twice",
        ]
    );
}

#[test]
fn the_locations_of_a_very_long_path_come_before_other_attributes() {
    let name = "n".repeat(250);
    let path = format!("/{name}").repeat(150);
    let mut sim = Sim::serving_with(&[&path], config());
    let client = Client40::mounted(&mut sim, "old");
    let root = client.call(&mut sim, |c| c.putrootfh().getfh()).all_ok();
    let mut fh = ok!(root, GetFh).object.to_vec();
    for _ in 0..150 / 10 {
        let reply = client.on(&mut sim, &fh, |c| {
            let c = (0..10).fold(c, |c, _| c.lookup(named(&name)));
            c.getfh()
        });
        let reply = reply.all_ok();
        fh = ok!(reply, GetFh).object.to_vec();
    }
    let asked = Bitmap::of(&[num::FS_LOCATIONS, num::MODE, num::NUMLINKS, num::SPACE_USED]);
    let ask = args::GetAttr {
        attr_request: asked,
    };
    for _ in 0..2 {
        let reply = client.on(&mut sim, &fh, |c| c.getattr(ask)).all_ok();
        let attrs = ok!(reply, GetAttr).obj_attributes;
        assert_eq!(attrs.mask, asked);
        assert!(attrs.values.len() > 2 * path.len());
    }
}
