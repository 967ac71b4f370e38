//! Whatever clients open, lock and close: shares and locked bytes are what a model says, an OPEN that
//! fails leaves nothing behind, and what a file system has done is told. [RFC 8881 §9, RFC 7530 §9]

mod model;
mod opens;
mod peer;
mod play;
mod processes;
mod ranges;

use std::collections::BTreeSet;

use proptest::prelude::*;

use self::play::{How, Play, Seen, Step};
use crate::runner::{Property, cases};

#[test]
fn shares_and_locks_are_what_was_last_asked_for() {
    let property = Property {
        name: "locks",
        cases: cases(),
        to_be_seen: &Seen::OFTEN,
    };
    let steps = prop::collection::vec(step(), 120..200);
    property.holds(steps, |steps| play(Play::new(), steps));
}

/// Processes that are no clients lock too, and find locked what the strongest lock of any client says.
#[test]
fn processes_and_clients_see_each_others_locks() {
    let property = Property {
        name: "local_locks",
        cases: cases(),
        to_be_seen: &Seen::BESIDE_PROCESSES,
    };
    let local = (any::<u8>(), any::<bool>(), any::<(u8, u8)>());
    let local = local.prop_map(|(file, write, range)| Step::LockLocally { file, write, range });
    let step = prop_oneof![
        12 => step(),
        1 => local,
        1 => any::<u8>().prop_map(|file| Step::UnlockLocally { file }),
    ];
    let steps = prop::collection::vec(step, 120..200);
    property.holds(steps, |steps| play(Play::beside_processes(), steps));
}

fn play(mut play: Play, steps: Vec<Step>) -> BTreeSet<Seen> {
    for step in steps {
        play.step(step);
    }
    play.end()
}

fn step() -> impl Strategy<Value = Step> {
    let byte = any::<u8>;
    let bytes = || (byte(), byte());
    let how = prop_oneof![
        3 => Just(How::NoCreate),
        3 => Just(How::Unchecked),
        3 => Just(How::Guarded),
        3 => Just(How::Cut),
    ];
    let open = (
        bytes(),
        byte(),
        bytes(),
        how,
        byte(),
        prop::bool::weighted(0.6),
    );
    prop_oneof![
        18 => open.prop_map(|(by, file, share, how, mode, at_once)| Step::Open {
            by,
            file,
            share,
            how,
            mode,
            at_once,
        }),
        8 => (byte(), prop::bool::weighted(0.3))
            .prop_map(|(which, fails)| Step::Answer { which, fails }),
        3 => byte().prop_map(|which| Step::Execute { which }),
        3 => byte().prop_map(|which| Step::Deliver { which }),
        6 => byte().prop_map(|which| Step::Close { which }),
        1 => (byte(), bytes()).prop_map(|(which, share)| Step::Narrow { which, share }),
        24 => (bytes(), prop::bool::weighted(0.4), bytes())
            .prop_map(|((which, locker), write, range)| Step::Lock { which, locker, write, range }),
        3 => (byte(), bytes()).prop_map(|(which, range)| Step::Unlock { which, range }),
        2 => (bytes(), byte(), any::<bool>(), bytes())
            .prop_map(|(by, file, write, range)| Step::Test { by, file, write, range }),
        6 => byte().prop_map(|file| Step::Remove { file }),
        4 => byte().prop_map(|which| Step::Free { which }),
        1 => byte().prop_map(|peer| Step::EndSession { peer }),
        1 => (0..180_u8, byte()).prop_map(|(seconds, silent)| Step::Wait { seconds, silent }),
    ]
}
