//! A session of two clients with a server on sockets that records.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use nfs4_driver::{Limits, Node, Recording, SystemClock};
use nfs4_engine::Config;
use nfs4_proto::nfs4::{Bitmap, FattrRaw, Verifier, args};
use nfs4_tests::live::{Client, Connection, Serving, Transport, engine_of};
use nfs4_vfs::{MemFs, MemFsConfig};

/// A log in memory.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<u8>>>);

impl Write for Shelf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("nothing panics")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the clients write, and the name of the file they write to.
pub(crate) const SECRET: &[u8] = b"the contents of a file";
pub(crate) const NAME: &str = "name-of-a-file";

/// The log of a server of which one client has delegations recalled by the other.
pub(crate) fn of_two_clients(on: Transport) -> Vec<u8> {
    let shelf = Shelf::default();
    let clock = Arc::new(SystemClock::new());
    let root = Arc::new(MemFs::new(MemFsConfig::new(1, 16 << 20).with(|files| {
        files.root_mode = 0o777;
    })));
    let engine = engine_of(Config::default(), root, &*clock);
    let recording = Recording::to(shelf.clone()).expect("a thread");
    let node = Node::recorded(engine, Limits::default(), clock, recording).expect("limits");
    let server = Serving::start(on, node.clone());
    let mut holder = Client::on(Connection::new(server.address), Some(1));
    holder.reachable = true;
    holder.mount("holder", 1);
    let mut other = Client::on(Connection::new(server.address), Some(1));
    other.minor = 2;
    other.mount("other", 1);
    for round in 0..5 {
        let name = format!("{NAME}-{round}");
        let opened = holder.try_open(&name).expect("it is made");
        holder.write(opened.stateid, 0, SECRET);
        holder.read(opened.stateid, 0, SECRET.len() as u32);
        if opened.delegation.is_some() {
            // It is told DELAY, and the holder is asked for the delegation.
            assert!(other.try_open(&name).is_err());
        }
    }
    let list = args::ReadDir {
        cookie: 0,
        cookieverf: Verifier([0; 8]),
        dircount: 4_096,
        maxcount: 65_536,
        attr_request: Bitmap::default(),
    };
    other.status(|c| c.putrootfh().readdir(list));
    other.status(|c| {
        c.putrootfh().create(args::Create {
            objtype: args::CreateType::Symlink(SECRET),
            objname: b"link",
            createattrs: FattrRaw {
                mask: Bitmap::default(),
                values: &[],
            },
        })
    });
    other.status(|c| {
        c.putrootfh()
            .lookup(args::Lookup { objname: b"link" })
            .readlink()
    });
    other.unmount();
    drop((holder, other));
    server.end();
    node.end_recording().expect("memory is written");
    shelf.0.lock().expect("nothing panics").clone()
}
