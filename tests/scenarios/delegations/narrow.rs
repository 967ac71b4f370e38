//! Delegations are given to clients that can be asked for them back: whose session offers callbacks a
//! credential, and whose backchannel has room for them. [RFC 8881 §10.2.1, §18.36.3]

use nfs4_engine::Direction;
use nfs4_engine::snapshot::{BackChannelState, Cursor};
use nfs4_proto::client::CbReplyBuilder;
use nfs4_proto::nfs4::any::CbResOp;
use nfs4_proto::nfs4::args::{CallbackSecParms, ChannelDirFromClient, GssCbHandles, GssSvc};
use nfs4_proto::nfs4::attr::num;
use nfs4_proto::nfs4::callback::res;
use nfs4_proto::nfs4::consts::OPEN4_RESULT_MAY_NOTIFY_LOCK;
use nfs4_proto::nfs4::res::Outcome;
use nfs4_proto::nfs4::{Bitmap, FattrRaw};
use nfs4_proto::rpc::AuthSys;
use nfs4_proto::xdr::List;

use super::*;

const NONE: CallbackSecParms<'static> = CallbackSecParms::None;
const SYS: CallbackSecParms<'static> = sys(b"host");
const LONG: CallbackSecParms<'static> = sys(&[b'm'; 200]);
const GSS: CallbackSecParms<'static> = CallbackSecParms::Gss(GssCbHandles {
    service: GssSvc::None,
    handle_from_server: b"s",
    handle_from_client: b"c",
});

const fn sys(machinename: &'static [u8]) -> CallbackSecParms<'static> {
    CallbackSecParms::Sys(AuthSys {
        stamp: 0,
        machinename,
        uid: 5,
        gid: 6,
        gids: List::empty(),
    })
}

/// A server with a file "f", a client whose session is made with what `with` has changed, and
/// another client; and what CREATE_SESSION was answered.
fn with(with: impl FnOnce(&mut args::CreateSession<'_>)) -> (Sim, Client, Client, u32) {
    let mut sim = Sim::new();
    let mut other = reachable(&mut sim, "other");
    make(&mut sim, &mut other, b"f");
    let mut client = Client::stranger(&mut sim, "narrow");
    client.exchange_id(&mut sim).all_ok();
    let mut args = client.session_args();
    args.flags = CREATE_SESSION4_FLAG_CONN_BACK_CHAN;
    with(&mut args);
    let reply = client.create_session_with(&mut sim, args).all_ok();
    let flags = ok!(reply, CreateSession).flags;
    let done = args::ReclaimComplete { one_fs: false };
    client.call(&mut sim, |c| c.reclaim_complete(done)).all_ok();
    (sim, client, other, flags)
}

/// Opens the file for reading and writing; whether that brings a delegation.
#[track_caller]
fn is_delegated(sim: &mut Sim, client: &mut Client) -> bool {
    let reply = open(sim, client, opening(3, b"f")).all_ok();
    match ok!(reply, Open).delegation {
        OpenDelegation::Write(_) => true,
        OpenDelegation::None => false,
        other => panic!("{other:?}"),
    }
}

fn state(sim: &Sim, client: &Client) -> BackChannelState {
    let sessions = sim.engine().sessions(Cursor::default(), 8).items;
    let mut sessions = sessions.iter();
    let own = sessions.find(|session| session.session_id == client.session);
    own.expect("it is there").back_channel
}

fn direction(sim: &Sim, client: &Client) -> Direction {
    let bindings = sim.bindings();
    let mut bindings = bindings.iter();
    let bound =
        bindings.find(|(session, conn, _)| (*session, *conn) == (client.session, client.conn));
    bound.expect("it is bound").2
}

#[test]
fn a_session_has_a_back_channel_if_it_offers_a_credential_that_callbacks_can_have() {
    const OFFERS: [(&[CallbackSecParms<'static>], bool); 6] = [
        (&[], false),
        (&[NONE], true),
        (&[SYS], true),
        (&[GSS, SYS], true),
        (&[NONE, SYS, GSS], true),
        (&[GSS, NONE], true),
    ];
    for (offered, can) in OFFERS {
        let (mut sim, mut client, _, flags) = with(|args| args.sec_parms = List::new(offered));
        let bound = if can {
            Direction::Both
        } else {
            Direction::Fore
        };
        let granted = if can {
            CREATE_SESSION4_FLAG_CONN_BACK_CHAN
        } else {
            0
        };
        assert_eq!(flags, granted, "{offered:?}");
        assert_eq!(direction(&sim, &client), bound, "{offered:?}");
        let expected = if can {
            BackChannelState::Ok
        } else {
            BackChannelState::None
        };
        assert_eq!(state(&sim, &client), expected, "{offered:?}");
        assert_eq!(is_delegated(&mut sim, &mut client), can, "{offered:?}");
        // What is not there is not missed.
        let reply = client.call(&mut sim, |c| c).all_ok();
        assert_eq!(ok!(reply, Sequence).status_flags, 0, "{offered:?}");
        let control = args::BackchannelCtl {
            cb_program: 0x4000_0000,
            sec_parms: List::new(&[SYS]),
        };
        let reply = client.call(&mut sim, |c| c.backchannel_ctl(control));
        assert_eq!(reply.status() == Status::OK, can, "{offered:?}");
        sim.assert_nothing_is_left();
    }
}

#[test]
fn a_connection_bound_for_callbacks_serves_none_until_there_is_a_credential() {
    let (mut sim, mut client, mut other, _) = with(|args| args.sec_parms = List::empty());
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir: ChannelDirFromClient::ForeOrBoth,
        use_conn_in_rdma_mode: false,
    };
    client
        .bare(&mut sim, |c| c.bind_conn_to_session(bind))
        .all_ok();
    assert!(!is_delegated(&mut sim, &mut client));
    assert_eq!(state(&sim, &client), BackChannelState::None);
    let control = args::BackchannelCtl {
        cb_program: 0x4000_0000,
        sec_parms: List::new(&[SYS]),
    };
    client
        .call(&mut sim, |c| c.backchannel_ctl(control))
        .all_ok();
    assert_eq!(state(&sim, &client), BackChannelState::Ok);
    assert!(is_delegated(&mut sim, &mut client));
    assert_last(
        &open(&mut sim, &mut other, opening(1, b"f")),
        Op::Open,
        Status::DELAY,
    );
    recall(&called(&mut sim));
}

/// The answer of a client that has made nothing of a file.
fn unchanged(callback: &Callback) -> Vec<u8> {
    let sequence = callback.sequence();
    let ok = res::CbSequenceOk {
        sessionid: sequence.sessionid,
        sequenceid: sequence.sequenceid,
        slotid: sequence.slotid,
        highest_slotid: 0,
        target_highest_slotid: 0,
    };
    let values = [1_u64.to_be_bytes(), 7_u64.to_be_bytes()].concat();
    let told = res::CbGetAttrOk {
        obj_attributes: FattrRaw {
            mask: Bitmap::of(&[num::CHANGE, num::SIZE]),
            values: &values,
        },
    };
    CbReplyBuilder::reply(callback.xid(), b"")
        .result(&CbResOp::Sequence(Outcome::Ok(ok)))
        .result(&CbResOp::GetAttr(Outcome::Ok(told)))
        .finish()
}

#[test]
fn a_file_is_delegated_where_it_can_be_recalled_whatever_credential_callbacks_have() {
    for parms in [NONE, SYS, LONG] {
        let mut least = None;
        for size in (128..600).step_by(4) {
            let offered = List::new(Vec::leak(vec![parms]));
            let (mut sim, mut client, mut other, flags) = with(|args| {
                args.back_chan_attrs.maxrequestsize = size;
                args.back_chan_attrs.maxresponsesize = 128;
                args.sec_parms = offered;
            });
            assert_eq!(flags, CREATE_SESSION4_FLAG_CONN_BACK_CHAN);
            if !is_delegated(&mut sim, &mut client) {
                assert_eq!(least, None, "{size}: and more is less");
                continue;
            }
            least.get_or_insert(size);
            // The reply to its OPEN may not have arrived: CB_RECALL refers to that.
            let attrs = args::GetAttr {
                attr_request: Bitmap::of(&[num::SIZE]),
            };
            let look = args::Lookup { objname: b"f" };
            let stat = other.request(&mut sim, 0, true, |c| {
                c.putrootfh().lookup(look).getattr(attrs)
            });
            stat.send(&mut sim, other.conn);
            let asked = called(&mut sim);
            assert!(matches!(asked.ops()[1], CbArgOp::GetAttr(_)), "{size}");
            assert!(asked.len() <= size as usize, "{size}");
            let answer = unchanged(&asked);
            assert!(answer.len() - 4 <= 128, "{}", answer.len());
            sim.send(asked.conn, answer);
            sim.settle();
            other.advance(0);
            let reply = open(&mut sim, &mut other, opening(1, b"f"));
            assert_last(&reply, Op::Open, Status::DELAY);
            let asked = called(&mut sim);
            recall(&asked);
            assert_eq!(asked.sequence().referring_call_lists.len(), 1);
            assert!(asked.len() <= size as usize, "{size}");
        }
        let least = least.expect("there is room enough");
        assert!(least > 160, "{least}");
    }
}

#[test]
fn a_client_goes_by_the_session_that_can_carry_a_callback() {
    let (mut sim, mut client, mut other, _) =
        with(|args| args.back_chan_attrs.maxrequestsize = 160);
    assert!(!is_delegated(&mut sim, &mut client));
    let narrow = client.clone();
    let args = args::CreateSession {
        flags: CREATE_SESSION4_FLAG_CONN_BACK_CHAN,
        ..client.session_args()
    };
    client.create_session_with(&mut sim, args).all_ok();
    let wide = client.session;
    // It is asked for by the narrow one, which the callback would go by first.
    client.session = narrow.session;
    client.slots = narrow.slots.clone();
    assert!(is_delegated(&mut sim, &mut client));
    assert_last(
        &open(&mut sim, &mut other, opening(1, b"f")),
        Op::Open,
        Status::DELAY,
    );
    let asked = called(&mut sim);
    recall(&asked);
    assert_eq!(asked.sequence().sessionid, wide);
}

#[test]
fn a_longer_credential_takes_the_room_for_callbacks() {
    let (mut sim, mut client, _, _) = with(|args| args.back_chan_attrs.maxrequestsize = 300);
    let control = |sim: &mut Sim, client: &mut Client, parms| {
        let parms = [parms];
        let control = args::BackchannelCtl {
            cb_program: 0x4000_0000,
            sec_parms: List::new(&parms),
        };
        client.call(sim, |c| c.backchannel_ctl(control)).all_ok();
    };
    control(&mut sim, &mut client, LONG);
    assert!(!is_delegated(&mut sim, &mut client));
    control(&mut sim, &mut client, SYS);
    assert!(is_delegated(&mut sim, &mut client));
}

#[test]
fn lock_notification_is_promised_only_if_any_owner_fits() {
    let notified = |size| {
        let (mut sim, mut client, ..) = with(|args| args.back_chan_attrs.maxrequestsize = size);
        let reply = open(&mut sim, &mut client, opening(3, b"f")).all_ok();
        ok!(reply, Open).rflags & OPEN4_RESULT_MAY_NOTIFY_LOCK != 0
    };
    // An owner has up to 1 024 bytes.
    assert!(!notified(1_024));
    assert!(notified(1_400));
}

#[test]
fn a_session_without_place_for_a_second_operation_gets_no_delegation() {
    let (mut sim, mut client, _, flags) = with(|args| {
        args.flags = 0;
        args.back_chan_attrs.maxoperations = 1;
    });
    assert_eq!(flags, 0);
    let bind = args::BindConnToSession {
        sessid: client.session,
        dir: ChannelDirFromClient::BackOrBoth,
        use_conn_in_rdma_mode: false,
    };
    client
        .bare(&mut sim, |c| c.bind_conn_to_session(bind))
        .all_ok();
    assert!(!is_delegated(&mut sim, &mut client));
}
