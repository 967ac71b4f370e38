//! The files that a load needs on the server.

use std::sync::Arc;

use nfs4_proto::client::{CompoundBuilder, ReplyReader};
use nfs4_proto::nfs4::args::{self, CreateHow, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::consts::{OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_ACCESS_WANT_NO_DELEG};
use nfs4_proto::nfs4::{ClientId, FattrRaw, Owner, StableHow, Stateid, Status, Verifier};

use crate::fault::{At as _, Fault};
use crate::mount::Mount;
use crate::workload::{LARGE, SMALL, Workload};

/// What the requests of a load name.
#[derive(Debug)]
pub(crate) struct Files {
    /// The filehandle of a file of 1 MiB.
    pub(crate) data: Vec<u8>,
    /// The open of that file.
    pub(crate) open: Stateid,
    /// The filehandle of a directory of 1 000 files.
    pub(crate) listing: Vec<u8>,
    /// Where each READDIR of that directory begins; empty if no READDIR is wanted.
    pub(crate) parts: Vec<Part>,
    /// What a WRITE writes; other bytes than were there before.
    pub(crate) written: Arc<[u8]>,
}

/// Where a READDIR begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) cookie: u64,
    pub(crate) verifier: Verifier,
}

impl Files {
    /// Opens, fills and reads what the load needs, and creates what is not there.
    ///
    /// # Errors
    /// An operation fails, or the server returns other bytes than were written.
    pub(crate) fn prepare(mount: &mut Mount, workload: Workload) -> Result<Files, Fault> {
        let client = mount.client.id;
        let reply = mount.ask("OPEN", |call| {
            call.putrootfh().open(open(client, b"data", FILE)).getfh()
        })?;
        let mut results = ReplyReader::parse(&reply).at("OPEN")?;
        results.sequence().at("OPEN")?;
        results.putrootfh().at("OPEN")?;
        let stateid = results.open().at("OPEN")?.stateid;
        let mut files = Files {
            data: results.getfh().at("OPEN")?.object.to_vec(),
            open: Stateid {
                seqid: 0,
                ..stateid
            },
            listing: Vec::new(),
            parts: Vec::new(),
            written: pattern(11).into(),
        };
        // A server that cannot carry 1 MiB can still be measured with less.
        let bytes = match workload {
            Workload::Read1m | Workload::Write1m => LARGE,
            _ => SMALL,
        };
        let before = pattern(7);
        for at in (0..LARGE).step_by(bytes) {
            files.write(mount, at, &before[at..at + bytes])?;
        }
        files.expect(mount, 0, &before[..bytes])?;
        if workload == Workload::Readdir {
            files.prepare_listing(mount)?;
        }
        Ok(files)
    }

    /// Reads from an offset of the file, which must hold these bytes.
    ///
    /// # Errors
    /// READ fails, or the bytes are others.
    pub(crate) fn expect(
        &self,
        mount: &mut Mount,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        let reply = mount.ask("READ", |call| {
            call.putfh(args::PutFh { object: &self.data })
                .read(args::Read {
                    stateid: self.open,
                    offset: offset as u64,
                    count: bytes.len() as u32,
                })
        })?;
        let mut results = ReplyReader::parse(&reply).at("READ")?;
        results.sequence().at("READ")?;
        results.putfh().at("READ")?;
        let read = results.read().at("READ")?.data;
        if read.len() != bytes.len() {
            let (read, count) = (read.len(), bytes.len());
            return Err(Fault::new(format!("READ returns {read} bytes of {count}")));
        }
        if read != bytes {
            return Err(Fault::new(format!(
                "READ at {offset} returns other bytes than were written"
            )));
        }
        Ok(())
    }

    /// CLOSE of what is open.
    ///
    /// # Errors
    /// The server refuses it.
    pub(crate) fn close(&self, mount: &mut Mount) -> Result<(), Fault> {
        let close = args::Close {
            seqid: 0,
            open_stateid: self.open,
        };
        let file = args::PutFh { object: &self.data };
        mount.ask("CLOSE", |call| call.putfh(file).close(close))?;
        Ok(())
    }

    fn write(&self, mount: &mut Mount, at: usize, data: &[u8]) -> Result<(), Fault> {
        mount.ask("WRITE", |call| {
            call.putfh(args::PutFh { object: &self.data })
                .write(args::Write {
                    stateid: self.open,
                    offset: at as u64,
                    stable: StableHow::Unstable,
                    data,
                })
        })?;
        Ok(())
    }

    fn prepare_listing(&mut self, mount: &mut Mount) -> Result<(), Fault> {
        if !lookup_listing(mount, &mut self.listing)? {
            create_listing(mount)?;
            lookup_listing(mount, &mut self.listing)?;
        }
        let mut next = Part {
            cookie: 0,
            verifier: Verifier([0; 8]),
        };
        let mut entries = 0;
        loop {
            let listing = args::PutFh {
                object: &self.listing,
            };
            let reply = mount.ask("READDIR", |call| call.putfh(listing).readdir(readdir(next)))?;
            let mut results = ReplyReader::parse(&reply).at("READDIR")?;
            results.sequence().at("READDIR")?;
            results.putfh().at("READDIR")?;
            let read = results.readdir().at("READDIR")?;
            self.parts.push(next);
            next.verifier = read.cookieverf;
            for entry in read.entries.iter() {
                next.cookie = entry.cookie;
                entries += 1;
            }
            if read.eof {
                break;
            }
            if read.entries.iter().next().is_none() {
                return Err(Fault::new("READDIR returns no entry and no end"));
            }
        }
        if entries != ENTRIES {
            let fault = format!("READDIR lists {entries} entries of {ENTRIES}");
            return Err(Fault::new(fault));
        }
        Ok(())
    }
}

/// OPEN for reading and writing without a delegation, which creates the file.
pub(crate) fn open<'a>(clientid: ClientId, owner: &'a [u8], name: &'a [u8]) -> args::Open<'a> {
    args::Open {
        seqid: 0,
        share_access: OPEN4_SHARE_ACCESS_BOTH | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        share_deny: 0,
        owner: Owner { clientid, owner },
        openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
        claim: OpenClaim::Null(name),
    }
}

/// READDIR of what Linux asks for, as much as fits into 1 MiB.
pub(crate) fn readdir(part: Part) -> args::ReadDir {
    args::ReadDir {
        cookie: part.cookie,
        cookieverf: part.verifier,
        dircount: LARGE as u32,
        maxcount: LARGE as u32,
        attr_request: Bitmap::from_words(LINUX_READDIR),
    }
}

/// The name of the file of 1 MiB in the root directory.
pub(crate) const FILE: &[u8] = b"nfs4-bench-data";
/// The attributes that Linux asks GETATTR for.
pub(crate) const LINUX_GETATTR: [u32; 3] = [0x0010_011a, 0x00b0_a23a, 0];
/// The same with the filehandle and the error of the entry: those of a READDIR.
const LINUX_READDIR: [u32; 3] = [0x0018_091a, 0x00b0_a23a, 0];
const DIRECTORY: &[u8] = b"nfs4-bench-listing";
const ENTRIES: usize = 1_000;

/// Looks the directory up; whether it is there.
fn lookup_listing(mount: &mut Mount, handle: &mut Vec<u8>) -> Result<bool, Fault> {
    let objname = DIRECTORY;
    let reply = mount.try_ask(|call| call.putrootfh().lookup(args::Lookup { objname }).getfh())?;
    let mut results = ReplyReader::parse(&reply).at("LOOKUP")?;
    if results.status() == Status::NOENT {
        return Ok(false);
    }
    results.sequence().at("LOOKUP")?;
    results.putrootfh().at("LOOKUP")?;
    results.lookup().at("LOOKUP")?;
    *handle = results.getfh().at("GETFH")?.object.to_vec();
    Ok(true)
}

fn create_listing(mount: &mut Mount) -> Result<(), Fault> {
    mount.ask("CREATE", |call| {
        call.putrootfh().create(args::Create {
            objtype: args::CreateType::Directory,
            objname: DIRECTORY,
            createattrs: FattrRaw::EMPTY,
        })
    })?;
    let client = mount.client.id;
    for n in 0..ENTRIES {
        let name = format!("file-of-a-listing-{n:04}");
        mount.ask("OPEN and CLOSE", |call| {
            create(call, client, name.as_bytes())
        })?;
    }
    Ok(())
}

fn create<'a>(
    call: &'a mut CompoundBuilder,
    client: ClientId,
    name: &[u8],
) -> &'a mut CompoundBuilder {
    let objname = DIRECTORY;
    call.putrootfh()
        .lookup(args::Lookup { objname })
        .open(open(client, name, name))
        .close(args::Close {
            seqid: 0,
            open_stateid: Stateid::CURRENT,
        })
}

fn pattern(step: usize) -> Vec<u8> {
    (0..LARGE).map(|at| (at * step / 3) as u8).collect()
}
