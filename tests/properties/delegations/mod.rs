//! Whatever clients do with their delegations: none stands beside a conflicting state or access of
//! another client, none comes with attributes that are out of date, and a client that has lost one gets
//! the flag until it acknowledges it. [RFC 8881 §10.4]
//!
//! The file system executes some requests in one step, and the engine processes the answer in another:
//! everything else happens between the two as well.

mod flight;
mod peer;
mod play;

use proptest::prelude::*;

use crate::runner::{Property, cases};
use flight::Work;
use play::Play;

#[test]
fn no_delegation_stands_beside_what_another_has_of_the_file() {
    let property = Property {
        name: "delegations",
        cases: cases(),
        to_be_seen: &ALL_SEEN,
    };
    let steps = prop::collection::vec(step(), 80..240);
    property.holds(steps, |steps| {
        let mut play = Play::new();
        for step in steps {
            play.step(step);
        }
        play.end()
    });
}

/// One input. Numbers that are too large count round.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open {
        peer: u8,
        file: u8,
        write: bool,
    },
    Close {
        peer: u8,
        file: u8,
    },
    /// WRITE by a special stateid: as good as an open for writing.
    Write {
        peer: u8,
        file: u8,
    },
    /// Sends a request that the file system does not execute yet.
    Send {
        peer: u8,
        file: u8,
        work: Work,
    },
    /// The file system executes such a request.
    Execute {
        which: u8,
    },
    /// The engine hears of it.
    Deliver {
        which: u8,
    },
    /// DELEGRETURN.
    Return {
        peer: u8,
        file: u8,
    },
    /// A client does something with a callback that it has got.
    Answer {
        which: u8,
        how: How,
    },
    /// Asks which of its delegations it still has.
    Test {
        peer: u8,
    },
    /// FREE_STATEID of one that is lost.
    Free {
        peer: u8,
        file: u8,
    },
    /// The administrator evicts a client, which comes again.
    Evict {
        peer: u8,
    },
    /// Time goes on; one of the clients, or none, is silent.
    Wait {
        seconds: u8,
        silent: u8,
    },
}

/// What a client does with a callback.
#[derive(Clone, Copy, Debug)]
enum How {
    /// Says that it will do what it is asked for.
    Agree,
    /// Says that it cannot now.
    Delay,
    /// Says that it has no such delegation.
    Deny,
}

/// What a case has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    ReadGranted,
    WriteGranted,
    /// A client got DELAY for a delegation.
    Delayed,
    Recalled,
    Returned,
    Revoked,
    Freed,
    Expired,
    /// Thrown out with a delegation.
    Evicted,
    /// An OPEN brought a delegation that the engine did not hear of at once,
    GrantedLater,
    /// or none, since the file had changed meanwhile,
    ChangedMeanwhile,
    /// or could still change.
    Changing,
}

fn step() -> impl Strategy<Value = Step> {
    let byte = any::<u8>;
    let how = prop_oneof![
        6 => Just(How::Agree),
        1 => Just(How::Delay),
        2 => Just(How::Deny),
    ];
    prop_oneof![
        10 => (byte(), byte(), any::<bool>())
            .prop_map(|(peer, file, write)| Step::Open { peer, file, write }),
        6 => (byte(), byte()).prop_map(|(peer, file)| Step::Close { peer, file }),
        2 => (byte(), byte()).prop_map(|(peer, file)| Step::Write { peer, file }),
        12 => (byte(), byte(), prop::sample::select(&Work::ALL[..]))
            .prop_map(|(peer, file, work)| Step::Send { peer, file, work }),
        12 => byte().prop_map(|which| Step::Execute { which }),
        12 => byte().prop_map(|which| Step::Deliver { which }),
        3 => (byte(), byte()).prop_map(|(peer, file)| Step::Return { peer, file }),
        6 => (byte(), how).prop_map(|(which, how)| Step::Answer { which, how }),
        2 => byte().prop_map(|peer| Step::Test { peer }),
        2 => (byte(), byte()).prop_map(|(peer, file)| Step::Free { peer, file }),
        1 => byte().prop_map(|peer| Step::Evict { peer }),
        3 => (0..100_u8, byte()).prop_map(|(seconds, silent)| Step::Wait { seconds, silent }),
    ]
}

const ALL_SEEN: [Seen; 12] = [
    Seen::ReadGranted,
    Seen::WriteGranted,
    Seen::Delayed,
    Seen::Recalled,
    Seen::Returned,
    Seen::Revoked,
    Seen::Freed,
    Seen::Expired,
    Seen::Evicted,
    Seen::GrantedLater,
    Seen::ChangedMeanwhile,
    Seen::Changing,
];
