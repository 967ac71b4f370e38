//! What a client does by one of its slots.

use nfs4_driver::engine::proto::client::ReplyReader;
use nfs4_driver::engine::proto::nfs4::args::{
    self, ChannelDirFromClient, CreateHow, CreateType, ExistLockOwner, Locker, OpenClaim, OpenFlag,
    OpenToLockOwner,
};
use nfs4_driver::engine::proto::nfs4::attr::num;
use nfs4_driver::engine::proto::nfs4::consts::OPEN4_SHARE_ACCESS_WANT_NO_DELEG;
use nfs4_driver::engine::proto::nfs4::res::ChannelDirFromServer;
use nfs4_driver::engine::proto::nfs4::{
    Bitmap, ClientId, FattrRaw, LockType, Owner, SessionId, StableHow, Stateid, Status,
};

use super::lane::{Lane, call};
use super::ledger::Change;

/// A slot, with a file of its own that stays open.
pub(crate) struct Worker {
    pub(crate) lane: Lane,
    /// No other has it.
    name: String,
    file: Vec<u8>,
    open: Stateid,
    lock: Option<Stateid>,
    /// What is in the file.
    content: Vec<u8>,
    /// What it had changed, each once.
    pub(crate) changes: Vec<(Change, Vec<u8>)>,
}

impl Worker {
    /// Opens its file.
    pub(crate) async fn begin(mut lane: Lane, name: String) -> Worker {
        let open = open(name.as_bytes());
        let call = lane.compound(true).putrootfh().open(open).getfh().finish();
        let reply = lane.ask(call).await;
        let mut results = lane.results(&reply);
        results.putrootfh().unwrap();
        let open = results.open().unwrap().stateid;
        assert_eq!(open.seqid, 1);
        Worker {
            file: results.getfh().unwrap().object.to_vec(),
            changes: vec![(Change::Open, name.clone().into_bytes())],
            lane,
            name,
            open,
            lock: None,
            content: Vec::new(),
        }
    }

    /// Does something.
    pub(crate) async fn work(&mut self, round: usize, sessions: &[SessionId]) {
        let name = format!("{}.{round}", self.name);
        match self.lane.rng.below(7) {
            0 => drop(self.lane.ask(self.lane.compound(true).finish()).await),
            1 => self.look().await,
            2 => self.open_and_close(name.as_bytes()).await,
            3 => self.make_and_rename(name.as_bytes()).await,
            4 => self.write(&name).await,
            5 => self.lock().await,
            _ => {
                let session = sessions[self.lane.rng.index(sessions.len())];
                self.bind(session).await;
            }
        }
    }

    /// Closes and removes its file.
    pub(crate) async fn end(mut self) -> Worker {
        let close = args::Close {
            seqid: 0,
            open_stateid: self.open,
        };
        let call = self
            .lane
            .compound(true)
            .putfh(self.put())
            .close(close)
            .finish();
        self.lane.ask(call).await;
        self.remove(self.name.clone().as_bytes()).await;
        self
    }

    async fn look(&mut self) {
        let attr_request = Bitmap::of(&[num::TYPE, num::SIZE]);
        let file = self.file.clone();
        let put = args::PutFh { object: &file };
        let reply = self.lane.look(|c| {
            c.putfh(put).getattr(args::GetAttr { attr_request });
        });
        let reply = reply.await;
        let mut results = self.lane.results(&reply);
        results.putfh().unwrap();
        let attrs = results.getattr().unwrap().obj_attributes;
        let regular = 1_u32.to_be_bytes();
        let size = (self.content.len() as u64).to_be_bytes();
        assert_eq!(attrs.values, [&regular[..], &size].concat());
    }

    async fn open_and_close(&mut self, name: &[u8]) {
        let close = args::Close {
            seqid: 0,
            open_stateid: Stateid::CURRENT,
        };
        let mut compound = self.lane.compound(true);
        let call = compound.putrootfh().open(open(name)).close(close).finish();
        let reply = self.lane.ask(call).await;
        let mut results = self.lane.results(&reply);
        results.putrootfh().unwrap();
        assert_eq!(results.open().unwrap().stateid.seqid, 1);
        self.changed(Change::Open, name);
        self.remove(name).await;
    }

    async fn make_and_rename(&mut self, name: &[u8]) {
        let create = args::Create {
            objtype: CreateType::Directory,
            objname: name,
            createattrs: FattrRaw::EMPTY,
        };
        let call = self.lane.compound(true).putrootfh().create(create).finish();
        self.lane.ask(call).await;
        self.changed(Change::Make, name);
        let newname = &[name, b" renamed"].concat()[..];
        let rename = args::Rename {
            oldname: name,
            newname,
        };
        let mut compound = self.lane.compound(true);
        let call = compound.putrootfh().savefh().rename(rename).finish();
        self.lane.ask(call).await;
        self.changed(Change::Rename, name);
        self.remove(newname).await;
    }

    async fn remove(&mut self, target: &[u8]) {
        let remove = args::Remove { target };
        let call = self.lane.compound(true).putrootfh().remove(remove).finish();
        self.lane.ask(call).await;
        self.changed(Change::Remove, target);
    }

    /// Appends a line and reads all of the file.
    async fn write(&mut self, name: &str) {
        let line = format!("{name}\n{}\n", "x".repeat(self.lane.rng.index(5_000)));
        let write = args::Write {
            stateid: self.open,
            offset: self.content.len() as u64,
            stable: StableHow::Unstable,
            data: line.as_bytes(),
        };
        let call = self
            .lane
            .compound(true)
            .putfh(self.put())
            .write(write)
            .finish();
        let reply = self.lane.ask(call).await;
        let mut results = self.lane.results(&reply);
        results.putfh().unwrap();
        assert_eq!(results.write().unwrap().count as usize, line.len());
        self.changed(Change::Write, name.as_bytes());
        self.content.extend_from_slice(line.as_bytes());

        let file = self.file.clone();
        let put = args::PutFh { object: &file };
        let at = self.lane.rng.index(self.content.len());
        let read = args::Read {
            stateid: self.open,
            offset: at as u64,
            count: 64 << 10,
        };
        let reply = self.lane.look(|c| {
            c.putfh(put).read(read);
        });
        let reply = reply.await;
        let mut results = self.lane.results(&reply);
        results.putfh().unwrap();
        let read = results.read().unwrap();
        let until = self.content.len().min(at + (64 << 10));
        assert!(read.data == &self.content[at..until], "what was written");
        assert_eq!(read.eof, until == self.content.len());
    }

    /// Locks its file or unlocks it: the stateid tells how often either was done.
    async fn lock(&mut self) {
        let mut compound = self.lane.compound(true);
        compound.putfh(self.put());
        let lock = |locker| args::Lock {
            locktype: LockType::Write,
            reclaim: false,
            offset: 0,
            length: 10,
            locker,
        };
        let locks = match self.lock {
            None => {
                compound.lock(lock(Locker::New(OpenToLockOwner {
                    open_seqid: 0,
                    open_stateid: self.open,
                    lock_seqid: 0,
                    lock_owner: owner(self.name.as_bytes()),
                })));
                true
            }
            Some(lock_stateid) if lock_stateid.seqid.is_multiple_of(2) => {
                compound.lock(lock(Locker::Existing(ExistLockOwner {
                    lock_stateid,
                    lock_seqid: 0,
                })));
                true
            }
            Some(lock_stateid) => {
                compound.locku(args::LockU {
                    locktype: LockType::Write,
                    seqid: 0,
                    lock_stateid,
                    offset: 0,
                    length: 10,
                });
                false
            }
        };
        let reply = self.lane.ask(compound.finish()).await;
        let mut results = self.lane.results(&reply);
        results.putfh().unwrap();
        let now = if locks {
            results.lock().unwrap().lock_stateid
        } else {
            results.locku().unwrap().lock_stateid
        };
        let before = self.lock.map_or(0, |before| before.seqid);
        assert_eq!(now.seqid, before + 1, "it was carried out once");
        self.lock = Some(now);
    }

    /// Binds some connection to some session; it may be cut before that is answered.
    async fn bind(&mut self, sessid: SessionId) {
        let (dir, bound) = match self.lane.rng.below(4) {
            0 => (ChannelDirFromClient::Back, ChannelDirFromServer::Back),
            1 => (ChannelDirFromClient::ForeOrBoth, ChannelDirFromServer::Both),
            _ => (ChannelDirFromClient::Fore, ChannelDirFromServer::Fore),
        };
        let bind = args::BindConnToSession {
            sessid,
            dir,
            use_conn_in_rdma_mode: false,
        };
        let Some(reply) = self
            .lane
            .bare(call().bind_conn_to_session(bind).finish())
            .await
        else {
            return;
        };
        let mut results = ReplyReader::parse(&reply).unwrap();
        match results.bind_conn_to_session() {
            Ok(ok) => {
                assert_eq!((ok.sessid, ok.dir), (sessid, bound));
                assert!(!ok.use_conn_in_rdma_mode);
                self.lane.seen.moved += 1;
            }
            Err(why) => {
                // No other connection for requests, or those that were cut still have the places.
                let status = why.status().unwrap();
                let only_back = status == Status::INVAL && dir == ChannelDirFromClient::Back;
                assert!(only_back || status == Status::RESOURCE, "{why}");
                self.lane.seen.unmoved += 1;
            }
        }
    }

    fn put(&self) -> args::PutFh<'_> {
        args::PutFh { object: &self.file }
    }

    fn changed(&mut self, change: Change, name: &[u8]) {
        self.changes.push((change, name.to_vec()));
    }
}

fn open(name: &[u8]) -> args::Open<'_> {
    args::Open {
        seqid: 0,
        // What is delegated would have to be given back.
        share_access: 3 | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        share_deny: 0,
        owner: owner(name),
        openhow: OpenFlag::Create(CreateHow::Guarded(FattrRaw::EMPTY)),
        claim: OpenClaim::Null(name),
    }
}

fn owner(owner: &[u8]) -> Owner<'_> {
    Owner {
        clientid: ClientId(0),
        owner,
    }
}
