//! The directories that lead to the exports: a small read-only tree in memory. [RFC 8881 §7.3]

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::hash::{BuildHasher as _, Hasher as _};
use core::ops::Range;

use crate::export::ExportFault;
use crate::fs::{
    AccessMask, Attrs, Capabilities, Creation, Device, DirWriter, FileKind, FsError, FsHandle,
    FsOp, FsReply, FsResult, FsStat, Target,
};
use crate::map::Keyed;
use crate::time::Wall;

/// The tree. The handle of a directory is a keyed hash of its path: no peer can guess it, and it stays
/// as long as the directory does, whatever other exports come and go.
pub(super) struct PseudoFs {
    /// Each after its parent.
    nodes: Vec<Node>,
    by_handle: BTreeMap<u64, usize>,
    /// The exports, in such an order that those below each directory follow each other.
    leaves: Vec<u16>,
    /// The change attribute of all directories.
    change: u64,
    keyed: Keyed,
}

struct Node {
    /// Its path; empty for the root.
    path: String,
    handle: u64,
    /// A hash of its path, the same in all servers and at every start. In a listing it is also the cookie,
    /// so that a listing continues where it was whatever has come or gone.
    fileid: u64,
    parent: Option<usize>,
    /// In the order of their fileids.
    children: Vec<usize>,
    /// The export that covers it.
    export: Option<u16>,
    /// Which of the leaves are in it.
    leaves: Range<usize>,
}

impl PseudoFs {
    /// The tree of these paths of exports with these numbers.
    ///
    /// # Errors
    /// All faults of the paths.
    pub(super) fn new<'a>(
        exports: impl Iterator<Item = (&'a str, u16)> + Clone,
        change: u64,
        keyed: Keyed,
    ) -> Result<PseudoFs, Vec<ExportFault>> {
        let mut tree = PseudoFs {
            nodes: Vec::new(),
            by_handle: BTreeMap::new(),
            leaves: Vec::new(),
            change,
            keyed,
        };
        tree.add(None, "");
        let mut faults = Vec::new();
        for (path, number) in exports.clone() {
            match tree.grow(path) {
                Ok(node) if node.export.is_none() => node.export = Some(number),
                Ok(_) => faults.push(ExportFault::Overlap(path.to_owned(), path.to_owned())),
                Err(fault) => faults.push(fault),
            }
        }
        let inner = |node: &&Node| node.export.is_some() && !node.children.is_empty();
        let inner = tree.nodes.iter().filter(inner);
        let paths = || exports.clone().map(|(path, _)| path);
        faults.extend(inner.map(|node| overlap(&node.path, paths())));
        if !faults.is_empty() {
            return Err(faults);
        }
        tree.order();
        Ok(tree)
    }

    pub(super) fn root(&self) -> FsHandle {
        self.nodes.first().map_or(FsHandle::EMPTY, handle_of)
    }

    /// The export that covers a directory.
    pub(super) fn export_at(&self, fh: &FsHandle) -> Option<u16> {
        self.node(fh).ok()?.export
    }

    /// Of each export: its number, the fileid of the directory that it covers [RFC 8881 §5.8.2.23], and
    /// the handle of the directory above.
    pub(super) fn covered(&self) -> impl Iterator<Item = (u16, u64, FsHandle)> {
        self.nodes.iter().filter_map(|node| {
            let above = self.nodes.get(node.parent?)?;
            Some((node.export?, node.fileid, handle_of(above)))
        })
    }

    /// Answers a request as any file system does, for a peer that sees some of the exports: directories
    /// that lead to none of these do not exist for it.
    pub(super) fn answer(&self, op: FsOp, sees: &dyn Fn(u16) -> bool) -> FsResult {
        match op {
            FsOp::GetAttrs { fh, want: _ } => Ok(FsReply::Attrs {
                attrs: self.attrs(self.node(&fh)?),
                stat: Some(FsStat::default()),
            }),
            FsOp::Access { fh, mask } => {
                self.node(&fh)?;
                let rights = AccessMask::READ.union(AccessMask::LOOKUP);
                Ok(FsReply::Access {
                    granted: mask.intersection(rights),
                    kind: FileKind::Directory,
                })
            }
            FsOp::Lookup { dir, name, want: _ } => Ok(self.found(self.child(&dir, &name, sees)?)),
            FsOp::LookupParent { dir, want: _ } => {
                let parent = self.node(&dir)?.parent.ok_or(FsError::NotFound)?;
                let parent = self.nodes.get(parent).ok_or(FsError::Stale)?;
                Ok(self.found(parent))
            }
            FsOp::ReadDir {
                dir,
                cookie,
                entries,
            } => self.list(&dir, cookie, entries, sees),
            FsOp::Open { target, how } => {
                match target {
                    Target::Handle(fh) => self.node(&fh).map(drop)?,
                    Target::Name { dir, name } => match self.child(&dir, &name, sees) {
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
            FsOp::Lock { .. } | FsOp::TestLock { .. } => Err(FsError::NotSupported),
            FsOp::SetAttrs { .. }
            | FsOp::Create { .. }
            | FsOp::Link { .. }
            | FsOp::Remove { .. }
            | FsOp::Rename { .. }
            | FsOp::Lease { .. } => Err(FsError::ReadOnly),
        }
    }

    fn found(&self, node: &Node) -> FsReply {
        FsReply::Node {
            fh: handle_of(node),
            attrs: self.attrs(node),
            stat: Some(FsStat::default()),
        }
    }

    fn list(
        &self,
        dir: &FsHandle,
        cookie: u64,
        mut entries: DirWriter,
        sees: &dyn Fn(u16) -> bool,
    ) -> FsResult {
        let node = self.node(dir)?;
        let children = node
            .children
            .iter()
            .filter_map(|index| self.nodes.get(*index));
        let rest = children.skip_while(|child| child.fileid <= cookie);
        for child in rest.filter(|child| self.is_seen(child, sees)) {
            let (cookie, name) = (child.fileid, child.name());
            let pushed = if child.export.is_some() && entries.tells_errors() {
                // The covering file system alone knows the attributes of its root.
                entries.push_unknown(cookie, name, child.fileid)
            } else {
                // Without that, the whole listing would fail. Name and handle lead to the covering file system.
                entries.push(cookie, name, &handle_of(child), &self.attrs(child))
            };
            if pushed.is_err() {
                return Ok(FsReply::Entries(entries));
            }
        }
        entries.end();
        Ok(FsReply::Entries(entries))
    }

    fn node(&self, fh: &FsHandle) -> Result<&Node, FsError> {
        let bytes: &[u8; HANDLE] = fh.as_bytes().try_into().map_err(|_| FsError::BadHandle)?;
        // A forged handle looks like one of a directory that is gone, or of an earlier start.
        let index = self.by_handle.get(&u64::from_be_bytes(*bytes));
        let node = index.and_then(|index| self.nodes.get(*index));
        node.ok_or(FsError::Stale)
    }

    fn attrs(&self, node: &Node) -> Attrs {
        let directories = u32::try_from(node.children.len()).unwrap_or(u32::MAX - 2);
        Attrs {
            kind: FileKind::Directory,
            mode: 0o555,
            links: 2 + directories,
            uid: 0,
            gid: 0,
            device: Device::default(),
            fileid: node.fileid,
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

    fn child(
        &self,
        dir: &FsHandle,
        name: &[u8],
        sees: &dyn Fn(u16) -> bool,
    ) -> Result<&Node, FsError> {
        let dir = self.node(dir)?;
        let index = self
            .by_handle
            .get(&self.digest(&[dir.path.as_bytes(), b"/", name]));
        let child = index.and_then(|index| self.nodes.get(*index));
        let child = child.filter(|child| child.name() == name && self.is_seen(child, sees));
        child.ok_or(FsError::NotFound)
    }

    /// Whether a directory leads to an export that the peer sees.
    fn is_seen(&self, node: &Node, sees: &dyn Fn(u16) -> bool) -> bool {
        let leaves = self.leaves.get(node.leaves.clone());
        leaves.is_some_and(|leaves| leaves.iter().any(|export| sees(*export)))
    }

    /// The node of a path, made if it does not exist.
    fn grow(&mut self, path: &str) -> Result<&mut Node, ExportFault> {
        let bad = || ExportFault::Path(path.to_owned());
        let names = path.strip_prefix('/').ok_or_else(bad)?;
        let (mut at, mut end) = (0, 0);
        for name in names.split('/') {
            let plain = !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
            if !plain || name.len() > CAPABILITIES.max_name as usize {
                return Err(bad());
            }
            end += 1 + name.len();
            let path = path.get(..end).ok_or_else(bad)?;
            at = match self.by_handle.get(&self.digest(&[path.as_bytes()])) {
                Some(there) => *there,
                None if self.nodes.len() > MAX_NODES => return Err(ExportFault::TooMany),
                None => self.add(Some(at), path),
            };
        }
        self.nodes.get_mut(at).ok_or_else(bad)
    }

    fn add(&mut self, parent: Option<usize>, path: &str) -> usize {
        let (index, handle) = (self.nodes.len(), self.digest(&[path.as_bytes()]));
        self.by_handle.insert(handle, index);
        self.nodes.push(Node {
            path: path.to_owned(),
            handle,
            fileid: fileid(path),
            parent,
            children: Vec::new(),
            export: None,
            leaves: 0..0,
        });
        if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
            parent.children.push(index);
        }
        index
    }

    /// Orders the children of each node, and the leaves.
    fn order(&mut self) {
        let fileids: Vec<u64> = self.nodes.iter().map(|node| node.fileid).collect();
        let mut counts = alloc::vec![0; self.nodes.len()];
        for (index, node) in self.nodes.iter_mut().enumerate().rev() {
            node.children
                .sort_by_key(|child| fileids.get(*child).copied());
            let below: usize = node
                .children
                .iter()
                .filter_map(|child| counts.get(*child))
                .sum();
            if let Some(count) = counts.get_mut(index) {
                *count = below + usize::from(node.export.is_some());
            }
        }
        let mut starts = alloc::vec![0; self.nodes.len()];
        self.leaves = alloc::vec![0; counts.first().copied().unwrap_or(0)];
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let start = starts.get(index).copied().unwrap_or(0);
            let mut next = start;
            if let (Some(export), Some(leaf)) = (node.export, self.leaves.get_mut(next)) {
                *leaf = export;
                next += 1;
            }
            for child in &node.children {
                if let Some(start) = starts.get_mut(*child) {
                    *start = next;
                }
                next += counts.get(*child).copied().unwrap_or(0);
            }
            node.leaves = start..next;
        }
    }

    /// A keyed hash of a path.
    fn digest(&self, path: &[&[u8]]) -> u64 {
        let mut hasher = self.keyed.build_hasher();
        // The same key has other uses.
        hasher.write(b"directory above exports");
        path.iter().for_each(|part| hasher.write(part));
        hasher.finish()
    }
}

impl Node {
    fn name(&self) -> &[u8] {
        let name = self.path.rsplit_once('/').map_or("", |(_, name)| name);
        name.as_bytes()
    }
}

fn handle_of(node: &Node) -> FsHandle {
    // A handle has room for more.
    FsHandle::new(&node.handle.to_be_bytes()).unwrap_or(FsHandle::EMPTY)
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

/// The fileid of a path: of the root 1, of others a hash, which leaves out numbers that NFS reserves as
/// cookies.
fn fileid(path: &str) -> u64 {
    if path.is_empty() {
        return 1;
    }
    let mut hasher = Keyed::new([0; 16]).build_hasher();
    hasher.write(path.as_bytes());
    (hasher.finish() >> 1).max(FIRST_COOKIE)
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
    ordered_cookies: true,
    local_locks: false,
};

/// Length of a handle, in bytes.
const HANDLE: usize = 8;
/// NFS reserves the cookies 0 to 2.
const FIRST_COOKIE: u64 = 3;
/// Maximum number of directories.
const MAX_NODES: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str], key: u8) -> Result<PseudoFs, Vec<ExportFault>> {
        let exports = paths.iter().copied().zip(0..);
        PseudoFs::new(exports, 1, Keyed::new([key; 16]))
    }

    fn at(tree: &PseudoFs, path: &[&str], sees: &dyn Fn(u16) -> bool) -> Result<FsHandle, FsError> {
        path.iter().try_fold(tree.root(), |dir, name| {
            tree.child(&dir, name.as_bytes(), sees).map(handle_of)
        })
    }

    #[test]
    fn paths_grow_a_tree_without_overlaps() {
        let grown = tree(&["/srv/a", "/srv/b", "/home"], 1).unwrap();
        let all = |_| true;
        let srv = at(&grown, &["srv"], &all).unwrap();
        let b = at(&grown, &["srv", "b"], &all).unwrap();
        assert_eq!(grown.export_at(&b), Some(1));
        let covered: BTreeMap<_, _> = grown.covered().map(|(of, _, above)| (of, above)).collect();
        let expected = [(0, srv), (1, srv), (2, grown.root())];
        assert_eq!(covered, BTreeMap::from(expected));
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
    fn a_directory_is_seen_if_it_leads_to_an_export_that_is_seen() {
        let paths = ["/a/b/one", "/a/two", "/c/three", "/four", "/a/b/five"];
        let tree = tree(&paths, 1).unwrap();
        for seen in 0..1 << paths.len() {
            let sees = |export: u16| seen >> export & 1 == 1;
            for prefix in [
                "/a", "/a/b", "/a/b/one", "/a/two", "/c", "/c/three", "/four",
            ] {
                let leads = paths.iter().zip(0..).any(|(path, export)| {
                    let below = path.strip_prefix(prefix);
                    sees(export)
                        && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                });
                let names: Vec<_> = prefix.split('/').skip(1).collect();
                assert_eq!(at(&tree, &names, &sees).is_ok(), leads, "{prefix} {seen:b}");
            }
        }
    }

    #[test]
    fn a_directory_keeps_handle_and_fileid_whatever_else_is_exported() {
        let lists: [&[&str]; 4] = [
            &["/srv/a", "/srv/b", "/home"],
            &["/srv/b"],
            &["/x", "/srv/y/z", "/home", "/srv/b"],
            &["/srv"],
        ];
        let all = |_| true;
        let srv = |list: &[&str], key| {
            let tree = tree(list, key).unwrap();
            let srv = at(&tree, &["srv"], &all).unwrap();
            (srv, tree.node(&srv).unwrap().fileid, tree.root())
        };
        let [first, others @ ..] = lists.map(|list| srv(list, 1));
        assert_eq!(others, [first; 3]);
        let (of_another, fileid, root) = srv(lists[0], 2);
        assert_ne!((of_another, root), (first.0, first.2), "of another server");
        assert_eq!(fileid, first.1);
        let without = tree(&["/home"], 1).unwrap();
        assert_eq!(without.node(&first.0).err(), Some(FsError::Stale));
    }

    #[test]
    fn no_bit_of_a_handle_can_be_changed() {
        let tree = tree(&["/srv/a", "/srv/b", "/home"], 1).unwrap();
        for node in &tree.nodes {
            let fh = handle_of(node);
            assert_eq!(tree.node(&fh).map(|found| &found.path), Ok(&node.path));
            for bit in 0..8 * HANDLE {
                let mut bytes: [u8; HANDLE] = fh.as_bytes().try_into().unwrap();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let forged = FsHandle::new(&bytes).unwrap();
                assert_eq!(tree.node(&forged).err(), Some(FsError::Stale), "bit {bit}");
            }
        }
        for wrong in [&[0, 0][..], &[0; 7], &[0; 9]] {
            let fh = FsHandle::new(wrong).unwrap();
            assert_eq!(tree.node(&fh).err(), Some(FsError::BadHandle));
        }
    }
}
