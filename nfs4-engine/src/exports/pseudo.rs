//! The directories that lead to the exports: a small read-only tree in memory. [RFC 8881 §7.3]

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{BuildHasher as _, Hasher as _};

use super::ExportFault;
use crate::fs::{
    AccessMask, Attrs, Capabilities, Creation, Device, DirWriter, FileKind, FsError, FsHandle,
    FsOp, FsReply, FsResult, FsStat, Target,
};
use crate::map::Keyed;
use crate::time::Wall;

/// The tree. A handle is the index of a node and a check word, which is a keyed hash of the index
/// and of all exports. No handle can be guessed, and with other exports all are stale.
pub(crate) struct PseudoFs {
    nodes: Vec<Node>,
    /// The change attribute of all nodes; it differs for other exports.
    change: u64,
}

struct Node {
    name: String,
    check: u64,
    parent: usize,
    children: Vec<usize>,
    /// The export that covers it.
    export: Option<u16>,
}

impl PseudoFs {
    /// The tree of these paths, which are exports 0, 1, 2 and so on.
    ///
    /// # Errors
    /// All faults of the paths.
    pub(super) fn new<'a>(
        paths: impl Iterator<Item = &'a str> + Clone,
        keyed: Keyed,
    ) -> Result<PseudoFs, Vec<ExportFault>> {
        let root = Node {
            name: String::new(),
            check: 0,
            parent: 0,
            children: Vec::new(),
            export: None,
        };
        let mut tree = PseudoFs {
            nodes: alloc::vec![root],
            change: digest_of(paths.clone(), keyed),
        };
        let mut faults = Vec::new();
        for (number, path) in (0..).zip(paths.clone()) {
            let node = match tree.grow(path) {
                Ok(node) => node,
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            };
            match tree.nodes.get_mut(node) {
                Some(node) if node.export.is_none() => node.export = Some(number),
                _ => faults.push(ExportFault::Overlap(path.to_owned(), path.to_owned())),
            }
        }
        let inner = |node: &&Node| node.export.is_some() && !node.children.is_empty();
        let inner = tree.nodes.iter().filter(inner);
        faults.extend(inner.map(|node| overlap(&tree.path(node), paths.clone())));
        if !faults.is_empty() {
            return Err(faults);
        }
        for (index, node) in (0..).zip(&mut tree.nodes) {
            node.check = check_of(index, tree.change, keyed);
        }
        Ok(tree)
    }

    pub(super) fn root(&self) -> FsHandle {
        self.handle(0)
    }

    /// The export that covers a directory.
    pub(super) fn export_at(&self, fh: &FsHandle) -> Option<u16> {
        self.node(fh).ok()?.1.export
    }

    /// The directory above the one that an export covers.
    pub(super) fn above(&self, export: u16) -> Option<FsHandle> {
        let covered = self.nodes.iter().find(|node| node.export == Some(export))?;
        Some(self.handle(covered.parent))
    }

    /// The fileid of the directory that an export covers. [RFC 8881 §5.8.2.23]
    pub(super) fn covered(&self, export: u16) -> Option<u64> {
        let covered = |node: &Node| node.export == Some(export);
        self.nodes.iter().position(covered).map(fileid)
    }

    /// Answers a request as any file system does.
    pub(crate) fn answer(&self, op: FsOp) -> FsResult {
        match op {
            FsOp::GetAttrs { fh, want: _ } => {
                let (index, node) = self.node(&fh)?;
                Ok(FsReply::Attrs {
                    attrs: self.attrs(index, node),
                    stat: Some(FsStat::default()),
                })
            }
            FsOp::Access { fh, mask } => {
                self.node(&fh)?;
                let rights = AccessMask::READ.union(AccessMask::LOOKUP);
                Ok(FsReply::Access {
                    granted: mask.intersection(rights),
                    kind: FileKind::Directory,
                })
            }
            FsOp::Lookup { dir, name, want: _ } => self.found(self.child(&dir, &name)?),
            FsOp::LookupParent { dir, want: _ } => {
                let (index, node) = self.node(&dir)?;
                if index == 0 {
                    Err(FsError::NotFound)
                } else {
                    self.found(node.parent)
                }
            }
            FsOp::ReadDir {
                dir,
                cookie,
                entries,
            } => self.list(&dir, cookie, entries),
            FsOp::Open { target, how } => {
                match target {
                    Target::Handle(fh) => self.node(&fh).map(drop)?,
                    Target::Name { dir, name } => match self.child(&dir, &name) {
                        Err(FsError::NotFound) if how.create != Creation::No => {
                            return Err(FsError::ReadOnly);
                        }
                        found => found.map(drop)?,
                    },
                }
                Err(FsError::IsDirectory)
            }
            FsOp::ReadLink { fh } => self.node(&fh).and(Err(FsError::Invalid)),
            FsOp::Read { fh, .. } | FsOp::Write { fh, .. } | FsOp::Commit { fh, .. } => {
                self.node(&fh).and(Err(FsError::IsDirectory))
            }
            FsOp::SetAttrs { .. }
            | FsOp::Create { .. }
            | FsOp::Link { .. }
            | FsOp::Remove { .. }
            | FsOp::Rename { .. } => Err(FsError::ReadOnly),
        }
    }

    fn found(&self, index: usize) -> FsResult {
        let node = self.nodes.get(index).ok_or(FsError::Stale)?;
        Ok(FsReply::Node {
            fh: self.handle(index),
            attrs: self.attrs(index, node),
            stat: Some(FsStat::default()),
        })
    }

    fn list(&self, dir: &FsHandle, cookie: u64, mut entries: DirWriter) -> FsResult {
        let (_, node) = self.node(dir)?;
        let seen = usize::try_from(cookie.saturating_sub(FIRST_COOKIE - 1));
        let rest = seen
            .ok()
            .and_then(|seen| node.children.get(seen..))
            .unwrap_or_default();
        // A client may send any cookie. The numbers come second in the pair, so that none is drawn
        // when there is no child.
        let first = cookie.max(FIRST_COOKIE - 1).saturating_add(1);
        for (index, cookie) in rest.iter().zip(first..) {
            let child = self.nodes.get(*index).ok_or(FsError::Stale)?;
            let pushed = if child.export.is_some() {
                // The covering file system alone knows the attributes of its root.
                entries.push_unknown(cookie, child.name.as_bytes(), fileid(*index))
            } else {
                let (fh, attrs) = (self.handle(*index), self.attrs(*index, child));
                entries.push(cookie, child.name.as_bytes(), &fh, &attrs)
            };
            if pushed.is_err() {
                return Ok(FsReply::Entries(entries));
            }
        }
        entries.end();
        Ok(FsReply::Entries(entries))
    }

    fn node(&self, fh: &FsHandle) -> Result<(usize, &Node), FsError> {
        let bytes: &[u8; HANDLE] = fh.as_bytes().try_into().map_err(|_| FsError::BadHandle)?;
        let [i0, i1, check @ ..] = *bytes;
        let index = usize::from(u16::from_be_bytes([i0, i1]));
        // A forged handle looks like one of other exports or of an earlier start.
        let node = self.nodes.get(index).ok_or(FsError::Stale)?;
        if node.check == u64::from_be_bytes(check) {
            Ok((index, node))
        } else {
            Err(FsError::Stale)
        }
    }

    fn handle(&self, index: usize) -> FsHandle {
        let mut bytes = [0; HANDLE];
        // There are fewer than 2^16 nodes: the constructor checks it.
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        let check = self.nodes.get(index).map_or(0, |node| node.check);
        bytes[2..].copy_from_slice(&check.to_be_bytes());
        FsHandle::new(&bytes).unwrap_or(FsHandle::EMPTY)
    }

    fn attrs(&self, index: usize, node: &Node) -> Attrs {
        let directories = u32::try_from(node.children.len()).unwrap_or(u32::MAX - 2);
        Attrs {
            kind: FileKind::Directory,
            mode: 0o555,
            links: 2 + directories,
            uid: 0,
            gid: 0,
            device: Device::default(),
            fileid: fileid(index),
            change: self.change,
            size: 0,
            space_used: 0,
            accessed: Wall::default(),
            modified: Wall::default(),
            changed: Wall::default(),
            created: Wall::default(),
            fs: 0,
            mounted_on: 0,
        }
    }

    fn child(&self, dir: &FsHandle, name: &[u8]) -> Result<usize, FsError> {
        let (_, node) = self.node(dir)?;
        self.named(node, name).ok_or(FsError::NotFound)
    }

    fn named(&self, node: &Node, name: &[u8]) -> Option<usize> {
        let is = |index: &&usize| {
            self.nodes
                .get(**index)
                .is_some_and(|child| child.name.as_bytes() == name)
        };
        node.children.iter().find(is).copied()
    }

    /// The node of a path, made if it does not exist.
    fn grow(&mut self, path: &str) -> Result<usize, ExportFault> {
        let bad = || ExportFault::Path(path.to_owned());
        let names = path.strip_prefix('/').ok_or_else(bad)?;
        let mut at = 0;
        for name in names.split('/') {
            let plain = !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
            if !plain || name.len() > CAPABILITIES.max_name as usize {
                return Err(bad());
            }
            let node = self.nodes.get(at).ok_or_else(bad)?;
            at = match self.named(node, name.as_bytes()) {
                Some(child) => child,
                None => self.add(at, name).ok_or(ExportFault::TooMany)?,
            };
        }
        Ok(at)
    }

    fn add(&mut self, parent: usize, name: &str) -> Option<usize> {
        let index = self.nodes.len();
        u16::try_from(index).ok()?;
        let children = Vec::new();
        self.nodes.push(Node {
            name: name.to_owned(),
            check: 0,
            parent,
            children,
            export: None,
        });
        self.nodes.get_mut(parent)?.children.push(index);
        Some(index)
    }

    fn path(&self, node: &Node) -> String {
        let mut names = Vec::new();
        let mut at = node;
        while !at.name.is_empty() {
            names.push(at.name.as_str());
            let Some(parent) = self.nodes.get(at.parent) else {
                break;
            };
            at = parent;
        }
        names
            .iter()
            .rev()
            .fold(String::new(), |path, name| path + "/" + name)
    }
}

fn overlap<'a>(path: &str, mut paths: impl Iterator<Item = &'a str>) -> ExportFault {
    let within = |longer: &str| {
        longer
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let other = paths.find(|other| within(other));
    ExportFault::Overlap(path.to_owned(), other.unwrap_or(path).to_owned())
}

/// A keyed hash of all exports and their paths.
fn digest_of<'a>(paths: impl Iterator<Item = &'a str>, keyed: Keyed) -> u64 {
    let mut hasher = keyed.build_hasher();
    // The same key has other uses.
    hasher.write(b"exports");
    for path in paths {
        hasher.write(&(path.len() as u64).to_be_bytes());
        hasher.write(path.as_bytes());
    }
    hasher.finish()
}

/// The check word of a node's handle.
fn check_of(index: u64, exports: u64, keyed: Keyed) -> u64 {
    let mut hasher = keyed.build_hasher();
    hasher.write(b"handle above exports");
    hasher.write(&exports.to_be_bytes());
    hasher.write(&index.to_be_bytes());
    hasher.finish()
}

fn fileid(index: usize) -> u64 {
    index as u64 + 1
}

pub(super) const CAPABILITIES: Capabilities = Capabilities {
    hard_links: false,
    symlinks: false,
    case_insensitive: false,
    case_preserving: true,
    max_name: 255,
    max_links: u32::MAX,
    max_file_size: 0,
    time_granularity: 1,
};

/// Length of a handle, in bytes: an index and a check word.
const HANDLE: usize = 10;
/// NFS reserves the cookies 0 to 2.
const FIRST_COOKIE: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str], key: u8) -> Result<PseudoFs, Vec<ExportFault>> {
        PseudoFs::new(paths.iter().copied(), Keyed::new([key; 16]))
    }

    #[test]
    fn paths_grow_a_tree_without_overlaps() {
        let grown = tree(&["/srv/a", "/srv/b", "/home"], 1).unwrap();
        let srv = grown.handle(grown.child(&grown.root(), b"srv").unwrap());
        let b = grown.handle(grown.child(&srv, b"b").unwrap());
        assert_eq!(grown.export_at(&b), Some(1));
        assert_eq!(grown.above(1), Some(srv));
        assert_eq!(grown.above(2), Some(grown.root()));
        for bad in ["srv", "", "/", "/a//b", "/a/..", "/a/"] {
            let faults = tree(&[bad, "/x"], 1).err();
            let expected = alloc::vec![ExportFault::Path(bad.to_owned())];
            assert_eq!(faults, Some(expected), "{bad}");
        }
        for (one, other) in [("/a", "/a"), ("/a", "/a/b"), ("/a/b/c", "/a")] {
            let faults = tree(&[one, other], 1).err();
            assert!(
                matches!(faults.as_deref(), Some([ExportFault::Overlap(..)])),
                "{one} {other}: {faults:?}"
            );
        }
    }

    #[test]
    fn every_fault_of_a_list_of_paths_is_reported() {
        let faults = tree(&["/a/b", "x", "/a", "/c", "/c", "/"], 1);
        let faults = faults.err().unwrap_or_default();
        let path = |path: &str| ExportFault::Path(path.to_owned());
        let overlap =
            |one: &str, other: &str| ExportFault::Overlap(one.to_owned(), other.to_owned());
        let expected = [
            path("x"),
            overlap("/c", "/c"),
            path("/"),
            overlap("/a", "/a/b"),
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn handles_are_good_for_one_list_of_exports_and_one_key() {
        let paths = ["/srv/a", "/srv/b", "/home"];
        let here = tree(&paths, 1).unwrap();
        let handles = |tree: &PseudoFs| -> Vec<FsHandle> {
            (0..tree.nodes.len()).map(|at| tree.handle(at)).collect()
        };
        let again = tree(&paths, 1).unwrap();
        assert_eq!(
            (handles(&again), again.change),
            (handles(&here), here.change)
        );
        let others: [(&[&str], u8); 5] = [
            (&paths, 2),
            (&["/srv/a", "/srv/b"], 1),
            (&["/srv/b", "/srv/a", "/home"], 1),
            (&["/srv/a", "/srv/b", "/home", "/more"], 1),
            (&["/srv/a", "/srv/b", "/hom", "/e"], 1),
        ];
        for (paths, key) in others {
            let other = tree(paths, key).unwrap();
            assert_ne!(other.change, here.change, "{paths:?} {key}");
            for fh in handles(&here) {
                assert_eq!(
                    other.node(&fh).err(),
                    Some(FsError::Stale),
                    "{paths:?} {key}"
                );
            }
        }
    }

    #[test]
    fn no_bit_of_a_handle_can_be_changed() {
        let tree = tree(&["/srv/a", "/srv/b", "/home"], 1).unwrap();
        for index in 0..tree.nodes.len() {
            let fh = tree.handle(index);
            assert_eq!(tree.node(&fh).map(|(at, _)| at), Ok(index));
            for bit in 0..8 * HANDLE {
                let mut bytes: [u8; HANDLE] = fh.as_bytes().try_into().unwrap();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let forged = FsHandle::new(&bytes).unwrap();
                assert_eq!(tree.node(&forged).err(), Some(FsError::Stale), "bit {bit}");
            }
        }
        for wrong in [&[0, 0][..], &[0; 9], &[0; 11]] {
            let fh = FsHandle::new(wrong).unwrap();
            assert_eq!(tree.node(&fh).err(), Some(FsError::BadHandle));
        }
    }
}
