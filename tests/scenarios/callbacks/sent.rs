//! What a callback is, and what comes of one that is answered.

use super::*;

#[test]
fn a_silent_client_is_called_for_slots_that_must_come_back() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    assert_eq!(callback.conn, client.conn);
    let rpc = *callback.reader().rpc();
    assert_eq!((rpc.prog, rpc.vers, rpc.proc), (0x4000_0000, 1, 1));
    assert_eq!(rpc.cred.flavor, AuthFlavor::NONE);
    let header = *callback.reader().header();
    assert_eq!((header.tag, header.minorversion), (&b""[..], 1));
    assert_eq!((header.callback_ident, header.ops), (0, 2));
    let sequence = callback.sequence();
    assert_eq!(sequence.sessionid, client.session);
    assert_eq!((sequence.slotid, sequence.sequenceid), (0, 1));
    assert_eq!((sequence.highest_slotid, sequence.cachethis), (0, false));
    assert!(sequence.referring_call_lists.is_empty());
    let ops = callback.ops();
    let CbArgOp::RecallSlot(recall) = ops[1] else {
        panic!("{ops:?}");
    };
    let asked = recall.target_highest_slotid;
    assert!(asked < 56, "{recall:?}");

    assert_eq!((sim.tables().callbacks, sim.tables().flights), (1, 1));
    answer(&mut sim, &callback, callback.ok());
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
    // It is asked once.
    wait(&mut sim, 6 * PERIOD);
    assert_eq!(sim.take_callbacks(), []);
    // Had it not been silent, a reply would have told it the same.
    let said = ok!(client.call(&mut sim, |c| c).all_ok(), Sequence);
    assert_eq!((said.target_highest_slotid, said.status_flags), (asked, 0));
    assert_eq!(sim.metrics().callbacks(), 1);
    assert_eq!(sim.metrics().callback_failures(), 0);
    sim.assert_nothing_is_left();
}

#[test]
fn sessions_are_gone_through_for_slots_in_steps() {
    let (mut sim, mut client) = tight();
    for session in 0..3 {
        if session > 0 {
            client.conn = sim.connect();
            let mut args = client.session_args();
            args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
            args.fore_chan_attrs.maxrequests = 64;
            args.fore_chan_attrs.maxresponsesize_cached = LARGE + 1_000;
            client.create_session_with(&mut sim, args).all_ok();
        }
        for slot in 60..63 {
            read(&mut sim, &mut client, slot);
        }
    }
    sim.jump(PERIOD);
    for (called, is_left) in [(2, true), (1, false)] {
        assert_eq!(sim.step_timers(2), is_left);
        sim.settle();
        assert_eq!(sim.take_callbacks().len(), called);
    }
}

#[test]
fn consecutive_callbacks_use_1_2_3_on_a_slot() {
    let (mut sim, mut client) = tight();
    let mut callback = provoke(&mut sim, &mut client);
    for seqid in 1..=3 {
        let sequence = callback.sequence();
        assert_eq!((sequence.slotid, sequence.sequenceid), (0, seqid));
        answer(&mut sim, &callback, callback.ok());
        if seqid < 3 {
            callback = provoke_more(&mut sim, &mut client, 15 + seqid);
        }
    }
}

#[test]
fn a_callback_has_the_minor_version_program_and_credential_of_its_session() {
    let sys = AuthSys {
        stamp: 3,
        machinename: b"host",
        uid: 7,
        gid: 8,
        gids: List::new(&[9]),
    };
    let offered = [
        CallbackSecParms::Gss(args::GssCbHandles {
            service: args::GssSvc::None,
            handle_from_server: b"s",
            handle_from_client: b"c",
        }),
        CallbackSecParms::Sys(sys),
        CallbackSecParms::None,
    ];
    let (mut sim, mut client) = tight_with(|args| {
        args.cb_program = 0x5000_0001;
        // The arguments live for as long as the program.
        args.sec_parms = List::new(Vec::leak(offered.to_vec()));
    });
    let callback = provoke(&mut sim, &mut client);
    let rpc = *callback.reader().rpc();
    assert_eq!((rpc.prog, rpc.cred.flavor), (0x5000_0001, AuthFlavor::SYS));
    assert_eq!(AuthSys::from_body(rpc.cred.body), Ok(sys));
}

#[test]
fn an_answered_callback_renews_the_lease() {
    let (mut sim, mut client) = tight();
    let lease = sim.settings().lease;
    for slot in 50..59 {
        read(&mut sim, &mut client, slot);
    }
    wait(&mut sim, PERIOD);
    let callback = only(&mut sim);
    wait(&mut sim, TIMEOUT - SECOND);
    answer(&mut sim, &callback, callback.ok());
    wait(&mut sim, lease - SECOND);
    client.call(&mut sim, |c| c).all_ok();
    // Without it the lease runs out.
    wait(&mut sim, lease + SECOND);
    assert_eq!(sim.tables().courteous_clients, 1);
}

#[test]
fn a_reply_that_answers_nothing_is_counted_and_dropped() {
    let (mut sim, mut client) = tight();
    let callback = provoke(&mut sim, &mut client);
    let other = sim.connect();
    sim.send(other, callback.ok());
    sim.settle();
    assert_eq!(sim.metrics().stray_callback_replies, 1);
    assert_eq!(sim.tables().callbacks, 1, "another connection's reply");
    answer(&mut sim, &callback, callback.ok());
    answer(&mut sim, &callback, callback.ok());
    assert_eq!(sim.metrics().stray_callback_replies, 2);
    let next = provoke_more(&mut sim, &mut client, 16);
    assert_eq!(next.sequence().sequenceid, 2);
}

#[test]
fn callbacks_are_counted_by_their_sendings() {
    let registry = Registry::new();
    let options = PrometheusOptions::default();
    let mut recorder = PrometheusRecorder::new(Some(&registry), &options).unwrap();
    let mut shown = |sim: &mut Sim| {
        sim.record(&mut recorder);
        let families = registry.gather();
        ["callbacks", "callback_retries", "callback_failures"].map(|name| {
            let name = format!("nfs4_nfs_backchannel_{name}_total");
            let family = families.iter().find(|family| family.name() == name);
            family.unwrap().get_metric()[0].get_counter().get_value() as u64
        })
    };
    let (mut sim, mut client) = tight();
    bind_new(&mut sim, &client);
    assert_eq!(shown(&mut sim), [0, 0, 0]);
    let callback = provoke(&mut sim, &mut client);
    assert_eq!(shown(&mut sim), [1, 0, 0]);
    sim.kill(callback.conn);
    sim.settle();
    let again = only(&mut sim);
    assert_eq!(shown(&mut sim), [2, 1, 0]);
    wait(&mut sim, 2 * SECOND);
    answer(&mut sim, &again, again.refused(Status::REQ_TOO_BIG));
    assert_eq!(shown(&mut sim), [2, 1, 1]);
    let families = registry.gather();
    let name = "nfs4_nfs_backchannel_callback_duration_seconds";
    let family = families.iter().find(|family| family.name() == name);
    let histogram = family.unwrap().get_metric()[0].get_histogram();
    let bounds: Vec<f64> = histogram
        .get_bucket()
        .iter()
        .map(|b| b.upper_bound())
        .collect();
    assert_eq!(bounds, [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]);
    assert_eq!(
        (histogram.get_sample_count(), histogram.get_sample_sum()),
        (1, 2.0)
    );
}

#[test]
fn a_callback_longer_than_the_client_takes_is_not_sent() {
    let (mut sim, mut client) = tight_with(|args| {
        args.back_chan_attrs.maxrequestsize = 128;
        args.sec_parms = List::new(&LONG);
    });
    for slot in 50..59 {
        read(&mut sim, &mut client, slot);
    }
    wait(&mut sim, PERIOD);
    assert_eq!(sim.take_callbacks(), []);
    assert_eq!(sim.metrics().callback_failures(), 1);
    assert_eq!((sim.tables().callbacks, sim.tables().flights), (0, 0));
}

const LONG: [CallbackSecParms<'static>; 1] = [CallbackSecParms::Sys(AuthSys {
    stamp: 0,
    machinename: &[b'm'; 200],
    uid: 5,
    gid: 6,
    gids: List::empty(),
})];
