//! BACKCHANNEL_CTL, and what a client must allow. [RFC 8881 §18.33, §18.36]

use super::*;

/// BACKCHANNEL_CTL with these credentials.
fn control(
    sim: &mut Sim,
    client: &mut Client,
    cb_program: u32,
    sec_parms: &[CallbackSecParms<'_>],
) -> (Op, Status) {
    let args = args::BackchannelCtl {
        cb_program,
        sec_parms: List::new(sec_parms),
    };
    client.call(sim, |c| c.backchannel_ctl(args)).last()
}

const SYS: CallbackSecParms<'static> = CallbackSecParms::Sys(AuthSys {
    stamp: 0,
    machinename: b"",
    uid: 5,
    gid: 6,
    gids: List::empty(),
});
const GSS: CallbackSecParms<'static> = CallbackSecParms::Gss(args::GssCbHandles {
    service: args::GssSvc::None,
    handle_from_server: b"s",
    handle_from_client: b"c",
});

#[test]
fn backchannel_ctl_counts_from_the_next_callback_on() {
    let (mut sim, mut client) = tight();
    let done = (Op::BackchannelCtl, Status::OK);
    assert_eq!(control(&mut sim, &mut client, 70, &[SYS]), done);
    assert_eq!(
        control(
            &mut sim,
            &mut client,
            71,
            &[CallbackSecParms::None, SYS, GSS]
        ),
        done
    );
    let callback = provoke(&mut sim, &mut client);
    let rpc = *callback.reader().rpc();
    assert_eq!((rpc.prog, rpc.cred.flavor), (71, AuthFlavor::NONE));
    answer(&mut sim, &callback, callback.ok());
    assert_eq!(control(&mut sim, &mut client, 72, &[GSS, SYS]), done);
    // Without credentials the program alone is another one.
    assert_eq!(control(&mut sim, &mut client, 73, &[]), done);
    let callback = provoke_again(&mut sim, &mut client);
    let rpc = *callback.reader().rpc();
    assert_eq!((rpc.prog, rpc.cred.flavor), (73, AuthFlavor::SYS));
}

#[test]
fn backchannel_ctl_is_refused_where_it_makes_no_sense() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let inval = (Op::BackchannelCtl, Status::INVAL);
    assert_eq!(control(&mut sim, &mut client, 1, &[SYS]), inval);
    let conn = client.conn;
    bind(&mut sim, &client, conn, ChannelDirFromClient::ForeOrBoth);
    assert_eq!(control(&mut sim, &mut client, 1, &[GSS]), inval);
    assert_eq!(
        control(&mut sim, &mut client, 1, &[SYS]),
        (Op::BackchannelCtl, Status::OK)
    );
    let garbled = client.call(&mut sim, |c| {
        c.raw(
            Op::BackchannelCtl.number(),
            &[0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9],
        )
    });
    assert_eq!(garbled.last(), (Op::BackchannelCtl, Status::BADXDR));
    let args = args::BackchannelCtl {
        cb_program: 1,
        sec_parms: List::empty(),
    };
    let alone = client.bare(&mut sim, |c| c.backchannel_ctl(args));
    assert!(alone.is_only(Op::BackchannelCtl, Status::OP_NOT_IN_SESSION));
}

#[test]
fn a_back_channel_without_room_for_a_callback_is_refused() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    for (operations, slots) in [(1, 8), (2, 0)] {
        let mut args = client.session_args();
        args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
        args.back_chan_attrs.maxoperations = operations;
        args.back_chan_attrs.maxrequests = slots;
        let reply = client.create_session_with(&mut sim, args);
        assert!(reply.is_only(Op::CreateSession, Status::TOOSMALL));
    }
    // A client that wants no callbacks may offer any backchannel attributes.
    let mut args = client.session_args();
    args.back_chan_attrs.maxoperations = 0;
    client.create_session_with(&mut sim, args).all_ok();
}
