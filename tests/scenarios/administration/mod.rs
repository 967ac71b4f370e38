//! What the administrator can do while the server runs.

mod configure;
mod end_session;
mod evict;
mod executed;
mod grace;
mod limits;
mod told;

use nfs4_proto::client::CompoundBuilder;
use nfs4_proto::nfs4::FattrRaw;
use nfs4_proto::nfs4::args::{self, CreateHow, OpenFlag};
use nfs4_tests::sim::open_args;

fn create<'a>(c: &'a mut CompoundBuilder, owner: &[u8], name: &[u8]) -> &'a mut CompoundBuilder {
    c.putrootfh().open(args::Open {
        openhow: OpenFlag::Create(CreateHow::Unchecked(FattrRaw::EMPTY)),
        ..open_args(owner, name)
    })
}
