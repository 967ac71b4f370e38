//! The objects of a tree.

use std::collections::{BTreeMap, HashMap};

use nfs4_engine::Wall;
use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    Attrs, Caller, Entry, FileKind, FsError, FsHandle, NewNode, Protection, SetAttrs, SetTime,
};

/// All objects by their numbers.
pub(super) struct Nodes {
    all: HashMap<u64, Node>,
    last: u64,
}

pub(super) struct Node {
    pub(super) attrs: Attrs,
    pub(super) body: Body,
    opens: u32,
}

pub(super) enum Body {
    File(Vec<u8>),
    Dir(Dir),
    Link(Bytes),
    Other(FileKind),
}

pub(super) struct Dir {
    pub(super) parent: u64,
    entries: BTreeMap<Vec<u8>, Place>,
    last_cookie: u64,
}

#[derive(Clone, Copy)]
struct Place {
    id: u64,
    cookie: u64,
}

pub(super) const ROOT: u64 = 1;
pub(super) const MAX_SIZE: u64 = 16 << 20;

impl Nodes {
    pub(super) fn new(root_mode: u32) -> Nodes {
        let root = Node {
            attrs: Attrs::dir(ROOT).with_mode(root_mode),
            body: Body::Dir(Dir::new(ROOT)),
            opens: 0,
        };
        Nodes {
            all: HashMap::from([(ROOT, root)]),
            last: ROOT,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn held(&self) -> u32 {
        self.all.values().map(|node| node.opens).sum()
    }

    pub(super) fn get(&self, fh: FsHandle) -> Result<&Node, FsError> {
        self.all.get(&fh.number()?).ok_or(FsError::Stale)
    }

    fn get_mut(&mut self, fh: FsHandle) -> Result<&mut Node, FsError> {
        self.all.get_mut(&fh.number()?).ok_or(FsError::Stale)
    }

    pub(super) fn dir(&self, fh: FsHandle) -> Result<&Dir, FsError> {
        match &self.get(fh)?.body {
            Body::Dir(dir) => Ok(dir),
            Body::Link(_) => Err(FsError::IsSymlink),
            _ => Err(FsError::NotDirectory),
        }
    }

    /// A directory that changes.
    fn dir_mut(&mut self, fh: FsHandle, now: Wall) -> Result<&mut Dir, FsError> {
        let node = self.get_mut(fh)?;
        let Body::Dir(dir) = &mut node.body else {
            return Err(FsError::NotDirectory);
        };
        touch(&mut node.attrs, now);
        Ok(dir)
    }

    pub(super) fn file(&self, fh: FsHandle) -> Result<&[u8], FsError> {
        match &self.get(fh)?.body {
            Body::File(content) => Ok(content),
            Body::Dir(_) => Err(FsError::IsDirectory),
            Body::Link(_) => Err(FsError::IsSymlink),
            Body::Other(_) => Err(FsError::WrongType),
        }
    }

    pub(super) fn named(&self, id: u64) -> Result<(FsHandle, Attrs), FsError> {
        let fh = FsHandle::from_number(id);
        Ok((fh, self.get(fh)?.attrs))
    }

    pub(super) fn entry(&self, name: Vec<u8>, id: u64) -> Entry {
        Entry::new(name, FsHandle::from_number(id), self.all[&id].attrs)
    }

    pub(super) fn set(
        &mut self,
        fh: FsHandle,
        set: &SetAttrs,
        now: Wall,
    ) -> Result<Attrs, FsError> {
        let Node { attrs, body, .. } = self.get_mut(fh)?;
        if set.size.is_some_and(|size| size > MAX_SIZE) {
            return Err(FsError::TooLarge);
        }
        if let (Some(size), Body::File(content)) = (set.size, body) {
            content.resize(size as usize, 0);
            (attrs.size, attrs.space_used) = (size, size);
            attrs.modified = now;
        }
        if !set.is_empty() {
            attrs.change += 1;
            attrs.changed = now;
        }
        apply(attrs, set, now);
        Ok(*attrs)
    }

    pub(super) fn write(
        &mut self,
        fh: FsHandle,
        offset: u64,
        data: &[u8],
        caller: &Caller,
    ) -> Result<(), FsError> {
        self.file(fh)?;
        let end = offset.saturating_add(data.len() as u64);
        if end > MAX_SIZE {
            return Err(FsError::TooLarge);
        }
        let Node { attrs, body, .. } = self.get_mut(fh)?;
        if let Body::File(content) = body
            && !data.is_empty()
        {
            let (start, end) = (offset as usize, end as usize);
            content.resize(content.len().max(end), 0);
            content[start..end].copy_from_slice(data);
            attrs.size = content.len() as u64;
            attrs.space_used = attrs.size;
            attrs.mode = Protection::from(&*attrs).after_write(&caller.cred);
            touch(attrs, caller.now.wall);
        }
        Ok(())
    }

    pub(super) fn make(
        &mut self,
        dir: FsHandle,
        name: &[u8],
        body: Body,
        set: &SetAttrs,
        caller: &Caller,
    ) -> Result<(FsHandle, Attrs), FsError> {
        if self.dir(dir)?.entries.contains_key(name) {
            return Err(FsError::Exists);
        }
        let now = caller.now.wall;
        let id = self.last + 1;
        let (kind, size) = body.kind_and_size();
        let attrs = Attrs::new(kind, id, size, 0o644).with_times(now);
        let attrs = attrs.with_owner(caller.cred.uid, caller.cred.gid);
        let opens = 0;
        self.all.insert(id, Node { attrs, body, opens });
        let fh = FsHandle::from_number(id);
        if let Err(why) = self.set(fh, set, now) {
            self.all.remove(&id);
            return Err(why);
        }
        self.last = id;
        self.dir_mut(dir, now)?.enter(name, id);
        if kind == FileKind::Directory {
            self.get_mut(dir)?.attrs.links += 1;
        }
        self.named(id)
    }

    pub(super) fn link(
        &mut self,
        fh: FsHandle,
        dir: FsHandle,
        name: &[u8],
        now: Wall,
    ) -> Result<(), FsError> {
        if self.dir(dir)?.entries.contains_key(name) {
            return Err(FsError::Exists);
        }
        let attrs = &mut self.get_mut(fh)?.attrs;
        if attrs.links == 0 {
            return Err(FsError::NotFound);
        }
        attrs.links += 1;
        attrs.change += 1;
        attrs.changed = now;
        let id = fh.number()?;
        self.dir_mut(dir, now)?.enter(name, id);
        Ok(())
    }

    pub(super) fn remove(&mut self, dir: FsHandle, name: &[u8], now: Wall) -> Result<(), FsError> {
        let id = self.dir(dir)?.find(name)?;
        if let Body::Dir(inner) = &self.all[&id].body
            && !inner.entries.is_empty()
        {
            return Err(FsError::NotEmpty);
        }
        self.dir_mut(dir, now)?.entries.remove(name);
        self.lose_name(dir, id, now)
    }

    /// An object has one name less, in this directory.
    fn lose_name(&mut self, dir: FsHandle, id: u64, now: Wall) -> Result<(), FsError> {
        let node = self.get_mut(FsHandle::from_number(id))?;
        node.attrs.links -= 1;
        node.attrs.change += 1;
        node.attrs.changed = now;
        if node.attrs.kind == FileKind::Directory {
            node.attrs.links = 0;
            self.get_mut(dir)?.attrs.links -= 1;
        }
        self.forget_if_gone(id);
        Ok(())
    }

    pub(super) fn rename(
        &mut self,
        (from_dir, from): (FsHandle, &[u8]),
        (to_dir, to): (FsHandle, &[u8]),
        now: Wall,
    ) -> Result<(), FsError> {
        let id = self.dir(from_dir)?.find(from)?;
        let replaced = match self.dir(to_dir)?.find(to) {
            Ok(replaced) => Some(replaced),
            Err(FsError::NotFound) => None,
            Err(why) => return Err(why),
        };
        if replaced == Some(id) {
            return Ok(());
        }
        let moves_dir = matches!(self.all[&id].body, Body::Dir(_));
        if moves_dir && self.is_above(id, to_dir.number()?) {
            return Err(FsError::Invalid);
        }
        if let Some(replaced) = replaced {
            match &self.all[&replaced].body {
                Body::Dir(inner) if moves_dir && inner.entries.is_empty() => {}
                Body::Dir(_) if moves_dir => return Err(FsError::NotEmpty),
                Body::Dir(_) => return Err(FsError::Exists),
                _ if moves_dir => return Err(FsError::Exists),
                _ => {}
            }
            self.lose_name(to_dir, replaced, now)?;
        }
        let former = self.dir_mut(from_dir, now)?.entries.remove(from);
        let target = self.dir_mut(to_dir, now)?;
        match former {
            // Within a directory it keeps its cookie.
            Some(former) if from_dir == to_dir => drop(target.entries.insert(to.to_vec(), former)),
            _ => target.enter(to, id),
        }
        if moves_dir {
            self.get_mut(from_dir)?.attrs.links -= 1;
            self.get_mut(to_dir)?.attrs.links += 1;
        }
        let node = self.get_mut(FsHandle::from_number(id))?;
        node.attrs.change += 1;
        node.attrs.changed = now;
        if let Body::Dir(dir) = &mut node.body {
            dir.parent = to_dir.number()?;
        }
        Ok(())
    }

    fn is_above(&self, above: u64, mut below: u64) -> bool {
        loop {
            if below == above {
                return true;
            }
            match &self.all[&below].body {
                Body::Dir(dir) if dir.parent != below => below = dir.parent,
                _ => return false,
            }
        }
    }

    pub(super) fn hold(&mut self, file: FsHandle) -> Result<(), FsError> {
        self.get_mut(file)?.opens += 1;
        Ok(())
    }

    pub(super) fn release(&mut self, file: FsHandle) {
        if let Ok(node) = self.get_mut(file) {
            node.opens -= 1;
            let id = node.attrs.fileid;
            self.forget_if_gone(id);
        }
    }

    fn forget_if_gone(&mut self, id: u64) {
        if self.all[&id].attrs.links == 0 && self.all[&id].opens == 0 {
            self.all.remove(&id);
        }
    }
}

impl Dir {
    fn new(parent: u64) -> Dir {
        Dir {
            parent,
            entries: BTreeMap::new(),
            last_cookie: 2,
        }
    }

    pub(super) fn find(&self, name: &[u8]) -> Result<u64, FsError> {
        let place = self.entries.get(name).ok_or(FsError::NotFound)?;
        Ok(place.id)
    }

    /// The entries after a cookie, in the order of their cookies.
    pub(super) fn after(&self, cookie: u64) -> Vec<(u64, Vec<u8>, u64)> {
        let entries = self.entries.iter();
        let mut after: Vec<_> = entries
            .filter(|(_, place)| place.cookie > cookie)
            .map(|(name, place)| (place.cookie, name.clone(), place.id))
            .collect();
        after.sort_unstable();
        after
    }

    fn enter(&mut self, name: &[u8], id: u64) {
        self.last_cookie += 1;
        let cookie = self.last_cookie;
        self.entries.insert(name.to_vec(), Place { id, cookie });
    }
}

impl Body {
    pub(super) fn of(node: NewNode, parent: u64) -> Body {
        let kind = node.kind();
        match node {
            NewNode::Directory => Body::Dir(Dir::new(parent)),
            NewNode::Symlink(target) => Body::Link(target),
            _ => Body::Other(kind),
        }
    }

    fn kind_and_size(&self) -> (FileKind, u64) {
        match self {
            Body::File(content) => (FileKind::Regular, content.len() as u64),
            Body::Dir(_) => (FileKind::Directory, 0),
            Body::Link(target) => (FileKind::Symlink, target.len() as u64),
            Body::Other(kind) => (*kind, 0),
        }
    }
}

/// The bytes or the entries changed.
fn touch(attrs: &mut Attrs, now: Wall) {
    attrs.change += 1;
    (attrs.changed, attrs.modified) = (now, now);
}

fn apply(attrs: &mut Attrs, set: &SetAttrs, now: Wall) {
    let new = |time: SetTime, former: Wall| match time {
        SetTime::Keep => former,
        SetTime::Server => now,
        SetTime::Client(wall) => wall,
    };
    attrs.mode = set.mode.unwrap_or(attrs.mode);
    attrs.uid = set.uid.unwrap_or(attrs.uid);
    attrs.gid = set.gid.unwrap_or(attrs.gid);
    attrs.accessed = new(set.accessed, attrs.accessed);
    attrs.modified = new(set.modified, attrs.modified);
    attrs.created = set.created.unwrap_or(attrs.created);
}
