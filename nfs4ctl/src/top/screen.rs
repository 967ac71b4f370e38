//! What `top` shows.

use crossterm::style::Stylize as _;
use nfs4_admin::Grace;
use nfs4_admin::client::Server;

use super::keys::Key;
use super::rates::{Flow, Flows, Row};
use crate::cli::SortKey;
use crate::figures::{bytes_per_second, count, micros};
use crate::table::{Canvas, Cell, Column, Table, Tone};
use crate::text::{fit, printable, width};
use crate::verbs::lease;

/// Lines above the rows: the head, what went wrong, and the titles.
const ABOVE: usize = 4;
/// Lines below the rows: the keys.
const BELOW: usize = 1;

/// What is shown, and how.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    server: Server,
    sort: SortKey,
    colour: bool,
    shown: Option<(Flows, Grace)>,
    fault: Option<String>,
    /// The first row that is shown.
    first: usize,
}

impl Screen {
    pub(super) fn new(server: &Server, sort: SortKey, colour: bool) -> Screen {
        Screen {
            server: server.clone(),
            sort,
            colour,
            shown: None,
            fault: None,
            first: 0,
        }
    }

    /// Shows what flows now.
    pub(super) fn show(&mut self, mut flows: Flows, grace: Grace) {
        flows.sort(self.sort);
        self.shown = Some((flows, grace));
        self.fault = None;
    }

    /// Shows why nothing newer is known.
    pub(super) fn fail(&mut self, why: &str) {
        self.fault = Some(why.to_owned());
    }

    /// Does what a key asks for, on a terminal with as many lines.
    pub(super) fn press(&mut self, key: Key, lines: usize) {
        let page = rows_of(lines);
        self.first = match key {
            Key::Up => self.first.saturating_sub(1),
            Key::Down => self.first + 1,
            Key::PageUp => self.first.saturating_sub(page),
            Key::PageDown => self.first + page,
            Key::Home => 0,
            Key::End => usize::MAX,
            Key::Sort(key) => {
                self.sort = key;
                if let Some((flows, _)) = &mut self.shown {
                    flows.sort(key);
                }
                0
            }
            Key::Quit => self.first,
        };
        self.first = self.first.min(self.last_first(page));
    }

    /// The first row of the last page.
    fn last_first(&self, page: usize) -> usize {
        let rows = self.shown.as_ref().map_or(0, |(flows, _)| flows.rows.len());
        rows.saturating_sub(page)
    }

    /// All lines, for a terminal with as many columns and lines.
    pub(super) fn lines(&self, (columns, lines): (usize, usize)) -> Vec<String> {
        let Some((flows, grace)) = &self.shown else {
            return Vec::new();
        };
        let page = rows_of(lines);
        let first = self.first.min(self.last_first(page));
        let rows = flows.rows.get(first..).unwrap_or_default();
        let rows = rows.get(..page).unwrap_or(rows);
        let mut all: Vec<String> = head(&self.server, flows, grace)
            .iter()
            .map(|line| fit(line, columns).into_owned())
            .collect();
        let fault = self.fault.as_deref().map(printable).unwrap_or_default();
        let fault = fit(&fault, columns).into_owned();
        all.push(if self.colour {
            fault.red().to_string()
        } else {
            fault
        });
        let canvas = Canvas {
            width: Some(columns),
            colour: self.colour,
        };
        all.extend(table(rows).lines(canvas));
        all.resize((ABOVE + page).min(lines), String::new());
        let place = match rows.len() {
            0 => "no clients".to_owned(),
            shown => format!("{}-{} of {}", first + 1, first + shown, flows.rows.len()),
        };
        all.push(self.foot(&place, columns));
        all.truncate(lines);
        all
    }

    fn foot(&self, place: &str, columns: usize) -> String {
        let key = |letter: &str, name: &str, key: SortKey| {
            let mark = if self.sort == key { "*" } else { "" };
            format!("{letter} {name}{mark}")
        };
        let keys = [
            "q quit".to_owned(),
            key("o", "ops", SortKey::Ops),
            key("r", "read", SortKey::Read),
            key("w", "write", SortKey::Write),
            key("l", "latency", SortKey::Latency),
            key("n", "owner", SortKey::Owner),
            "arrows scroll".to_owned(),
        ];
        let keys = keys.join("  ");
        let gap = columns.saturating_sub(width(&keys) + width(place));
        if gap == 0 {
            return fit(&keys, columns).into_owned();
        }
        format!("{keys}{}{place}", " ".repeat(gap))
    }
}

/// Rows that a terminal with as many lines has room for.
fn rows_of(lines: usize) -> usize {
    lines.saturating_sub(ABOVE + BELOW)
}

/// Two lines on the server as a whole.
pub(super) fn head(server: &Server, flows: &Flows, grace: &Grace) -> Vec<String> {
    let endpoint = server.endpoint().to_string();
    let mut first = format!(
        "nfs4d at {}: {} clients",
        printable(&endpoint),
        flows.clients
    );
    if flows.expired > 0 {
        first.push_str(&format!(" ({} expired)", flows.expired));
    }
    first.push_str(&format!(", {} sessions", flows.sessions));
    if grace.active {
        first.push_str(&format!(
            ", grace period for {} s more",
            grace.remaining_seconds
        ));
    }
    let Flow {
        known,
        operations,
        bytes_read,
        bytes_written,
        latency_micros,
    } = flows.total;
    let second = if known {
        format!(
            "{} ops/s, {} read, {} written, latency {}",
            count(operations),
            bytes_per_second(bytes_read),
            bytes_per_second(bytes_written),
            latency_micros.map_or_else(|| "-".to_owned(), micros),
        )
    } else {
        "rates come with the second look".to_owned()
    };
    vec![first, second]
}

/// Clients, and what flows to and from them.
pub(super) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        Column::id("CLIENT"),
        Column::number("OPS/S").at_least(5),
        Column::number("READ").at_least(10),
        Column::number("WRITTEN").at_least(10),
        Column::number("LATENCY").at_least(8),
        Column::id("LEASE").dropped(2),
        Column::id("VERSION").dropped(3),
        Column::number("OPENS").dropped(4),
        Column::number("LOCKS").dropped(6),
        Column::number("DELEGATIONS").dropped(5),
        Column::text("ADDRESS", 9).dropped(1),
        Column::text("OWNER", 8),
    ]);
    for row in rows {
        let flow = &row.flow;
        let rate =
            |value: f64, form: fn(f64) -> String| Cell::known(flow.known.then(|| form(value)));
        table.row([
            Cell::new(&row.client_id),
            rate(flow.operations, count),
            rate(flow.bytes_read, bytes_per_second),
            rate(flow.bytes_written, bytes_per_second),
            latency(flow.latency_micros),
            lease(row.lease_status),
            Cell::new(&row.nfs_version),
            Cell::new(row.opens),
            Cell::new(row.locks),
            Cell::new(row.delegations),
            Cell::known(row.address.as_ref()),
            Cell::new(&row.owner),
        ]);
    }
    table
}

/// A latency, which a person notices above 100 ms.
fn latency(value: Option<f64>) -> Cell {
    let tone = match value {
        Some(100_000.0..) => Tone::Notice,
        _ => Tone::Plain,
    };
    Cell::known(value.map(micros)).toned(tone)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::super::rates::tests::client;
    use super::*;

    fn screen(clients: u64) -> Screen {
        let server = Server::new("http://127.0.0.1".parse().unwrap());
        let mut screen = Screen::new(&server, SortKey::Owner, false);
        let clients = (0..clients).map(|number| client(number, 0)).collect();
        let grace =
            serde_json::from_str(r#"{"active": true, "remaining_seconds": 7, "grace_time": 9}"#);
        screen.show(
            Flows::between(None, Instant::now(), clients),
            grace.unwrap(),
        );
        screen
    }

    #[test]
    fn the_screen_is_filled_and_no_line_is_too_long() {
        for clients in [0, 1, 1_000] {
            for (columns, lines) in [(80, 24), (200, 50), (20, 5), (1, 1), (40, 3)] {
                let mut screen = screen(clients);
                screen.fail("it has\r\ngone");
                let drawn = screen.lines((columns, lines));
                assert_eq!(drawn.len(), lines, "{clients} {columns} {lines}");
                assert!(drawn.iter().all(|line| !line.contains(char::is_control)));
                // Ids are not cut: the terminal does that.
                let longest = drawn.iter().map(|line| width(line)).max();
                assert!(longest <= Some(columns.max(67)), "{drawn:#?}");
            }
        }
    }

    #[test]
    fn the_head_says_who_is_served() {
        let lines = screen(1_000).lines((80, 24));
        let head =
            "nfs4d at http://127.0.0.1:20491: 1000 clients, 2000 sessions, grace period for …";
        assert_eq!(lines[0], head);
        assert!(lines[23].starts_with("q quit") && lines[23].ends_with("1-19 of 1000"));
    }

    #[test]
    fn keys_scroll_as_far_as_there_are_rows() {
        let mut screen = screen(100);
        for (key, first) in [
            (Key::Up, 0),
            (Key::Down, 1),
            (Key::PageDown, 20),
            (Key::PageUp, 1),
            (Key::End, 81),
            (Key::Down, 81),
            (Key::PageDown, 81),
            (Key::Home, 0),
            (Key::PageDown, 19),
            (Key::Sort(SortKey::Ops), 0),
        ] {
            screen.press(key, 24);
            assert_eq!(screen.first, first, "{key:?}");
        }
        // Clients may go, or the terminal may grow, while the end is shown.
        screen.press(Key::End, 24);
        let lines = screen.lines((80, 200));
        assert!(lines[199].ends_with("1-100 of 100"), "{}", lines[199]);
    }
}
