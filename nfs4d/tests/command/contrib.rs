//! The files in `contrib` name only series and alerts that there are.

use std::collections::BTreeSet;

use serde_json::Value;

#[test]
fn rules_and_the_dashboard_name_series_that_there_are() {
    let recorded: BTreeSet<&str> = RULES
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .collect();
    assert!(recorded.len() > 10, "{recorded:?}");
    let series = series();
    let is_there = |name: &str| series.contains(name) || recorded.contains(name);
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    let mut expressions = Vec::new();
    collect(&dashboard, &mut expressions);
    assert!(expressions.len() > 40, "{} expressions", expressions.len());
    for text in expressions.into_iter().chain([RULES, ALERTS]) {
        for name in names(text) {
            assert!(is_there(name), "there is no {name}: {text}");
        }
    }
    // Tests of rules that do not exist would pass as well.
    for name in names(TESTS) {
        assert!(is_there(name), "there is no {name}");
    }
}

#[test]
fn the_dashboard_shows_every_series() {
    let dashboard = DASHBOARD.replace("nfs4_nfs_", " nfs4_nfs_");
    let shown: BTreeSet<&str> = names(&dashboard).map(family).collect();
    let missing: Vec<_> = described()
        .into_iter()
        .filter(|(name, _)| !shown.contains(name))
        .collect();
    assert!(missing.is_empty(), "not shown: {missing:?}");
}

#[test]
fn panels_have_a_place_and_a_number_of_their_own() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("there are panels");
    let (mut numbers, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let number = |value: &Value| value.as_u64().expect("a number");
        assert!(numbers.insert(number(&panel["id"])), "{}", panel["title"]);
        let at = |field: &str| number(&panel["gridPos"][field]);
        for x in at("x")..at("x") + at("w") {
            assert!(x < 24, "{} is too far right", panel["title"]);
            for y in at("y")..at("y") + at("h") {
                assert!(places.insert((x, y)), "{} overlaps", panel["title"]);
            }
        }
    }
}

#[test]
fn the_documentation_names_the_alerts_that_use_a_series() {
    let alerts: Vec<(&str, &str)> = ALERTS
        .split("- alert: ")
        .skip(1)
        .map(|alert| alert.split_once('\n').expect("it has an expression"))
        .collect();
    assert!(alerts.len() > 10, "{} alerts", alerts.len());
    for (name, told) in described() {
        let told: BTreeSet<&str> = told.split(", ").filter(|alert| !alert.is_empty()).collect();
        let uses = alerts
            .iter()
            .filter(|(_, body)| names(body).any(|used| sources(used).contains(&name)));
        let uses: BTreeSet<&str> = uses.map(|(alert, _)| *alert).collect();
        assert_eq!(told, uses, "{name}");
    }
}

/// The families that a series, or a recorded rule, is made of.
fn sources(used: &str) -> Vec<&str> {
    let rule = RULES.split("- record: ").skip(1);
    let mut rule = rule.filter_map(|rule| rule.split_once('\n'));
    match rule.find(|(name, _)| *name == used) {
        Some((_, expression)) => names(expression).map(family).collect(),
        None => vec![family(used)],
    }
}

/// The family of a series: that of a histogram has several.
fn family(series: &str) -> &str {
    let parts = ["_bucket", "_sum", "_count"];
    let mut cut = parts.iter().filter_map(|part| series.strip_suffix(part));
    cut.next().unwrap_or(series)
}

/// The expressions of a dashboard, and its queries of variables.
fn collect<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == "expr" || name == "query" => into.push(text),
                    _ => collect(value, into),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}

/// The names of series and recorded rules in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
    let words = text.split(part).map(|word| word.trim_end_matches(':'));
    words.filter(|word| word.starts_with("nfs4_nfs_") || word.starts_with("nfs4d:"))
}

/// All series that `docs/metrics.md` describes, which another test holds against the server.
fn series() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for line in DOCS.lines().filter(|line| line.starts_with("| `nfs4_nfs_")) {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let name = cells.next().expect("a name").trim_matches('`');
        if cells.next() == Some("histogram") {
            all.extend(["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")));
        } else {
            all.insert(name.to_owned());
        }
    }
    all
}

/// The families that `docs/metrics.md` describes, each with its alerts.
fn described() -> Vec<(&'static str, &'static str)> {
    let rows = DOCS.lines().filter(|line| line.starts_with("| `nfs4_nfs_"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let name = cells.nth(1).expect("a name").trim_matches('`');
        let alerts = row.trim_end_matches('|').rsplit('|').next();
        (name, alerts.expect("a last cell").trim())
    })
    .collect()
}

const DOCS: &str = include_str!("../../../docs/metrics.md");
const DASHBOARD: &str = include_str!("../../../contrib/grafana/nfs4d.json");
const RULES: &str = include_str!("../../../contrib/prometheus/rules.yml");
const ALERTS: &str = include_str!("../../../contrib/prometheus/alerts.yml");
const TESTS: &str = include_str!("../../../contrib/prometheus/tests.yml");
