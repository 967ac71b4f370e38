//! Plays random inputs, and shows that they were worth playing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngAlgorithm, TestRng, TestRunner};

/// A property, and how it is tried.
pub(crate) struct Property<'a, Seen> {
    /// What it is called; cases that failed are in a `.regressions` file of this name beside this
    /// one, and are played first at every run.
    pub(crate) name: &'static str,
    pub(crate) cases: u32,
    /// Each of these must be seen `cases / 20` times; more cases are played until it is.
    pub(crate) to_be_seen: &'a [Seen],
}

/// How often `cases` are played before one that is still not seen is a fault of the inputs. What is
/// seen in one case of twenty is then missing in less than one run of a million.
const ROUNDS: u8 = 8;

impl<Seen: Copy + Debug + Ord> Property<'_, Seen> {
    /// Plays inputs, none of which may fail; `play` says what was seen.
    pub(crate) fn holds<I: Debug>(
        &self,
        inputs: impl Strategy<Value = I>,
        play: impl Fn(I) -> BTreeSet<Seen>,
    ) {
        let Property { name, cases, .. } = *self;
        let config = ProptestConfig {
            cases,
            failure_persistence: Some(Box::new(FileFailurePersistence::Direct(saved(name)))),
            ..ProptestConfig::default()
        };
        let seed = seed();
        let counts = RefCell::new(BTreeMap::<Seen, u32>::new());
        let rare = || {
            let counts = counts.borrow();
            let count = |seen: &Seen| counts.get(seen).copied().unwrap_or(0);
            let mut all = self.to_be_seen.iter().map(|seen| (*seen, count(seen)));
            all.find(|(_, count)| count * 20 < cases)
        };
        for round in 0..ROUNDS {
            let started = Instant::now();
            let mut runner = TestRunner::new_with_rng(config.clone(), rng(seed, round));
            let result = runner.run(&inputs, |inputs| {
                for seen in play(inputs) {
                    *counts.borrow_mut().entry(seen).or_default() += 1;
                }
                Ok(())
            });
            println!(
                "{name}: {cases} cases, seed {seed:#x}, {:?}; seen so far {:?}",
                started.elapsed(),
                counts.borrow()
            );
            if let Err(error) = result {
                panic!("{name}, seed {seed:#x}: {error}");
            }
            if rare().is_none() {
                return;
            }
        }
        let (seen, count) = rare().expect("it is what the rounds have not shown");
        panic!("{seen:?} in {count} of {} cases", u32::from(ROUNDS) * cases);
    }
}

/// How many cases each property is tried with: `NFS4_PROPERTY_CASES`, or few enough for every run.
pub(crate) fn cases() -> u32 {
    let given = std::env::var("NFS4_PROPERTY_CASES").ok();
    given.map_or(256, |text| {
        text.parse().expect("NFS4_PROPERTY_CASES is a number")
    })
}

/// What chance starts from: `NFS4_PROPERTY_SEED`, or something new.
fn seed() -> u64 {
    let given = std::env::var("NFS4_PROPERTY_SEED").ok();
    given.map_or_else(
        || TestRunner::default().rng().next_u64(),
        |text| {
            let digits = text.trim_start_matches("0x");
            u64::from_str_radix(digits, 16).expect("NFS4_PROPERTY_SEED is hexadecimal")
        },
    )
}

fn rng(seed: u64, round: u8) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8] = round;
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

fn saved(name: &str) -> &'static str {
    let mut path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "properties", name]
        .iter()
        .collect();
    path.set_extension("regressions");
    let path = path.into_os_string().into_string().expect("a path is text");
    // The persistence keeps it for as long as the process lasts.
    path.leak()
}
