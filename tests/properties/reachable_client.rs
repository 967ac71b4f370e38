//! A client that can be called back, and a file that every user may write.

use nfs4_proto::nfs4::args::{self, CreateHow, OpenFlag};
use nfs4_proto::nfs4::consts::{
    CREATE_SESSION4_FLAG_CONN_BACK_CHAN, OPEN4_SHARE_ACCESS_BOTH, OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Fattr, Sim, open_args};

/// A mounted client whose connection is also its backchannel.
pub(crate) fn reachable_client(sim: &mut Sim, name: &str) -> Client {
    Client::mounted_with(sim, name, |args| {
        args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    })
}

/// Makes a file that every user may write, and closes it; its filehandle.
pub(crate) fn make_shared_file(sim: &mut Sim, client: &mut Client, name: &[u8]) -> Vec<u8> {
    let attrs = Fattr::mode(0o666);
    let args = args::Open {
        share_access: OPEN4_SHARE_ACCESS_BOTH | OPEN4_SHARE_ACCESS_WANT_NO_DELEG,
        openhow: OpenFlag::Create(CreateHow::Guarded(attrs.raw())),
        ..open_args(b"maker", name)
    };
    let reply = client
        .call(sim, |c| c.putrootfh().open(args).getfh())
        .all_ok();
    let object = ok!(reply, GetFh).object.to_vec();
    let close = args::Close {
        seqid: 0,
        open_stateid: ok!(reply, Open).stateid,
    };
    let put = args::PutFh { object: &object };
    client.call(sim, |c| c.putfh(put).close(close)).all_ok();
    object
}
