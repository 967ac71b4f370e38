//! The examples of the transports, each run as a user runs it, and short.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_proto::client::{CallCredential, CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::attr::FattrRaw;
use nfs4_proto::nfs4::{Stateid, Status, args};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::List;
use nfs4_tests::live::{Client, Connection, own_address};

/// A running example; killed when dropped.
struct Example {
    child: Child,
    address: SocketAddr,
}

impl Example {
    fn start(name: &str) -> Example {
        let address = own_address();
        let child = Command::new(binary(name))
            .arg(address.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut example = Example { child, address };
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            assert_eq!(example.child.try_wait().unwrap(), None, "{name} has ended");
            assert!(Instant::now() < patience, "{name} does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        example
    }

    /// What it has printed until it is killed.
    fn output(mut self) -> String {
        self.child.kill().unwrap();
        let mut text = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        stdout.read_to_string(&mut text).unwrap();
        text
    }

    /// Calls in minor version 0, which need neither a session nor an open.
    fn call(&self, build: impl FnOnce(&mut CompoundBuilder)) -> Vec<u8> {
        let superuser = CallCredential::Sys(AuthSys {
            stamp: 0,
            machinename: b"tests",
            uid: 0,
            gid: 0,
            gids: List::empty(),
        });
        let mut compound = CompoundBuilder::call(1, &superuser, b"", 0);
        build(&mut compound);
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(&compound.finish()).unwrap();
        let mut mark = [0; 4];
        stream.read_exact(&mut mark).unwrap();
        let mut reply = vec![0; (u32::from_be_bytes(mark) & 0x7fff_ffff) as usize];
        stream.read_exact(&mut reply).unwrap();
        reply
    }

    /// The content of the file at a path below the root.
    fn content(&self, path: &[&str]) -> Result<Vec<u8>, Status> {
        let read = args::Read {
            stateid: Stateid::ANONYMOUS,
            offset: 0,
            count: 1 << 16,
        };
        let reply = self.call(|c| {
            c.putrootfh();
            for name in path {
                let objname = name.as_bytes();
                c.lookup(args::Lookup { objname });
            }
            c.read(read);
        });
        let mut results = ReplyReader::parse(&reply).unwrap();
        results.putrootfh().unwrap();
        for _ in path {
            results.lookup().map_err(|why| why.status().unwrap())?;
        }
        let read = results.read().map_err(|why| why.status().unwrap())?;
        assert!(read.eof);
        Ok(read.data.to_vec())
    }

    fn link(&self, path: &[&str]) -> Vec<u8> {
        let reply = self.call(|c| {
            c.putrootfh();
            for name in path {
                let objname = name.as_bytes();
                c.lookup(args::Lookup { objname });
            }
            c.readlink();
        });
        let mut results = ReplyReader::parse(&reply).unwrap();
        results.putrootfh().unwrap();
        for _ in path {
            results.lookup().unwrap();
        }
        results.readlink().unwrap().link.to_vec()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cargo test` builds the examples of all packages that it tests.
fn binary(name: &str) -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    let found = folder.join("examples").join(name);
    assert!(
        found.exists(),
        "cargo test --workspace builds the example {name}"
    );
    found
}

#[test]
fn each_example_has_less_than_60_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for path in [
        "transport-tokio/examples/generated.rs",
        "transport-tokio/examples/objects.rs",
        "transport-tokio/examples/oneprocess.rs",
        // Beside it lies a key-value store, which stands for the embedder's own.
        "transport-std/examples/keyvalue/main.rs",
    ] {
        let lines = std::fs::read_to_string(root.join(path)).unwrap();
        let count = lines.lines().count();
        assert!(count < 60, "{path} has {count} lines");
    }
}

#[test]
fn a_tree_is_generated() {
    let example = Example::start("generated");
    assert_eq!(example.content(&["primes", "997"]).unwrap(), b"prime 997");
    assert_eq!(example.link(&["squares", "9"]), b"../primes/3");
    assert_eq!(example.content(&["primes", "4"]), Err(Status::NOENT));
}

#[test]
fn sixty_four_reads_take_one_latency() {
    let example = Example::start("objects");
    let began = Instant::now();
    thread::scope(|scope| {
        for object in 1..=64_u8 {
            let example = &example;
            scope.spawn(move || {
                let content = example.content(&[&object.to_string()]).unwrap();
                assert_eq!(content, [b'0' + object % 10; 4096]);
            });
        }
    });
    let took = began.elapsed();
    // One after the other, they take 6.4 s.
    let latency = Duration::from_millis(100);
    assert!(took >= latency && took < 20 * latency, "{took:?}");
    let printed = example.output();
    assert_eq!(printed.lines().count(), 64, "{printed}");
}

#[test]
fn values_are_written_and_read_by_their_keys() {
    let example = Example::start("keyvalue");
    let mut client = Client::on(Connection::new(example.address), Some(1));
    client.mount("writer", 1);
    let open = client.open("key");
    client.write(open, 0, b"first");
    client.write(open, 5, b" and second");
    client.close();
    assert_eq!(example.content(&["key"]).unwrap(), b"first and second");
    let rename = args::Rename {
        oldname: b"key",
        newname: b"other",
    };
    client.call(|c| c.putrootfh().savefh().rename(rename));
    assert_eq!(example.content(&["key"]), Err(Status::NOENT));
    client.unlink("other");
    assert_eq!(example.content(&["other"]), Err(Status::NOENT));
    client.unmount();
}

#[test]
fn the_servers_own_client_makes_a_link_that_others_see() {
    let example = Example::start("oneprocess");
    let patience = Instant::now() + Duration::from_secs(10);
    while example.content(&["hello"]) == Err(Status::NOENT) {
        assert!(Instant::now() < patience, "no link");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(example.link(&["hello"]), b"of the same process");
    let directory = args::Create {
        objtype: args::CreateType::Directory,
        objname: b"folder",
        createattrs: FattrRaw::EMPTY,
    };
    let reply = example.call(|c| {
        c.putrootfh().create(directory);
    });
    ReplyReader::parse(&reply).unwrap().finish().unwrap();
}
