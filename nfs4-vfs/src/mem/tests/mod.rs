//! Requests as a server makes them, and checks of the file system after them.

mod conformance;
mod content;
mod listing;
mod names;
mod space;
mod stress;

use std::collections::BTreeMap;
use std::sync::Arc;

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Attrs, Authority, Backend, Creation, Credential, DirChange, FsError, FsHandle, FsOp, FsReply,
    FsRequest, FsResult, NewNode, OpenHow, Opened, Payload, SetAttrs, Stability, Target, Want,
};
use nfs4_engine::{Mono, Now, Wall};

use super::inode::Body;
use super::space::{INODE_COST, entry_cost};
use super::{Caller, MemFs, MemFsConfig};

/// A user of a file system, with a clock.
#[derive(Clone)]
struct User {
    fs: Arc<MemFs>,
    cred: Arc<Credential>,
    now: Now,
}

const MIB: u64 = 1 << 20;

fn at(seconds: i64) -> Now {
    Now {
        mono: Mono::ZERO,
        wall: Wall { seconds, nanos: 7 },
    }
}

/// The superuser of a new file system of 64 MiB, in which every user may write.
fn root() -> User {
    with_capacity(64 * MIB)
}

fn with_capacity(capacity: u64) -> User {
    let config = MemFsConfig::new(42, capacity).with(|files| files.root_mode = 0o777);
    let cred = Arc::new(Credential::sys(0, 0, &[]));
    User {
        fs: Arc::new(MemFs::new(config)),
        cred,
        now: at(1000),
    }
}

impl User {
    fn user(&self, uid: u32, gid: u32, groups: &[u32]) -> User {
        User {
            cred: Arc::new(Credential::sys(uid, gid, groups)),
            ..self.clone()
        }
    }

    fn at(&self, seconds: i64) -> User {
        User {
            now: at(seconds),
            ..self.clone()
        }
    }

    fn ask(&self, op: FsOp) -> FsResult {
        let call = op.call();
        let request = FsRequest::new(Arc::clone(&self.cred), self.now, op);
        let answer = self.fs.answer(request);
        answer.inspect_err(|error| {
            let in_contract = call.may_answer(*error);
            assert!(in_contract, "{call:?} may not answer {error:?}");
        })
    }

    fn top(&self) -> FsHandle {
        self.fs.root()
    }

    fn attrs(&self, fh: FsHandle) -> Result<Attrs, FsError> {
        match self.ask(FsOp::GetAttrs {
            fh,
            want: Want::ATTRS,
        })? {
            FsReply::Attrs { attrs, stat: None } => Ok(attrs),
            other => panic!("{other:?}"),
        }
    }

    fn set(&self, fh: FsHandle, set: SetAttrs) -> Result<Attrs, FsError> {
        match self.ask(FsOp::SetAttrs {
            fh,
            set,
            authority: Authority::Credential,
        })? {
            FsReply::Attrs { attrs, stat: None } => Ok(attrs),
            other => panic!("{other:?}"),
        }
    }

    fn truncate(&self, fh: FsHandle, size: u64) -> Result<Attrs, FsError> {
        self.set(fh, SetAttrs::default().with(|set| set.size = Some(size)))
    }

    fn lookup(&self, dir: FsHandle, name: &str) -> Result<FsHandle, FsError> {
        let op = FsOp::Lookup {
            dir,
            name: bytes(name),
            want: Want::default(),
        };
        match self.ask(op)? {
            FsReply::Node { fh, .. } => Ok(fh),
            other => panic!("{other:?}"),
        }
    }

    fn parent(&self, dir: FsHandle) -> Result<FsHandle, FsError> {
        match self.ask(FsOp::LookupParent {
            dir,
            want: Want::default(),
        })? {
            FsReply::Node { fh, .. } => Ok(fh),
            other => panic!("{other:?}"),
        }
    }

    fn make(&self, dir: FsHandle, name: &str, node: NewNode) -> Result<FsHandle, FsError> {
        let op = FsOp::Create {
            dir,
            name: bytes(name),
            node,
            set: SetAttrs::default(),
        };
        match self.ask(op)? {
            FsReply::Created { fh, dir, .. } => {
                assert!(dir.atomic && dir.before < dir.after);
                Ok(fh)
            }
            other => panic!("{other:?}"),
        }
    }

    fn mkdir(&self, dir: FsHandle, name: &str) -> Result<FsHandle, FsError> {
        self.make(dir, name, NewNode::Directory)
    }

    fn open(
        &self,
        target: Target,
        (read, write): (bool, bool),
        create: Creation,
    ) -> Result<Opened, FsError> {
        match self.ask(FsOp::Open {
            target,
            how: OpenHow::new(read, write, create),
        })? {
            FsReply::Opened(opened) => Ok(opened),
            other => panic!("{other:?}"),
        }
    }

    fn open_name(&self, dir: FsHandle, name: &str, create: Creation) -> Result<Opened, FsError> {
        self.open(
            Target::Name {
                dir,
                name: bytes(name),
            },
            (true, true),
            create,
        )
    }

    /// A new file without opens.
    fn touch(&self, dir: FsHandle, name: &str) -> Result<FsHandle, FsError> {
        let opened = self.open_name(dir, name, Creation::Guarded(SetAttrs::default()))?;
        self.fs.release(opened.fh);
        Ok(opened.fh)
    }

    fn write(&self, fh: FsHandle, offset: u64, data: &[u8]) -> Result<(), FsError> {
        let op = FsOp::Write {
            fh,
            offset,
            data: Bytes::copy_from_slice(data),
            stability: Stability::Unstable,
            authority: Authority::Open,
        };
        match self.ask(op)? {
            FsReply::Written {
                count,
                stability: Stability::File,
                losses: 0,
            } => {
                assert_eq!(count as usize, data.len());
                Ok(())
            }
            other => panic!("{other:?}"),
        }
    }

    fn read_part(&self, fh: FsHandle, offset: u64, count: u32) -> Result<(Bytes, bool), FsError> {
        let (data, eof) = self.read_pieces(fh, offset, count)?;
        Ok((Bytes::from(data.to_vec()), eof))
    }

    fn read_pieces(
        &self,
        fh: FsHandle,
        offset: u64,
        count: u32,
    ) -> Result<(Payload, bool), FsError> {
        match self.ask(FsOp::Read {
            fh,
            offset,
            count,
            authority: Authority::Open,
            payload: Payload::new(),
        })? {
            FsReply::Data { data, eof } => Ok((data, eof)),
            other => panic!("{other:?}"),
        }
    }

    fn read(&self, fh: FsHandle) -> Bytes {
        let size = u32::try_from(self.attrs(fh).unwrap().size).unwrap();
        let (data, eof) = self.read_part(fh, 0, size).unwrap();
        assert!(eof && data.len() == size as usize);
        data
    }

    fn link(&self, fh: FsHandle, dir: FsHandle, name: &str) -> Result<DirChange, FsError> {
        match self.ask(FsOp::Link {
            fh,
            dir,
            name: bytes(name),
        })? {
            FsReply::Linked { dir } => Ok(dir),
            other => panic!("{other:?}"),
        }
    }

    fn remove(&self, dir: FsHandle, name: &str) -> Result<DirChange, FsError> {
        match self.ask(FsOp::Remove {
            dir,
            name: bytes(name),
        })? {
            FsReply::Removed { dir } => Ok(dir),
            other => panic!("{other:?}"),
        }
    }

    fn rename(
        &self,
        (from_dir, from): (FsHandle, &str),
        (to_dir, to): (FsHandle, &str),
    ) -> Result<(DirChange, DirChange), FsError> {
        let (from, to) = (bytes(from), bytes(to));
        match self.ask(FsOp::Rename {
            from_dir,
            from,
            to_dir,
            to,
        })? {
            FsReply::Renamed { from, to } => Ok((from, to)),
            other => panic!("{other:?}"),
        }
    }

    /// Up to `max` entries after `cookie`, and whether they were all.
    fn page(&self, dir: FsHandle, cookie: u64, max: usize) -> Result<(Page, bool), FsError> {
        let mut page = Page::new();
        let caller = Caller {
            cred: &self.cred,
            now: self.now,
        };
        let (dir, _) = self.fs.listed(&caller, &dir)?;
        let ended = self
            .fs
            .list(&caller, &dir, cookie, |cookie, name, fh, attrs| {
                if page.len() == max {
                    return Err(nfs4_engine::fs::Full);
                }
                let name = String::from_utf8(name.to_vec()).unwrap();
                page.push((cookie, name, *fh, *attrs));
                Ok(())
            })?;
        Ok((page, ended))
    }

    fn names(&self, dir: FsHandle) -> Vec<String> {
        let (page, ended) = self.page(dir, 0, usize::MAX).unwrap();
        assert!(ended);
        page.into_iter().map(|(_, name, ..)| name).collect()
    }

    /// Removes all entries of a directory, recursively.
    fn raze(&self, dir: FsHandle) {
        for (_, name, fh, _) in self.page(dir, 0, usize::MAX).unwrap().0 {
            if self.page(fh, 0, 0).is_ok() {
                self.raze(fh);
            }
            self.remove(dir, &name).unwrap();
        }
    }

    fn used(&self) -> u64 {
        let stat = self.fs.space.stat();
        stat.space_total - stat.space_free
    }
}

type Page = Vec<(u64, String, FsHandle, Attrs)>;

fn bytes(name: &str) -> Bytes {
    Bytes::copy_from_slice(name.as_bytes())
}

/// Checks links, parents, sizes of directories and the capacity; valid while no request runs.
fn check_invariants(fs: &MemFs) {
    let mut names = BTreeMap::new();
    let mut subdirectories = BTreeMap::new();
    let mut used = 0;
    fs.table.for_each(|inode| {
        let attrs = inode.attrs(&inode.meta());
        used += INODE_COST;
        match &inode.body {
            Body::File(content) => used += content.charged(),
            Body::Symlink(target) => used += target.len() as u64,
            Body::Directory(directory) => {
                let entries = directory.read().expect("no removed directory in the table");
                let mut size = 0;
                for (_, name, child) in entries.after(0) {
                    size += entry_cost(name);
                    *names.entry(child.id).or_insert(0) += 1;
                    assert!(Arc::ptr_eq(entries.find(name).unwrap(), child));
                    if let Body::Directory(below) = &child.body {
                        assert_eq!(below.parent(), inode.id);
                        *subdirectories.entry(inode.id).or_insert(0) += 1;
                    }
                }
                assert_eq!(attrs.size, size);
                used += size;
            }
            _ => {}
        }
    });
    fs.table.for_each(|inode| {
        let meta = inode.meta().clone();
        let named = names.remove(&inode.id).unwrap_or(0);
        if inode.is_directory() {
            assert_eq!(named, u32::from(fs.handle_of(inode) != fs.root()));
            assert_eq!(
                meta.links,
                2 + subdirectories.get(&inode.id).copied().unwrap_or(0)
            );
        } else {
            assert_eq!(meta.links, named);
            assert!(!meta.is_gone());
        }
    });
    assert!(
        names.is_empty(),
        "a name leads to an object that is not in the table"
    );
    let stat = fs.space.stat();
    assert_eq!(stat.space_total - stat.space_free, used);
}
