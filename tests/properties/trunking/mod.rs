//! Clients, sessions and connections in every order, held against a model after every input.
//! [RFC 8881 §2.10]

mod clients;
mod compare;
mod counted;
mod handle;
mod interleaved;
mod model;
mod node;
mod play;
mod request;
mod slots;

use std::collections::BTreeSet;
use std::fmt::Debug;

use nfs4_engine::BindingPolicy;
use nfs4_tests::sim::Sim;
use proptest::prelude::*;

use crate::runner::{Property, cases};

use interleaved::Move;
use node::Host;
use play::{Play, Seen, Sequence, Step};
use request::Work;

#[test]
fn the_tables_are_what_the_model_says_after_every_input() {
    let inputs = prop::collection::vec(step(), INPUTS);
    holds("trunking/handle", &SEEN, inputs, |policy, limit, inputs| {
        let mut play = Play::<Sim>::new(policy, limit);
        for step in inputs {
            play.step(step);
        }
        play.finish();
        play.seen
    });
}

#[test]
fn so_they_are_after_every_hold_of_the_lock_in_any_order() {
    let inputs = prop::collection::vec(turn_or_input(), 2 * INPUTS);
    let seen = [&SEEN[..], &SEEN_OF_NODE].concat();
    holds("trunking/node", &seen, inputs, |policy, limit, inputs| {
        let mut play = Play::<Host>::new(policy, limit);
        for step in inputs {
            play.step(step);
        }
        play.finish();
        play.seen
    });
}

/// Plays inputs for both policies and several limits.
fn holds<I: Debug>(
    name: &'static str,
    to_be_seen: &[Seen],
    inputs: impl Strategy<Value = I>,
    play: impl Fn(BindingPolicy, u8, I) -> BTreeSet<Seen>,
) {
    let cases = cases();
    let policy = prop::sample::select(&[BindingPolicy::Exclusive, BindingPolicy::Shared][..]);
    let property = Property {
        name,
        cases,
        to_be_seen,
    };
    let inputs = (policy, 1..4_u8, inputs);
    property.holds(inputs, |(policy, limit, inputs)| {
        play(policy, limit, inputs)
    });
}

fn work() -> impl Strategy<Value = Work> {
    prop_oneof![
        6 => prop::sample::select(vec![Work::PutRoot, Work::MakeDirectory]),
        3 => prop::sample::select(&Work::ALL[..]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let byte = any::<u8>;
    let sequence = prop_oneof![
        6 => Just(Sequence::Next),
        2 => Just(Sequence::Last),
        1 => Just(Sequence::Wrong),
    ];
    prop_oneof![
        // The first is what the others become in a failing case.
        1 => Just(Step::Rest),
        8 => Just(Step::Connect),
        4 => byte().prop_map(|conn| Step::Drop { conn }),
        3 => (byte(), byte(), prop::bool::weighted(0.2))
            .prop_map(|(peer, conn, reboot)| Step::Introduce { peer, conn, reboot }),
        6 => (byte(), byte(), any::<bool>(), sequence).prop_map(|(peer, conn, back, sequence)| {
            Step::Create { peer, conn, back, sequence }
        }),
        14 => (byte(), byte(), byte())
            .prop_map(|(session, conn, dir)| Step::Bind { session, conn, dir }),
        30 => (byte(), byte(), byte(), work(), any::<bool>()).prop_map(
            |(session, slot, conn, work, keep)| Step::Send { session, slot, conn, work, keep }
        ),
        3 => (byte(), byte(), byte(), work()).prop_map(|(session, slot, conn, work)| {
            Step::Mistake { session, slot, conn, work }
        }),
        16 => (0..12_u8, byte()).prop_map(|(back, conn)| Step::Again { back, conn }),
        1 => (byte(), byte()).prop_map(|(back, conn)| Step::Again { back, conn }),
        16 => byte().prop_map(|which| Step::Answer { which }),
        2 => byte().prop_map(|conn| Step::Drain { conn }),
        1 => byte().prop_map(|conn| Step::StopDraining { conn }),
        1 => (byte(), byte())
            .prop_map(|(session, conn)| Step::DestroySession { session, conn }),
        1 => (byte(), byte()).prop_map(|(peer, conn)| Step::DestroyClient { peer, conn }),
        1 => byte().prop_map(|session| Step::EndSession { session }),
        1 => byte().prop_map(|peer| Step::Evict { peer }),
        1 => (1..4_u8).prop_map(|limit| Step::Limit { limit }),
        3 => (0..50_u8).prop_map(|seconds| Step::Jump { seconds }),
        1 => (50..120_u8).prop_map(|seconds| Step::Jump { seconds }),
        4 => Just(Step::Timers),
    ]
}

/// An input, or a connection's turn, mostly with all that has come.
fn turn_or_input() -> impl Strategy<Value = Move> {
    let bytes = prop_oneof![
        3 => Just(u16::MAX),
        1 => 0..600_u16,
    ];
    prop_oneof![
        step().prop_map(Move::Input),
        (any::<u8>(), bytes).prop_map(|(conn, bytes)| Move::Turn { conn, bytes }),
    ]
}

const SEEN: [Seen; 8] = [
    Seen::Bind,
    Seen::Move,
    Seen::Drop,
    Seen::Replay,
    Seen::Drain,
    Seen::Expiry,
    Seen::Admin,
    Seen::Orphan,
];
const SEEN_OF_NODE: [Seen; 4] = [Seen::Batch, Seen::Cut, Seen::Between, Seen::Late];
const INPUTS: usize = 200;
