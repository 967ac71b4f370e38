//! Exports are added, changed and removed by the administrator.

use std::sync::Arc;

use nfs4_engine::fs::{Flavor, FsHandle};
use nfs4_engine::{
    Admin, AdminFault, Cidr, Event, Export, ExportFault, ExportFaults, NetworkRule, Squash,
};
use nfs4_proto::nfs4::basic::{StableHow, Stateid};
use nfs4_proto::nfs4::{Op, Status, args};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Sim, making_args};

use super::{change_and_fileid, export, handle, looked_at, names, on, put, reached, remove};

fn faults(fault: AdminFault) -> Vec<ExportFault> {
    match fault {
        AdminFault::Exports(ExportFaults(faults)) => faults,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_export_is_added_and_clients_find_it() {
    let mut sim = Sim::serving(&["/srv/a"], |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let before = change_and_fileid(&mut sim, &mut client, "/srv");
    let (srv, a) = (
        handle(&mut sim, &mut client, "/srv"),
        handle(&mut sim, &mut client, "/srv/a"),
    );
    sim.take_events();
    let (home, fs) = export("/srv/home");
    put(&mut sim, &home);
    let added = Event::ExportAdded {
        path: "/srv/home".to_owned(),
        number: 1,
    };
    assert_eq!(sim.take_events(), [added]);
    assert_eq!(names(&mut sim, &mut client, "/srv"), ["a", "home"]);
    let made = handle(&mut sim, &mut client, "/srv/home");
    assert_eq!(made[..3], [1, 0, 1], "its number is in its handles");
    let making = making_args(b"o", b"f");
    on(&mut sim, &mut client, &made, |c| c.open(making)).all_ok();
    assert_eq!(fs.held(), 1);
    // What was known before is as it was, but for the change attribute of the directories.
    for fh in [&srv, &a] {
        assert_eq!(looked_at(&mut sim, &mut client, fh).1, Status::OK);
    }
    assert_eq!(handle(&mut sim, &mut client, "/srv"), srv);
    let after = change_and_fileid(&mut sim, &mut client, "/srv");
    assert!(after.0 > before.0 && after.1 == before.1);
    let views = sim.engine().exports();
    let seen: Vec<_> = views
        .iter()
        .map(|view| (&*view.path, view.number, view.clients, view.opens))
        .collect();
    assert_eq!(seen, [("/srv/a", 0, 1, 0), ("/srv/home", 1, 1, 1)]);
    sim.assert_nothing_is_left();
}

#[test]
fn other_options_hold_from_the_next_operation_on() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let (shared, _fs) = export("/");
    sim.admin(Admin::SetExports(vec![shared.clone()]));
    let root = handle(&mut sim, &mut client, "/");
    let make = |sim: &mut Sim, client: &mut Client, name: &[u8]| {
        let making = making_args(b"o", name);
        on(sim, client, &root, |c| c.open(making)).last()
    };
    assert_eq!(make(&mut sim, &mut client, b"f").1, Status::OK);
    sim.take_events();
    let changed = shared.clone().with(|export| {
        export.read_only = true;
        export.squash = Squash::All;
        export.anonymous = (7, 8);
    });
    put(&mut sim, &changed);
    let event = Event::ExportChanged {
        path: "/".to_owned(),
        number: 1,
        options: ["read_only", "squash", "anonymous"]
            .map(String::from)
            .to_vec(),
    };
    assert_eq!(sim.take_events(), [event]);
    assert_eq!(make(&mut sim, &mut client, b"g"), (Op::Open, Status::ROFS));
    put(&mut sim, &changed);
    assert_eq!(sim.take_events(), [], "nothing is different");
    put(&mut sim, &shared);
    assert_eq!(make(&mut sim, &mut client, b"g").1, Status::OK);
    sim.assert_nothing_is_left();
}

#[test]
fn handles_of_a_removed_export_are_stale_until_it_is_back_under_its_number() {
    let mut sim = Sim::serving(&["/a"], |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let (b, fs) = export("/b");
    let b = b.with(|export| export.number = Some(65_534));
    put(&mut sim, &b);
    let fh = handle(&mut sim, &mut client, "/b");
    remove(&mut sim, "/b");
    assert_eq!(
        looked_at(&mut sim, &mut client, &fh),
        (Op::PutFh, Status::STALE)
    );
    assert_eq!(
        reached(&mut sim, &mut client, "/b"),
        (Op::Lookup, Status::NOENT)
    );
    assert_eq!(names(&mut sim, &mut client, "/"), ["a"]);
    sim.run_timers();
    put(&mut sim, &b);
    assert_eq!(looked_at(&mut sim, &mut client, &fh).1, Status::OK);
    // Without a number it gets one that none has had.
    remove(&mut sim, "/b");
    sim.run_timers();
    put(&mut sim, &b.clone().with(|export| export.number = None));
    let other = handle(&mut sim, &mut client, "/b");
    assert_eq!((&other[..3], &other[3..]), (&[1, 0, 1][..], &fh[3..]));
    assert_eq!(looked_at(&mut sim, &mut client, &fh).1, Status::STALE);
    drop(b);
    remove(&mut sim, "/b");
    sim.run_timers();
    assert_eq!(Arc::strong_count(&fs), 1, "the engine has dropped it");
    sim.assert_nothing_is_left();
}

#[test]
fn exports_that_swap_their_paths_keep_their_files() {
    let mut sim = Sim::serving(&["/a"], |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let ((one, _first), (two, _second)) = (export("/x/one"), export("/x/two"));
    sim.admin(Admin::SetExports(vec![one.clone(), two.clone()]));
    let roots = ["/x/one", "/x/two"].map(|path| handle(&mut sim, &mut client, path));
    let making = making_args(b"o", b"f");
    let open = on(&mut sim, &mut client, &roots[0], |c| c.open(making).getfh()).all_ok();
    let (fh, stateid) = (ok!(open, GetFh).object.to_vec(), ok!(open, Open).stateid);
    let at = |export: &Export, path: &str| export.clone().with(|it| it.path = path.to_owned());
    sim.admin(Admin::SetExports(vec![
        at(&one, "/x/two"),
        at(&two, "/x/one"),
    ]));
    sim.run_timers();
    let swapped = ["/x/two", "/x/one"].map(|path| handle(&mut sim, &mut client, path));
    assert_eq!(swapped, roots);
    // Open as before, and its root is below the same directory.
    let write = args::Write {
        stateid,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"data",
    };
    on(&mut sim, &mut client, &fh, |c| c.write(write)).all_ok();
    let reply = on(&mut sim, &mut client, &roots[0], |c| c.lookupp().getfh()).all_ok();
    let above = ok!(reply, GetFh).object.to_vec();
    assert_eq!(above, handle(&mut sim, &mut client, "/x"));
    sim.assert_nothing_is_left();
}

/// The file system in the place of another one counts losses anew, and may have taken what the other one had
/// not told.
#[test]
fn what_was_written_before_an_export_was_away_is_written_again() {
    let mut sim = Sim::serving(&["/a"], |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let write = args::Write {
        stateid: Stateid::ANONYMOUS,
        offset: 0,
        stable: StableHow::Unstable,
        data: b"data",
    };
    let all = args::Commit {
        offset: 0,
        count: 0,
    };
    let mut verifiers = Vec::new();
    for _ in 0..3 {
        let (b, _fs) = export("/b");
        put(&mut sim, &b.with(|export| export.number = Some(7)));
        let root = handle(&mut sim, &mut client, "/b");
        let making = making_args(b"o", b"f");
        let reply = on(&mut sim, &mut client, &root, |c| c.open(making).getfh());
        let fh = ok!(reply.all_ok(), GetFh).object.to_vec();
        let reply = on(&mut sim, &mut client, &fh, |c| c.commit(all)).all_ok();
        let before = ok!(reply, Commit).writeverf;
        let reply = on(&mut sim, &mut client, &fh, |c| c.write(write)).all_ok();
        assert_eq!(ok!(reply, Write).writeverf, before, "nothing was lost");
        verifiers.push(before.0);
        remove(&mut sim, "/b");
        sim.run_timers();
    }
    verifiers.sort_unstable();
    verifiers.dedup();
    assert_eq!(verifiers.len(), 3);
    sim.assert_nothing_is_left();
}

#[test]
fn another_file_system_at_a_path_is_another_export() {
    let mut sim = Sim::serving(&["/a", "/b"], |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let old = handle(&mut sim, &mut client, "/a");
    sim.take_events();
    let (other, _fs) = export("/a");
    put(&mut sim, &other);
    let [removed, added] = [(0, true), (2, false)].map(|(number, removed)| {
        let path = "/a".to_owned();
        match removed {
            true => Event::ExportRemoved { path, number },
            false => Event::ExportAdded { path, number },
        }
    });
    assert_eq!(sim.take_events(), [removed, added]);
    assert_eq!(looked_at(&mut sim, &mut client, &old).1, Status::STALE);
    let new = handle(&mut sim, &mut client, "/a");
    assert_eq!(new[..3], [1, 0, 2]);
    sim.assert_nothing_is_left();
}

#[test]
fn with_an_export_at_the_root_there_is_no_other() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let (b, _fs) = export("/b");
    let fault = sim.refused(Admin::PutExport(Box::new(b.clone())));
    let overlap = ExportFault::Overlap("/".to_owned(), "/b".to_owned());
    assert_eq!(faults(fault), [overlap]);
    remove(&mut sim, "/");
    assert_eq!(
        names(&mut sim, &mut client, "/"),
        [""; 0],
        "nothing is exported"
    );
    put(&mut sim, &b);
    assert_eq!(names(&mut sim, &mut client, "/"), ["b"]);
    sim.assert_nothing_is_left();
}

#[test]
fn a_list_of_exports_takes_effect_as_a_whole_or_not_at_all() {
    let mut sim = Sim::serving(&["/gone"], |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let [(a, _one), (b, _two), (c, _three)] = ["/a", "/b", "/c"].map(export);
    sim.admin(Admin::SetExports(vec![a.clone(), b.clone()]));
    assert_eq!(names(&mut sim, &mut client, "/"), ["a", "b"]);
    let fh = handle(&mut sim, &mut client, "/a");
    // It keeps its handles at another path.
    let moved = a.clone().with(|export| export.path = "/b/a".to_owned());
    let list = vec![moved.clone(), b.clone(), c.clone()];
    let fault = sim.refused(Admin::SetExports(list));
    let overlap = ExportFault::Overlap("/b".to_owned(), "/b/a".to_owned());
    assert_eq!(faults(fault), [overlap]);
    sim.admin(Admin::SetExports(vec![moved, c]));
    assert_eq!(names(&mut sim, &mut client, "/"), ["b", "c"]);
    assert_eq!(handle(&mut sim, &mut client, "/b/a"), fh);
    assert_eq!(looked_at(&mut sim, &mut client, &fh).1, Status::OK);
    sim.assert_nothing_is_left();
}

#[test]
fn all_that_is_wrong_with_an_export_is_told() {
    let mut sim = Sim::serving(&["/a", "/b"], |_| {});
    let (good, _fs) = export("/x");
    let name = || "/x".to_owned();
    let network: Cidr = "192.0.2.0/24".parse().unwrap();
    let anonymous = |export: &mut Export| export.anonymous = (1, u32::MAX);
    let versions = |export: &mut Export| export.minor_versions = 1..=3;
    let flavors = |export: &mut Export| export.flavors = vec![Flavor::Sys; 2];
    let none = |export: &mut Export| export.flavors = Vec::new();
    let twice = |export: &mut Export| export.access = vec![NetworkRule::new(network); 2];
    let reserved = |export: &mut Export| export.number = Some(u16::MAX);
    let taken = |export: &mut Export| export.number = Some(1);
    let within = |export: &mut Export| export.path = "/a/x".to_owned();
    type Case<'a> = (&'a dyn Fn(&mut Export), ExportFault);
    let cases: [Case<'_>; 8] = [
        (&anonymous, ExportFault::Anonymous(name())),
        (&versions, ExportFault::MinorVersions(name(), 1, 3)),
        (&flavors, ExportFault::Flavors(name())),
        (&none, ExportFault::Flavors(name())),
        (&twice, ExportFault::Network(name(), network)),
        (&reserved, ExportFault::Number(name())),
        (
            &within,
            ExportFault::Overlap("/a".to_owned(), "/a/x".to_owned()),
        ),
        (
            &|export| {
                export.access = (0..4097_u32)
                    .map(|bits| {
                        NetworkRule::new(
                            Cidr::new(std::net::Ipv4Addr::from(bits).into(), 32).unwrap(),
                        )
                    })
                    .collect();
            },
            ExportFault::TooManyNetworks,
        ),
    ];
    for (change, fault) in cases {
        let wrong = good.clone().with(change);
        let told = sim.refused(Admin::PutExport(Box::new(wrong)));
        assert_eq!(faults(told), [fault]);
    }
    let wrong = good.clone().with(taken);
    let told = faults(sim.refused(Admin::PutExport(Box::new(wrong))));
    let both = ExportFault::NumberTaken("/b".to_owned(), name(), 1);
    assert!(told.contains(&both), "{told:?}");
    put(&mut sim, &good);
    let other = good.clone().with(|export| export.number = Some(9));
    let told = sim.refused(Admin::PutExport(Box::new(other)));
    assert_eq!(faults(told), [ExportFault::Renumbered(name(), 2)]);
    let twice = good.with(|export| export.path = "/y".to_owned());
    let told = sim.refused(Admin::PutExport(Box::new(twice)));
    assert_eq!(faults(told), [ExportFault::Shared(name(), "/y".to_owned())]);
    let path = "/z".to_owned();
    let told = sim.refused(Admin::RemoveExport { path: path.clone() });
    assert_eq!(told, AdminFault::NoExport(path));
    sim.assert_nothing_is_left();
}

#[test]
fn a_listing_goes_on_where_it_was_whatever_is_exported_meanwhile() {
    use nfs4_proto::nfs4::{Bitmap, Verifier, args};
    use nfs4_tests::ok;

    let paths: Vec<String> = (0..60).map(|number| format!("/e{number}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let mut sim = Sim::serving(&paths, |_| {});
    let mut client = Client::mounted(&mut sim, "a");
    let (mut seen, mut cookie, mut round) = (Vec::new(), 0, 0);
    let mut kept = Vec::new();
    loop {
        let list = args::ReadDir {
            cookie,
            cookieverf: Verifier([0; 8]),
            dircount: 4096,
            maxcount: 300,
            attr_request: Bitmap::of(&[]),
        };
        let reply = client
            .call(&mut sim, |c| c.putrootfh().readdir(list))
            .all_ok();
        let ok = ok!(reply, ReadDir);
        for entry in ok.entries.iter() {
            seen.push(String::from_utf8(entry.name.to_vec()).unwrap());
            cookie = entry.cookie;
        }
        if ok.eof {
            break;
        }
        remove(&mut sim, paths[round]);
        let (more, fs) = export(&format!("/more{round}"));
        put(&mut sim, &more);
        kept.push(fs);
        round += 1;
    }
    assert!(round > 4, "{round}");
    for path in &paths[round..] {
        let times = seen.iter().filter(|name| **name == path[1..]).count();
        assert_eq!(times, 1, "{path}");
    }
    sim.assert_nothing_is_left();
}

#[test]
fn a_program_beside_the_server_names_an_export_by_its_number() {
    let mut sim = Sim::serving(&["/a", "/b"], |export| {
        export.number = Some(if export.path == "/a" { 500 } else { 3 });
    });
    let mut client = Client::mounted(&mut sim, "a");
    let fh = handle(&mut sim, &mut client, "/a");
    assert_eq!(fh[..3], [1, 1, 244]);
    let inner = FsHandle::new(&fh[3..]).unwrap();
    assert!(
        sim.engine()
            .may_touch(500, inner, nfs4_engine::Touch::Change)
    );
    sim.assert_nothing_is_left();
}
