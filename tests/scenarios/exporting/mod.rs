//! Exports that are added, changed and removed while clients use them, and the hosts that may use each.

mod change;
mod ending;
mod flavors;
mod meanwhile;
mod networks;

use std::sync::Arc;

use nfs4_engine::fs::Backend;
use nfs4_engine::{Admin, Export};
use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::{Bitmap, Op, Status, Verifier, args};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Fs, Reply, Sim};

/// An export of a file system of its own.
fn export(path: &str) -> (Export, Arc<Fs>) {
    let fs = Arc::new(Fs::numbered(77));
    let backend = Arc::clone(&fs) as Arc<dyn Backend>;
    (Export::new(path, backend), fs)
}

fn put(sim: &mut Sim, export: &Export) {
    sim.admin(Admin::PutExport(Box::new(export.clone())));
}

fn remove(sim: &mut Sim, path: &str) {
    let path = path.to_owned();
    sim.admin(Admin::RemoveExport { path });
}

/// Goes from the root along a path.
fn walk<'a>(c: &'a mut CompoundBuilder, path: &str) -> &'a mut CompoundBuilder {
    let names = path.split('/').filter(|name| !name.is_empty());
    names.fold(c.putrootfh(), |c, name| {
        c.lookup(args::Lookup {
            objname: name.as_bytes(),
        })
    })
}

/// The filehandle of a path.
#[track_caller]
fn handle(sim: &mut Sim, client: &mut Client, path: &str) -> Vec<u8> {
    let reply = client.call(sim, |c| walk(c, path).getfh()).all_ok();
    ok!(reply, GetFh).object.to_vec()
}

/// The last operation of a walk along a path, and its status.
#[track_caller]
fn reached(sim: &mut Sim, client: &mut Client, path: &str) -> (Op, Status) {
    client.call(sim, |c| walk(c, path).getfh()).last()
}

/// The names in a directory.
#[track_caller]
fn names(sim: &mut Sim, client: &mut Client, path: &str) -> Vec<String> {
    let list = args::ReadDir {
        cookie: 0,
        cookieverf: Verifier([0; 8]),
        dircount: 4096,
        maxcount: 4096,
        attr_request: Bitmap::of(&[num::RDATTR_ERROR]),
    };
    let reply = client.call(sim, |c| walk(c, path).readdir(list)).all_ok();
    let entries = ok!(reply, ReadDir).entries;
    let mut names: Vec<String> = entries
        .iter()
        .map(|entry| String::from_utf8_lossy(entry.name).into_owned())
        .collect();
    names.sort();
    names
}

/// The status of a GETATTR of a filehandle.
fn looked_at(sim: &mut Sim, client: &mut Client, fh: &[u8]) -> (Op, Status) {
    on(sim, client, fh, |c| {
        c.getattr(args::GetAttr {
            attr_request: Bitmap::of(&[num::CHANGE]),
        })
    })
    .last()
}

fn on(
    sim: &mut Sim,
    client: &mut Client,
    object: &[u8],
    build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
) -> Reply {
    client.call(sim, |c| build(c.putfh(args::PutFh { object })))
}

/// The change attribute and the fileid of a directory.
#[track_caller]
fn change_and_fileid(sim: &mut Sim, client: &mut Client, path: &str) -> (u64, u64) {
    use nfs4_proto::nfs4::attr::AttrValue;

    let wanted = args::GetAttr {
        attr_request: Bitmap::of(&[num::CHANGE, num::FILEID]),
    };
    let reply = client.call(sim, |c| walk(c, path).getattr(wanted)).all_ok();
    let attrs = ok!(reply, GetAttr).obj_attributes;
    match (attrs.get(num::CHANGE), attrs.get(num::FILEID)) {
        (Some(AttrValue::Change(change)), Some(AttrValue::Fileid(fileid))) => (change, fileid),
        other => panic!("{other:?}"),
    }
}
