//! The tables whose lengths are series.

use crate::table_lengths::TableLengths;

/// Reads the length of a table.
type Entries = fn(&TableLengths) -> usize;

/// The tables by their names in [`TableLengths`]. The bytes of replies have their own series.
pub(super) const TABLES: [(&str, Entries); 23] = [
    ("connections", |tables| tables.connections),
    ("clients", |tables| tables.clients),
    ("courteous_clients", |tables| tables.courteous_clients),
    ("sessions", |tables| tables.sessions),
    ("owners", |tables| tables.owners),
    ("opens", |tables| tables.opens),
    ("locks", |tables| tables.locks),
    ("files", |tables| tables.files),
    ("waiting", |tables| tables.waiting),
    ("states", |tables| tables.states),
    ("callbacks", |tables| tables.callbacks),
    ("flights", |tables| tables.flights),
    ("read_delegations", |tables| tables.read_delegations),
    ("write_delegations", |tables| tables.write_delegations),
    ("revoked_delegations", |tables| tables.revoked_delegations),
    ("lost_states", |tables| tables.lost_states),
    ("parked", |tables| tables.parked),
    ("kept_replies", |tables| tables.kept_replies),
    ("held", |tables| tables.held),
    ("stores", |tables| tables.stores),
    ("storing", |tables| tables.storing),
    ("yielded", |tables| tables.yielded),
    ("timers", |tables| tables.timers),
];
