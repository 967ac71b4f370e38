//! Requests as a server makes them.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::probe::{Listed, Page};
use nfs4_engine::fs::{
    AccessMask, Attrs, Authority, Backend, Creation, Credential, DirChange, DirWriter, FileKind,
    FsError, FsHandle, FsOp, FsReply, FsRequest, FsResult, FsStat, NewNode, OpenHow, Opened,
    SetAttrs, Target, Want,
};
use nfs4_engine::{Mono, Now, Wall};

use super::answer::ask;
use super::subject::Traits;

/// A user of a file system, with a clock.
#[derive(Clone)]
pub(super) struct User {
    pub(super) fs: Arc<dyn Backend>,
    cred: Arc<Credential>,
    now: Now,
    traits: Arc<Traits>,
}

/// A time of requests.
pub(super) fn at(seconds: i64) -> Now {
    Now {
        mono: Mono::ZERO,
        wall: Wall { seconds, nanos: 7 },
    }
}

impl User {
    /// The first user of a file system.
    pub(super) fn first(fs: Arc<dyn Backend>, traits: Arc<Traits>) -> User {
        let (uid, gid) = traits.owner;
        User {
            fs,
            cred: Arc::new(Credential::sys(uid, gid, &[])),
            now: at(1000),
            traits,
        }
    }

    /// Its credential.
    pub(super) fn cred(&self) -> &Credential {
        &self.cred
    }

    /// The time of its requests.
    pub(super) fn now(&self) -> Now {
        self.now
    }

    /// Another user of the same file system.
    pub(super) fn user(&self, uid: u32, gid: u32, groups: &[u32]) -> User {
        User {
            cred: Arc::new(Credential::sys(uid, gid, groups)),
            ..self.clone()
        }
    }

    /// The same user at another time.
    pub(super) fn at(&self, seconds: i64) -> User {
        User {
            now: at(seconds),
            ..self.clone()
        }
    }

    #[track_caller]
    pub(super) fn ask(&self, op: FsOp) -> FsResult {
        let request = FsRequest::new(Arc::clone(&self.cred), self.now, op);
        ask(&*self.fs, request)
    }

    pub(super) fn top(&self) -> FsHandle {
        self.fs.root()
    }

    #[track_caller]
    pub(super) fn attrs(&self, fh: FsHandle) -> Result<Attrs, FsError> {
        let want = Want::ATTRS;
        match self.ask(FsOp::GetAttrs { fh, want })? {
            FsReply::Attrs { attrs, .. } => Ok(attrs),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until an object is gone: a release has no answer.
    #[track_caller]
    pub(super) fn is_gone(&self, fh: FsHandle) {
        let start = Instant::now();
        while let Ok(attrs) = self.attrs(fh) {
            assert!(start.elapsed() < PATIENCE, "it is there: {attrs:?}");
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(self.attrs(fh), Err(FsError::Stale));
    }

    /// The change attribute.
    #[track_caller]
    pub(super) fn change(&self, fh: FsHandle) -> u64 {
        self.attrs(fh).expect("an object").change
    }

    /// Waits until no change attribute moves without a change.
    pub(super) fn settle(&self) {
        if !self.traits.steady_change {
            thread::sleep(Traits::SETTLED);
        }
    }

    /// Checks that nothing happened to an object since its change attribute was `told`.
    #[track_caller]
    pub(super) fn is_unchanged(&self, fh: FsHandle, told: u64) {
        let now = self.change(fh);
        if self.traits.steady_change {
            assert_eq!(told, now, "nothing else happens here");
        } else {
            assert!(told <= now, "it went back from {told} to {now}");
        }
    }

    /// Checks that an object has these attributes since it was changed last.
    #[track_caller]
    pub(super) fn still_has(&self, fh: FsHandle, told: &Attrs) {
        self.is_unchanged(fh, told.change);
        let now = self.attrs(fh).expect("an object");
        assert_eq!(now, told.with_change(now.change));
    }

    #[track_caller]
    pub(super) fn stat(&self) -> FsStat {
        let mut want = Want::ATTRS;
        want.stat = true;
        let fh = self.top();
        match self.ask(FsOp::GetAttrs { fh, want }) {
            Ok(FsReply::Attrs { stat, .. }) => stat.expect("the space is asked for"),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn set_by(
        &self,
        fh: FsHandle,
        authority: Authority,
        set: impl FnOnce(&mut SetAttrs),
    ) -> Result<Attrs, FsError> {
        let set = SetAttrs::default().with(set);
        match self.ask(FsOp::SetAttrs { fh, set, authority })? {
            FsReply::Attrs { attrs, .. } => Ok(attrs),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn set(
        &self,
        fh: FsHandle,
        set: impl FnOnce(&mut SetAttrs),
    ) -> Result<Attrs, FsError> {
        self.set_by(fh, Authority::Credential, set)
    }

    #[track_caller]
    pub(super) fn chmod(&self, fh: FsHandle, mode: u32) -> Result<Attrs, FsError> {
        self.set(fh, |set| set.mode = Some(mode))
    }

    #[track_caller]
    pub(super) fn truncate(&self, fh: FsHandle, size: u64) -> Result<Attrs, FsError> {
        self.set(fh, |set| set.size = Some(size))
    }

    #[track_caller]
    pub(super) fn access(&self, fh: FsHandle, mask: AccessMask) -> Result<AccessMask, FsError> {
        match self.ask(FsOp::Access { fh, mask })? {
            FsReply::Access { granted, kind } => {
                assert!(mask.contains(granted), "more than was asked for");
                assert_eq!(self.attrs(fh).expect("an object").kind, kind);
                Ok(granted)
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn find(
        &self,
        dir: FsHandle,
        name: impl AsRef<[u8]>,
    ) -> Result<(FsHandle, Attrs), FsError> {
        let (name, want) = (bytes(name), Want::ATTRS);
        match self.ask(FsOp::Lookup { dir, name, want })? {
            FsReply::Node { fh, attrs, .. } => Ok((fh, attrs)),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn lookup(
        &self,
        dir: FsHandle,
        name: impl AsRef<[u8]>,
    ) -> Result<FsHandle, FsError> {
        self.find(dir, name).map(|(fh, _)| fh)
    }

    #[track_caller]
    pub(super) fn parent(&self, dir: FsHandle) -> Result<FsHandle, FsError> {
        let want = Want::ATTRS;
        match self.ask(FsOp::LookupParent { dir, want })? {
            FsReply::Node { fh, attrs, .. } => {
                assert_eq!(attrs.kind, FileKind::Directory);
                Ok(fh)
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn make(
        &self,
        dir: FsHandle,
        name: impl AsRef<[u8]>,
        node: NewNode,
    ) -> Result<FsHandle, FsError> {
        self.make_with(dir, name, node, |_| ()).map(|(fh, ..)| fh)
    }

    #[track_caller]
    pub(super) fn make_with(
        &self,
        dir: FsHandle,
        name: impl AsRef<[u8]>,
        node: NewNode,
        set: impl FnOnce(&mut SetAttrs),
    ) -> Result<(FsHandle, Attrs, DirChange), FsError> {
        let (name, set) = (bytes(name), SetAttrs::default().with(set));
        let op = FsOp::Create {
            dir,
            name,
            node,
            set,
        };
        match self.ask(op)? {
            FsReply::Created { fh, attrs, dir } => {
                assert!(dir.before < dir.after, "a new name is a change: {dir:?}");
                Ok((fh, attrs, dir))
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn mkdir(&self, dir: FsHandle, name: impl AsRef<[u8]>) -> Result<FsHandle, FsError> {
        self.make(dir, name, NewNode::Directory)
    }

    #[track_caller]
    pub(super) fn symlink(
        &self,
        dir: FsHandle,
        name: impl AsRef<[u8]>,
        target: &str,
    ) -> Result<FsHandle, FsError> {
        self.make(dir, name, NewNode::Symlink(bytes(target)))
    }

    #[track_caller]
    pub(super) fn read_link(&self, fh: FsHandle) -> Result<Bytes, FsError> {
        match self.ask(FsOp::ReadLink { fh })? {
            FsReply::Link(target) => Ok(target),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn open(
        &self,
        target: Target,
        (read, write): (bool, bool),
        create: Creation,
    ) -> Result<Opened, FsError> {
        let how = OpenHow::new(read, write, create);
        match self.ask(FsOp::Open { target, how })? {
            FsReply::Opened(opened) => Ok(opened),
            other => panic!("{other:?}"),
        }
    }

    /// Opens a file to read and write it.
    #[track_caller]
    pub(super) fn open_name(
        &self,
        dir: FsHandle,
        name: impl AsRef<[u8]>,
        create: Creation,
    ) -> Result<Opened, FsError> {
        let name = bytes(name);
        self.open(Target::Name { dir, name }, (true, true), create)
    }

    /// A new file that is held.
    #[track_caller]
    pub(super) fn hold(&self, dir: FsHandle, name: impl AsRef<[u8]>) -> Result<FsHandle, FsError> {
        let opened = self.open_name(dir, name, guarded())?;
        assert!(opened.created, "it is new");
        assert!(
            opened.dir.before < opened.dir.after,
            "a new name is a change"
        );
        Ok(opened.fh)
    }

    /// A new file that is not held.
    #[track_caller]
    pub(super) fn touch(&self, dir: FsHandle, name: impl AsRef<[u8]>) -> Result<FsHandle, FsError> {
        let fh = self.hold(dir, name)?;
        self.fs.release(fh);
        Ok(fh)
    }

    #[track_caller]
    pub(super) fn link(
        &self,
        fh: FsHandle,
        dir: FsHandle,
        name: impl AsRef<[u8]>,
    ) -> Result<DirChange, FsError> {
        let name = bytes(name);
        match self.ask(FsOp::Link { fh, dir, name })? {
            FsReply::Linked { dir } => Ok(dir),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn remove(
        &self,
        dir: FsHandle,
        name: impl AsRef<[u8]>,
    ) -> Result<DirChange, FsError> {
        let name = bytes(name);
        match self.ask(FsOp::Remove { dir, name })? {
            FsReply::Removed { dir } => Ok(dir),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn rename(
        &self,
        (from_dir, from): (FsHandle, impl AsRef<[u8]>),
        (to_dir, to): (FsHandle, impl AsRef<[u8]>),
    ) -> Result<(DirChange, DirChange), FsError> {
        let (from, to) = (bytes(from), bytes(to));
        let op = FsOp::Rename {
            from_dir,
            from,
            to_dir,
            to,
        };
        match self.ask(op)? {
            FsReply::Renamed { from, to } => Ok((from, to)),
            other => panic!("{other:?}"),
        }
    }

    /// The entries after `cookie`, as many as fit into so many bytes: see [`room`].
    #[track_caller]
    pub(super) fn page(&self, dir: FsHandle, cookie: u64, max: usize) -> Result<Page, FsError> {
        let entries = DirWriter::of_probe(max, cookie, self.fs.capabilities());
        let entries = entries.expect("room for the end of a listing");
        let op = FsOp::ReadDir {
            dir,
            cookie,
            entries,
        };
        match self.ask(op)? {
            FsReply::Entries(entries) => Ok(entries.into_page()),
            other => panic!("{other:?}"),
        }
    }

    /// All entries, read page by page.
    #[track_caller]
    pub(super) fn list(&self, dir: FsHandle) -> Vec<Listed> {
        let (mut all, mut cookie) = (Vec::<Listed>::new(), 0);
        loop {
            let page = self.page(dir, cookie, 1 << 16).expect("a directory");
            all.extend(page.entries);
            if page.ended {
                return all;
            }
            cookie = all.last().expect("an entry or the end").cookie;
        }
    }

    /// The names of a directory, sorted.
    #[track_caller]
    pub(super) fn names(&self, dir: FsHandle) -> Vec<String> {
        let all = self.list(dir).into_iter();
        let mut names: Vec<String> = all
            .map(|entry| String::from_utf8_lossy(&entry.name).into_owned())
            .collect();
        names.sort();
        names
    }

    /// Removes all entries of a directory, recursively.
    #[track_caller]
    pub(super) fn raze(&self, dir: FsHandle) {
        for entry in self.list(dir) {
            if entry.attrs.kind == FileKind::Directory {
                self.raze(entry.fh);
            }
            self.remove(dir, &entry.name).expect("its name");
        }
    }

    /// Checks that a time is that of the requests at `seconds`, where files are stamped with it.
    #[track_caller]
    pub(super) fn is_stamped(&self, time: Wall, seconds: i64) {
        if self.traits.stamps_requests {
            assert_eq!(time, at(seconds).wall);
        }
    }
}

/// Longer than a release takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

/// The length of a page with so many entries, whose names have up to four bytes.
pub(super) const fn room(entries: usize) -> usize {
    16 + entries * 28
}

pub(super) fn bytes(name: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(name.as_ref())
}

/// The file is made, or taken as it is.
pub(super) fn unchecked() -> Creation {
    Creation::Unchecked(SetAttrs::default())
}

/// The file is new.
pub(super) fn guarded() -> Creation {
    Creation::Guarded(SetAttrs::default())
}
