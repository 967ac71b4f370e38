//! Tables that fit a terminal.

use crossterm::style::Stylize as _;

use crate::text::{fit, printable, width};

/// Columns between two columns of a table.
const GAP: usize = 2;

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A column, and what becomes of it where there is no room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    numbers: bool,
    /// Its width at least.
    least: usize,
    room: Room,
}

/// What becomes of a column where there is no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// It stays as it is.
    Keep,
    /// It is cut to this width.
    Cut(usize),
    /// It is left out; that of the greatest rank goes first.
    Drop(u8),
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

/// What a cell means for the administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    /// Something passes, or waits.
    Notice,
    /// Something is broken.
    Bad,
}

/// What a table is drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Canvas {
    /// Columns; none for no end.
    pub(crate) width: Option<usize>,
    /// Whether colours are shown.
    pub(crate) colour: bool,
}

impl Column {
    /// A column of text that is never cut: an id.
    pub(crate) const fn id(title: &'static str) -> Column {
        Column {
            title,
            numbers: false,
            least: 0,
            room: Room::Keep,
        }
    }

    /// A column of text that may be cut down to `least` columns.
    pub(crate) const fn text(title: &'static str, least: usize) -> Column {
        Column {
            title,
            numbers: false,
            least: 0,
            room: Room::Cut(least),
        }
    }

    /// A column of numbers that is never cut.
    pub(crate) const fn number(title: &'static str) -> Column {
        Column {
            title,
            numbers: true,
            least: 0,
            room: Room::Keep,
        }
    }

    /// It with a width at least, so that it does not move when its numbers change.
    pub(crate) const fn at_least(mut self, width: usize) -> Column {
        self.least = width;
        self
    }

    /// It as one that may be left out; that of the greatest rank goes first.
    pub(crate) const fn dropped(mut self, rank: u8) -> Column {
        self.room = Room::Drop(rank);
        self
    }
}

impl Cell {
    /// A cell with a text from anywhere.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a number and a text are given alike"
    )]
    pub(crate) fn new(text: impl ToString) -> Cell {
        Cell {
            text: printable(&text.to_string()).into_owned(),
            tone: Tone::Plain,
        }
    }

    /// A cell with a text, if there is one.
    pub(crate) fn known(text: Option<impl ToString>) -> Cell {
        text.map_or_else(|| Cell::new("-"), Cell::new)
    }

    pub(crate) fn toned(mut self, tone: Tone) -> Cell {
        self.tone = tone;
        self
    }

    fn drawn(&self, width: usize, numbers: bool, colour: bool) -> String {
        let text = padded(&self.text, width, numbers);
        match self.tone {
            Tone::Notice if colour => text.yellow().to_string(),
            Tone::Bad if colour => text.red().to_string(),
            Tone::Plain | Tone::Notice | Tone::Bad => text,
        }
    }
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: &[Column]) -> Table {
        Table {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Appends a row, which has a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The line with the titles, and one for each row.
    pub(crate) fn lines(&self, canvas: Canvas) -> Vec<String> {
        let shown = self.fitted(canvas.width);
        let titles = shown.iter().map(|(column, width)| {
            let title = padded(
                self.columns[*column].title,
                *width,
                self.columns[*column].numbers,
            );
            if canvas.colour {
                title.bold().to_string()
            } else {
                title
            }
        });
        let mut lines = vec![joined(titles)];
        for row in &self.rows {
            let cells = shown.iter().filter_map(|(column, width)| {
                let numbers = self.columns[*column].numbers;
                Some(row.get(*column)?.drawn(*width, numbers, canvas.colour))
            });
            lines.push(joined(cells));
        }
        lines
    }

    /// The columns that there is room for, and their widths.
    fn fitted(&self, room: Option<usize>) -> Vec<(usize, usize)> {
        let natural = |(at, column): (usize, &Column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            let widest = cells.map(|cell| width(&cell.text)).max();
            let least = column.least.max(width(column.title));
            (at, widest.unwrap_or(0).max(least))
        };
        let mut shown: Vec<(usize, usize)> = self.columns.iter().enumerate().map(natural).collect();
        let Some(room) = room else {
            return shown;
        };
        loop {
            let excess = needed(&shown).saturating_sub(room);
            if excess == 0 || self.cut(&mut shown, excess) {
                return shown;
            }
            let rank = |(column, _): &(usize, usize)| match self.columns[*column].room {
                Room::Drop(rank) => Some(rank),
                Room::Keep | Room::Cut(_) => None,
            };
            let Some(last) = shown.iter().filter_map(rank).max() else {
                self.cut_all(&mut shown);
                return shown;
            };
            shown.retain(|column| rank(column) != Some(last));
        }
    }

    /// Takes `excess` columns from what can be cut, or nothing.
    fn cut(&self, shown: &mut [(usize, usize)], mut excess: usize) -> bool {
        let spare = |&(column, width): &(usize, usize)| match self.columns[column].room {
            Room::Cut(least) => width.saturating_sub(least),
            Room::Keep | Room::Drop(_) => 0,
        };
        if shown.iter().map(spare).sum::<usize>() < excess {
            return false;
        }
        while excess > 0 {
            let Some(widest) = shown.iter_mut().max_by_key(|column| spare(column)) else {
                return false;
            };
            widest.1 -= 1;
            excess -= 1;
        }
        true
    }

    fn cut_all(&self, shown: &mut [(usize, usize)]) {
        for (column, width) in shown {
            if let Room::Cut(least) = self.columns[*column].room {
                *width = least.min(*width);
            }
        }
    }
}

/// Lines of a name and a value each.
pub(crate) fn details(lines: &[(&str, Cell)], colour: bool) -> Vec<String> {
    let widest = lines.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    let line = |(name, cell): &(&str, Cell)| {
        let name = padded(name, widest, false);
        joined([name, cell.drawn(0, false, colour)])
    };
    lines.iter().map(line).collect()
}

fn needed(shown: &[(usize, usize)]) -> usize {
    let widths: usize = shown.iter().map(|(_, width)| width).sum();
    widths + GAP * shown.len().saturating_sub(1)
}

/// `text` in `room` columns; with 0 it takes what it needs.
fn padded(text: &str, room: usize, numbers: bool) -> String {
    if room == 0 {
        return text.to_owned();
    }
    let text = fit(text, room);
    let blank = " ".repeat(room - width(&text));
    if numbers {
        format!("{blank}{text}")
    } else {
        format!("{text}{blank}")
    }
}

fn joined(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    cells.join(&" ".repeat(GAP)).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Canvas = Canvas {
        width: None,
        colour: false,
    };

    fn table() -> Table {
        let mut table = Table::new(&[
            Column::id("ID"),
            Column::number("OPENS").dropped(1),
            Column::number("LOCKS").dropped(2),
            Column::text("OWNER", 6),
        ]);
        table.row(["0123", "7", "8", "Linux NFSv4.1 one"].map(Cell::new));
        table.row(["4567", "70000000", "9", "\u{1b}[31m"].map(Cell::new));
        table
    }

    fn drawn(width: usize) -> Vec<String> {
        let width = Some(width);
        table().lines(Canvas { width, ..PLAIN })
    }

    #[test]
    fn without_a_terminal_nothing_is_cut() {
        let lines = [
            "ID       OPENS  LOCKS  OWNER",
            "0123         7      8  Linux NFSv4.1 one",
            r"4567  70000000      9  \u{1b}[31m",
        ];
        assert_eq!(table().lines(PLAIN), lines);
        assert_eq!(drawn(40), lines);
    }

    #[test]
    fn text_is_cut_before_columns_are_left_out() {
        assert_eq!(drawn(32)[1], "0123         7      8  Linux NF…");
        assert_eq!(drawn(29)[1], "0123         7      8  Linux…");
        assert_eq!(drawn(28)[1], "0123         7  Linux NFSv4…");
        assert_eq!(drawn(20)[1], "0123  Linux NFSv4.1…");
        assert_eq!(drawn(12), ["ID    OWNER", "0123  Linux…", "4567  \\u{1b…"]);
    }

    #[test]
    fn an_id_is_never_cut() {
        assert_eq!(drawn(1), ["ID    OWNER", "0123  Linux…", "4567  \\u{1b…"]);
    }

    #[test]
    fn colours_do_not_change_the_widths() {
        let mut table = table();
        table.row([Cell::new("89ab").toned(Tone::Bad)]);
        let lines = table.lines(Canvas {
            width: Some(80),
            colour: true,
        });
        assert!(lines[0].starts_with("\u{1b}[1mID  "), "{lines:?}");
        assert!(lines[3].contains("\u{1b}[38;5;9m89ab"), "{lines:?}");
    }

    #[test]
    fn details_are_aligned() {
        let lines = [("id", Cell::new("7")), ("owner", Cell::new("a\nb"))];
        assert_eq!(details(&lines, false), ["id     7", r"owner  a\nb"]);
    }
}
