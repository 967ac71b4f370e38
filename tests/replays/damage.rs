//! A log with one bit that differs is refused, with its place.

use nfs4_engine::record::DECODED_FIRST;
use nfs4_replay::{LogError, ReplayError};
use nfs4_tests::sim::Rng;

use crate::forged::places;
use crate::recorded::chaos;
use crate::report_of;

#[test]
fn each_flipped_bit_is_found_in_the_frame_where_it_is() {
    let mut log = chaos(20);
    let frames = places(&log);
    let mut rng = Rng::new(7);
    // All of the first bytes, and of everything else a part.
    let everywhere = (0..4_000).map(|_| rng.next_u64() as usize % (8 * log.len()));
    let bits: Vec<usize> = (0..8 * 400).chain(everywhere).collect();
    for bit in bits {
        let (byte, mask) = (bit / 8, 1 << (bit % 8));
        log[byte] ^= mask;
        let damage = match report_of(&log) {
            Err(ReplayError::Log(LogError::Damage(damage))) => damage,
            other => panic!("bit {bit} was not found: {other:?}"),
        };
        if byte >= DECODED_FIRST {
            let frame = frames.partition_point(|start| *start <= byte) - 1;
            assert_eq!(
                (damage.at, damage.entry),
                (frames[frame] as u64, frame as u64),
                "bit {bit}: {damage}"
            );
        }
        log[byte] ^= mask;
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut log = chaos(5);
    for more in [1, 7, 8, 100] {
        let len = log.len();
        log.resize(len + more, 0);
        assert!(report_of(&log).is_err(), "{more} bytes");
        log.truncate(len);
    }
}
