//! What clients see of every setting that changes while a server runs.

mod seen;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use nfs4_proto::nfs4::SessionId;

pub use seen::{lease_time, stay};

/// A server with settings that change.
#[expect(
    missing_debug_implementations,
    reason = "a function has nothing to print"
)]
pub struct Server<'a> {
    /// Where it serves.
    pub address: SocketAddr,
    /// Drains the connection of a session that has one.
    pub drain: &'a dyn Fn(&SessionId),
}

/// Names of settings, and their values.
type Stored = &'static [(&'static str, &'static str)];

type Look = fn(&Server<'_>) -> String;

/// A setting, and what is to be seen of it.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Its name.
    pub setting: &'static str,
    /// What it is changed to.
    pub value: &'static str,
    /// What is stored before the server starts, the values in JSON.
    stored: Stored,
    /// Whether a former server had a client, which may reclaim its state.
    pub has_former: bool,
    look: Look,
    /// What clients see before the change and after it.
    seen: [&'static str; 2],
}

impl Effect {
    /// The file `settings.json` of the server's state directory, before it starts.
    pub fn stored(&self) -> String {
        let fields = self.stored.iter();
        let fields = fields.map(|(name, value)| format!("\"{name}\": {value}"));
        let fields = fields.collect::<Vec<_>>().join(", ");
        format!("{{\"version\": 1, \"settings\": {{{fields}}}}}")
    }

    /// What clients see now.
    pub fn look(&self, server: &Server<'_>) -> String {
        (self.look)(server)
    }

    fn after_another_server(mut self) -> Effect {
        self.has_former = true;
        self
    }

    fn on(mut self, stored: Stored) -> Effect {
        self.stored = stored;
        self
    }
}

/// Asserts that each setting has its effect. `look_twice` starts a server with what is stored, and looks
/// before and after it has changed the setting.
pub fn assert_all_act(look_twice: impl Fn(&Effect) -> [String; 2] + Sync) {
    let left = Mutex::new(effects());
    let work = || {
        let mut faults = Vec::new();
        loop {
            let effect = left.lock().expect("no panic under it").pop();
            let Some(effect) = effect else { return faults };
            let seen = catch_unwind(AssertUnwindSafe(|| look_twice(&effect)));
            let seen = seen.unwrap_or_else(|_| ["a panic".to_owned(), String::new()]);
            if seen != effect.seen {
                let expected = effect.seen;
                faults.push(format!(
                    "{}: {seen:?}, and not {expected:?}",
                    effect.setting
                ));
            }
        }
    };
    let faults: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        let faults = workers.into_iter().map(|worker| worker.join());
        faults
            .flat_map(|faults| faults.expect("panics are caught"))
            .collect()
    });
    assert!(faults.is_empty(), "{faults:#?}");
}

/// An effect for every setting, in the order in which they are shown.
pub fn effects() -> Vec<Effect> {
    let (ok, nospc) = ("NFS4_OK", "NFS4ERR_NOSPC");
    vec![
        effect(("lease_time", "17"), lease_time, ("90", "17")),
        effect(
            ("courtesy_time", "0"),
            seen::after_its_lease,
            (ok, "NFS4ERR_BADSESSION"),
        )
        .on(&[("lease_time", "1")]),
        // 0 would stand for the lease.
        effect(("grace_time", "1"), seen::open, ("NFS4ERR_GRACE", ok))
            .on(&[("grace_time", "600")])
            .after_another_server(),
        effect(
            ("v4_min_minor_version", "1"),
            seen::versions,
            ("0 1 2", "1 2"),
        ),
        effect(
            ("v4_max_minor_version", "1"),
            seen::versions,
            ("0 1 2", "0 1"),
        ),
        effect(
            ("v4_max_connections_per_session", "1"),
            seen::second_connection,
            (ok, "NFS4ERR_RESOURCE"),
        ),
        effect(
            ("v4_binding_policy", "shared"),
            seen::third_after_another_bind,
            (ok, "NFS4ERR_RESOURCE"),
        )
        .on(&[("v4_max_connections_per_session", "2")]),
        effect(("v4_session_slots", "2"), seen::slots, ("16", "2")),
        effect(
            ("v4_sessions_per_client", "1"),
            seen::sessions_of_a_client,
            ("3", "1"),
        ),
        effect(
            ("blocked_operations", "GETFH"),
            seen::getfh,
            (ok, "NFS4ERR_NOTSUPP"),
        ),
        effect(("delegations", "false"), seen::delegations, ("6", "0")),
        effect(("max_delegations", "3"), seen::delegations, ("6", "1")),
        effect(
            ("max_delegations_per_client", "2"),
            seen::delegations,
            ("6", "2"),
        ),
        effect(
            ("delegation_pause", "0"),
            seen::delegated_after_a_recall,
            ("false", "true"),
        ),
        effect(
            ("delegation_penalty", "0"),
            seen::delegated_after_a_revocation,
            ("false", "true"),
        )
        .on(&[("lease_time", "1")]),
        effect(
            ("max_clients", "1"),
            seen::new_client,
            (ok, "NFS4ERR_SERVERFAULT"),
        ),
        effect(("max_sessions", "1"), seen::new_client, (ok, nospc)),
        // Clients of one address have a third of it.
        effect(("max_states", "16"), seen::opens, ("6", "5")).on(&[("delegations", "false")]),
        effect(("max_opens_per_client", "2"), seen::opens, ("6", "2")),
        effect(("max_operations", "9"), seen::operations, ("16", "9")),
        effect(
            ("max_cached_reply", "600"),
            seen::cached_reply,
            ("4096", "600"),
        ),
        effect(
            ("max_reply_cache", "24576"),
            seen::all_replies_are_kept,
            ("true", "false"),
        )
        .on(&[("max_cached_reply", "8192")]),
        effect(
            ("drain_time", "0"),
            seen::under_way_while_draining,
            ("answered", "closed"),
        ),
        effect(
            ("callback_timeout_ms", "50"),
            seen::answered_without_the_holder,
            ("late", "soon"),
        )
        .on(&[("callback_timeout_ms", "6000")]),
        effect(
            ("callback_pause_ms", "50"),
            seen::called_again,
            ("late", "soon"),
        )
        .on(&[("callback_pause_ms", "2500")]),
    ]
}

fn effect(
    (setting, value): (&'static str, &'static str),
    look: Look,
    (before, after): (&'static str, &'static str),
) -> Effect {
    Effect {
        setting,
        value,
        stored: &[],
        has_former: false,
        look,
        seen: [before, after],
    }
}

/// Most of them wait.
const WORKERS: usize = 4;
