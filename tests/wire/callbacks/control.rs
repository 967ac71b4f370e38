//! BACKCHANNEL_CTL. [RFC 8881 §18.33]

use nfs4_driver::engine::proto::nfs4::args::{self, CallbackSecParms};
use nfs4_driver::engine::proto::nfs4::{Op, Status};
use nfs4_driver::engine::proto::rpc::{AuthFlavor, AuthSys};
use nfs4_driver::engine::proto::xdr::{List, Writer};

use super::{called_again, flags, patient, reachable, serve};
use crate::caller::Caller;
use crate::server::Transport;

on_each!(the_last_program_and_credential_hold_from_the_next_callback_on);

async fn the_last_program_and_credential_hold_from_the_next_callback_on(on: Transport) {
    let server = serve(on, patient()).await;
    let mut client = reachable(&server, b"called").await;
    // Each is SEQUENCE and BACKCHANNEL_CTL in one COMPOUND.
    for (cb_program, uid) in [(0x4000_0777, 1), (0x4000_0888, 2)] {
        let parms = [sys(uid)];
        let sec_parms = List::new(&parms);
        let control = args::BackchannelCtl {
            cb_program,
            sec_parms,
        };
        client.call(|c| c.backchannel_ctl(control)).await.all_ok();
    }
    let callback = called_again(&server, &mut client, b"file").await;
    let reader = callback.reader();
    assert_eq!(reader.rpc().prog, 0x4000_0888);
    let cred = reader.rpc().cred;
    assert_eq!(cred.flavor, AuthFlavor::SYS);
    assert_eq!(AuthSys::from_body(cred.body).unwrap().uid, 2);
}

on_each!(what_cannot_be_used_is_refused_and_changes_nothing);

async fn what_cannot_be_used_is_refused_and_changes_nothing(on: Transport) {
    let server = serve(on, patient()).await;
    let mut client = reachable(&server, b"called").await;
    let gss = [CallbackSecParms::Gss(args::GssCbHandles {
        service: args::GssSvc::None,
        handle_from_server: b"s",
        handle_from_client: b"c",
    })];
    let only_gss = args::BackchannelCtl {
        cb_program: 0x4000_0999,
        sec_parms: List::new(&gss),
    };
    let refused = client.call(|c| c.backchannel_ctl(only_gss)).await;
    assert_eq!(refused.last(), (Op::BackchannelCtl, Status::INVAL));

    // A flavour that there is not, and arguments that end early.
    let mut strange = Writer::new();
    for word in [0x4000_0999, 1, 77] {
        strange.u32(word);
    }
    let op = Op::BackchannelCtl.number();
    for body in [strange.as_slice(), &[0x40, 0, 0x09, 0x99]] {
        let refused = client.call(|c| c.raw(op, body)).await;
        assert_eq!(refused.last(), (Op::BackchannelCtl, Status::BADXDR));
    }

    let callback = called_again(&server, &mut client, b"file").await;
    let rpc = *callback.reader().rpc();
    assert_eq!((rpc.prog, rpc.cred.flavor), (0x4000_0000, AuthFlavor::NONE));
}

on_each!(without_a_back_channel_there_is_nothing_to_control);

async fn without_a_back_channel_there_is_nothing_to_control(on: Transport) {
    let server = serve(on, patient()).await;
    let mut client = Caller::mounted(server.address, b"fore").await;
    let parms = [sys(0)];
    let control = args::BackchannelCtl {
        cb_program: 0x4000_0777,
        sec_parms: List::new(&parms),
    };
    let refused = client.call(|c| c.backchannel_ctl(control)).await;
    assert_eq!(refused.last(), (Op::BackchannelCtl, Status::INVAL));
    assert_eq!(flags(&mut client).await, 0);
}

fn sys(uid: u32) -> CallbackSecParms<'static> {
    CallbackSecParms::Sys(AuthSys {
        stamp: 0,
        machinename: b"client",
        uid,
        gid: 0,
        gids: List::new(&[]),
    })
}
