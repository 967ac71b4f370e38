//! A client that walks about: it uses every handle that it gets, and looks at all that it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::probe::Page;
use nfs4_engine::fs::{
    AccessMask, Attrs, Authority, Backend, Creation, Credential, DirWriter, FileKind, FsError,
    FsHandle, FsOp, FsReply, FsRequest, NewNode, OpenHow, Payload, SetAttrs, Stability, Target,
    Want,
};
use nfs4_engine::{Mono, Now, Wall};
use nfs4_vfs::conformance::ask;

use super::Met;
use super::outside::{BYTES, Ground, NAME};
use crate::subject::owner;

pub(super) struct Walker<'a> {
    files: &'a dyn Backend,
    ground: &'a Ground,
    met: &'a Met,
    cred: Arc<Credential>,
    dice: u64,
    /// Handles that it has met, of anything.
    known: Vec<FsHandle>,
}

/// Names that it looks up everywhere.
const NAMES: [&str; 34] = [
    NAME,
    "f",
    "d",
    "x",
    "y",
    "x.link",
    "y.link",
    "up",
    "far",
    "root",
    "passwd",
    "proc-root",
    "proc-cwd",
    "proc-fd",
    "dangling",
    "loop",
    "one",
    "dot",
    "inside",
    "file.link",
    "fd3",
    "fd9",
    "hard",
    "pipe",
    "socket",
    "mem",
    "disk",
    "a",
    "b",
    "c",
    "m",
    "out",
    "mnt",
    "swap",
];
/// Names that it makes, moves and removes.
const OWN: [&str; 4] = ["w0", "w1", "w2", "w3"];

impl<'a> Walker<'a> {
    pub(super) fn new(
        files: &'a dyn Backend,
        ground: &'a Ground,
        met: &'a Met,
        seed: u64,
    ) -> Walker<'a> {
        let (uid, gid) = owner();
        Walker {
            files,
            ground,
            met,
            cred: Arc::new(Credential::sys(uid, gid, &[])),
            dice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            known: vec![files.root()],
        }
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice % sides as u64) as usize
    }

    fn any(&mut self) -> FsHandle {
        let at = self.roll(self.known.len());
        self.known[at]
    }

    fn name(&mut self) -> Bytes {
        let name = NAMES[self.roll(NAMES.len())];
        Bytes::from_static(name.as_bytes())
    }

    fn own_name(&mut self) -> Bytes {
        let name = OWN[self.roll(OWN.len())];
        Bytes::from_static(name.as_bytes())
    }

    /// Makes a request; what it answers lies in the export.
    fn ask(&mut self, op: FsOp) -> Result<FsReply, FsError> {
        let now = Now {
            mono: Mono::ZERO,
            wall: Wall::default(),
        };
        count(&self.met.requests);
        let reply = ask(self.files, FsRequest::new(Arc::clone(&self.cred), now, op))?;
        match &reply {
            FsReply::Attrs { attrs, .. } => self.is_inside(attrs),
            FsReply::Node { fh, attrs, .. } | FsReply::Created { fh, attrs, .. } => {
                self.is_inside(attrs);
                self.meet(*fh);
            }
            FsReply::Opened(opened) => self.is_inside(&opened.attrs),
            FsReply::Data { data, .. } => {
                let bytes = data.to_vec();
                assert!(
                    !bytes.starts_with(&BYTES[..20]),
                    "bytes of outside are read"
                );
                self.met.bytes.fetch_add(bytes.len() as u64, Relaxed);
            }
            _ => {}
        }
        Ok(reply)
    }

    #[track_caller]
    fn is_inside(&self, attrs: &Attrs) {
        let is_foreign = attrs.fs != 0 || self.ground.is_outside(attrs.fileid);
        assert!(!is_foreign, "it lies outside: {attrs:?}");
        match attrs.kind {
            FileKind::Directory => count(&self.met.directories),
            FileKind::Symlink => count(&self.met.links),
            _ => {}
        }
    }

    /// Remembers a handle, and forgets one of those that it met before.
    fn meet(&mut self, fh: FsHandle) {
        if self.known.len() < 60 {
            self.known.push(fh);
        } else {
            let at = 1 + self.roll(59);
            self.known[at] = fh;
        }
    }

    pub(super) fn step(&mut self) {
        match self.roll(16) {
            0..=5 => self.look_up(),
            6 | 7 => self.go_up(),
            8 => self.list(),
            9 | 10 => self.read(),
            11 => self.make(),
            12 => self.rename(),
            13 => self.link(),
            14 => self.change(),
            _ => self.remove(),
        }
    }

    /// Goes down a few names from the root, or looks one up where it is.
    fn look_up(&mut self) {
        let mut dir = if self.roll(2) == 0 {
            self.files.root()
        } else {
            self.any()
        };
        for _ in 0..4 {
            let (name, want) = (self.name(), Want::ATTRS);
            let is_marker = name == NAME;
            let Ok(FsReply::Node { fh, .. }) = self.ask(FsOp::Lookup { dir, name, want }) else {
                return;
            };
            assert!(!is_marker, "the name that is outside is found");
            dir = fh;
        }
    }

    /// Goes up until it is at the root, or refused.
    fn go_up(&mut self) {
        let mut dir = self.any();
        for _ in 0..40 {
            let want = Want::ATTRS;
            let Ok(FsReply::Node { fh, .. }) = self.ask(FsOp::LookupParent { dir, want }) else {
                return;
            };
            count(&self.met.parents);
            dir = fh;
        }
        panic!("it does not end at the root");
    }

    fn list(&mut self) {
        let (dir, mut cookie) = (self.any(), 0);
        for _ in 0..20 {
            let entries = DirWriter::of_probe(2048, cookie, self.files.capabilities()).unwrap();
            let Ok(FsReply::Entries(entries)) = self.ask(FsOp::ReadDir {
                dir,
                cookie,
                entries,
            }) else {
                return;
            };
            let Page { entries, ended, .. } = entries.into_page();
            for entry in entries {
                assert_ne!(
                    entry.name,
                    NAME.as_bytes(),
                    "the name that is outside is listed"
                );
                self.is_inside(&entry.attrs);
                count(&self.met.entries);
                self.meet(entry.fh);
                cookie = entry.cookie;
            }
            if ended {
                return;
            }
        }
    }

    /// Opens a file by its name or by itself, reads it, and reads what is no file.
    fn read(&mut self) {
        let fh = self.any();
        let _ = self.ask(FsOp::ReadLink { fh });
        let target = if self.roll(2) == 0 {
            Target::Handle(fh)
        } else {
            let name = self.name();
            Target::Name { dir: fh, name }
        };
        let writes = self.roll(2) == 0;
        let how = OpenHow::new(true, writes, Creation::No);
        let opened = self.ask(FsOp::Open { target, how });
        let (held, fh) = match opened {
            Ok(FsReply::Opened(opened)) => (true, opened.fh),
            _ => (false, fh),
        };
        let _ = self.ask(FsOp::Read {
            fh,
            offset: 0,
            count: 4096,
            authority: Authority::Credential,
            payload: Payload::new(),
        });
        if writes && held {
            let _ = self.ask(FsOp::Write {
                fh,
                offset: 100,
                data: Bytes::from_static(b"written by a client"),
                stability: Stability::Unstable,
                authority: Authority::Open,
            });
        }
        if held {
            self.files.release(fh);
        }
    }

    fn make(&mut self) {
        let (dir, name, set) = (self.any(), self.own_name(), SetAttrs::default());
        let made = match self.roll(4) {
            0 => self.ask(FsOp::Create {
                dir,
                name,
                node: NewNode::Directory,
                set,
            }),
            1 => {
                let target = self.ground.outside().to_str().unwrap().to_owned();
                let node = NewNode::Symlink(Bytes::from(target));
                self.ask(FsOp::Create {
                    dir,
                    name,
                    node,
                    set,
                })
            }
            _ => {
                let target = Target::Name { dir, name };
                let how = OpenHow::new(true, true, Creation::Unchecked(set));
                self.ask(FsOp::Open { target, how })
            }
        };
        if let Ok(reply) = made {
            count(&self.met.made);
            if let FsReply::Opened(opened) = reply {
                self.files.release(opened.fh);
                self.meet(opened.fh);
            }
        }
    }

    fn rename(&mut self) {
        let (from_dir, to_dir) = (self.any(), self.any());
        // What tampers finds its own names where it left them.
        for from in OWN {
            let (from, to) = (Bytes::from_static(from.as_bytes()), self.own_name());
            let op = FsOp::Rename {
                from_dir,
                from,
                to_dir,
                to,
            };
            if self.ask(op).is_ok() {
                count(&self.met.renamed);
            }
        }
        let (from, to) = (Bytes::from_static(NAME.as_bytes()), self.own_name());
        let renamed = self.ask(FsOp::Rename {
            from_dir,
            from,
            to_dir,
            to,
        });
        assert!(renamed.is_err(), "what is outside is moved");
    }

    fn link(&mut self) {
        let (fh, dir, name) = (self.any(), self.any(), self.own_name());
        if self.ask(FsOp::Link { fh, dir, name }).is_ok() {
            count(&self.met.linked);
        }
    }

    fn change(&mut self) {
        let fh = self.any();
        let _ = self.ask(FsOp::GetAttrs {
            fh,
            want: Want::ATTRS,
        });
        let _ = self.ask(FsOp::Access {
            fh,
            mask: AccessMask(0x3f),
        });
        let attrs = self.ask(FsOp::GetAttrs {
            fh,
            want: Want::ATTRS,
        });
        if let Ok(FsReply::Attrs { attrs, .. }) = attrs {
            // A mode that nothing outside has.
            let is_directory = attrs.kind == FileKind::Directory;
            let mode = Some(if is_directory { 0o777 } else { 0o666 });
            let set = SetAttrs::default().with(|set| set.mode = mode);
            let authority = Authority::Credential;
            let _ = self.ask(FsOp::SetAttrs { fh, set, authority });
        }
    }

    fn remove(&mut self) {
        let (dir, name) = (self.any(), self.own_name());
        let _ = self.ask(FsOp::Remove { dir, name });
        let name = Bytes::from_static(NAME.as_bytes());
        let removed = self.ask(FsOp::Remove { dir, name });
        assert!(removed.is_err(), "what is outside is removed");
    }
}

fn count(met: &AtomicU64) {
    met.fetch_add(1, Relaxed);
}
