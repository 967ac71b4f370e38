//! How the server identifies a client. [RFC 8881 §18.35]

use std::time::Duration;

use nfs4_engine::Event;
use nfs4_engine::snapshot::Cursor;
use nfs4_proto::nfs4::args::{self, SspOps, StateProtect};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::basic::ClientId;
use nfs4_proto::nfs4::consts::{
    EXCHGID4_FLAG_CONFIRMED_R, EXCHGID4_FLAG_MASK_PNFS, EXCHGID4_FLAG_SUPP_FENCE_OPS,
    EXCHGID4_FLAG_UPD_CONFIRMED_REC_A, EXCHGID4_FLAG_USE_NON_PNFS,
};
use nfs4_proto::nfs4::{Bitmap, Op, Status, Verifier};
use nfs4_proto::xdr::List;
use nfs4_tests::ok;
use nfs4_tests::sim::{Client, Pace, Reply, Sim};

/// EXCHANGE_ID with these flags; the client remembers nothing.
fn introduce(sim: &mut Sim, client: &Client, flags: u32) -> Reply {
    let args = args::ExchangeId {
        flags,
        ..client.introduction()
    };
    client.bare(sim, |c| c.exchange_id(args))
}

fn update(sim: &mut Sim, client: &Client) -> Reply {
    introduce(sim, client, EXCHGID4_FLAG_UPD_CONFIRMED_REC_A)
}

fn id(reply: &Reply) -> ClientId {
    ok!(reply, ExchangeId).clientid
}

fn is_confirmed(reply: &Reply) -> bool {
    ok!(reply, ExchangeId).flags & EXCHGID4_FLAG_CONFIRMED_R != 0
}

/// Whether the session of a client still answers.
fn works(sim: &mut Sim, client: &mut Client) -> bool {
    client.call(sim, |c| c).status() == Status::OK
}

#[test]
fn case_1_a_new_owner_gets_an_unconfirmed_record() {
    let mut sim = Sim::new();
    let client = Client::stranger(&mut sim, "a");
    let reply = introduce(&mut sim, &client, 0).all_ok();
    assert!(!is_confirmed(&reply));
    assert_eq!(sim.tables().clients, 1);
    assert_eq!(
        sim.take_events(),
        [],
        "nobody is told before it is confirmed"
    );
    let ok = ok!(reply, ExchangeId);
    assert_eq!(
        ok.flags & EXCHGID4_FLAG_MASK_PNFS,
        EXCHGID4_FLAG_USE_NON_PNFS
    );
    assert_eq!(ok.server_owner.major_id, b"sim");
    assert_eq!(ok.server_owner.minor_id, 7);
    assert_eq!(ok.server_scope, b"scope");
}

#[test]
fn case_2_the_same_incarnation_finds_its_record_unchanged() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let reply = introduce(&mut sim, &client, 0).all_ok();
    assert_eq!(id(&reply), client.id);
    assert!(is_confirmed(&reply));
    assert_eq!(sim.tables().clients, 1);
    assert!(works(&mut sim, &mut client));
}

#[test]
fn case_3_a_stranger_under_the_name_of_a_client_with_state_is_refused() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for verifier in [client.verifier.0, *b"anything"] {
        let mut other = client.clone();
        other.uid = 2000;
        other.verifier.0 = verifier;
        let reply = introduce(&mut sim, &other, 0);
        assert!(reply.is_only(Op::ExchangeId, Status::CLID_INUSE));
    }
    assert_eq!(sim.tables().clients, 1);
    assert!(works(&mut sim, &mut client));
}

#[test]
fn case_3_a_client_without_state_gives_way_to_a_stranger() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    let destroy = args::DestroySession {
        sessionid: client.session,
    };
    client
        .bare(&mut sim, |c| c.destroy_session(destroy))
        .all_ok();
    let mut other = client.clone();
    other.uid = 2000;
    let reply = introduce(&mut sim, &other, 0).all_ok();
    assert_ne!(id(&reply), client.id);
    assert!(!is_confirmed(&reply));
    assert_eq!(sim.tables().clients, 1);
}

#[test]
fn case_3_a_client_whose_lease_ran_out_gives_way_with_all_its_state() {
    let mut sim = Sim::new();
    let client = Client::mounted(&mut sim, "a");
    // No timer passes: the clock alone decides.
    sim.jump(sim.settings().lease + Duration::from_secs(1));
    let mut other = client.clone();
    other.uid = 2000;
    let reply = introduce(&mut sim, &other, 0).all_ok();
    assert_ne!(id(&reply), client.id);
    assert_eq!(sim.tables().clients, 1);
    assert_eq!(sim.tables().sessions, 0);
}

#[test]
fn case_4_any_principal_replaces_an_unconfirmed_record() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    let mut seen = vec![id(&introduce(&mut sim, &client, 0))];
    // The same again, another incarnation, another principal.
    seen.push(id(&introduce(&mut sim, &client, 0)));
    client.verifier.0 = *b"incarn-2";
    seen.push(id(&introduce(&mut sim, &client, 0)));
    client.uid = 2000;
    seen.push(id(&introduce(&mut sim, &client, 0)));
    assert_eq!(sim.tables().clients, 1);
    for (at, id) in seen.iter().enumerate() {
        assert!(!seen[..at].contains(id), "{id:?} was given out twice");
        client.id = *id;
        client.create_sequence = 1;
        let expected = match at {
            3 => Status::OK,
            _ => Status::STALE_CLIENTID,
        };
        assert_eq!(client.create_session(&mut sim).status(), expected);
    }
}

#[test]
fn case_5_a_reboot_leaves_the_old_incarnation_alone_until_the_new_one_is_confirmed() {
    let mut sim = Sim::new();
    let mut old = Client::mounted(&mut sim, "a");
    let mut new = old.clone();
    new.reboot();
    let reply = new.exchange_id(&mut sim).all_ok();
    assert_ne!(new.id, old.id);
    assert!(!is_confirmed(&reply));
    assert_eq!(sim.tables().clients, 2);
    assert!(works(&mut sim, &mut old));
    sim.take_events();

    new.create_session(&mut sim).all_ok();
    assert_eq!(sim.tables().clients, 1);
    assert_eq!(sim.tables().sessions, 1);
    let reply = old.call(&mut sim, |c| c);
    assert!(reply.is_only(Op::Sequence, Status::BADSESSION));
    assert!(works(&mut sim, &mut new));
    let gone =
        |event: &Event| matches!(event, Event::ClientGone { client, .. } if *client == old.id.0);
    assert_eq!(sim.take_events().iter().filter(|e| gone(e)).count(), 1);
    sim.assert_nothing_is_left();
}

#[test]
fn case_5_the_old_incarnation_survives_a_reboot_that_is_taken_back() {
    let mut sim = Sim::new();
    let mut old = Client::mounted(&mut sim, "a");
    let mut new = old.clone();
    new.reboot();
    new.exchange_id(&mut sim).all_ok();
    // The old verifier again: case 2 once more, and the unconfirmed record need not stay.
    let reply = introduce(&mut sim, &old, 0).all_ok();
    assert_eq!(id(&reply), old.id);
    assert!(is_confirmed(&reply));
    assert!(works(&mut sim, &mut old));
    sim.assert_nothing_is_left();
}

#[test]
fn case_6_an_update_of_a_confirmed_record_is_granted() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let reply = update(&mut sim, &client).all_ok();
    assert_eq!(id(&reply), client.id);
    assert!(is_confirmed(&reply));
    assert!(works(&mut sim, &mut client));
}

#[test]
fn case_7_an_update_needs_a_confirmed_record() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    assert!(update(&mut sim, &client).is_only(Op::ExchangeId, Status::NOENT));
    assert_eq!(sim.tables().clients, 0);
    client.exchange_id(&mut sim).all_ok();
    assert!(update(&mut sim, &client).is_only(Op::ExchangeId, Status::NOENT));
    // The unconfirmed record is none the worse.
    client.create_session(&mut sim).all_ok();
}

#[test]
fn case_7_nor_is_one_confirmed_whose_lease_has_run_out() {
    let mut sim = Sim::without_courtesy();
    let client = Client::mounted(&mut sim, "a");
    // No timer passes: the clock alone decides.
    sim.jump(sim.settings().lease + Duration::from_secs(1));
    assert!(update(&mut sim, &client).is_only(Op::ExchangeId, Status::NOENT));
    assert_eq!(sim.tables().clients, 1);
    sim.assert_nothing_is_left();
}

#[test]
fn case_8_an_update_with_another_verifier_is_not_the_same() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut other = client.clone();
    other.reboot();
    assert!(update(&mut sim, &other).is_only(Op::ExchangeId, Status::NOT_SAME));
    // The verifier is looked at before the principal.
    other.uid = 2000;
    assert!(update(&mut sim, &other).is_only(Op::ExchangeId, Status::NOT_SAME));
    assert!(works(&mut sim, &mut client));
}

#[test]
fn case_9_an_update_by_another_principal_is_not_permitted() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut other = client.clone();
    other.uid = 2000;
    assert!(update(&mut sim, &other).is_only(Op::ExchangeId, Status::PERM));
    assert!(works(&mut sim, &mut client));
}

#[test]
fn undefined_flags_and_flags_of_the_server_are_invalid() {
    let mut sim = Sim::new();
    let client = Client::stranger(&mut sim, "a");
    for flags in [EXCHGID4_FLAG_CONFIRMED_R, 0x8, 0x200, 0x8_0000, 0x2000_0000] {
        let reply = introduce(&mut sim, &client, flags);
        assert!(reply.is_only(Op::ExchangeId, Status::INVAL), "{flags:#x}");
    }
    introduce(&mut sim, &client, 0x7_0103).all_ok();
}

#[test]
fn a_flag_of_minor_version_2_is_undefined_in_minor_version_1() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    let reply = introduce(&mut sim, &client, EXCHGID4_FLAG_SUPP_FENCE_OPS);
    assert!(reply.is_only(Op::ExchangeId, Status::INVAL));
    client.minor = 2;
    introduce(&mut sim, &client, EXCHGID4_FLAG_SUPP_FENCE_OPS).all_ok();
}

#[test]
fn state_protection_needs_what_is_not_there() {
    let mut sim = Sim::new();
    let client = Client::stranger(&mut sim, "a");
    let ops = SspOps {
        must_enforce: Bitmap::EMPTY,
        must_allow: Bitmap::EMPTY,
    };
    let ssv = StateProtect::Ssv {
        ops,
        hash_algs: List::new(&[b"\x06\x01"]),
        encr_algs: List::new(&[b"\x06\x02"]),
        window: 1,
        num_gss_handles: 1,
    };
    for (state_protect, status) in [
        (StateProtect::MachCred(ops), Status::INVAL),
        (ssv, Status::ENCR_ALG_UNSUPP),
    ] {
        let args = args::ExchangeId {
            state_protect,
            ..client.introduction()
        };
        let reply = client.bare(&mut sim, |c| c.exchange_id(args));
        assert!(reply.is_only(Op::ExchangeId, status));
    }
    assert_eq!(sim.tables().clients, 0);
}

#[test]
fn an_unconfirmed_client_record_expires_with_its_lease() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    client.exchange_id(&mut sim).all_ok();
    sim.sleep(sim.settings().lease + Duration::from_secs(1));
    assert_eq!(sim.tables().clients, 0);
    let reply = client.create_session(&mut sim);
    assert!(reply.is_only(Op::CreateSession, Status::STALE_CLIENTID));
    sim.assert_nothing_is_left();
}

#[test]
fn exchange_id_also_works_within_a_session() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    let mut other = client.clone();
    other.owner = b"b".to_vec();
    let introduction = other.introduction();
    let reply = client
        .call(&mut sim, |c| c.exchange_id(introduction))
        .all_ok();
    assert_ne!(id(&reply), client.id);
}

#[test]
fn clients_that_reboot_in_a_loop_leak_nothing() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for _ in 0..200 {
        client.reboot();
        client.mount(&mut sim);
        assert_eq!(sim.tables().clients, 1);
        assert_eq!(sim.tables().sessions, 1);
    }
    sim.assert_nothing_is_left();
}

#[test]
fn two_clients_that_keep_replacing_each_other_are_named() {
    let mut sim = Sim::new();
    let mut one = Client::mounted(&mut sim, "same name");
    let mut other = Client::stranger(&mut sim, "same name");
    other.verifier = Verifier([9; 8]);
    let mut told = Vec::new();
    for _ in 0..2 {
        other.mount(&mut sim);
        one.mount(&mut sim);
    }
    for event in sim.take_events() {
        if let Event::SharedOwner { owner, times } = event {
            told.push((owner, times));
        }
    }
    let shown = sim.engine().clients(sim.clock(), Cursor::default(), 10);
    let comebacks: Vec<u32> = shown.items.iter().map(|view| view.comebacks).collect();
    assert_eq!(comebacks, [3], "the list of clients says so, too");
    let name = b"same name".to_vec();
    assert_eq!(told, [(name.clone(), 1), (name.clone(), 2), (name, 3)]);
}

#[test]
fn a_client_that_reboots_again_and_again_is_one_client() {
    let mut sim = Sim::new();
    let mut client = Client::mounted(&mut sim, "a");
    for _ in 0..4 {
        client.reboot();
        client.mount(&mut sim);
    }
    let shared = |event: &Event| matches!(event, Event::SharedOwner { .. });
    assert!(!sim.take_events().iter().any(shared));
}

#[test]
fn only_minor_version_2_promises_to_fence_operations() {
    for (minor, asks) in [(1, 0), (2, 0), (2, EXCHGID4_FLAG_SUPP_FENCE_OPS)] {
        let mut sim = Sim::new();
        let mut client = Client::stranger(&mut sim, "a");
        client.minor = minor;
        let reply = introduce(&mut sim, &client, asks).all_ok();
        let flags = ok!(reply, ExchangeId).flags;
        let promised = flags & EXCHGID4_FLAG_SUPP_FENCE_OPS != 0;
        assert_eq!(promised, minor == 2, "{minor} {flags:#x}");
    }
}

#[test]
fn a_new_incarnation_begins_when_what_the_old_one_asked_is_done_if_that_was_promised() {
    for (minor, status) in [(1, Status::OK), (2, Status::DELAY)] {
        let mut sim = Sim::new();
        let mut client = Client::stranger(&mut sim, "a");
        client.minor = minor;
        client.mount(&mut sim);
        sim.set_pace(Pace::Held);
        let attrs = args::GetAttr {
            attr_request: Bitmap::of(&[num::SIZE]),
        };
        let running = client.request(&mut sim, 0, true, |c| c.putrootfh().getattr(attrs));
        running.send(&mut sim, client.conn);
        sim.settle();
        assert_eq!(sim.held().len(), 1);
        // The same incarnation may ask at any time.
        introduce(&mut sim, &client, 0).all_ok();
        let mut new = client.clone();
        new.reboot();
        assert_eq!(introduce(&mut sim, &new, 0).status(), status, "{minor}");
        let args = new.introduction();
        let within = client.request(&mut sim, 1, true, |c| c.exchange_id(args));
        let reply = within.exchange(&mut sim, client.conn);
        assert_eq!(reply.last(), (Op::ExchangeId, status), "{minor}");
        client.advance(1);
        sim.complete_all();
        let within = client.request(&mut sim, 1, true, |c| c.exchange_id(args));
        within.exchange(&mut sim, client.conn).all_ok();
        introduce(&mut sim, &new, 0).all_ok();
    }
}

/// The reply could not be kept for replay: the client would do the same again in its new session.
#[test]
fn a_compound_changes_nothing_more_once_it_has_ended_its_own_session() {
    let mut sim = Sim::new();
    let mut old = Client::mounted(&mut sim, "a");
    old.make_file(&mut sim, b"f", 1);
    let mut new = Client::on(old.conn, "a");
    new.reboot();
    new.exchange_id(&mut sim).all_ok();
    let args = new.session_args();
    let remove = args::Remove { target: b"f" };
    let reply = old.call(&mut sim, |c| {
        c.create_session(args).putrootfh().remove(remove)
    });
    assert_eq!(reply.last(), (Op::Remove, Status::DELAY), "{reply:?}");
    new.session = ok!(reply, CreateSession).sessionid;
    new.slots = vec![1];
    new.call(&mut sim, |c| c.putrootfh().remove(remove))
        .all_ok();
}
