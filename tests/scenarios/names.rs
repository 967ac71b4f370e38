//! Directories and names. [RFC 8881 §18.4, §18.9, §18.23, §18.26, §18.29, §18.45]

use nfs4_proto::nfs4::args::{self, CreateType, SecInfoStyle};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::{Time, Verifier};
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Op, Status, res};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Sim, open_args};

const fn mkdir(objname: &[u8]) -> args::Create<'_> {
    args::Create {
        objtype: CreateType::Directory,
        objname,
        createattrs: FattrRaw::EMPTY,
    }
}

const fn lookup(objname: &[u8]) -> args::Lookup<'_> {
    args::Lookup { objname }
}

const fn readdir(cookie: u64, maxcount: u32) -> args::ReadDir {
    args::ReadDir {
        cookie,
        cookieverf: Verifier([0; 8]),
        dircount: 0,
        maxcount,
        attr_request: Bitmap::of(&[num::FILEID]),
    }
}

#[test]
fn a_directory_is_read_in_pieces_that_keep_their_limit() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut names: Vec<Vec<u8>> = (0..50)
        .map(|at| format!("entry {at:02}").into_bytes())
        .collect();
    for name in &names {
        client
            .call(&mut sim, |c| c.putrootfh().create(mkdir(name)))
            .all_ok();
    }
    let mut found = Vec::new();
    let mut cookie = 0;
    loop {
        let args = readdir(cookie, 300);
        let empty = client.call(&mut sim, |c| c.putrootfh()).all_ok();
        let reply = client
            .call(&mut sim, |c| c.putrootfh().readdir(args))
            .all_ok();
        // Operation number and status do not count.
        assert!(reply.len() - empty.len() <= 300 + 8);
        let ok = ok!(reply, ReadDir);
        for entry in ok.entries.iter() {
            assert!(entry.cookie >= 3);
            cookie = entry.cookie;
            found.push(entry.name.to_vec());
        }
        if ok.eof {
            break;
        }
    }
    found.sort();
    names.sort();
    assert_eq!(found, names);
}

#[test]
fn a_readdir_that_no_entry_fits_into_is_too_small() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for maxcount in [0, 15] {
        let reply = client.call(&mut sim, |c| c.putrootfh().readdir(readdir(0, maxcount)));
        assert_eq!(reply.last(), (Op::ReadDir, Status::TOOSMALL));
    }
    let reply = client
        .call(&mut sim, |c| c.putrootfh().readdir(readdir(0, 16)))
        .all_ok();
    assert!(
        ok!(reply, ReadDir).eof,
        "an empty directory has no first entry"
    );
    client
        .call(&mut sim, |c| c.putrootfh().create(mkdir(b"d")))
        .all_ok();
    let reply = client.call(&mut sim, |c| c.putrootfh().readdir(readdir(0, 16)));
    assert_eq!(reply.last(), (Op::ReadDir, Status::TOOSMALL));
}

#[test]
fn cookies_that_were_never_given_out_are_bad() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for cookie in [1, 2] {
        let reply = client.call(&mut sim, |c| c.putrootfh().readdir(readdir(cookie, 1000)));
        assert_eq!(reply.last(), (Op::ReadDir, Status::BAD_COOKIE));
    }
    // With cookie 0 any verifier will do.
    let args = args::ReadDir {
        cookieverf: Verifier(*b"whatever"),
        ..readdir(0, 1000)
    };
    client
        .call(&mut sim, |c| c.putrootfh().readdir(args))
        .all_ok();
}

#[test]
fn secinfo_consumes_the_filehandle() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    client
        .call(&mut sim, |c| c.putrootfh().create(mkdir(b"d")))
        .all_ok();
    let named = args::SecInfo { name: b"d" };
    let reply = client.call(&mut sim, |c| c.putrootfh().secinfo(named).getfh());
    assert_eq!(reply.last(), (Op::GetFh, Status::NOFILEHANDLE));
    let style = |style| args::SecInfoNoName { style };
    let current = style(SecInfoStyle::CurrentFh);
    let reply = client.call(&mut sim, |c| c.putrootfh().secinfo_no_name(current).getfh());
    assert_eq!(reply.last(), (Op::GetFh, Status::NOFILEHANDLE));
    // The root has no parent.
    let parent = style(SecInfoStyle::Parent);
    let reply = client.call(&mut sim, |c| c.putrootfh().secinfo_no_name(parent));
    assert_eq!(reply.last(), (Op::SecInfoNoName, Status::NOENT));
    let none = args::SecInfo { name: b"none" };
    let reply = client.call(&mut sim, |c| c.putrootfh().secinfo(none));
    assert_eq!(reply.last(), (Op::SecInfo, Status::NOENT));
}

#[test]
fn nothing_is_linked_or_renamed_from_one_export_to_another() {
    let mut sim = Sim::serving(&["/one", "/two"], |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let (one, two) = (lookup(b"one"), lookup(b"two"));
    let link = args::Create {
        objtype: CreateType::Symlink(b"target"),
        ..mkdir(b"s")
    };
    client
        .call(&mut sim, |c| c.putrootfh().lookup(one).create(link))
        .all_ok();
    let reply = client.call(&mut sim, |c| {
        let to = args::Link { newname: b"t" };
        c.putrootfh().lookup(one).lookup(lookup(b"s")).savefh();
        c.putrootfh().lookup(two).link(to)
    });
    assert_eq!(reply.last(), (Op::Link, Status::XDEV));
    let rename = args::Rename {
        oldname: b"s",
        newname: b"t",
    };
    let reply = client.call(&mut sim, |c| {
        c.putrootfh()
            .lookup(one)
            .savefh()
            .putrootfh()
            .lookup(two)
            .rename(rename)
    });
    assert_eq!(reply.last(), (Op::Rename, Status::XDEV));
    client
        .call(&mut sim, |c| {
            c.putrootfh().lookup(one).savefh().rename(rename)
        })
        .all_ok();
}

#[test]
fn linking_and_renaming_need_a_saved_filehandle() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let rename = args::Rename {
        oldname: b"s",
        newname: b"t",
    };
    let reply = client.call(&mut sim, |c| c.putrootfh().rename(rename));
    assert_eq!(reply.last(), (Op::Rename, Status::NOFILEHANDLE));
    let link = args::Link { newname: b"t" };
    let reply = client.call(&mut sim, |c| c.putrootfh().link(link));
    assert_eq!(reply.last(), (Op::Link, Status::NOFILEHANDLE));
}

#[test]
fn no_directory_is_delegated_and_the_client_is_told_so() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let at_once = Time {
        seconds: 0,
        nanos: 0,
    };
    let ask = |signal_deleg_avail| args::GetDirDelegation {
        signal_deleg_avail,
        notification_types: Bitmap::EMPTY,
        child_attr_delay: at_once,
        dir_attr_delay: at_once,
        child_attributes: Bitmap::EMPTY,
        dir_attributes: Bitmap::EMPTY,
    };
    let reply = client.call(&mut sim, |c| c.putrootfh().get_dir_delegation(ask(false)));
    let answer = ok!(reply.all_ok(), GetDirDelegation);
    assert_eq!(answer, res::GetDirDelegationOk::Unavailable(false));
    // One that waits for a signal would wait for ever.
    let reply = client.call(&mut sim, |c| c.putrootfh().get_dir_delegation(ask(true)));
    let last = (Op::GetDirDelegation, Status::DIRDELEG_UNAVAIL);
    assert_eq!(reply.last(), last);
    let reply = client.call(&mut sim, |c| {
        let file = open_args(b"o", b"f");
        let file = args::Open {
            openhow: args::OpenFlag::Create(args::CreateHow::Unchecked(FattrRaw::EMPTY)),
            ..file
        };
        c.putrootfh().open(file).get_dir_delegation(ask(false))
    });
    assert_eq!(reply.last(), (Op::GetDirDelegation, Status::NOTDIR));
}
