//! Several file systems under one tree. [RFC 8881 §7]

use std::cmp::Reverse;

use nfs4_engine::Squash;
use nfs4_proto::nfs4::any::ResOp;
use nfs4_proto::nfs4::args::{self, CreateType};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status, Verifier};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Reply, Sim, making_args, open_args};

const PATHS: [&str; 3] = ["/srv/a", "/srv/b", "/home"];

fn named(objname: &[u8]) -> args::Lookup<'_> {
    args::Lookup { objname }
}

/// An attribute, as it prints.
fn attr(reply: &Reply, number: u32) -> String {
    let ResOp::GetAttr(Outcome::Ok(ok)) = reply.result(Op::GetAttr) else {
        panic!("no attributes: {:?}", reply.statuses())
    };
    format!(
        "{:?}",
        ok.obj_attributes.get(number).expect("it was asked for")
    )
}

fn create(name: &[u8]) -> args::Open<'_> {
    making_args(b"owner", name)
}

fn directory(name: &[u8]) -> args::Create<'_> {
    args::Create {
        objtype: CreateType::Directory,
        objname: name,
        createattrs: FattrRaw::EMPTY,
    }
}

#[test]
fn each_path_leads_into_a_file_system_of_its_own() {
    let mut sim = Sim::serving(&PATHS, |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let fsid = Bitmap::of(&[num::FSID]);
    let mut seen = Vec::new();
    for path in [&[][..], &["srv"], &["srv", "a"], &["srv", "b"], &["home"]] {
        let reply = client.call(&mut sim, |c| {
            let c = path
                .iter()
                .fold(c.putrootfh(), |c, name| c.lookup(named(name.as_bytes())));
            c.getattr(args::GetAttr { attr_request: fsid })
        });
        seen.push(attr(&reply.all_ok(), num::FSID));
    }
    assert_eq!(
        seen[0], seen[1],
        "the directories above are one file system"
    );
    let mut exports = seen[1..].to_vec();
    exports.sort();
    exports.dedup();
    assert_eq!(exports.len(), 4, "and every export is another");
    // What is made in one is not in the other.
    let reply = client.call(&mut sim, |c| {
        c.putrootfh()
            .lookup(named(b"srv"))
            .lookup(named(b"a"))
            .create(directory(b"only here"))
    });
    reply.all_ok();
    let reply = client.call(&mut sim, |c| {
        c.putrootfh()
            .lookup(named(b"srv"))
            .lookup(named(b"b"))
            .lookup(named(b"only here"))
    });
    assert_eq!(reply.last(), (Op::Lookup, Status::NOENT));
}

#[test]
fn the_way_up_leads_out_of_an_export() {
    let mut sim = Sim::serving(&PATHS, |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let up = client.call(&mut sim, |c| {
        c.putrootfh()
            .lookup(named(b"srv"))
            .lookup(named(b"a"))
            .lookupp()
            .lookup(named(b"b"))
            .lookupp()
            .getfh()
    });
    let srv = client.call(&mut sim, |c| c.putrootfh().lookup(named(b"srv")).getfh());
    let handle = |reply: &Reply| match reply.result(Op::GetFh) {
        ResOp::GetFh(Outcome::Ok(ok)) => ok.object.to_vec(),
        other => panic!("no handle: {other:?}"),
    };
    assert_eq!(handle(&up), handle(&srv));
    let top = client.call(&mut sim, |c| c.putrootfh().lookupp());
    assert_eq!(top.last(), (Op::LookupP, Status::NOENT));
}

/// READDIR from the first entry, with these attributes.
fn list_args(attributes: &[u32]) -> args::ReadDir {
    args::ReadDir {
        cookie: 0,
        cookieverf: Verifier([0; 8]),
        dircount: 4096,
        maxcount: 4096,
        attr_request: Bitmap::of(attributes),
    }
}

/// libnfs does not ask for rdattr_error.
#[test]
fn a_directory_above_is_listed_with_attributes_for_a_client_that_does_not_ask_for_errors() {
    let mut sim = Sim::serving(&PATHS, |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let list = list_args(&[num::TYPE, num::FILEID]);
    let reply = client.call(&mut sim, |c| c.putrootfh().readdir(list));
    let ResOp::ReadDir(Outcome::Ok(ok)) = reply.result(Op::ReadDir) else {
        panic!("no entries")
    };
    assert_eq!(ok.entries.iter().count(), 2);
    for entry in ok.entries.iter() {
        assert_eq!(entry.attrs.mask, list.attr_request, "{:?}", entry.name);
    }
}

#[test]
fn the_handle_of_an_export_in_a_listing_leads_into_the_export() {
    let mut sim = Sim::serving(&PATHS, |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let list = list_args(&[num::FILEHANDLE]);
    let reply = client
        .call(&mut sim, |c| c.putrootfh().readdir(list))
        .all_ok();
    let entries = ok!(reply, ReadDir).entries;
    let entry = entries.iter().find(|entry| entry.name == b"home").unwrap();
    let (len, bytes) = entry.attrs.values.split_first_chunk().unwrap();
    let object = &bytes[..u32::from_be_bytes(*len) as usize];
    let asked = args::GetAttr {
        attr_request: Bitmap::of(&[num::FSID, num::FILEID]),
    };
    let by_handle = client.call(&mut sim, |c| c.putfh(args::PutFh { object }).getattr(asked));
    let by_name = client.call(&mut sim, |c| {
        c.putrootfh().lookup(named(b"home")).getattr(asked)
    });
    let (by_handle, by_name) = (by_handle.all_ok(), by_name.all_ok());
    assert_eq!(
        ok!(by_handle, GetAttr).obj_attributes.values,
        ok!(by_name, GetAttr).obj_attributes.values
    );
}

#[test]
fn the_directories_above_are_listed_and_cannot_be_changed() {
    let mut sim = Sim::serving(&PATHS, |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let list = list_args(&[num::TYPE, num::RDATTR_ERROR, num::MOUNTED_ON_FILEID]);
    let reply = client.call(&mut sim, |c| c.putrootfh().readdir(list));
    let ResOp::ReadDir(Outcome::Ok(ok)) = reply.result(Op::ReadDir) else {
        panic!("no entries")
    };
    let mut names: Vec<&[u8]> = ok.entries.iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    assert_eq!(names, [&b"home"[..], b"srv"]);
    assert!(ok.eof);
    let mut entries: Vec<_> = ok.entries.iter().collect();
    entries.sort_by_key(|entry| Reverse(entry.name));
    let unknown: Vec<bool> = entries
        .iter()
        .map(|entry| !entry.attrs.mask.contains(num::TYPE))
        .collect();
    assert_eq!(
        unknown,
        [false, true],
        "what another file system covers only it knows"
    );
    // A listing that goes on at the first entry has the second one.
    let listed: Vec<_> = ok.entries.iter().map(|entry| entry.cookie).collect();
    let more = args::ReadDir {
        cookie: listed[0],
        ..list
    };
    let reply = client.call(&mut sim, |c| c.putrootfh().readdir(more));
    let ResOp::ReadDir(Outcome::Ok(rest)) = reply.result(Op::ReadDir) else {
        panic!("no entries")
    };
    let cookies: Vec<_> = rest.entries.iter().map(|entry| entry.cookie).collect();
    assert_eq!(cookies, listed[1..]);

    for (op, reply) in [
        (
            Op::Create,
            client.call(&mut sim, |c| c.putrootfh().create(directory(b"x"))),
        ),
        (
            Op::Remove,
            client.call(&mut sim, |c| {
                c.putrootfh().remove(args::Remove { target: b"srv" })
            }),
        ),
        (
            Op::Open,
            client.call(&mut sim, |c| c.putrootfh().open(create(b"x"))),
        ),
    ] {
        assert_eq!(reply.last(), (op, Status::ROFS));
    }
    let reply = client.call(&mut sim, |c| {
        c.putrootfh().open(open_args(b"owner", b"srv"))
    });
    assert_eq!(reply.last(), (Op::Open, Status::ISDIR));
}

#[test]
fn a_read_only_export_refuses_every_change_and_nothing_else() {
    let mut sim = Sim::serving(&["/"], |export| export.read_only = true);
    let mut client = Client::mounted(&mut sim, "a");
    for reply in [
        client.call(&mut sim, |c| c.putrootfh().create(directory(b"x"))),
        client.call(&mut sim, |c| c.putrootfh().open(create(b"x"))),
        client.call(&mut sim, |c| {
            c.putrootfh().remove(args::Remove { target: b"x" })
        }),
        client.call(&mut sim, |c| {
            c.putrootfh().savefh().rename(args::Rename {
                oldname: b"x",
                newname: b"y",
            })
        }),
    ] {
        assert_eq!(reply.status(), Status::ROFS);
    }
    let reply = client.call(&mut sim, |c| {
        c.putrootfh().access(args::Access { access: 0x3f })
    });
    let ResOp::Access(Outcome::Ok(ok)) = reply.result(Op::Access) else {
        panic!("no access")
    };
    assert_eq!(ok.access, 0x03, "read and look up");
    assert_eq!(sim.fs().tally().creations.len(), 0);
}

#[test]
fn a_squashed_user_makes_files_with_the_anonymous_ids() {
    let everybody = [("none", 0, "0"), ("none", 7, "7")];
    let root = [("root", 0, "65534"), ("root", 7, "7")];
    let all = [("all", 0, "65534"), ("all", 7, "65534")];
    for (rule, uid, owner) in everybody.into_iter().chain(root).chain(all) {
        let squash = match rule {
            "none" => Squash::None,
            "root" => Squash::Root,
            _ => Squash::All,
        };
        let mut sim = Sim::serving(&["/"], |export| export.squash = squash);
        let mut client = Client::stranger(&mut sim, "a");
        client.uid = uid;
        client.mount(&mut sim);
        let reply = client.call(&mut sim, |c| {
            c.putrootfh()
                .create(directory(b"d"))
                .getattr(args::GetAttr {
                    attr_request: Bitmap::of(&[num::OWNER]),
                })
        });
        let value = attr(&reply.all_ok(), num::OWNER);
        assert!(
            value.contains(&format!("\"{owner}\"")),
            "{rule} {uid}: {value}"
        );
    }
}

#[test]
fn the_flavours_above_an_export_are_told() {
    let mut sim = Sim::serving(&PATHS, |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let parent = args::SecInfoNoName {
        style: args::SecInfoStyle::Parent,
    };
    let reply = client.call(&mut sim, |c| {
        c.putrootfh().lookup(named(b"home")).secinfo_no_name(parent)
    });
    reply.all_ok();
    let reply = client.call(&mut sim, |c| c.putrootfh().secinfo_no_name(parent));
    assert_eq!(reply.last(), (Op::SecInfoNoName, Status::NOENT));
}

#[test]
fn what_an_export_covers_has_one_number_in_a_listing_and_by_itself() {
    let mut sim = Sim::serving(&PATHS, |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let asked = Bitmap::of(&[num::RDATTR_ERROR, num::MOUNTED_ON_FILEID]);
    let list = args::ReadDir {
        cookie: 0,
        cookieverf: Verifier([0; 8]),
        dircount: 4096,
        maxcount: 4096,
        attr_request: asked,
    };
    let attrs = args::GetAttr {
        attr_request: Bitmap::of(&[num::MOUNTED_ON_FILEID]),
    };
    let number = |bytes: &[u8]| u64::from_be_bytes(*bytes.last_chunk().expect("eight bytes"));
    for dir in [&[][..], &[&b"srv"[..]]] {
        let listed = client.call(&mut sim, |c| {
            let c = c.putrootfh();
            dir.iter()
                .fold(c, |c, name| c.lookup(named(name)))
                .readdir(list)
        });
        let listed = listed.all_ok();
        let entries = ok!(listed, ReadDir).entries;
        assert!(entries.iter().next().is_some());
        for entry in entries.iter() {
            let reply = client.call(&mut sim, |c| {
                let c = c.putrootfh();
                let c = dir.iter().fold(c, |c, name| c.lookup(named(name)));
                c.lookup(named(entry.name)).getattr(attrs)
            });
            let reply = reply.all_ok();
            let alone = number(ok!(reply, GetAttr).obj_attributes.values);
            assert_eq!(number(entry.attrs.values), alone, "{:?}", entry.name);
        }
    }
}
