//! What users may see, make and be taken for, in all minor versions.

mod handles;
mod listing;
mod squash;

use nfs4_engine::fs::Flavor;
use nfs4_engine::{ConnId, Squash};
use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::args::{self, CreateType};
use nfs4_proto::nfs4::basic::{Stateid, Verifier};
use nfs4_proto::nfs4::{Bitmap, FattrRaw};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Fattr, Reply, Sim};

/// A server that is asked on behalf of many users, in one minor version.
struct Asked {
    sim: Sim,
    minor: u32,
    conn: ConnId,
    client: Option<Client>,
}

/// A user of AUTH_SYS: number, primary group and supplementary groups.
const fn user(uid: u32, gid: u32, groups: &'static [u32]) -> CallCredential<'static> {
    CallCredential::Sys(AuthSys {
        stamp: 0,
        machinename: b"model",
        uid,
        gid,
        gids: List::new(groups),
    })
}

const ROOT: CallCredential<'_> = user(0, 0, &[]);
const ALICE: CallCredential<'_> = user(1000, 1000, &[]);
const BOB: CallCredential<'_> = user(1001, 1001, &[]);

impl Asked {
    fn serving(minor: u32, paths: &[&str], squash: Squash) -> Asked {
        let mut sim = Sim::serving(paths, |export| {
            export.squash = squash;
            export.flavors = vec![Flavor::Sys, Flavor::None];
        });
        let conn = sim.connect();
        let client = (minor > 0).then(|| {
            let mut client = Client::on(conn, "a");
            client.minor = minor;
            client.mount(&mut sim);
            client
        });
        Asked {
            sim,
            minor,
            conn,
            client,
        }
    }

    fn new(minor: u32) -> Asked {
        Asked::serving(minor, &["/"], Squash::None)
    }

    #[track_caller]
    fn ask(
        &mut self,
        who: &CallCredential<'_>,
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        let mut call = CompoundBuilder::call(self.sim.xid(), who, b"", self.minor);
        if let Some(client) = &mut self.client {
            call.sequence(client.sequence(0, false));
            client.advance(0);
        }
        let record = build(&mut call).finish();
        self.sim.exchange(self.conn, record)
    }

    /// Makes a directory in the root; its handle.
    #[track_caller]
    fn mkdir(&mut self, who: &CallCredential<'_>, name: &[u8], mode: u32) -> Vec<u8> {
        let mode = Fattr::mode(mode);
        let create = args::Create {
            createattrs: mode.raw(),
            ..making(CreateType::Directory, name)
        };
        let reply = self.ask(who, |c| c.putrootfh().create(create).getfh());
        ok!(reply.all_ok(), GetFh).object.to_vec()
    }

    #[track_caller]
    fn chmod(&mut self, who: &CallCredential<'_>, fh: &[u8], mode: u32) {
        let attrs = Fattr::mode(mode);
        let set = setting(&attrs);
        self.in_directory(who, fh, |c| c.setattr(set)).all_ok();
    }

    #[track_caller]
    fn in_directory(
        &mut self,
        who: &CallCredential<'_>,
        object: &[u8],
        build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
    ) -> Reply {
        self.ask(who, |c| build(c.putfh(args::PutFh { object })))
    }
}

const fn making<'a>(objtype: CreateType<'a>, objname: &'a [u8]) -> args::Create<'a> {
    args::Create {
        objtype,
        objname,
        createattrs: FattrRaw::EMPTY,
    }
}

const fn listing(cookie: u64, maxcount: u32, attrs: &[u32]) -> args::ReadDir {
    args::ReadDir {
        cookie,
        cookieverf: Verifier([0; 8]),
        dircount: 0,
        maxcount,
        attr_request: Bitmap::of(attrs),
    }
}

const fn named(objname: &[u8]) -> args::Lookup<'_> {
    args::Lookup { objname }
}

fn setting(attrs: &Fattr) -> args::SetAttr<'_> {
    args::SetAttr {
        stateid: Stateid::ANONYMOUS,
        obj_attributes: attrs.raw(),
    }
}
