//! By which rights a file is opened again that a client had open.

use nfs4_engine::{Admin, NetworkRule};
use nfs4_proto::nfs4::args::{self, CreateHow, OpenClaim, OpenFlag};
use nfs4_proto::nfs4::basic::{DelegationType, StableHow};
use nfs4_proto::nfs4::{Op, Status};
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Client40, Fattr, Sim, making_args};

use super::{assert_last, come_back, config, reclaim_args, reclaim_with};

/// To read and to write.
const BOTH: args::Open<'_> = args::Open {
    share_access: 3,
    ..reclaim_args(DelegationType::None)
};

#[test]
fn the_owner_reclaims_a_file_whatever_its_mode_and_another_user_does_not() {
    for mode in [0o444, 0o200, 0] {
        let mut sim = Sim::durable(config());
        let mut client = Client::mounted(&mut sim, "a");
        let attrs = Fattr::mode(mode);
        let args = args::Open {
            openhow: OpenFlag::Create(CreateHow::Guarded(attrs.raw())),
            share_access: 3,
            ..making_args(b"o", b"f")
        };
        let reply = client.call(&mut sim, |c| c.putrootfh().open(args).getfh());
        let fh = ok!(reply.all_ok(), GetFh).object.to_vec();
        sim.restart();
        come_back(&mut sim, &mut client);
        // By the server that has died.
        let held = sim.fs().held();
        client.uid = 1001;
        let reply = reclaim_with(&mut sim, &mut client, &fh, BOTH);
        assert_last(&reply, Op::Open, Status::ACCESS);
        assert_eq!(sim.fs().held(), held);
        client.uid = 1000;
        let reply = reclaim_with(&mut sim, &mut client, &fh, BOTH).all_ok();
        let stateid = ok!(reply, Open).stateid;
        assert_eq!(sim.fs().held(), held + 1);
        let put = args::PutFh { object: &fh };
        let write = args::Write {
            stateid,
            offset: 0,
            stable: StableHow::FileSync,
            data: b"blob",
        };
        let read = args::Read {
            stateid,
            offset: 0,
            count: 4,
        };
        client
            .call(&mut sim, |c| c.putfh(put).write(write).read(read))
            .all_ok();
        // Anew, not even the owner opens it so.
        super::complete(&mut sim, &mut client).all_ok();
        let anew = args::Open {
            claim: OpenClaim::Fh,
            ..BOTH
        };
        let reply = reclaim_with(&mut sim, &mut client, &fh, anew);
        assert_last(&reply, Op::Open, Status::ACCESS);
    }
}

#[test]
fn the_owner_reclaims_a_file_of_4_0_whatever_its_mode() {
    let mut sim = Sim::durable(config());
    let mut client = Client40::mounted(&mut sim, "a");
    let attrs = Fattr::mode(0o444);
    let args = args::Open {
        openhow: OpenFlag::Create(CreateHow::Guarded(attrs.raw())),
        share_access: 3,
        ..client.open_args(b"o", b"f")
    };
    let reply = client.call(&mut sim, |c| c.putrootfh().open(args).getfh());
    let fh = ok!(reply.all_ok(), GetFh).object.to_vec();
    sim.restart();
    client.seqids.clear();
    client.conn = sim.connect();
    client.mount(&mut sim);
    let args = args::Open {
        openhow: OpenFlag::NoCreate,
        share_access: 3,
        claim: OpenClaim::Previous(DelegationType::None),
        ..client.open_args(b"o", b"f")
    };
    client.on(&mut sim, &fh, |c| c.open(args)).all_ok();
    assert_eq!(sim.tables().opens, 1);
}

#[test]
fn the_owner_does_not_reclaim_a_file_of_an_export_that_is_not_for_its_host() {
    let mut sim = Sim::durable(config());
    let mut client = Client::mounted(&mut sim, "a");
    let file = super::make(&mut sim, &mut client, b"f");
    sim.restart();
    let elsewhere = sim.exports()[0].clone().with(|export| {
        export.number = Some(0);
        export.access = vec![NetworkRule::new("203.0.113.0/24".parse().unwrap())];
    });
    sim.admin(Admin::PutExport(Box::new(elsewhere)));
    come_back(&mut sim, &mut client);
    let reply = reclaim_with(&mut sim, &mut client, &file.fh, BOTH);
    assert_last(&reply, Op::Open, Status::ACCESS);
}
