//! A client of any version, as a well-behaved one uses it: what is told DELAY is sent again, what is
//! recalled is given back, and everything else must succeed.

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use nfs4_proto::client::{CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::args::{self, CreateHow, Locker, OpenClaim, OpenFlag, OpenToLockOwner};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::LockType;
use nfs4_proto::nfs4::consts::{
    SEQ4_STATUS_ADMIN_STATE_REVOKED, SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED,
    SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED, SEQ4_STATUS_RECALLABLE_STATE_REVOKED,
};
use nfs4_proto::nfs4::res::OpenDelegation;
use nfs4_proto::nfs4::{Bitmap, ClientId, FattrRaw, Owner, StableHow, Stateid, Status};
use nfs4_tests::live::{BackChannel, Client, Client40, Connection};

use super::names::directory;
use super::tally::Tally;

/// A client's identity: its address is its own.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) server: SocketAddr,
    pub(crate) from: IpAddr,
    pub(crate) uid: u32,
    pub(crate) minor: u32,
    pub(crate) name: String,
}

/// A mounted client.
pub(crate) struct Mount<'a> {
    identity: Identity,
    tally: &'a Tally,
    client: Version,
    /// What was delegated and has not been given back.
    delegations: Vec<(Stateid, Vec<u8>)>,
    lockers: u64,
}

enum Version {
    Old(Client40),
    New(Client),
}

/// A file that is open.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) fh: Vec<u8>,
    pub(crate) stateid: Stateid,
}

/// A range that is locked.
pub(crate) struct Locked {
    stateid: Stateid,
    owner: Vec<u8>,
    range: (u64, u64),
}

impl<'a> Mount<'a> {
    /// Mounts; another incarnation than before is a reboot.
    pub(crate) fn new(identity: &Identity, incarnation: u8, tally: &'a Tally) -> Mount<'a> {
        let connection = Connection::from(identity.from, identity.server);
        let client = if identity.minor == 0 {
            let mut client = Client40::on(connection, identity.uid);
            client.listen(identity.from);
            client.mount(&identity.name, incarnation);
            Version::Old(client)
        } else {
            let mut client = Client::on(connection, Some(identity.uid));
            client.minor = identity.minor;
            client.reachable = true;
            client.cachethis = false;
            client.mount(&identity.name, incarnation);
            Version::New(client)
        };
        Mount {
            identity: identity.clone(),
            tally,
            client,
            delegations: Vec::new(),
            lockers: 0,
        }
    }

    /// Goes on by another connection, as after a fault of the network.
    pub(crate) fn reconnect(&mut self) {
        let connection = Connection::from(self.identity.from, self.identity.server);
        match &mut self.client {
            Version::Old(client) => client.connection = connection,
            Version::New(client) => client.come_back(connection),
        }
    }

    /// Connects anew when its lease may have ended.
    pub(crate) fn reconnect_as_stranger(&mut self) {
        let connection = Connection::from(self.identity.from, self.identity.server);
        match &mut self.client {
            Version::Old(client) => client.connection = connection,
            Version::New(client) => client.connection = connection,
        }
    }

    /// Whether its requests are executed once whatever becomes of connections.
    pub(crate) fn has_session(&self) -> bool {
        matches!(self.client, Version::New(_))
    }

    /// Sends a request, loses its connection before the reply, and sends it again by the next; the
    /// request is executed once. For clients with sessions.
    pub(crate) fn make_dir_and_lose_the_reply(&mut self, dir: &[u8], name: &str) {
        let Version::New(client) = &mut self.client else {
            return;
        };
        client.cachethis = true;
        let call = client
            .compose()
            .putfh(args::PutFh { object: dir })
            .create(directory(name))
            .finish();
        client.cachethis = false;
        client.connection.send(&call).expect("it is connected");
        let connection = Connection::from(self.identity.from, self.identity.server);
        client.come_back(connection);
        let start = Instant::now();
        loop {
            let reply = client.connection.exchange(&call).expect("it answers");
            let reply = ReplyReader::parse(&reply).expect("a reply");
            self.tally.request();
            // The first may still run.
            if reply.status() == Status::DELAY && start.elapsed() < PATIENCE {
                thread::sleep(PAUSE);
                continue;
            }
            assert_eq!(reply.status(), Status::OK, "CREATE sent again");
            return;
        }
    }

    /// Unmounts, with nothing open.
    pub(crate) fn leave(mut self) {
        self.give_back_all();
        if let Version::New(client) = &mut self.client {
            client.unmount();
        }
    }

    /// Renews its lease; nothing may have been revoked.
    pub(crate) fn renew(&mut self) {
        if let Version::Old(client) = &self.client {
            let clientid = client.id;
            self.call(|_, c| {
                c.renew(args::Renew { clientid });
            });
            return;
        }
        let reply = self.call(|_, _| {});
        let mut reply = ReplyReader::parse(&reply).expect("a reply");
        let flags = reply.sequence().expect("a sequence").status_flags;
        assert_eq!(flags & REVOKED, 0, "SEQUENCE tells of revoked state");
    }

    /// Whether the server still knows it.
    pub(crate) fn is_known(&mut self) -> bool {
        self.tally.request();
        let status = match &mut self.client {
            Version::Old(client) => {
                let clientid = client.id;
                client.status(|c| c.renew(args::Renew { clientid }))
            }
            Version::New(client) => client.in_session(|c| c),
        };
        match status {
            Status::OK => true,
            Status::BADSESSION | Status::EXPIRED | Status::STALE_CLIENTID => false,
            other => panic!("{other:?} for a lease that has ended"),
        }
    }

    /// OPEN for reading and writing, of a file that is there or made with this mode.
    pub(crate) fn open(&mut self, dir: &[u8], name: &str, made: Option<u32>) -> Opened {
        let object = dir;
        let mode = made.unwrap_or_default().to_be_bytes();
        let attributes = FattrRaw {
            mask: Bitmap::of(&[num::MODE]),
            values: &mode,
        };
        let reply = self.call(|mount, c| {
            let open = args::Open {
                seqid: mount.seqid(),
                share_access: 3,
                share_deny: 0,
                owner: mount.owner(b"opener"),
                openhow: match made {
                    Some(_) => OpenFlag::Create(CreateHow::Unchecked(attributes)),
                    None => OpenFlag::NoCreate,
                },
                claim: OpenClaim::Null(name.as_bytes()),
            };
            c.putfh(args::PutFh { object })
                .open(open)
                .getfh()
                .getattr(LENGTH);
        });
        let mut results = self.results(&reply);
        results.putfh().expect("a directory");
        let opened = results.open().expect("an open");
        let fh = results.getfh().expect("a filehandle").object.to_vec();
        let told = results.getattr().expect("attributes").obj_attributes.values;
        let word = |at: usize| u64::from_be_bytes(told[at..at + 8].try_into().expect("8 bytes"));
        let told = [word(0), word(8)];
        let mut delegated = None;
        match opened.delegation {
            OpenDelegation::None | OpenDelegation::NoneExt(_) => {}
            OpenDelegation::Read(read) => delegated = Some(read.stateid),
            OpenDelegation::Write(write) => delegated = Some(write.stateid),
        }
        let mut stateid = opened.stateid;
        if let Version::Old(client) = &mut self.client {
            stateid = client.confirm(&fh, opened.rflags, stateid);
        }
        if let Some(delegation) = delegated {
            self.tally.delegation();
            self.delegations.push((delegation, fh.clone()));
            self.tell(&fh, Some(told));
        }
        Opened { fh, stateid }
    }

    /// CLOSE.
    pub(crate) fn close(&mut self, opened: &Opened) {
        self.call(|mount, c| {
            let close = args::Close {
                seqid: mount.seqid(),
                open_stateid: opened.stateid,
            };
            c.putfh(args::PutFh { object: &opened.fh }).close(close);
        });
    }

    /// WRITE of all of this.
    pub(crate) fn write(&mut self, opened: &Opened, offset: u64, data: &[u8]) {
        let reply = self.call(|_, c| {
            let write = args::Write {
                stateid: opened.stateid,
                offset,
                stable: StableHow::Unstable,
                data,
            };
            c.putfh(args::PutFh { object: &opened.fh }).write(write);
        });
        let mut results = self.results(&reply);
        results.putfh().expect("a file");
        let count = results.write().expect("written").count;
        assert_eq!(count as usize, data.len(), "a short write");
        let end = offset + data.len() as u64;
        self.with_back(|back| {
            if let Some(told) = back.told.get_mut(&opened.fh) {
                told[1] = told[1].max(end);
            }
        });
    }

    /// READ, and whether the end of the file was told.
    pub(crate) fn read(&mut self, opened: &Opened, offset: u64, count: u32) -> (Vec<u8>, bool) {
        let reply = self.call(|_, c| {
            let read = args::Read {
                stateid: opened.stateid,
                offset,
                count,
            };
            c.putfh(args::PutFh { object: &opened.fh }).read(read);
        });
        let mut results = self.results(&reply);
        results.putfh().expect("a file");
        let read = results.read().expect("read");
        (read.data.to_vec(), read.eof)
    }

    /// The size that GETATTR tells.
    pub(crate) fn size(&mut self, fh: &[u8]) -> u64 {
        let attr_request = Bitmap::of(&[num::SIZE]);
        let reply = self.call(|_, c| {
            c.putfh(args::PutFh { object: fh })
                .getattr(args::GetAttr { attr_request });
        });
        let mut results = self.results(&reply);
        results.putfh().expect("a file");
        let values = results.getattr().expect("a size").obj_attributes.values;
        u64::from_be_bytes(values.try_into().expect("8 bytes"))
    }

    /// LOCK for writing, by a lock-owner of its own; none if another has the range.
    pub(crate) fn lock(&mut self, opened: &Opened, range: (u64, u64)) -> Option<Locked> {
        self.lockers += 1;
        let owner = format!("locker {}", self.lockers).into_bytes();
        let reply = self.repeat(|mount, c| {
            let lock = args::Lock {
                locktype: LockType::Write,
                reclaim: false,
                offset: range.0,
                length: range.1,
                locker: Locker::New(OpenToLockOwner {
                    open_seqid: mount.seqid(),
                    open_stateid: opened.stateid,
                    lock_seqid: 1,
                    lock_owner: mount.owner(&owner),
                }),
            };
            c.putfh(args::PutFh { object: &opened.fh }).lock(lock);
        });
        let mut results = self.results(&reply);
        match results.status() {
            Status::DENIED => return None,
            status => assert_eq!(status, Status::OK, "LOCK"),
        }
        results.putfh().expect("a file");
        let stateid = results.lock().expect("a lock").lock_stateid;
        Some(Locked {
            stateid,
            owner,
            range,
        })
    }

    /// LOCKU, and the lock-owner is forgotten.
    pub(crate) fn unlock(&mut self, opened: &Opened, locked: &Locked) {
        let reply = self.call(|_, c| {
            let unlock = args::LockU {
                locktype: LockType::Write,
                seqid: 2,
                lock_stateid: locked.stateid,
                offset: locked.range.0,
                length: locked.range.1,
            };
            c.putfh(args::PutFh { object: &opened.fh }).locku(unlock);
        });
        let mut results = self.results(&reply);
        results.putfh().expect("a file");
        let stateid = results.locku().expect("unlocked").lock_stateid;
        self.call(|mount, c| match mount.client {
            Version::Old(_) => {
                let lock_owner = mount.owner(&locked.owner);
                c.release_lockowner(args::ReleaseLockOwner { lock_owner });
            }
            Version::New(_) => {
                c.free_stateid(args::FreeStateid { stateid });
            }
        });
    }

    /// Gives all delegations back.
    pub(crate) fn give_back_all(&mut self) {
        while let Some((stateid, fh)) = self.delegations.pop() {
            self.give_back(stateid, &fh);
        }
    }

    /// Gives back what was recalled.
    pub(crate) fn give_back_recalled(&mut self) {
        let mut recalled = Vec::new();
        self.with_back(|back| recalled = std::mem::take(&mut back.recalled));
        for one in recalled {
            let same = |held: &(Stateid, Vec<u8>)| held.0.other == one.stateid.other;
            if let Some(at) = self.delegations.iter().position(same) {
                let (stateid, fh) = self.delegations.swap_remove(at);
                self.give_back(stateid, &fh);
            }
        }
    }

    fn give_back(&mut self, deleg_stateid: Stateid, fh: &[u8]) {
        self.call(|_, c| {
            c.putfh(args::PutFh { object: fh })
                .delegreturn(args::DelegReturn { deleg_stateid });
        });
        self.tell(fh, None);
    }

    fn tell(&mut self, fh: &[u8], told: Option<[u64; 2]>) {
        self.with_back(|back| {
            match told {
                Some(told) => back.told.insert(fh.to_vec(), told),
                None => back.told.remove(fh),
            };
        });
    }

    fn with_back(&mut self, mut work: impl FnMut(&mut BackChannel)) {
        match &mut self.client {
            Version::Old(client) => {
                if let Some(mut back) = client.back() {
                    work(&mut back);
                }
            }
            Version::New(client) => work(&mut client.connection.back),
        }
    }

    fn seqid(&mut self) -> u32 {
        match &mut self.client {
            Version::Old(client) => client.seqid(),
            Version::New(_) => 0,
        }
    }

    fn owner<'b>(&self, owner: &'b [u8]) -> Owner<'b> {
        match &self.client {
            Version::Old(client) => client.owner(owner),
            Version::New(_) => Owner {
                clientid: ClientId(0),
                owner,
            },
        }
    }

    /// A COMPOUND that must succeed.
    pub(crate) fn call(&mut self, build: impl FnMut(&mut Self, &mut CompoundBuilder)) -> Vec<u8> {
        let reply = self.repeat(build);
        let done = ReplyReader::parse(&reply).expect("a reply").finish();
        done.unwrap_or_else(|why| panic!("{}: {why}", self.identity.name));
        reply
    }

    /// The reply to a COMPOUND that is not DELAY any more.
    fn repeat(&mut self, mut build: impl FnMut(&mut Self, &mut CompoundBuilder)) -> Vec<u8> {
        let start = Instant::now();
        loop {
            let reply = self.send(&mut build);
            let status = ReplyReader::parse(&reply).expect("a reply").status();
            if status != Status::DELAY {
                self.tally.answered(start.elapsed());
                return reply;
            }
            self.tally.delayed();
            assert!(start.elapsed() < PATIENCE, "DELAY for {PATIENCE:?}");
            thread::sleep(PAUSE);
            self.give_back_recalled();
        }
    }

    fn send(&mut self, build: &mut impl FnMut(&mut Self, &mut CompoundBuilder)) -> Vec<u8> {
        self.tally.request();
        let mut call = match &mut self.client {
            Version::Old(client) => client.compose(),
            Version::New(client) => client.compose(),
        };
        build(self, &mut call);
        let call = call.finish();
        let connection = match &mut self.client {
            Version::Old(client) => &mut client.connection,
            Version::New(client) => &mut client.connection,
        };
        connection.exchange(&call).expect("it answers")
    }

    /// Its results, those of SEQUENCE taken.
    pub(crate) fn results<'b>(&self, reply: &'b [u8]) -> ReplyReader<'b> {
        let mut results = ReplyReader::parse(reply).expect("a reply");
        if matches!(self.client, Version::New(_)) {
            results.sequence().expect("in its session");
        }
        results
    }
}

/// Change attribute and size.
const LENGTH: args::GetAttr = args::GetAttr {
    attr_request: Bitmap::of(&[num::CHANGE, num::SIZE]),
};
/// Flags of SEQUENCE that a client never gets that keeps its lease and returns what is recalled.
const REVOKED: u32 = SEQ4_STATUS_EXPIRED_ALL_STATE_REVOKED
    | SEQ4_STATUS_EXPIRED_SOME_STATE_REVOKED
    | SEQ4_STATUS_ADMIN_STATE_REVOKED
    | SEQ4_STATUS_RECALLABLE_STATE_REVOKED;
/// Before what was told DELAY is sent again.
const PAUSE: Duration = Duration::from_millis(20);
/// For how long DELAY may be told: a holder that does not give back has the lease to do so.
const PATIENCE: Duration = Duration::from_secs(30);
