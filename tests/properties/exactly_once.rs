//! Whatever is lost, repeated or overtaken: a request is executed once. [RFC 8881 §2.10.6]

use nfs4_tests::sim::chaos::{Chaos, Step, Work};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

fn work() -> impl Strategy<Value = Work> {
    prop::sample::select(&Work::ALL[..])
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_u8, 0..3_u8, 0..3_u8, work(), any::<bool>()).prop_map(
            |(client, slot, conn, work, cache)| Step::Send { client, slot, conn, work, cache }
        ),
        4 => (0..3_u8, 0..3_u8, 0..3_u8)
            .prop_map(|(client, slot, conn)| Step::Retry { client, slot, conn }),
        2 => (0..3_u8, 0..3_u8).prop_map(|(client, conn)| Step::Kill { client, conn }),
        1 => (0..3_u8).prop_map(|client| Step::Reboot { client }),
        4 => (0..10_u8).prop_map(|events| Step::Happen { events }),
        1 => any::<u8>().prop_map(|millis| Step::Sleep { millis }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: crate::runner::cases(),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_request_is_executed_once_and_its_answer_repeated(
        clients in 1..4_usize,
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut chaos = Chaos::new(clients, seed);
        for step in steps {
            chaos.step(step);
        }
        chaos.finish();
    }
}
