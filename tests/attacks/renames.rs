//! Renames between directories that lie deep.

use std::thread;
use std::time::{Duration, Instant};

use nfs4_driver::Limits;
use nfs4_driver::engine::Config;
use nfs4_proto::client::ReplyReader;
use nfs4_proto::nfs4::args::{self, CreateType};
use nfs4_proto::nfs4::{FattrRaw, Status};
use nfs4_tests::live::{Client, Connection, Latencies, Scene, Transport};

use crate::peer;

on_each!(renames_far_down_are_refused_or_short_and_delay_no_others);

/// One peer renames between directories beyond and before the deepest that is walked up from, and
/// names that are not there; another renames between two directories of the root.
fn renames_far_down_are_refused_or_short_and_delay_no_others(on: Transport) {
    let name = "renames between deep directories";
    let mut scene = Scene::start(name, on, Config::default(), Limits::default());
    let mut deep = client(&scene, 2);
    let dirs = dig(&mut deep, DEPTH);
    let (far, near, side) = (&dirs[DEPTH - 1], &dirs[DEEPEST - 1], &dirs[0]);
    let told = scene.attack(|scene, until| {
        let mut other = client(scene, 3);
        let own: Vec<_> = ["one", "two"]
            .map(|name| make(&mut other, None, name))
            .into();
        make(&mut other, Some(&own[0]), "moved");
        let (refused, took) = thread::scope(|threads| {
            let attacker = threads.spawn(|| {
                let mut refused = 0;
                while Instant::now() < until {
                    assert_eq!(rename(&mut deep, far, "d", side), Status::NOENT);
                    assert_eq!(rename(&mut deep, near, "gone", side), Status::NOENT);
                    assert_eq!(rename(&mut deep, side, "file", far), Status::NAMETOOLONG);
                    assert_eq!(rename(&mut deep, side, "file", near), Status::OK);
                    assert_eq!(rename(&mut deep, near, "file", side), Status::OK);
                    refused += 3;
                }
                refused
            });
            let mut took = Vec::new();
            while Instant::now() < until {
                for [from, to] in [[0, 1], [1, 0]] {
                    let start = Instant::now();
                    let done = rename(&mut other, &own[from], "moved", &own[to]);
                    assert_eq!(done, Status::OK);
                    took.push(start.elapsed());
                }
                thread::sleep(Duration::from_millis(1));
            }
            (attacker.join().unwrap(), Latencies::of(took))
        });
        remove(&mut other, Some(&own[0]), "moved");
        for name in ["one", "two"] {
            remove(&mut other, None, name);
        }
        other.unmount();
        format!("NAMETOOLONG or NOENT {refused} times; renames of another p50/p99/max {took}")
    });
    deep.unmount();
    drop(deep);
    scene.end(format!("{DEEPEST} directories above"), told);
}

fn client(scene: &Scene, host: u8) -> Client {
    let connection = Connection::from(peer(host), scene.address());
    let mut client = Client::on(connection, Some(host.into()));
    client.mount(&format!("client {host}"), 1);
    client
}

/// Directories of which each lies in the one before; the first has a file.
fn dig(client: &mut Client, depth: usize) -> Vec<Vec<u8>> {
    let mut dirs: Vec<Vec<u8>> = Vec::new();
    for _ in 0..depth {
        dirs.push(make(client, dirs.last().map(Vec::as_slice), "down"));
    }
    make(client, Some(&dirs[0]), "file");
    dirs
}

/// Makes a directory, in the root if none is named, and gives its filehandle.
fn make(client: &mut Client, dir: Option<&[u8]>, name: &str) -> Vec<u8> {
    let create = args::Create {
        objtype: CreateType::Directory,
        objname: name.as_bytes(),
        createattrs: FattrRaw::EMPTY,
    };
    let reply = client.call(|c| {
        match dir {
            Some(object) => c.putfh(args::PutFh { object }),
            None => c.putrootfh(),
        };
        c.create(create).getfh()
    });
    let mut results = ReplyReader::parse(&reply).unwrap();
    results.sequence().unwrap();
    match dir {
        Some(_) => results.putfh().unwrap(),
        None => results.putrootfh().unwrap(),
    };
    results.create().unwrap();
    results.getfh().unwrap().object.to_vec()
}

fn remove(client: &mut Client, dir: Option<&[u8]>, name: &str) {
    let target = name.as_bytes();
    client.call(|c| {
        match dir {
            Some(object) => c.putfh(args::PutFh { object }),
            None => c.putrootfh(),
        };
        c.remove(args::Remove { target })
    });
}

/// How a RENAME ends that keeps the name.
fn rename(client: &mut Client, from: &[u8], name: &str, to: &[u8]) -> Status {
    let (from, to) = (args::PutFh { object: from }, args::PutFh { object: to });
    let name = name.as_bytes();
    let rename = args::Rename {
        oldname: name,
        newname: name,
    };
    client.in_session(|c| c.putfh(from).savefh().putfh(to).rename(rename))
}

const DEPTH: usize = 3_000;
/// From so deep MemFs looks up for what is above.
const DEEPEST: usize = 2_048;
