//! A random request.

use proptest::prelude::*;

/// One request; directories and objects are chosen among all that ever existed.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Mkdir {
        dir: usize,
        name: u8,
    },
    Symlink {
        dir: usize,
        name: u8,
    },
    Open {
        dir: usize,
        name: u8,
        make: Make,
    },
    /// An open by handle.
    Reopen {
        object: usize,
    },
    Release {
        at: usize,
    },
    Link {
        object: usize,
        dir: usize,
        name: u8,
    },
    Remove {
        dir: usize,
        name: u8,
    },
    Rename {
        from: usize,
        old: u8,
        to: usize,
        new: u8,
    },
    Write {
        object: usize,
        offset: u32,
        len: u32,
        byte: u8,
    },
    Truncate {
        object: usize,
        size: u32,
    },
    Read {
        object: usize,
        offset: u32,
        len: u32,
    },
    Chmod {
        object: usize,
        mode: u32,
    },
    Parent {
        object: usize,
    },
}

/// What an open does when the file does not exist, or does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Make {
    No,
    Unchecked,
    Guarded,
    /// With this verifier.
    Exclusive(u8),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![16 => of_names(), 11 => of_objects()]
}

fn place() -> impl Strategy<Value = u32> {
    // Offsets around the boundaries of blocks and chunks.
    prop_oneof![
        0..200_000u32,
        65_000..66_000u32,
        131_000..131_100u32,
        0..1100u32
    ]
}

fn of_names() -> impl Strategy<Value = Step> {
    let (at, name) = (0..usize::MAX, 0..4u8);
    let make = prop_oneof![
        1 => Just(Make::No),
        3 => Just(Make::Unchecked),
        3 => Just(Make::Guarded),
        1 => (0..2u8).prop_map(Make::Exclusive),
    ];
    prop_oneof![
        3 => (at.clone(), name.clone()).prop_map(|(dir, name)| Step::Mkdir { dir, name }),
        1 => (at.clone(), name.clone()).prop_map(|(dir, name)| Step::Symlink { dir, name }),
        4 => (at.clone(), name.clone(), make)
            .prop_map(|(dir, name, make)| Step::Open { dir, name, make }),
        2 => (at.clone(), at.clone(), name.clone())
            .prop_map(|(object, dir, name)| Step::Link { object, dir, name }),
        4 => (at.clone(), name.clone()).prop_map(|(dir, name)| Step::Remove { dir, name }),
        6 => (at.clone(), name.clone(), at, name)
            .prop_map(|(from, old, to, new)| Step::Rename { from, old, to, new }),
    ]
}

fn of_objects() -> impl Strategy<Value = Step> {
    let at = 0..usize::MAX;
    prop_oneof![
        2 => at.clone().prop_map(|at| Step::Release { at }),
        1 => at.clone().prop_map(|object| Step::Reopen { object }),
        4 => (at.clone(), place(), 1..140_000u32, 1..255u8)
            .prop_map(|(object, offset, len, byte)| Step::Write { object, offset, len, byte }),
        2 => (at.clone(), place()).prop_map(|(object, size)| Step::Truncate { object, size }),
        2 => (at.clone(), place(), place())
            .prop_map(|(object, offset, len)| Step::Read { object, offset, len }),
        1 => (at.clone(), 0o700..0o1000u32).prop_map(|(object, mode)| Step::Chmod { object, mode }),
        1 => at.prop_map(|object| Step::Parent { object }),
    ]
}
