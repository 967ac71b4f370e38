//! Random requests against a naive model, whose directories are maps and whose files are vectors.

mod entries;
mod quiet;
mod run;
mod step;
mod thing;
mod tree;

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use self::entries::{Change, Entered, NAMES};
use self::run::World;
use self::step::Step;
use super::stage::{Stage, runs};
use super::subject::{Files, Subject};

/// Random requests are answered as the model says, and leave what the model has; the least that is not
/// so is printed.
pub fn random_requests_do_what_the_model_does<S: Subject>(subject: &S) {
    let steps = prop::collection::vec(step::step(), 1..120);
    let runs = subject.traits().random_runs;
    check(runs, &steps, |steps| play(subject, &steps));
}

fn play<S: Subject>(subject: &S, steps: &[Step]) {
    let stage = Stage::new(subject);
    let user = &stage.user;
    let before = user.stat().space_free;
    let mut world = World::new(user, &stage.traits);
    for step in steps {
        world.run(step);
    }
    stage.check();
    world.check();
    world.release_all();
    user.raze(user.top());
    assert!(user.names(user.top()).is_empty());
    if stage.traits.exact_space {
        assert_eq!(user.stat().space_free, before, "all is free again");
    }
    stage.end();
}

/// A listing in parts, between which the directory changes at random, ends, and has each entry once that
/// stays.
pub fn a_listing_ends_and_has_each_remaining_entry_once<S: Subject>(subject: &S) {
    if !runs(
        subject.traits().stable_listings,
        "renamed entries may be listed twice",
    ) {
        return;
    }
    let inputs = (
        prop::collection::vec(entries::change(), 20..60),
        prop::collection::vec(prop::collection::vec(entries::change(), 0..8), 30),
        1..5usize,
    );
    let runs = subject.traits().random_runs;
    check(runs, &inputs, |(before, during, page)| {
        let stage = Stage::new(subject);
        list_changing(&stage, before, during, page);
        stage.end();
    });
}

fn list_changing<F: Files>(
    stage: &Stage<F>,
    before: Vec<Change>,
    during: Vec<Vec<Change>>,
    page: usize,
) {
    let mut directory = Entered::new(&stage.user);
    (0..NAMES / 2).for_each(|name| directory.play(Change::Create(name)));
    before.into_iter().for_each(|change| directory.play(change));
    let mut stayed = directory.numbers();
    let mut during = during.into_iter();
    let seen = directory.list(page, |directory| {
        for change in during.next().into_iter().flatten() {
            directory.play(change);
            let there = directory.numbers();
            stayed.retain(|number| there.contains(number));
        }
    });
    let once: std::collections::BTreeSet<u32> = seen.iter().copied().collect();
    assert_eq!(once.len(), seen.len(), "something was listed twice");
    assert!(stayed.is_subset(&once), "something was left out");
}

/// Plays random inputs; the least that fails is what the case panics with.
fn check<T: Strategy>(runs: u32, inputs: &T, play: impl Fn(T::Value))
where
    T::Value: Debug,
{
    let config = Config {
        cases: runs,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    quiet::hook();
    let played = quiet::during(|| {
        runner.run(inputs, |input| {
            play(input);
            Ok(())
        })
    });
    match played {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => panic!("{why}\nby {input:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}
