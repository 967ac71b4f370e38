//! Whatever the holder of a write delegation does with its file, and whenever other clients read its
//! attributes and by whatever operation: the server reports a change attribute with one size only, and
//! never an older change attribute after it. [RFC 8881 §10.4.3]
//!
//! The file system executes a reader's request in one step, and the engine processes the answer in
//! another.

mod holder;
mod play;

use proptest::prelude::*;

use crate::runner::{Property, cases};
use play::Play;

#[test]
fn a_change_attribute_is_reported_with_one_size_only() {
    let property = Property {
        name: "size_reports",
        cases: cases(),
        to_be_seen: &ALL_SEEN,
    };
    let steps = prop::collection::vec(step(), 80..320);
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
    /// A reader asks for the attributes of the file.
    Look { reader: u8, how: How },
    /// The file system executes a request that waits for it.
    Execute { which: u8 },
    /// The engine processes the answer.
    Deliver { which: u8 },
    /// The holder changes the file in its cache.
    Change { size: u8 },
    /// The holder writes some of it to the server.
    Flush { size: u8 },
    /// The holder answers CB_GETATTR, or says that it is busy.
    Answer { busy: bool },
    /// The holder returns the delegation, whether it has written or not.
    Return,
    /// The holder opens the file, and gets a delegation.
    Open,
    /// The administrator evicts the holder, which mounts again.
    Evict,
    /// Time goes on.
    Wait { deciseconds: u8 },
}

/// The operation by which a reader gets the attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    GetAttr,
    Lookup,
    ReadDir,
    /// VERIFY of the last report, or of its change attribute with another size.
    Verify {
        other: bool,
    },
}

/// What a case has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// A size that only the holder has was reported,
    Reported,
    /// also by a listing,
    Listed,
    /// and the file system's after that, since the holder has not written.
    Withdrawn,
    /// A VERIFY that held, and one that did not.
    Verified,
    Differed,
    /// A reader got DELAY.
    Delayed,
}

fn step() -> impl Strategy<Value = Step> {
    let byte = any::<u8>;
    let how = prop_oneof![
        4 => Just(How::GetAttr),
        2 => Just(How::Lookup),
        4 => Just(How::ReadDir),
        2 => any::<bool>().prop_map(|other| How::Verify { other }),
    ];
    prop_oneof![
        12 => (byte(), how).prop_map(|(reader, how)| Step::Look { reader, how }),
        12 => byte().prop_map(|which| Step::Execute { which }),
        12 => byte().prop_map(|which| Step::Deliver { which }),
        4 => (0..16_u8).prop_map(|size| Step::Change { size }),
        1 => (1..16_u8).prop_map(|size| Step::Flush { size }),
        8 => prop::bool::weighted(0.1).prop_map(|busy| Step::Answer { busy }),
        1 => Just(Step::Return),
        2 => Just(Step::Open),
        1 => Just(Step::Evict),
        2 => (0..80_u8).prop_map(|deciseconds| Step::Wait { deciseconds }),
    ]
}

const ALL_SEEN: [Seen; 6] = [
    Seen::Reported,
    Seen::Listed,
    Seen::Withdrawn,
    Seen::Verified,
    Seen::Differed,
    Seen::Delayed,
];
