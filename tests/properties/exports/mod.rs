//! Exports come, change and go while clients use them: what an export takes with it ends exactly once, and nothing
//! of the others is harmed.

mod model;
mod play;

use proptest::prelude::*;

use self::play::Play;
use crate::runner::{Property, cases};

/// One thing that happens. Numbers that are too large count round.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// An export is added, or its options are changed.
    Put {
        export: u8,
        options: u8,
    },
    Remove {
        export: u8,
    },
    /// Exactly these exports are served, with the options that they have.
    Serve {
        these: u8,
    },
    /// OPEN of a file that the client does not have open, with a delegation if there is one.
    Open {
        by: u8,
        file: u8,
        writes: bool,
    },
    Close {
        by: u8,
        file: u8,
    },
    Lock {
        by: u8,
        file: u8,
    },
    Unlock {
        by: u8,
        file: u8,
    },
    Read {
        by: u8,
        file: u8,
    },
    Write {
        by: u8,
        file: u8,
    },
    /// A file is made by a user that may be squashed.
    Make {
        by: u8,
        export: u8,
    },
    /// The file system gets this request, and answers it later.
    Begin {
        by: u8,
        file: u8,
        what: u8,
    },
    /// It answers all of them.
    Finish,
    /// A client asks what it has lost, and acknowledges it.
    Ask {
        by: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    LostOpen,
    LostLock,
    LostDelegation,
    /// A request in execution found its export removed.
    LateStale,
    /// An export was to come back before its requests had ended.
    Ending,
    /// An export came back under its number.
    Back,
    ReadOnly,
    Outside,
    Squashed,
    Recalled,
    Stale,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let by_file = || (any::<u8>(), any::<u8>());
    let step = prop_oneof![
        4 => by_file().prop_map(|(export, options)| Step::Put { export, options }),
        3 => any::<u8>().prop_map(|export| Step::Remove { export }),
        1 => any::<u8>().prop_map(|these| Step::Serve { these }),
        8 => (by_file(), any::<bool>())
            .prop_map(|((by, file), writes)| Step::Open { by, file, writes }),
        1 => by_file().prop_map(|(by, file)| Step::Close { by, file }),
        4 => by_file().prop_map(|(by, file)| Step::Lock { by, file }),
        1 => by_file().prop_map(|(by, file)| Step::Unlock { by, file }),
        2 => by_file().prop_map(|(by, file)| Step::Read { by, file }),
        2 => by_file().prop_map(|(by, file)| Step::Write { by, file }),
        1 => by_file().prop_map(|(by, export)| Step::Make { by, export }),
        3 => (by_file(), any::<u8>())
            .prop_map(|((by, file), what)| Step::Begin { by, file, what }),
        2 => Just(Step::Finish),
        1 => any::<u8>().prop_map(|by| Step::Ask { by }),
    ];
    prop::collection::vec(step, 40..120)
}

#[test]
fn an_export_takes_its_own_state_with_it_and_nothing_else() {
    let property = Property {
        name: "exports",
        cases: cases(),
        to_be_seen: &[
            Seen::LostOpen,
            Seen::LostLock,
            Seen::LostDelegation,
            Seen::LateStale,
            Seen::Ending,
            Seen::Back,
            Seen::ReadOnly,
            Seen::Outside,
            Seen::Squashed,
            Seen::Recalled,
            Seen::Stale,
        ],
    };
    property.holds(steps(), |steps| {
        let mut play = Play::new();
        for step in steps {
            play.step(step);
        }
        play.end()
    });
}
