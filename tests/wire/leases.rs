//! Delegations of files of a directory, which processes of this machine use, too.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nfs4_driver::engine::proto::nfs4::basic::StableHow;
use nfs4_driver::engine::proto::nfs4::res::OpenDelegation;
use nfs4_driver::engine::proto::nfs4::{Op, Stateid, Status, args};
use nfs4_driver::engine::{Config, Now};
use nfs4_driver::{Limits, ManualClock};
use nfs4_vfs::{LocalFs, LocalFsConfig};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::caller::{CLOSE, Caller, open};
use crate::delegations::{delegation, give_back, opens, reachable, recalled};
use crate::server::{Running, Transport, node_of};

/// A server of a directory, in which a client has a write delegation of the file "f".
struct Play {
    folder: PathBuf,
    server: Running,
    clock: Arc<ManualClock>,
    holder: Caller,
    held: Stateid,
    fh: Vec<u8>,
}

impl Play {
    async fn begin(on: Transport) -> Play {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("nfs4-leases-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let files = LocalFs::open(LocalFsConfig::new(folder.clone(), [7; 16])).unwrap();
        let clock = Arc::new(ManualClock::new(Now::default()));
        let files = Arc::new(files);
        let node = node_of(
            Config::default(),
            Limits::default(),
            files,
            Arc::clone(&clock) as _,
        );
        let server = Running::share(on, node).await;
        let mut holder = reachable(&server, b"holder").await;
        let reply = opens(&mut holder, b"f").await.all_ok();
        let held = delegation(&reply).expect("a delegation");
        let fh = reply.after(2).getfh().unwrap().object.to_vec();
        Play {
            folder,
            server,
            clock,
            holder,
            held,
            fh,
        }
    }

    /// A process that opens the file to read it.
    fn reader(&self) -> JoinHandle<Vec<u8>> {
        let path = self.folder.join("f");
        spawn_blocking(move || fs::read(path).unwrap())
    }

    /// The holder is called for the delegation, and says OK.
    async fn recalled(&mut self) {
        let callback = self.holder.peer.record().await.unwrap();
        let answer = recalled(&callback, self.held, &self.fh);
        self.holder.peer.send(&answer).await;
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a process has read, once it was let in.
async fn read(reader: JoinHandle<Vec<u8>>) -> Vec<u8> {
    timeout(LONG, reader).await.expect("it waits").unwrap()
}

on_each!(a_process_that_opens_a_delegated_file_waits_until_the_client_has_written_it_back);

async fn a_process_that_opens_a_delegated_file_waits_until_the_client_has_written_it_back(
    on: Transport,
) {
    let mut play = Play::begin(on).await;
    let reader = play.reader();
    play.recalled().await;
    let write = args::Write {
        stateid: play.held,
        offset: 0,
        stable: StableHow::FileSync,
        data: b"cached",
    };
    let object = args::PutFh { object: &play.fh };
    let reply = play.holder.call(|c| c.putfh(object).write(write)).await;
    reply.all_ok();
    assert!(!reader.is_finished(), "the delegation is not back");
    give_back(&mut play.holder, &play.fh, play.held).await;
    assert_eq!(read(reader).await, b"cached");
}

on_each!(a_process_waits_no_longer_than_the_client_may_take);

async fn a_process_waits_no_longer_than_the_client_may_take(on: Transport) {
    let mut play = Play::begin(on).await;
    let reader = play.reader();
    play.recalled().await;
    // The client does not return it, and renews its lease.
    for _ in 0..2 {
        assert!(!reader.is_finished());
        play.clock.advance(Config::default().lease / 2);
        let call = play.holder.request(0, |c| c);
        play.holder.peer.send(&call).await;
        play.holder.reply_past_callbacks().await.all_ok();
    }
    assert_eq!(read(reader).await, b"");
    let object = args::PutFh { object: &play.fh };
    let back = args::DelegReturn {
        deleg_stateid: play.held,
    };
    let reply = play
        .holder
        .call(|c| c.putfh(object).delegreturn(back))
        .await;
    assert_eq!(reply.last(), (Op::DelegReturn, Status::DELEG_REVOKED));
}

on_each!(a_file_that_a_process_has_open_is_not_delegated);

async fn a_file_that_a_process_has_open_is_not_delegated(on: Transport) {
    let play = Play::begin(on).await;
    let path = play.folder.join("g");
    fs::write(&path, "content").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let reader = fs::File::open(&path).unwrap();
    let mut client = reachable(&play.server, b"other").await;
    let reply = opens(&mut client, b"g").await.all_ok();
    assert_eq!(delegation(&reply), None);
    drop(reader);
    let reply = opens(&mut client, b"g").await.all_ok();
    assert!(delegation(&reply).is_some());
}

on_each!(clients_share_files_as_without_processes);

async fn clients_share_files_as_without_processes(on: Transport) {
    let mut play = Play::begin(on).await;
    let mut other = reachable(&play.server, b"other").await;
    let refused = other.call(|c| c.putrootfh().open(open(b"f"))).await;
    assert_eq!(refused.last(), (Op::Open, Status::DELAY));
    play.recalled().await;
    give_back(&mut play.holder, &play.fh, play.held).await;
    let reply = other
        .call(|c| c.putrootfh().open(open(b"f")).close(CLOSE))
        .await;
    reply.all_ok();
}

on_each!(a_client_opens_what_it_has_delegated_to_read_to_write_without_a_recall);

async fn a_client_opens_what_it_has_delegated_to_read_to_write_without_a_recall(on: Transport) {
    let mut play = Play::begin(on).await;
    let by = |share_access| args::Open {
        share_access,
        ..open(b"g")
    };
    let reply = play
        .holder
        .call(|c| c.putrootfh().open(by(1)).getfh())
        .await
        .all_ok();
    let OpenDelegation::Read(held) = reply.after(1).open().unwrap().delegation else {
        panic!("it is delegated to read");
    };
    play.held = held.stateid;
    play.fh = reply.after(2).getfh().unwrap().object.to_vec();
    let reply = play.holder.call(|c| c.putrootfh().open(by(2))).await;
    reply.all_ok();
    // Another client that does the same waits for the first.
    let mut other = reachable(&play.server, b"other").await;
    let refused = other.call(|c| c.putrootfh().open(by(2))).await;
    assert_eq!(refused.last(), (Op::Open, Status::DELAY));
    play.recalled().await;
    give_back(&mut play.holder, &play.fh, play.held).await;
    other
        .call(|c| c.putrootfh().open(by(2)).close(CLOSE))
        .await
        .all_ok();
}

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(20);
