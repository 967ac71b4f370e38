//! What a peer asks for, and how often.

use proptest::prelude::*;

/// What a greedy peer does, as often as it can or `times`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) host: u8,
    pub(super) uid: u8,
    pub(super) what: What,
    pub(super) times: u8,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// A client more, with a session.
    Mount,
    /// Of 4.0.
    Mount40,
    /// A name, and no more than that.
    Name,
    /// Sessions of a client that it has.
    Session,
    /// Files, each by another open owner.
    Open,
    /// Of 4.0, not confirmed.
    Open40,
    /// Bytes of one file that all have open, by the same lock owner.
    Lock,
    /// The same, by other lock owners.
    LockAnew,
    /// Bytes that another has locked, which it waits for.
    Wait,
    /// Gives all up that one of its clients has open.
    Close,
    /// All but this peer are silent for half a lease.
    Sleep,
    /// Not a greedy peer, but one that has nothing yet.
    Newcomer,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![
        6 => Just(What::Mount),
        3 => Just(What::Mount40),
        2 => Just(What::Name),
        2 => Just(What::Session),
        6 => Just(What::Open),
        4 => Just(What::Open40),
        4 => Just(What::Lock),
        4 => Just(What::LockAnew),
        2 => Just(What::Wait),
        1 => Just(What::Close),
        1 => Just(What::Sleep),
        2 => Just(What::Newcomer),
    ];
    let times = prop_oneof![1 => Just(1_u8), 2 => Just(24_u8)];
    (any::<u8>(), any::<u8>(), what, times).prop_map(|(host, uid, what, times)| Step {
        host,
        uid,
        what,
        times,
    })
}
