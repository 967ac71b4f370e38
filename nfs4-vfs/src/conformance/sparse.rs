//! Holes, and the space of a file system.

use super::stage::{Stage, runs};
use super::subject::Subject;

/// A hole is zeros.
pub fn a_hole_is_zeros<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let far = stage.traits.largest_file.min(1 << 40);
    user.truncate(file, far).unwrap();
    assert_eq!(user.attrs(file).unwrap().size, far);
    let (zeros, eof) = user.read_part(file, far / 2 - 12_345, 300_000).unwrap();
    assert!(zeros.len() == 300_000 && zeros.iter().all(|byte| *byte == 0) && !eof);
    let place = far / 4;
    user.write(file, place, b"island").unwrap();
    let (around, _) = user.read_part(file, place - 4, 14).unwrap();
    assert_eq!(&around[..], b"\0\0\0\0island\0\0\0\0");
    let attrs = user.attrs(file).unwrap();
    assert_eq!(attrs.size, far);
    if runs(stage.traits.sparse, "holes may take space") {
        assert!(attrs.space_used < 1 << 20, "{}", attrs.space_used);
    }
    stage.end();
}

/// Many islands in one file are each at their place.
pub fn islands_stay_at_their_places<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let places: Vec<u64> = (0..40).map(|at| at * 150_001).collect();
    for place in places.iter().rev() {
        user.write(file, *place, &place.to_be_bytes()).unwrap();
    }
    for place in &places {
        let (data, _) = user.read_part(file, *place, 8).unwrap();
        assert_eq!(&data[..], place.to_be_bytes());
        let (gap, _) = user.read_part(file, *place + 8, 4_000).unwrap();
        assert!(gap.iter().all(|byte| *byte == 0));
    }
    stage.end();
}

/// The space that is told is that of one file system: no more is free than there is.
pub fn space_is_told<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let stat = user.stat();
    assert!(stat.space_total > 0);
    assert!(stat.space_free <= stat.space_total && stat.space_avail <= stat.space_free);
    assert!(stat.files_free <= stat.files_total && stat.files_avail <= stat.files_free);
    if !runs(
        stage.traits.exact_space,
        "what is removed may be free later",
    ) {
        return;
    }
    let file = user.touch(top, "f").unwrap();
    let before = user.stat().space_free;
    for at in 0..1024 {
        user.write(file, at * 4096, &[1; 4096]).unwrap();
    }
    user.commit(file, 0, 0).unwrap();
    let taken = before - user.stat().space_free;
    assert!((4 << 20..5 << 20).contains(&taken), "{taken}");
    assert!(user.attrs(file).unwrap().space_used >= 4 << 20);
    user.remove(top, "f").unwrap();
    user.is_gone(file);
    assert!(user.stat().space_free >= before, "it is free again");
    stage.end();
}

/// A file without a name keeps its space until it is released.
pub fn a_held_file_keeps_its_space<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    if !runs(
        stage.traits.exact_space,
        "what is removed may be free later",
    ) {
        return;
    }
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.hold(top, "f").unwrap();
    user.write(file, 0, &[7; 4 << 20]).unwrap();
    user.commit(file, 0, 0).unwrap();
    let before = user.stat().space_free;
    user.remove(top, "f").unwrap();
    assert!(user.stat().space_free < before + (1 << 20));
    assert!(user.read(file) == [7; 4 << 20][..]);
    user.fs.release(file);
    user.is_gone(file);
    assert!(user.stat().space_free >= before + (4 << 20) - (64 << 10));
    stage.end();
}
