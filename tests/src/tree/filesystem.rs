//! The methods of the trait.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{
    AccessMask, Attrs, Caller, Capabilities, Data, Entries, FileSystem, FsError, FsHandle, FsStat,
    NewNode, Permissions, Protection, SetAttrs, Stability, Written,
};

use super::nodes::{Body, MAX_SIZE, ROOT};
use super::{EndsBadly, TreeFs};

impl FileSystem for TreeFs {
    fn root(&self) -> FsHandle {
        FsHandle::from_number(ROOT)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with(|capabilities| {
            capabilities.hard_links = true;
            capabilities.max_links = 1_000;
            capabilities.max_file_size = MAX_SIZE;
        })
    }

    fn permissions(&self) -> Permissions {
        match self.0.own {
            true => Permissions::Own,
            false => Permissions::ByMode,
        }
    }

    fn is_private(&self) -> bool {
        self.0.private
    }

    async fn getattr(&self, _: Caller, node: FsHandle) -> Result<Attrs, FsError> {
        Ok(self.nodes_for("getattr").await.get(node)?.attrs)
    }

    async fn lookup(
        &self,
        _: Caller,
        dir: FsHandle,
        name: Bytes,
    ) -> Result<(FsHandle, Attrs), FsError> {
        let nodes = self.nodes_for("lookup").await;
        nodes.named(nodes.dir(dir)?.find(&name)?)
    }

    async fn readdir(&self, _: Caller, dir: FsHandle, after: u64) -> Result<Entries, FsError> {
        let nodes = self.nodes_for("readdir").await;
        let mut entries = nodes.dir(dir)?.after(after);
        let Some(page) = self.0.page else {
            let all = nodes.dir(dir)?.after(0).into_iter();
            let all: Vec<_> = all.map(|(_, name, id)| nodes.entry(name, id)).collect();
            return Ok(Entries::all(all));
        };
        let more = entries.len() > page;
        entries.truncate(page);
        let entries = entries.into_iter();
        let page: Vec<_> = entries
            .map(|(cookie, name, id)| (cookie, nodes.entry(name, id)))
            .collect();
        Ok(Entries::page(page, more))
    }

    async fn read(
        &self,
        _: Caller,
        file: FsHandle,
        offset: u64,
        count: u32,
    ) -> Result<Data, FsError> {
        let nodes = self.nodes_for("read").await;
        let content = nodes.file(file)?;
        Ok(Data::part_of(
            &Bytes::copy_from_slice(content),
            offset,
            count,
        ))
    }

    async fn readlink(&self, _: Caller, link: FsHandle) -> Result<Bytes, FsError> {
        match &self.nodes_for("readlink").await.get(link)?.body {
            Body::Link(target) => Ok(target.clone()),
            _ => Err(FsError::WrongType),
        }
    }

    async fn parent(&self, _: Caller, dir: FsHandle) -> Result<(FsHandle, Attrs), FsError> {
        let nodes = self.nodes_for("parent").await;
        nodes.named(nodes.dir(dir)?.parent)
    }

    async fn stat(&self, _: Caller) -> Result<FsStat, FsError> {
        let objects = self.nodes_for("stat").await.count() as u64;
        Ok(FsStat {
            space_total: 1 << 30,
            space_free: 1 << 29,
            space_avail: 1 << 28,
            files_total: 1 << 20,
            files_free: (1 << 20) - objects,
            files_avail: (1 << 20) - objects,
        })
    }

    async fn access(
        &self,
        caller: Caller,
        _: FsHandle,
        attrs: Attrs,
        mask: AccessMask,
    ) -> Result<AccessMask, FsError> {
        drop(self.nodes_for("access").await);
        match self.0.own {
            true => Ok(mask),
            false => Ok(Protection::from(&attrs).granted(&caller.cred, mask)),
        }
    }

    async fn setattr(
        &self,
        caller: Caller,
        node: FsHandle,
        set: SetAttrs,
    ) -> Result<Attrs, FsError> {
        let mut nodes = self.nodes_for("setattr").await;
        nodes.set(node, &set, caller.now.wall)
    }

    async fn write(
        &self,
        caller: Caller,
        file: FsHandle,
        offset: u64,
        data: Bytes,
        _: Stability,
    ) -> Result<Written, FsError> {
        let mut nodes = self.nodes_for("write").await;
        nodes.write(file, offset, &data, &caller)?;
        Ok(Written {
            count: data.len() as u32,
            stability: Stability::File,
        })
    }

    async fn commit(&self, _: Caller, file: FsHandle, _: u64, _: u32) -> Result<(), FsError> {
        let nodes = self.nodes_for("commit").await;
        nodes.file(file).map(drop)
    }

    async fn create(
        &self,
        caller: Caller,
        dir: FsHandle,
        name: Bytes,
        set: SetAttrs,
    ) -> Result<(FsHandle, Attrs), FsError> {
        let mut nodes = self.nodes_for("create").await;
        nodes.make(dir, &name, Body::File(Vec::new()), &set, &caller)
    }

    async fn make(
        &self,
        caller: Caller,
        dir: FsHandle,
        name: Bytes,
        node: NewNode,
        set: SetAttrs,
    ) -> Result<(FsHandle, Attrs), FsError> {
        let mut nodes = self.nodes_for("make").await;
        let body = Body::of(node, dir.number()?);
        nodes.make(dir, &name, body, &set, &caller)
    }

    async fn link(
        &self,
        caller: Caller,
        node: FsHandle,
        dir: FsHandle,
        name: Bytes,
    ) -> Result<(), FsError> {
        let mut nodes = self.nodes_for("link").await;
        nodes.link(node, dir, &name, caller.now.wall)
    }

    async fn remove(&self, caller: Caller, dir: FsHandle, name: Bytes) -> Result<(), FsError> {
        let mut nodes = self.nodes_for("remove").await;
        nodes.remove(dir, &name, caller.now.wall)
    }

    async fn rename(
        &self,
        caller: Caller,
        from_dir: FsHandle,
        from: Bytes,
        to_dir: FsHandle,
        to: Bytes,
    ) -> Result<(), FsError> {
        let mut nodes = self.nodes_for("rename").await;
        nodes.rename((from_dir, &from), (to_dir, &to), caller.now.wall)
    }

    fn open(
        &self,
        _: Caller,
        file: FsHandle,
        _: bool,
        _: bool,
    ) -> impl Future<Output = Result<(), FsError>> + Send {
        let hold = async move { self.nodes_for("open").await.hold(file) };
        EndsBadly::new(hold, self.0.ends_badly)
    }

    async fn release(&self, file: FsHandle) {
        self.nodes_for("release").await.release(file);
    }
}
