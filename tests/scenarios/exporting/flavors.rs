//! Which operations answer WRONGSEC, and what the flavours of an export are. [RFC 8881 §2.6.3.1]

use nfs4_engine::fs::Flavor;
use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::{Bitmap, Op, Status, args};
use nfs4_tests::sim::{Client, Reply, Sim, making_args, open_args};

use super::handle;

fn without_credential(
    sim: &mut Sim,
    client: &mut Client,
    build: impl FnOnce(&mut CompoundBuilder) -> &mut CompoundBuilder,
) -> Reply {
    let mut call = CompoundBuilder::call(sim.xid(), &CallCredential::None, b"", 1);
    call.sequence(client.sequence(0, false));
    client.advance(0);
    let record = build(&mut call).finish();
    sim.exchange(client.conn, record)
}

#[test]
fn the_operation_answers_that_leads_to_an_object_with_other_flavours() {
    let mut sim = Sim::serving(&["/sys", "/any"], |export| {
        export.flavors = match &*export.path {
            "/any" => vec![Flavor::Sys, Flavor::None],
            _ => vec![Flavor::Sys],
        };
    });
    let mut client = Client::mounted(&mut sim, "a");
    let [sys, any] = ["/sys", "/any"].map(|path| handle(&mut sim, &mut client, path));
    let (sys, any) = (args::PutFh { object: &sys }, args::PutFh { object: &any });
    let look = args::GetAttr {
        attr_request: Bitmap::EMPTY,
    };
    let name = |objname| args::Lookup { objname };
    let info = |name| args::SecInfo { name };
    let by_handle = args::Open {
        claim: args::OpenClaim::Fh,
        ..open_args(b"o", b"")
    };
    type Build<'a> = &'a dyn for<'c> Fn(&'c mut CompoundBuilder) -> &'c mut CompoundBuilder;
    let wrong = Status::WRONGSEC;
    let cases: [(Build<'_>, (Op, Status)); 14] = [
        (&|c| c.putfh(sys).getattr(look), (Op::PutFh, wrong)),
        (&|c| c.putfh(any).getattr(look), (Op::GetAttr, Status::OK)),
        (&|c| c.putfh(sys), (Op::PutFh, Status::OK)),
        (&|c| c.putfh(sys).savefh().getattr(look), (Op::PutFh, wrong)),
        (&|c| c.putfh(sys).savefh(), (Op::SaveFh, Status::OK)),
        (
            &|c| c.putfh(sys).putfh(any).getattr(look),
            (Op::GetAttr, Status::OK),
        ),
        (&|c| c.putfh(sys).lookup(name(b"x")), (Op::Lookup, wrong)),
        (
            &|c| c.putfh(sys).lookupp().getattr(look),
            (Op::GetAttr, Status::OK),
        ),
        (
            &|c| c.putfh(sys).open(making_args(b"o", b"x")),
            (Op::Open, wrong),
        ),
        (&|c| c.putfh(sys).open(by_handle), (Op::PutFh, wrong)),
        (
            &|c| c.putfh(sys).secinfo(info(b"y")),
            (Op::SecInfo, Status::NOENT),
        ),
        (&|c| c.putrootfh().lookup(name(b"sys")), (Op::Lookup, wrong)),
        (
            &|c| c.putrootfh().lookup(name(b"any")),
            (Op::Lookup, Status::OK),
        ),
        (
            &|c| c.putfh(sys).savefh().putfh(any).restorefh().getattr(look),
            (Op::RestoreFh, wrong),
        ),
    ];
    for (at, (build, expected)) in cases.into_iter().enumerate() {
        let reply = without_credential(&mut sim, &mut client, build);
        assert_eq!(reply.last(), expected, "case {at}");
        let reply = client.call(&mut sim, build);
        assert_ne!(reply.last().1, wrong, "case {at}");
    }
    sim.assert_nothing_is_left();
}
