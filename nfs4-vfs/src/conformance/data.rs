//! The bytes of files.

use nfs4_engine::bytes::Bytes;
use nfs4_engine::fs::{FsError, NewNode, Payload};

use super::stage::{Stage, runs};
use super::subject::Subject;
use super::user::bytes;

/// Bytes that depend on their place.
pub(super) fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len)
        .map(|i| (i as u8).wrapping_mul(31).wrapping_add((i >> 8) as u8) ^ seed)
        .collect()
}

/// What is written is read, at any offset and of any length.
pub fn what_is_written_is_read<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let mut expected = Vec::new();
    let lengths = [1, 511, 512, 4_095, 4_096, 65_535, 65_537, 1 << 20];
    for (seed, len) in lengths.into_iter().enumerate() {
        for offset in [0, 1, 4_096, 65_536 - 3, 200_001] {
            let data = pattern(len, seed as u8);
            user.write(file, offset as u64, &data).unwrap();
            let end = offset + len;
            expected.resize(expected.len().max(end), 0);
            expected[offset..end].copy_from_slice(&data);
            let (part, eof) = user.read_part(file, offset as u64, len as u32).unwrap();
            assert!(part == data, "{len} at {offset}");
            assert_eq!(eof, end == expected.len());
        }
    }
    assert!(user.read(file) == expected);
    let attrs = user.attrs(file).unwrap();
    assert_eq!(attrs.size, expected.len() as u64);
    assert!(attrs.space_used > 0);
    stage.end();
}

/// A read ends at the end of the file, and says so.
pub fn a_read_tells_the_end_of_the_file<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let read = |offset, count| user.read_part(file, offset, count).unwrap();
    assert_eq!(read(0, 10), (Bytes::new(), true));
    user.write(file, 0, b"hello").unwrap();
    assert_eq!(read(0, 4), (bytes("hell"), false));
    assert_eq!(read(0, 5), (bytes("hello"), true));
    assert_eq!(read(3, 50), (bytes("lo"), true));
    assert_eq!(read(5, 50), (Bytes::new(), true));
    assert_eq!(read(9, 50), (Bytes::new(), true));
    assert_eq!(read(2, 0), (Bytes::new(), false));
    for offset in [i64::MAX as u64, u64::MAX] {
        assert_eq!(read(offset, 1), (Bytes::new(), true), "{offset}");
        assert_eq!(read(offset, u32::MAX), (Bytes::new(), true), "{offset}");
    }
    assert_eq!(read(1, u32::MAX), (bytes("ello"), true));
    stage.end();
}

/// What was read stays as it was, whatever is written later.
pub fn what_was_read_does_not_change<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let old = pattern(200_000, 1);
    user.write(file, 0, &old).unwrap();
    let open = nfs4_engine::fs::Authority::Open;
    let ranges = [
        (100, 60_000),
        (100, 150_000),
        (0, 200_000),
        (65_533, 9),
        (100, 100),
        (7, 4_096),
    ];
    let read = ranges.map(|(at, len)| {
        let (payload, _) = user.read_by(file, at as u64, len as u32, open).unwrap();
        payload
    });
    user.write(file, 7, &pattern(199_000, 2)).unwrap();
    user.write(file, 200, b"again").unwrap();
    user.truncate(file, 150).unwrap();
    user.remove(top, "f").unwrap();
    let same = |(at, len): (usize, usize), read: Payload| read.to_vec() == old[at..at + len];
    for (range, read) in ranges.into_iter().zip(read) {
        assert!(same(range, read), "{range:?}");
    }
    stage.end();
}

/// A file is cut where it is told, and grows again with zeros.
pub fn a_file_that_was_cut_grows_again_with_zeros<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let old = pattern(70_000, 9);
    user.write(file, 0, &old).unwrap();
    for cut in [69_999, 65_537, 65_536, 65_535, 4_097, 4_096, 513, 512, 1, 0] {
        let attrs = user.truncate(file, cut as u64).unwrap();
        assert_eq!(attrs.size, cut as u64);
        assert!(user.read(file) == old[..cut], "{cut}");
        let attrs = user.truncate(file, 131_072).unwrap();
        assert_eq!(attrs.size, 131_072);
        let data = user.read(file);
        assert!(data[..cut] == old[..cut], "{cut}");
        assert!(data[cut..].iter().all(|byte| *byte == 0), "after {cut}");
    }
    stage.end();
}

/// Only files have bytes.
pub fn only_files_have_bytes<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let mut others = vec![(top, FsError::IsDirectory)];
    if user.fs.capabilities().symlinks {
        user.touch(top, "target").unwrap();
        others.push((
            user.symlink(top, "l", "target").unwrap(),
            FsError::IsSymlink,
        ));
    }
    if stage.traits.special_files {
        for (name, node) in [("p", NewNode::Fifo), ("s", NewNode::Socket)] {
            others.push((user.make(top, name, node).unwrap(), FsError::WrongType));
        }
    }
    for (fh, error) in others {
        assert_eq!(user.read_part(fh, 0, 1), Err(error));
        assert_eq!(user.write(fh, 0, b"x"), Err(error));
        assert_eq!(user.commit(fh, 0, 0), Err(error));
    }
    stage.end();
}

/// A file has a maximum length, and offsets beyond any are refused.
pub fn a_file_has_a_maximum_length<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let most = user.fs.capabilities().max_file_size;
    let too_large = |error| matches!(error, FsError::TooLarge | FsError::Invalid);
    for offset in [u64::MAX - 1, i64::MAX as u64 + 1, most.saturating_sub(1)] {
        let refused = user.write(file, offset, b"xy");
        assert!(refused.is_err_and(too_large), "{offset}: {refused:?}");
    }
    for size in [u64::MAX, i64::MAX as u64 + 1, most.saturating_add(1)] {
        let refused = user.truncate(file, size);
        assert!(refused.is_err_and(too_large), "{size}: {refused:?}");
    }
    assert_eq!(user.attrs(file).unwrap().size, 0);
    stage.end();
}

/// The longest file that the cases make is read and written at its end.
pub fn a_long_file_is_used_at_its_end<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    let most = stage
        .traits
        .largest_file
        .min(user.fs.capabilities().max_file_size);
    if !runs(most > 100, "there are no long files") {
        return;
    }
    user.write(file, most - 2, b"xy").unwrap();
    assert_eq!(user.attrs(file).unwrap().size, most);
    assert_eq!(
        user.read_part(file, most - 3, 100),
        Ok((bytes("\0xy"), true))
    );
    user.truncate(file, most - 1).unwrap();
    assert_eq!(
        user.read_part(file, most - 3, 100),
        Ok((bytes("\0x"), true))
    );
    user.truncate(file, most).unwrap();
    assert_eq!(
        user.read_part(file, most - 3, 100),
        Ok((bytes("\0x\0"), true))
    );
    stage.end();
}

/// An empty write is a success without effects.
pub fn an_empty_write_does_nothing<S: Subject>(subject: &S) {
    let stage = Stage::new(subject);
    let (user, top) = (&stage.user, stage.user.top());
    let file = user.touch(top, "f").unwrap();
    user.write(file, 0, b"x").unwrap();
    let before = user.attrs(file).unwrap();
    for offset in [0, 1, 5_000] {
        user.at(2000).write(file, offset, b"").unwrap();
    }
    assert_eq!(user.attrs(file), Ok(before));
    stage.end();
}
