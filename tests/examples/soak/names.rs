//! What a mounted client does with names.

use nfs4_proto::nfs4::{Bitmap, FattrRaw, Verifier, args};

use super::mount::Mount;

impl Mount<'_> {
    /// The root's filehandle.
    pub(crate) fn root(&mut self) -> Vec<u8> {
        let reply = self.call(|_, c| {
            c.putrootfh().getfh();
        });
        let mut reply = self.results(&reply);
        reply.putrootfh().expect("a root");
        reply.getfh().expect("a filehandle").object.to_vec()
    }

    /// Makes a directory.
    pub(crate) fn make_dir(&mut self, dir: &[u8], name: &str) -> Vec<u8> {
        let reply = self.call(|_, c| {
            c.putfh(args::PutFh { object: dir })
                .create(directory(name))
                .getfh();
        });
        let mut reply = self.results(&reply);
        reply.putfh().expect("a directory");
        reply.create().expect("a directory");
        reply.getfh().expect("a filehandle").object.to_vec()
    }

    /// RENAME within a directory.
    pub(crate) fn rename(&mut self, dir: &[u8], from: &str, to: &str) {
        let rename = args::Rename {
            oldname: from.as_bytes(),
            newname: to.as_bytes(),
        };
        self.call(|_, c| {
            c.putfh(args::PutFh { object: dir }).savefh().rename(rename);
        });
    }

    /// REMOVE.
    pub(crate) fn remove(&mut self, dir: &[u8], name: &str) {
        let target = name.as_bytes();
        self.call(|_, c| {
            c.putfh(args::PutFh { object: dir })
                .remove(args::Remove { target });
        });
    }

    /// All names in a directory, in the order of READDIR.
    pub(crate) fn names(&mut self, dir: &[u8]) -> Vec<String> {
        let (mut names, mut cookie, mut cookieverf) = (Vec::new(), 0, Verifier::default());
        loop {
            let list = args::ReadDir {
                cookie,
                cookieverf,
                dircount: 1 << 10,
                maxcount: 2 << 10,
                attr_request: Bitmap::EMPTY,
            };
            let reply = self.call(|_, c| {
                c.putfh(args::PutFh { object: dir }).readdir(list);
            });
            let mut results = self.results(&reply);
            results.putfh().expect("a directory");
            let page = results.readdir().expect("a listing");
            cookieverf = page.cookieverf;
            for entry in page.entries.iter() {
                cookie = entry.cookie;
                names.push(String::from_utf8_lossy(entry.name).into_owned());
            }
            if page.eof {
                return names;
            }
        }
    }
}

/// CREATE of a directory.
pub(crate) fn directory(name: &str) -> args::Create<'_> {
    args::Create {
        objtype: args::CreateType::Directory,
        objname: name.as_bytes(),
        createattrs: FattrRaw::EMPTY,
    }
}
