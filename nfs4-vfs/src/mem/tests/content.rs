use super::*;

const CHUNK: usize = 64 * 1024;

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len)
        .map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed))
        .collect()
}

/// The memory of each piece of a READ.
fn places(payload: &Payload) -> Vec<usize> {
    payload
        .pieces()
        .map(|piece| piece.as_ptr() as usize)
        .collect()
}

#[test]
fn read_bytes_do_not_change_with_a_later_write() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    let old = pattern(3 * CHUNK, 1);
    user.write(file, 0, &old).unwrap();
    let ranges = [
        (100, 60_000),
        (100, 150_000),
        (0, 3 * CHUNK),
        (CHUNK - 3, 9),
        (CHUNK - 3_000, 8_000),
        (100, 100),
        (100, 4_096),
        (100, 5_000),
    ];
    let read = ranges.map(|(at, len)| user.read_pieces(file, at as u64, len as u32).unwrap().0);
    user.write(file, 7, &pattern(3 * CHUNK - 100, 2)).unwrap();
    user.write(file, 200, b"again").unwrap();
    user.truncate(file, 150).unwrap();
    for ((at, len), read) in ranges.into_iter().zip(read) {
        assert!(read.to_vec() == old[at..at + len], "{len} from {at}");
    }
    let mut new = pattern(3 * CHUNK - 100, 2);
    new.splice(0..0, old[..7].iter().copied());
    assert_eq!(user.read(file), new[..150]);
}

#[test]
fn large_reads_share_the_memory_of_the_file() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    user.write(file, 0, &pattern(16 * CHUNK, 1)).unwrap();
    let (one, _) = user.read_pieces(file, 0, 1 << 20).unwrap();
    let (two, _) = user.read_pieces(file, 0, 1 << 20).unwrap();
    assert_eq!(one.piece_count(), 16);
    assert_eq!(places(&one), places(&two));
    let (odd, _) = user.read_pieces(file, 5, (1 << 20) - 7).unwrap();
    assert_eq!(places(&odd)[1..], places(&one)[1..]);
    assert_eq!(places(&odd)[0], places(&one)[0] + 5);
    // A write in place, once no reader has a slice.
    let before = places(&one);
    drop((one, two, odd));
    user.write(file, 9, b"x").unwrap();
    let (three, _) = user.read_pieces(file, 0, 1 << 20).unwrap();
    assert_eq!(places(&three), before);
}

/// A reply that waits keeps the chunks alive that it was read from, after they were written again.
#[test]
fn what_is_read_keeps_no_more_than_four_times_its_bytes_alive() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    user.write(file, 0, &pattern(4 * CHUNK, 1)).unwrap();
    let (whole, _) = user.read_pieces(file, 0, 4 * CHUNK as u32).unwrap();
    let chunks = places(&whole);
    drop(whole);
    let lengths = [
        1, 1_024, 1_025, 4_096, 4_097, 16_383, 16_384, 32_767, 32_768, 65_536, 131_072,
    ];
    for at in [0, 1, CHUNK - 9_000, CHUNK - 1, CHUNK] {
        for len in lengths {
            let (read, _) = user.read_pieces(file, at as u64, len).unwrap();
            let of_chunks = places(&read).into_iter().filter(|place| {
                let mut within = chunks.iter().map(|chunk| *chunk..chunk + CHUNK);
                within.any(|chunk| chunk.contains(place))
            });
            let pinned = of_chunks.count() * CHUNK;
            let is_bounded = pinned <= 4 * len as usize || len <= 4_096;
            assert!(is_bounded, "{len} from {at}: {pinned}");
            let is_shared = pinned >= len as usize;
            assert!(is_shared || len < 131_072, "{len} from {at} is copied");
        }
    }
}

#[test]
fn reads_that_are_copied_use_their_buffers_again() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    user.write(file, 0, &pattern(CHUNK, 1)).unwrap();
    let (one, _) = user.read_pieces(file, 9, 5_000).unwrap();
    let (two, _) = user.read_pieces(file, 77, 9_000).unwrap();
    assert_ne!(places(&one), places(&two));
    let place = places(&one);
    drop(one);
    let (three, _) = user.read_pieces(file, 3, 8_000).unwrap();
    assert_eq!(places(&three), place);
    assert_eq!(three.to_vec(), pattern(CHUNK, 1)[3..8_003]);
    assert_eq!(two.to_vec(), pattern(CHUNK, 1)[77..9_077]);
}

#[test]
fn zeros_are_one_piece_however_many_chunks_lack() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    user.truncate(file, 1 << 30).unwrap();
    let (zeros, _) = user.read_pieces(file, 77, 1 << 20).unwrap();
    assert_eq!((zeros.len(), zeros.piece_count()), (1 << 20, 1));
    for chunk in 0..16 {
        user.write(file, chunk * CHUNK as u64, b"x").unwrap();
    }
    let (sparse, _) = user.read_pieces(file, 0, 1 << 20).unwrap();
    assert_eq!((sparse.len(), sparse.piece_count()), (1 << 20, 32));
    let (huge, _) = user.read_pieces(file, 1 << 20, 16 << 20).unwrap();
    assert_eq!((huge.len(), huge.piece_count()), (16 << 20, 16));
}

#[test]
fn holes_are_zero_and_take_no_space() {
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
fn what_is_cut_off_takes_no_space() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    user.write(file, 0, &pattern(CHUNK + 5000, 9)).unwrap();
    for (cut, used) in [
        (CHUNK + 1, CHUNK + 512),
        (CHUNK, CHUNK),
        (513, 1024),
        (1, 512),
    ] {
        user.truncate(file, cut as u64).unwrap();
        user.truncate(file, 2 * CHUNK as u64).unwrap();
        assert_eq!(user.attrs(file).unwrap().space_used, used as u64, "{cut}");
    }
}

#[test]
fn a_read_is_noted_after_a_change_and_once_a_day() {
    let user = root();
    let file = user.touch(user.top(), "f").unwrap();
    user.at(1010).write(file, 0, b"x").unwrap();
    let accessed = |seconds| {
        user.at(seconds).read(file);
        user.attrs(file).unwrap().accessed
    };
    assert_eq!(accessed(1020), at(1020).wall);
    assert_eq!(accessed(1030), at(1020).wall, "it says nothing new");
    assert_eq!(accessed(100_000), at(100_000).wall, "once a day");
}
