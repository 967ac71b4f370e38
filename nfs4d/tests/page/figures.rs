//! What the page computes, function by function.

use serde_json::json;

use crate::browser::Browser;
use crate::{look_at, serve};

#[test]
#[ignore = "needs Chromium: tests/page/run"]
fn figures_are_right() {
    let server = serve(&[]);
    let browser = look_at(&server);
    for (expression, expected) in [
        // Half of a hundred COMPOUNDs took 2 s at most, and 99 of them 3.96 s.
        (
            "f.quantile([], [[1, 0], [2, 50], [4, 100], [Infinity, 100]], 0.5)",
            json!(2),
        ),
        (
            "f.quantile([], [[1, 0], [2, 50], [4, 100], [Infinity, 100]], 0.99)",
            json!(3.96),
        ),
        // What was there before does not count.
        (
            "f.quantile([[1, 90], [Infinity, 90]], [[1, 90], [Infinity, 91]], 0.5)",
            json!(1),
        ),
        (
            "f.quantile([[1, 90], [Infinity, 90]], [[1, 90], [Infinity, 90]], 0.5)",
            json!(null),
        ),
        ("f.rates(null, {}, 2)", json!(null)),
        (
            "f.rates({ compounds: 10, operations: 40, bytes_read: 0, bytes_written: 7, busy_micros: 0 }, { compounds: 20, operations: 90, bytes_read: 4000, bytes_written: 7, busy_micros: 5000 }, 2)",
            json!({ "operations": 25, "read": 2000, "written": 0, "latency": 0.0005 }),
        ),
        // Another server, whose counters begin anew.
        (
            "f.rates({ compounds: 10, operations: 40, bytes_read: 9, bytes_written: 7, busy_micros: 0 }, { compounds: 0, operations: 0, bytes_read: 0, bytes_written: 0, busy_micros: 0 }, 2)",
            json!({ "operations": 0, "read": 0, "written": 0, "latency": null }),
        ),
        (
            "f.parseMetrics('# HELP a b\\na_nfs_x{t=\"u\"} 3\\na_nfs_x{t=\"v\"} 4\\n').length",
            json!(2),
        ),
        (
            "f.sum(f.parseMetrics('a_nfs_x{t=\"u\"} 3\\na_nfs_x 4\\nb 9'), '_nfs_x')",
            json!(7),
        ),
        (
            "f.durations(f.parseMetrics('n_nfs_compound_duration_seconds_bucket{minor=\"1\",le=\"0.5\"} 3\\nn_nfs_compound_duration_seconds_bucket{minor=\"2\",le=\"0.5\"} 4\\nn_nfs_compound_duration_seconds_bucket{le=\"+Inf\"} 9')).map(([bound, count]) => [String(bound), count])",
            json!([["0.5", 7], ["Infinity", 9]]),
        ),
        (
            "f.leaseLeft({ lease_status: 'active', last_renewal: '2026-01-01T00:00:00Z' }, 90, Date.parse('2026-01-01T00:01:00Z'))",
            json!(30),
        ),
        (
            "f.leaseLeft({ lease_status: 'expired', last_renewal: '2026-01-01T00:00:00Z' }, 90, Date.parse('2026-01-01T00:00:00Z'))",
            json!(0),
        ),
        (
            "f.shortName('Linux NFSv4.2 web-1.example.net/4711')",
            json!("web-1.example.net"),
        ),
        ("f.shortName('something else')", json!("something else")),
        ("f.shortName('')", json!("(no name)")),
        (
            "f.parseStream(': still there\\n\\nid: 3\\nevent: a\\ndata: {}\\r\\n\\r\\nid: 4\\nev')",
            json!({ "events": [{ "id": "3", "kind": "a", "data": "{}" }], "rest": "id: 4\nev" }),
        ),
        (
            "f.describe({ kind: 'client_gone', number: 1, at: 'x', client_id: '00', reason: 'lease_expired' }, () => 'web-1')",
            json!("Client gone: web-1, lease expired"),
        ),
        (
            "f.pageOf([1, 2, 3, 4, 5], 9, 2)",
            json!({ "rows": [5], "page": 2, "pages": 3 }),
        ),
        (
            "f.pageOf([], 0, 2)",
            json!({ "rows": [], "page": 0, "pages": 1 }),
        ),
        (
            "[0, 0.25, 42, 1234, 56789, 1234567].map((n) => f.format.rate(n))",
            json!(["0", "0.3", "42", "1\u{202f}234", "56.8k", "1.2M"]),
        ),
        (
            "[0, 999, 12345678].map((n) => f.format.flow(n))",
            json!(["0", "999 B/s", "12.3 MB/s"]),
        ),
        (
            "[0.000123, 0.0042, 0.5, 2, null].map((s) => f.format.time(s))",
            json!(["123 µs", "4.2 ms", "500 ms", "2.0 s", "–"]),
        ),
        ("f.sparkline([0, 1], 10, 4)", json!("0.0,3.0 10.0,1.0")),
    ] {
        let module = format!("import('/figures.js').then((f) => ({expression}))");
        assert_eq!(numbers(&browser, &module), expected, "{expression}");
    }
}

#[test]
#[ignore = "needs Chromium: tests/page/run"]
fn troubles_are_found_sorted_and_filtered() {
    let server = serve(&[]);
    let browser = look_at(&server);
    let found = browser.promised(&format!("import('/figures.js').then((f) => {{ {MODEL} }})"));
    assert_eq!(
        found["warnings"],
        json!([
            ["fault", "fault"],
            ["expiry", "fault"],
            ["limit Clients", "fault"],
            ["down", "warning"],
            ["shared", "warning"],
            ["limit", "warning"],
            ["lost", "warning"],
            ["stream", "warning"],
        ])
    );
    assert_eq!(found["down"], json!(["b"]));
    assert_eq!(found["any"], json!(["b", "c", "d", "e", "f"]));
    assert_eq!(found["text"], json!(["c"]));
    assert_eq!(found["busiest"], json!(["c", "a", "b", "d", "e", "f"]));
    assert_eq!(found["addresses"], json!(["f", "e", "d", "c", "b", "a"]));
}

#[test]
#[ignore = "needs Chromium: tests/page/run"]
fn both_colour_schemes_are_legible() {
    let server = serve(&[]);
    let browser = look_at(&server);
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme, true);
        grounds.push(browser.value("getComputedStyle(document.body).backgroundColor"));
        for (ink, sheet) in [
            ("ink", "ground"),
            ("ink", "sunk"),
            ("quiet", "ground"),
            ("quiet", "sheet"),
            ("quiet", "sunk"),
            ("fore", "sheet"),
            ("back", "sheet"),
            ("good", "ground"),
            ("warn", "warn-sheet"),
            ("fault", "fault-sheet"),
            ("sheet", "main"),
            ("sheet", "fault"),
        ] {
            let contrast = browser.value(&CONTRAST.replace("INK", ink).replace("SHEET", sheet));
            let contrast = contrast.as_f64().expect("a number");
            assert!(contrast >= 4.5, "{ink} on {sheet}, {scheme}: {contrast}");
        }
    }
    assert_ne!(grounds[0], grounds[1]);
}

/// JSON of the browser has 2 as well as 2.0.
fn numbers(browser: &Browser, expression: &str) -> serde_json::Value {
    let json = browser.promised(&format!(
        "{expression}.then((value) => JSON.stringify(value))"
    ));
    serde_json::from_str(json.as_str().expect("JSON")).expect("JSON")
}

/// Six clients: well, with a lost and with a broken back channel, with a name that is shared, silent, and at
/// a limit.
const MODEL: &str = r"
    const now = Date.parse('2026-01-01T00:01:00Z');
    const client = (id, at, more) => ({ client_id: id, owner: id, address: `10.0.0.${at}:9`, nfs_version: '4.1',
        lease_status: 'active', last_renewal: '2026-01-01T00:00:59Z', comebacks: 0, opens: 0, delegations: 0, ...more });
    const session = (id, back_channel) => ({ client_id: id, back_channel, fore_slots: 8, slots_in_use: 1,
        connections: [], connection_summary: { total: 0 }, callbacks: { outstanding: 0, failed: 0 } });
    const model = {
        clients: [client('a', 100), client('b', 99), client('c', 20), client('d', 10, { comebacks: 1 }),
            client('e', 9, { lease_status: 'expired' }), client('f', 1, { opens: 7 })],
        sessions: [session('a', 'ok'), session('b', 'down'), session('c', 'fault'), session('d', 'none')],
        connections: [], samples: [], shared: new Map(), lost: 3, streamFault: 'no answer',
        settings: { lease_time: 90, max_clients: 6, max_opens_per_client: 7, v4_max_connections_per_session: 0 },
        rates: new Map([['c', { operations: 9 }]]), total: 6,
    };
    const rows = f.rowsOf(model, now);
    const ids = (some) => some.map((row) => row.id);
    return {
        warnings: f.warningsOf(rows, model).map((warning) => [warning.id, warning.level]),
        down: ids(f.filterRows(rows, { trouble: 'down' })),
        any: ids(f.filterRows(rows, { trouble: 'any' })),
        text: ids(f.filterRows(rows, { text: 'C 10.0.0.20' })),
        busiest: ids(f.sortRows(rows, 'operations', true)),
        addresses: ids(f.sortRows(rows, 'address', false)),
    };
";

/// The contrast of two colours of the page's. [WCAG 2.2 §1.4.3]
const CONTRAST: &str = r"(() => {
    const root = getComputedStyle(document.documentElement);
    const light = (name) => {
        const probe = document.createElement('i');
        probe.style.color = root.getPropertyValue(`--${name}`);
        document.body.append(probe);
        const parts = getComputedStyle(probe).color.match(/\d+/g).slice(0, 3).map((part) => part / 255);
        probe.remove();
        const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [a, b] = [light('INK'), light('SHEET')].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
})()";
