//! The body of the fuzz target `engine_ops` on random bytes, so that every run of the tests tries
//! some.

use nfs4_tests::fuzzing::{Reached, engine_ops};
use nfs4_tests::sim::Rng;

use crate::runner;

#[test]
fn random_clients_leave_nothing_and_the_tables_agree() {
    let seed = number("NFS4_PROPERTY_SEED").unwrap_or(0x6e66_7334);
    let cases = u64::from(runner::cases());
    let mut most = Reached::default();
    for case in 0..cases {
        let seed = seed.wrapping_add(case);
        println!("NFS4_PROPERTY_SEED={seed:#x}");
        let mut chance = Rng::new(seed);
        let bytes: Vec<u8> = (0..8_192).map(|_| chance.next_u64() as u8).collect();
        let reached = engine_ops(&bytes);
        most.sessions = most.sessions.max(reached.sessions);
        most.opens = most.opens.max(reached.opens);
        most.locks = most.locks.max(reached.locks);
        most.delegations = most.delegations.max(reached.delegations);
        most.callbacks = most.callbacks.max(reached.callbacks);
        most.replays = most.replays.max(reached.replays);
    }
    println!("{most:?}");
    if cases >= 256 {
        assert!(
            most.sessions > 1 && most.opens > 1 && most.locks > 0,
            "{most:?}"
        );
        assert!(
            most.delegations > 0 && most.callbacks > 0 && most.replays > 0,
            "{most:?}"
        );
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}
