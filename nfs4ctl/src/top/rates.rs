//! What flows: the differences between two looks at the clients.

use std::cmp::Ordering;
use std::collections::HashMap;

use nfs4_admin::{Client, LeaseStatus, Traffic};
use serde::Serialize;
use tokio::time::Instant;

use crate::cli::SortKey;

/// What the clients had done at one time.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    at: Instant,
    traffic: HashMap<String, Traffic>,
}

/// What flows, client by client and in all.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Flows {
    /// In all.
    pub(super) total: Flow,
    /// Number of clients whose lease has run out.
    pub(super) expired: usize,
    /// Number of clients.
    pub(super) clients: usize,
    /// Number of their sessions.
    pub(super) sessions: u64,
    /// The clients, sorted.
    pub(super) rows: Vec<Row>,
}

/// What flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Flow {
    /// Whether it was looked at twice; if not, nothing is known.
    pub(super) known: bool,
    /// Operations a second.
    pub(super) operations: f64,
    /// Bytes read a second.
    pub(super) bytes_read: f64,
    /// Bytes written a second.
    pub(super) bytes_written: f64,
    /// The mean time from a COMPOUND to its reply in microseconds, if there was one.
    pub(super) latency_micros: Option<f64>,
}

/// What flows to and from a client.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) client_id: String,
    pub(super) address: Option<String>,
    pub(super) nfs_version: String,
    pub(super) lease_status: LeaseStatus,
    pub(super) owner: String,
    pub(super) opens: u32,
    pub(super) locks: u32,
    pub(super) delegations: u32,
    pub(super) flow: Flow,
}

impl Sample {
    pub(super) fn new(at: Instant, clients: &[Client]) -> Sample {
        let traffic = clients
            .iter()
            .map(|client| (client.client_id.clone(), client.traffic));
        Sample {
            at,
            traffic: traffic.collect(),
        }
    }
}

impl Flows {
    /// What has flown since `before`; of a first look nothing is known.
    pub(super) fn between(before: Option<&Sample>, at: Instant, clients: Vec<Client>) -> Flows {
        let seconds = before.map(|before| at.saturating_duration_since(before.at).as_secs_f64());
        let seconds = seconds.filter(|seconds| *seconds > 0.0);
        let mut total = Traffic::default();
        let count = clients.len();
        let sessions = clients
            .iter()
            .map(|client| u64::from(client.sessions))
            .sum();
        let expired = clients
            .iter()
            .filter(|client| client.lease_status != LeaseStatus::Active)
            .count();
        let rows = clients.into_iter().map(|client| {
            let earlier = before.and_then(|before| before.traffic.get(&client.client_id));
            let done = since(earlier, &client.traffic);
            add(&mut total, &done);
            Row::new(client, Flow::new(&done, seconds))
        });
        let rows = rows.collect();
        Flows {
            total: Flow::new(&total, seconds),
            expired,
            clients: count,
            sessions,
            rows,
        }
    }

    /// Sorts the clients: the greatest first, or by name.
    pub(super) fn sort(&mut self, key: SortKey) {
        let by = |of: fn(&Flow) -> f64| {
            move |a: &Row, b: &Row| {
                let greater = of(&b.flow).total_cmp(&of(&a.flow));
                greater.then_with(|| a.client_id.cmp(&b.client_id))
            }
        };
        match key {
            SortKey::Ops => self.rows.sort_by(by(|flow| flow.operations)),
            SortKey::Read => self.rows.sort_by(by(|flow| flow.bytes_read)),
            SortKey::Write => self.rows.sort_by(by(|flow| flow.bytes_written)),
            SortKey::Latency => self
                .rows
                .sort_by(by(|flow| flow.latency_micros.unwrap_or(-1.0))),
            SortKey::Owner => self.rows.sort_by(by_owner),
        }
    }
}

fn by_owner(a: &Row, b: &Row) -> Ordering {
    (&a.owner, &a.client_id).cmp(&(&b.owner, &b.client_id))
}

/// What was done since `earlier`. A counter that has fallen, or was not there, began at 0.
fn since(earlier: Option<&Traffic>, now: &Traffic) -> Traffic {
    let mut done = *now;
    if let Some(earlier) = earlier {
        let minus = |now: u64, earlier: u64| now.checked_sub(earlier).unwrap_or(now);
        done.compounds = minus(now.compounds, earlier.compounds);
        done.operations = minus(now.operations, earlier.operations);
        done.bytes_read = minus(now.bytes_read, earlier.bytes_read);
        done.bytes_written = minus(now.bytes_written, earlier.bytes_written);
        done.busy_micros = minus(now.busy_micros, earlier.busy_micros);
    }
    done
}

fn add(total: &mut Traffic, done: &Traffic) {
    for (total, done) in [
        (&mut total.compounds, done.compounds),
        (&mut total.operations, done.operations),
        (&mut total.bytes_read, done.bytes_read),
        (&mut total.bytes_written, done.bytes_written),
        (&mut total.busy_micros, done.busy_micros),
    ] {
        *total = total.saturating_add(done);
    }
}

impl Flow {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn new(done: &Traffic, seconds: Option<f64>) -> Flow {
        let Some(seconds) = seconds else {
            return Flow::default();
        };
        let latency = done.busy_micros as f64 / done.compounds as f64;
        Flow {
            known: true,
            operations: done.operations as f64 / seconds,
            bytes_read: done.bytes_read as f64 / seconds,
            bytes_written: done.bytes_written as f64 / seconds,
            latency_micros: (done.compounds > 0).then_some(latency),
        }
    }
}

impl Row {
    fn new(client: Client, flow: Flow) -> Row {
        Row {
            client_id: client.client_id,
            address: client.address,
            nfs_version: client.nfs_version,
            lease_status: client.lease_status,
            owner: client.owner,
            opens: client.opens,
            locks: client.locks,
            delegations: client.delegations,
            flow,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    /// A client that has done as many operations, and read 1 000 bytes with each in 50 microseconds.
    pub(crate) fn client(number: u64, operations: u64) -> Client {
        serde_json::from_value(json!({
            "client_id": format!("{number:016x}"), "address": "192.0.2.1", "nfs_version": "4.1",
            "lease_status": "active", "last_renewal": "2026-01-01T00:00:00Z",
            "expired_at": null, "confirmed": true,
            "owner": format!("owner {number}"), "comebacks": 0, "impl_name": null, "impl_domain": null,
            "sessions": 2, "opens": 3, "locks": 4, "delegations": 5,
            "traffic": {
                "compounds": operations / 2, "operations": operations, "bytes_read": 1_000 * operations,
                "bytes_written": 0, "busy_micros": 50 * operations,
            },
        }))
        .expect("it is a client")
    }

    fn flows(before: &[Client], after: Vec<Client>) -> Flows {
        let at = Instant::now();
        let before = Sample::new(at, before);
        Flows::between(Some(&before), at + Duration::from_secs(2), after)
    }

    #[test]
    fn rates_are_differences_by_time() {
        let flows = flows(
            &[client(1, 100), client(2, 0)],
            vec![client(1, 300), client(2, 0)],
        );
        let flow = flows.rows[0].flow;
        assert_eq!((flow.operations, flow.bytes_read), (100.0, 100_000.0));
        assert_eq!(
            (flow.bytes_written, flow.latency_micros),
            (0.0, Some(100.0))
        );
        assert_eq!(flows.rows[1].flow.latency_micros, None);
        assert_eq!((flows.total, flows.clients, flows.sessions), (flow, 2, 4));
    }

    #[test]
    fn counters_that_begin_anew_begin_at_nothing() {
        // The first client came back with another record of the same id, the second has just come.
        let flows = flows(&[client(1, 1_000)], vec![client(1, 10), client(2, 20)]);
        let operations: Vec<f64> = flows.rows.iter().map(|row| row.flow.operations).collect();
        assert_eq!(operations, [5.0, 10.0]);
    }

    #[test]
    fn of_one_look_nothing_is_known() {
        let flows = Flows::between(None, Instant::now(), vec![client(1, 7)]);
        assert_eq!(
            (flows.total, flows.rows[0].flow),
            (Flow::default(), Flow::default())
        );
        let at = Instant::now();
        let same = Flows::between(Some(&Sample::new(at, &[])), at, vec![client(1, 7)]);
        assert!(!same.total.known);
    }

    #[test]
    fn each_key_sorts_in_its_own_way() {
        let mut written = client(3, 2);
        written.traffic.bytes_written = 1;
        let mut slow = client(4, 4);
        slow.traffic.busy_micros = 1 << 40;
        let mut flows = flows(
            &[],
            vec![client(1, 10), client(2, 20), written, slow, client(5, 0)],
        );
        for (key, order) in [
            (SortKey::Ops, [2, 1, 4, 3, 5]),
            (SortKey::Read, [2, 1, 4, 3, 5]),
            (SortKey::Write, [3, 1, 2, 4, 5]),
            (SortKey::Latency, [4, 1, 2, 3, 5]),
            (SortKey::Owner, [1, 2, 3, 4, 5]),
        ] {
            flows.sort(key);
            let owners = flows.rows.iter().map(|row| row.owner.clone());
            assert!(
                owners.eq(order.map(|number| format!("owner {number}"))),
                "{key:?}"
            );
        }
    }
}
