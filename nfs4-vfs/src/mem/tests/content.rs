use super::*;

const CHUNK: usize = 64 * 1024;

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len)
        .map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed))
        .collect()
}

#[test]
fn what_was_read_never_sees_a_later_write() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    let old = pattern(2 * CHUNK, 1);
    user.write(file, 0, &old).unwrap();
    let (within, _) = user.read_part(file, 100, 60_000).unwrap();
    let (across, _) = user.read_part(file, 100, 100_000).unwrap();
    let (small, _) = user.read_part(file, 100, 100).unwrap();
    user.write(file, 0, &pattern(2 * CHUNK, 2)).unwrap();
    user.truncate(file, 150).unwrap();
    assert_eq!(within, old[100..60_100]);
    assert_eq!(across, old[100..100_100]);
    assert_eq!(small, old[100..200]);
    assert_eq!(user.read(file), pattern(2 * CHUNK, 2)[..150]);
}

#[test]
fn reads_within_a_chunk_share_its_memory() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    user.write(file, 0, &pattern(CHUNK, 1)).unwrap();
    let (one, _) = user.read_part(file, 0, 50_000).unwrap();
    let (two, _) = user.read_part(file, 0, 50_000).unwrap();
    assert_eq!(one.as_ptr(), two.as_ptr());
    // A write in place, once no reader has a slice.
    let place = one.as_ptr() as usize;
    drop((one, two));
    user.write(file, 9, b"x").unwrap();
    let (three, _) = user.read_part(file, 0, 50_000).unwrap();
    assert_eq!(three.as_ptr() as usize, place);
}

#[test]
fn holes_are_zero_and_take_no_room() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    let empty = user.used();
    user.truncate(file, 1 << 40).unwrap();
    assert_eq!(user.attrs(file).unwrap().space_used, 0);
    assert_eq!(user.used(), empty);
    let (zeros, eof) = user.read_part(file, 12_345_678, 300_000).unwrap();
    assert!(zeros.len() == 300_000 && zeros.iter().all(|byte| *byte == 0) && !eof);
    user.write(file, 1 << 30, b"island").unwrap();
    let (around, _) = user.read_part(file, (1 << 30) - 4, 14).unwrap();
    assert_eq!(&around[..], b"\0\0\0\0island\0\0\0\0");
    let attrs = user.attrs(file).unwrap();
    assert_eq!((attrs.size, attrs.space_used), (1 << 40, 512));
    user.truncate(file, 0).unwrap();
    assert_eq!(user.used(), empty);
}

#[test]
fn a_cut_file_grows_again_with_zeros() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    user.write(file, 0, &pattern(CHUNK + 5000, 9)).unwrap();
    for cut in [CHUNK + 4999, CHUNK + 1, CHUNK, CHUNK - 1, 513, 512, 1] {
        user.truncate(file, cut as u64).unwrap();
        user.truncate(file, 2 * CHUNK as u64).unwrap();
        let data = user.read(file);
        assert_eq!(data[..cut], pattern(CHUNK + 5000, 9)[..cut]);
        assert!(data[cut..].iter().all(|byte| *byte == 0), "after {cut}");
    }
    assert_eq!(user.attrs(file).unwrap().space_used, 512);
}

#[test]
fn the_end_of_a_file_is_told() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    assert_eq!(user.read_part(file, 0, 10).unwrap(), (Bytes::new(), true));
    user.write(file, 0, b"hello").unwrap();
    assert_eq!(user.read_part(file, 0, 4).unwrap(), (bytes("hell"), false));
    assert_eq!(user.read_part(file, 0, 5).unwrap(), (bytes("hello"), true));
    assert_eq!(user.read_part(file, 3, 50).unwrap(), (bytes("lo"), true));
    assert_eq!(user.read_part(file, 9, 50).unwrap(), (Bytes::new(), true));
    assert_eq!(
        user.read_part(file, u64::MAX, u32::MAX).unwrap(),
        (Bytes::new(), true)
    );
    assert_eq!(user.read_part(file, 2, 0).unwrap(), (Bytes::new(), false));
}

#[test]
fn a_file_is_at_most_so_long() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    let max = user.fs.capabilities().max_file_size;
    assert_eq!(user.write(file, u64::MAX, b"xy"), Err(FsError::TooLarge));
    assert_eq!(user.write(file, max - 1, b"xy"), Err(FsError::TooLarge));
    assert_eq!(user.truncate(file, max + 1).err(), Some(FsError::TooLarge));
    user.write(file, max - 2, b"xy").unwrap();
    assert_eq!(user.attrs(file).unwrap().size, max);
    assert_eq!(
        user.read_part(file, max - 3, 100).unwrap(),
        (bytes("\0xy"), true)
    );
}

#[test]
fn only_files_have_bytes() {
    let user = root();
    let top = user.top();
    let link = user
        .make(top, "l", NewNode::Symlink(bytes("target")))
        .unwrap();
    let fifo = user.make(top, "p", NewNode::Fifo).unwrap();
    for (fh, error) in [
        (top, FsError::IsDirectory),
        (link, FsError::IsSymlink),
        (fifo, FsError::WrongType),
    ] {
        assert_eq!(user.read_part(fh, 0, 1).err(), Some(error));
        assert_eq!(user.write(fh, 0, b"x").err(), Some(error));
        assert_eq!(
            user.ask(FsOp::Commit {
                fh,
                offset: 0,
                count: 0
            })
            .err(),
            Some(error)
        );
    }
    assert_eq!(user.truncate(top, 0).err(), Some(FsError::IsDirectory));
    assert_eq!(user.truncate(link, 0).err(), Some(FsError::Invalid));
    assert!(matches!(
        user.ask(FsOp::ReadLink { fh: link }),
        Ok(FsReply::Link(target)) if target == "target"
    ));
    assert_eq!(
        user.ask(FsOp::ReadLink { fh: top }).err(),
        Some(FsError::WrongType)
    );
}

#[test]
fn times_and_the_change_attribute_follow_what_happens() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    let made = user.attrs(file).unwrap();
    assert_eq!(
        (made.created, made.modified, made.accessed),
        (at(1000).wall, at(1000).wall, at(1000).wall)
    );
    user.at(1010).write(file, 0, b"x").unwrap();
    let written = user.attrs(file).unwrap();
    assert_eq!(
        (written.modified, written.changed),
        (at(1010).wall, at(1010).wall)
    );
    assert!(written.change > made.change);
    user.at(1020).read(file);
    let read = user.attrs(file).unwrap();
    assert_eq!(
        (read.accessed, read.change),
        (at(1020).wall, written.change)
    );
    user.at(1030).read(file);
    assert_eq!(
        user.attrs(file).unwrap().accessed,
        at(1020).wall,
        "it says nothing new"
    );
    user.at(100_000).read(file);
    assert_eq!(
        user.attrs(file).unwrap().accessed,
        at(100_000).wall,
        "once a day"
    );
    user.at(100_010).chmod(file, 0o600).unwrap();
    let changed = user.attrs(file).unwrap();
    assert_eq!(
        (changed.changed, changed.modified),
        (at(100_010).wall, at(1010).wall)
    );
    assert!(changed.change > read.change);
    assert_eq!(
        user.set(file, SetAttrs::default()).unwrap().change,
        changed.change
    );
    // Nothing written is no change.
    user.write(file, 5, b"").unwrap();
    assert_eq!(user.attrs(file).unwrap(), changed);
}
