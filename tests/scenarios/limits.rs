//! What a peer can make the server keep, however fast it asks, is bounded.

use nfs4_tests::sim::{Client, Sim};

#[test]
fn a_client_that_reboots_for_ever_does_not_pile_up_timers() {
    let mut sim = Sim::new();
    let mut client = Client::stranger(&mut sim, "a");
    for _ in 0..1_000 {
        client.reboot();
        client.exchange_id(&mut sim).all_ok();
        assert!(sim.tables().timers < 200, "{:?}", sim.tables());
    }
    assert_eq!(sim.tables().clients, 1);
    sim.assert_nothing_is_left();
}
