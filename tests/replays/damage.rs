//! A log with one bit that differs is refused, with its place.

use nfs4_engine::record::DECODED_FIRST;
use nfs4_replay::fuzzing::replay_log;
use nfs4_replay::{LogError, ReplayError};
use nfs4_tests::sim::Rng;

use crate::forged::{bodies, places, sealed};
use crate::recorded::chaos;
use crate::report_of;

#[test]
fn each_flipped_bit_is_found_in_the_frame_where_it_is() {
    let mut log = chaos(20);
    let frames = places(&log);
    let mut rng = Rng::new(7);
    // All of the first bytes, and of everything else a part.
    let everywhere = (0..1_500).map(|_| rng.next_u64() as usize % (8 * log.len()));
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

/// A log is for strangers to send: with checks that match, anything may be in it.
#[test]
fn a_forged_log_is_refused_or_replayed() {
    let log = chaos(15);
    let frames = bodies(&log);
    let mut rng = Rng::new(8);
    for round in 0..400 {
        let at = rng.next_u64() as usize % frames.len();
        let mut forged = frames[at].to_vec();
        for _ in 0..=rng.next_u64() % 3 {
            let byte = rng.next_u64() as usize % forged.len();
            forged[byte] = match rng.next_u64() % 4 {
                0 => 0,
                1 => 0xff,
                2 => forged[byte] ^ 1,
                _ => rng.next_u64() as u8,
            };
        }
        println!("round {round}, frame {at}");
        let before = frames[..at].iter().copied();
        let forged = before
            .chain([&*forged])
            .chain(frames[at + 1..].iter().copied());
        replay_log(&sealed(&log, forged));
    }
}
