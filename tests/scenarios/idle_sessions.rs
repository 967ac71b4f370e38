//! Sessions that a living client does not use are destroyed. [RFC 8881 §2.10.10]

use nfs4_tests::sim::{Client, Sim};

#[test]
fn idle_sessions_are_destroyed_within_the_budget_of_a_timer() {
    let mut sim = Sim::with(Sim::config().with(|config| config.sessions_per_client = 40));
    let mut client = Client::mounted(&mut sim, "a");
    for _ in 1..32 {
        client.create_session(&mut sim).all_ok();
    }
    // The last session is used, and keeps the client.
    let lease = sim.settings().lease;
    for _ in 0..2 {
        sim.jump(lease * 3 / 4);
        client.call(&mut sim, |c| c.putrootfh()).all_ok();
    }
    assert_eq!(sim.tables().sessions, 32);
    for destroyed in 1.. {
        let before = sim.tables().sessions;
        let is_left = sim.step_timers(3);
        let after = sim.tables().sessions;
        assert!(before - after <= 3, "{before} sessions, then {after}");
        if !is_left {
            break;
        }
        assert!(destroyed < 1_000, "the timers end");
    }
    assert_eq!(sim.tables().sessions, 1);
    sim.run_timers();
    sim.assert_nothing_is_left();
}
