//! Which operations answer WRONGSEC, and what the flavours of an export are. [RFC 8881 §2.6.3.1]

use nfs4_engine::fs::Flavor;
use nfs4_proto::client::{CallCredential, CompoundBuilder};
use nfs4_proto::nfs4::res::{SecInfoFlavor, SecInfoOk};
use nfs4_proto::nfs4::{Bitmap, Op, Status, args};
use nfs4_proto::rpc::AuthFlavor;
use nfs4_tests::ok;
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

fn told(answer: &SecInfoOk<'_>) -> Vec<AuthFlavor> {
    let flavors = answer.flavors.iter();
    let number = |flavor| match flavor {
        SecInfoFlavor::Flavor(number) => AuthFlavor(number),
        other @ SecInfoFlavor::Gss(_) => panic!("{other:?}"),
    };
    flavors.map(number).collect()
}

#[test]
fn a_client_with_another_flavour_asks_for_those_of_its_filehandle_and_of_the_parent() {
    let mut sim = Sim::serving(&["/srv/sys"], |export| export.flavors = vec![Flavor::Sys]);
    let mut client = Client::mounted(&mut sim, "a");
    let sys = handle(&mut sim, &mut client, "/srv/sys");
    let put = args::PutFh { object: &sys };
    let ask = |style| args::SecInfoNoName { style };
    let current = ask(args::SecInfoStyle::CurrentFh);
    let parent = ask(args::SecInfoStyle::Parent);
    let look = args::GetAttr {
        attr_request: Bitmap::EMPTY,
    };
    let both = [AuthFlavor::SYS, AuthFlavor::NONE];
    // The COMPOUND ends with it, and succeeds. [RFC 8881 §2.6.3.1.1.8]
    for (style, flavors) in [(current, &both[..1]), (parent, &both[..])] {
        let reply = without_credential(&mut sim, &mut client, |c| {
            c.putfh(put).secinfo_no_name(style)
        });
        let reply = reply.all_ok();
        assert_eq!(told(&ok!(reply, SecInfoNoName)), flavors);
        // The filehandle is consumed. [RFC 8881 §18.45.3]
        let reply = without_credential(&mut sim, &mut client, |c| {
            c.putfh(put).secinfo_no_name(style).getattr(look)
        });
        assert_eq!(reply.last(), (Op::GetAttr, Status::NOFILEHANDLE));
        let reply = client.call(&mut sim, |c| {
            c.putfh(put)
                .savefh()
                .secinfo_no_name(style)
                .restorefh()
                .getattr(look)
        });
        reply.all_ok();
    }
    // The directory above the export is for all; there the client asks by name.
    let name = args::SecInfo { name: b"sys" };
    let reply = without_credential(&mut sim, &mut client, |c| {
        c.putfh(put).lookupp().secinfo(name)
    });
    let reply = reply.all_ok();
    assert_eq!(told(&ok!(reply, SecInfo)), [AuthFlavor::SYS]);
    // The root of all has no parent, and is for all.
    let reply = without_credential(&mut sim, &mut client, |c| {
        c.putrootfh().secinfo_no_name(parent)
    });
    assert_eq!(reply.last(), (Op::SecInfoNoName, Status::NOENT));
    let reply = without_credential(&mut sim, &mut client, |c| c.putrootfh().lookupp());
    assert_eq!(reply.last(), (Op::LookupP, Status::NOENT));
    let reply = without_credential(&mut sim, &mut client, |c| {
        c.putrootfh().secinfo_no_name(current)
    });
    let reply = reply.all_ok();
    assert_eq!(told(&ok!(reply, SecInfoNoName)), both);
    sim.assert_nothing_is_left();
}
