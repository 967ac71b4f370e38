//! The tables of a report, in Markdown.

use std::collections::BTreeMap;

use crate::figures::{Figures, number};
use crate::report::{PLOTS, Report, Row, Set};
use crate::subject::Subject;
use crate::workload::Workload;

/// All tables, with the machine, the plots and what was not run.
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = facts(report);
    text += "\n### Busy: 4 connections with a session each, 32 slots in flight on each\n\n";
    text += "Processor time of the server for a request, in µs, and times the echo server's:\n\n";
    text += &cost(report, Set::Busy);
    text += &format!("\n![Processor time for a request]({PLOTS}/cost.svg)\n");
    text += "\nRequests in a second, and the 99th percentile of the time to a reply:\n\n";
    text += &cells(report, Set::Busy, |figures, _| speed(figures));
    text += "\nContext switches of the server for 1 000 requests, voluntary / involuntary:\n\n";
    text += &cells(report, Set::Busy, |figures, _| {
        let (own, forced) = (figures.voluntary, figures.involuntary);
        format!("{} / {}", number(own), number(forced))
    });
    text += "\n### Alone: 1 connection, 1 request in flight\n\n";
    text += "Processor time of the server for a request, in µs, and times the echo server's:\n\n";
    text += &cost(report, Set::Single);
    text += "\nRequests in a second, and the 99th percentile of the time to a reply:\n\n";
    text += &cells(report, Set::Single, |figures, _| speed(figures));
    for (set, title) in [
        (
            Set::Connections,
            "Trunking: connections, 64 slots in flight together",
        ),
        (
            Set::Slots,
            "Trunking: slots in flight, on up to 16 connections",
        ),
    ] {
        if let Some(row) = report.rows_of(set).next() {
            let workload = row.case.workload.title();
            text += &format!(
                "\n### {title}\n\n![{workload}]({PLOTS}/{}.svg)\n",
                set.name()
            );
            text += &format!("\n{workload}: requests in a second, and processor time of one:\n\n");
            text += &cells(report, set, |figures, _| {
                let (rate, cost) = (number(figures.rate), number(figures.server_us));
                format!("{rate}/s, {cost} µs")
            });
        }
    }
    text + &notes(report)
}

/// Processor time for a request, and multiples of the echo.
pub(crate) fn cost(report: &Report, set: Set) -> String {
    cells(report, set, |figures, floor| {
        let cost = number(figures.server_us);
        match floor {
            Some(floor) if !std::ptr::eq(floor, figures) => {
                format!("{cost} ({:.1} ×)", figures.multiple_of(floor))
            }
            _ => cost,
        }
    })
}

/// The costs of a few workloads: those that say most.
pub(crate) fn summary(report: &Report) -> String {
    let mut few = report.clone();
    few.rows.retain(|row| SUMMARY.contains(&row.case.workload));
    cost(&few, Set::Busy)
}

fn facts(report: &Report) -> String {
    let mut text = String::new();
    for (name, fact) in &report.facts {
        text += &format!("* {name}: {fact}\n");
    }
    text += &format!(
        "* rounds: {} of {} s for each cell, {} for each point of a curve; figures are medians\n",
        report.rounds, report.seconds, report.curve_rounds
    );
    text += &format!(
        "* other programs on the machine meanwhile used {:.2} processors on average\n",
        report.others_share()
    );
    text
}

fn speed(figures: &Figures) -> String {
    let rate = match figures.megabytes {
        // Bulk data is rather compared in bytes.
        megabytes if megabytes > figures.rate => format!("{} MB/s", number(megabytes)),
        _ => format!("{}/s", number(figures.rate)),
    };
    format!("{rate}, {} µs", number(figures.p99_us))
}

fn cells(report: &Report, set: Set, cell: impl Fn(&Figures, Option<&Figures>) -> String) -> String {
    let titles = report.subjects.iter().map(|subject| subject.title());
    let mut lines = vec![row(of(set), titles)];
    let rules = report.subjects.iter().map(|_| "---:");
    lines.push(row("---", rules));
    for measured in report.rows_of(set) {
        let floor = measured.figures(Subject::Echo);
        let texts = report.subjects.iter().map(|subject| {
            let figures = measured.figures(*subject);
            figures.map_or_else(|| "NOT RUN".to_owned(), |figures| cell(figures, floor))
        });
        lines.push(row(&title(measured), texts));
    }
    lines.join("\n") + "\n"
}

fn row<T: AsRef<str>>(first: &str, cells: impl Iterator<Item = T>) -> String {
    let mut line = format!("| {first} |");
    for cell in cells {
        line += &format!(" {} |", cell.as_ref());
    }
    line
}

/// What the rows of a set are about.
const fn of(set: Set) -> &'static str {
    match set {
        Set::Busy | Set::Single => "request",
        Set::Connections => "connections",
        Set::Slots => "slots",
    }
}

/// What a row is about, as its table says no more.
fn title(row: &Row) -> String {
    let layout = row.case.layout;
    match row.case.set {
        Set::Busy | Set::Single => row.case.workload.title().to_owned(),
        Set::Connections => layout.connections.to_string(),
        Set::Slots => (layout.connections * layout.depth).to_string(),
    }
}

/// What was not run and why, and which replies were no success.
fn notes(report: &Report) -> String {
    let mut reasons: BTreeMap<(Subject, String), Vec<String>> = BTreeMap::new();
    for row in &report.rows {
        for (subject, result) in &row.results {
            let said: Vec<String> = match result {
                Err(why) => vec![format!("NOT RUN: {why}")],
                Ok(figures) => {
                    let errors = figures.errors.iter();
                    errors
                        .map(|(error, count)| format!("{count} × {error}"))
                        .collect()
                }
            };
            for reason in said {
                reasons
                    .entry((*subject, reason))
                    .or_default()
                    .push(place(row));
            }
        }
    }
    let mut text = String::new();
    if !reasons.is_empty() {
        text += "\nWhat was not run, and replies that were no success:\n\n";
    }
    for ((subject, reason), places) in reasons {
        let places = match places.len() {
            all if all == report.rows.len() => "everything".to_owned(),
            many if many > SHOWN => format!("{many} of {} cases", report.rows.len()),
            _ => places.join("; "),
        };
        text += &format!("* {}: {reason} ({places})\n", subject.title());
    }
    text
}

fn place(row: &Row) -> String {
    let (title, layout) = (row.case.workload.title(), row.case.layout);
    format!("{title} at {} × {}", layout.connections, layout.depth)
}

/// The workloads of the summary.
const SUMMARY: [Workload; 5] = [
    Workload::Sequence,
    Workload::Read4k,
    Workload::Readdir,
    Workload::Read1m,
    Workload::Write1m,
];
/// Maximum number of cases that a note lists.
const SHOWN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn a_row_has_costs_multiples_and_what_was_not_run() {
        let table = cost(&report(), Set::Busy);
        assert_eq!(
            table,
            "| request | echo | nfs4d tokio | Ganesha VFS |\n\
             | --- | ---: | ---: | ---: |\n\
             | GETATTR | 2.00 | 5.00 (2.5 ×) | NOT RUN |\n"
        );
        let text = markdown(&report());
        let note = "* Ganesha VFS: NOT RUN: it is not installed (everything)";
        assert!(text.lines().any(|line| line == note), "{text}");
    }
}
