//! The plots of a report, as SVG.

use std::fmt::Write as _;

use crate::figures::{Figures, number};
use crate::report::{Report, Row, Set};
use crate::subject::Subject;

/// Every plot with the name of its file.
pub(crate) fn all(report: &Report) -> Vec<(String, String)> {
    let mut plots = vec![("cost.svg".to_owned(), bars(report))];
    for set in [Set::Connections, Set::Slots] {
        let rows: Vec<&Row> = report.rows_of(set).collect();
        if !rows.is_empty() {
            plots.push((format!("{}.svg", set.name()), curves(report, set, &rows)));
        }
    }
    plots
}

/// Processor time for a request: a group of bars for each workload, on a logarithmic scale.
fn bars(report: &Report) -> String {
    let rows: Vec<&Row> = report.rows_of(Set::Busy).collect();
    let group = 14 * report.subjects.len() + 14;
    let (left, top, width) = (280.0, 50.0, 540.0);
    let height = top + (group * rows.len()) as f64 + 20.0;
    let (least, most) = (0.1_f64.log10(), 10_000_f64.log10());
    let x = |us: f64| left + (us.log10().clamp(least, most) - least) / (most - least) * width;
    let mut svg = Drawing::new(900.0, height);
    svg.legend(&report.subjects, left);
    for power in -1..=4 {
        let us = 10_f64.powi(power);
        svg.line((x(us), top - 6.0), (x(us), height - 20.0), GRID);
        svg.text((x(us), height - 6.0), "middle", &format!("{us} µs"));
    }
    for (at, row) in rows.iter().enumerate() {
        let from = top + (group * at) as f64;
        let middle = from + (group as f64 - 6.0) / 2.0;
        svg.text((left - 8.0, middle), "end", row.case.workload.title());
        for (nth, subject) in report.subjects.iter().enumerate() {
            let y = from + (14 * nth) as f64;
            match row.figures(*subject) {
                Some(figures) => {
                    let end = x(figures.server_us);
                    svg.bar((left, y), (end - left, 12.0), color(*subject));
                    let cost = number(figures.server_us);
                    svg.text((end + 4.0, y + 10.0), "start", &cost);
                }
                None => svg.text((left + 4.0, y + 10.0), "start", "NOT RUN"),
            }
        }
    }
    svg.end()
}

/// Requests in a second, and processor time for one, against connections or slots.
fn curves(report: &Report, set: Set, rows: &[&Row]) -> String {
    let mut svg = Drawing::new(900.0, 330.0);
    svg.legend(&report.subjects, 60.0);
    let workload = rows.first().map_or("", |row| row.case.workload.title());
    let axis = match set {
        Set::Connections => "connections",
        Set::Busy | Set::Single | Set::Slots => "slots in flight",
    };
    let panel = |left| Panel {
        left,
        axis: axis.to_owned(),
        set,
        subjects: &report.subjects,
    };
    let title = format!("{workload}: 1 000 requests/s");
    panel(60.0).draw(&mut svg, rows, &title, |figures| figures.rate / 1e3);
    let title = format!("{workload}: processor time, µs");
    panel(500.0).draw(&mut svg, rows, &title, |figures| figures.server_us);
    svg.end()
}

/// One diagram: a curve for each subject.
struct Panel<'a> {
    left: f64,
    axis: String,
    set: Set,
    subjects: &'a [Subject],
}

impl Panel<'_> {
    fn draw(&self, svg: &mut Drawing, rows: &[&Row], title: &str, of: impl Fn(&Figures) -> f64) {
        let (top, width, height) = (62.0, 370.0, 210.0);
        let all = rows.iter().flat_map(|row| row.results.values().flatten());
        let (least, most) = decades(all.map(&of));
        let last = rows.last().map_or(1, |row| self.x_of(row)).max(2);
        let x = |n: usize| self.left + (n as f64).log2() / (last as f64).log2() * width;
        let part = |value: f64| (value.log10() - f64::from(least)) / f64::from(most - least);
        let y = |value: f64| top + height - part(value) * height;
        svg.text((self.left, top - 10.0), "start", title);
        for power in least..=most {
            let value = 10_f64.powi(power);
            svg.line((self.left, y(value)), (self.left + width, y(value)), GRID);
            svg.text(
                (self.left - 6.0, y(value) + 4.0),
                "end",
                &format!("{value}"),
            );
        }
        for row in rows {
            let n = self.x_of(row);
            svg.text((x(n), top + height + 18.0), "middle", &n.to_string());
        }
        let below = top + height + 36.0;
        svg.text((self.left + width / 2.0, below), "middle", &self.axis);
        for subject in self.subjects {
            let points = rows.iter().filter_map(|row| {
                let value = of(row.figures(*subject)?);
                Some((x(self.x_of(row)), y(value)))
            });
            svg.curve(&points.collect::<Vec<_>>(), color(*subject));
        }
    }

    fn x_of(&self, row: &Row) -> usize {
        let layout = row.case.layout;
        match self.set {
            Set::Connections => layout.connections,
            Set::Busy | Set::Single | Set::Slots => layout.connections * layout.depth,
        }
    }
}

/// The powers of ten between which all numbers are; those of no number are 0 and 1.
fn decades(numbers: impl Iterator<Item = f64>) -> (i32, i32) {
    let numbers: Vec<f64> = numbers.filter(|number| *number > 0.0).collect();
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(0.0, f64::max);
    if numbers.is_empty() {
        return (0, 1);
    }
    let least = least.log10().floor() as i32;
    (least, (most.log10().ceil() as i32).max(least + 1))
}

/// An SVG under construction.
struct Drawing {
    svg: String,
}

impl Drawing {
    fn new(width: f64, height: f64) -> Drawing {
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        );
        Drawing { svg }
    }

    fn legend(&mut self, subjects: &[Subject], left: f64) {
        for (nth, subject) in subjects.iter().enumerate() {
            let x = left + 125.0 * nth as f64;
            self.bar((x, 14.0), (12.0, 12.0), color(*subject));
            self.text((x + 18.0, 24.0), "start", subject.title());
        }
    }

    fn bar(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        let width = width.max(1.0);
        self.put(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
        ));
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), color: &str) {
        self.put(format_args!(
            "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"{color}\"/>",
            from.0, from.1, to.0, to.1
        ));
    }

    fn curve(&mut self, points: &[(f64, f64)], color: &str) {
        let joined: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        self.put(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
            joined.join(" ")
        ));
        for (x, y) in points {
            self.put(format_args!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>"
            ));
        }
    }

    /// Text without a character that XML reserves.
    fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222\">{text}</text>"
        ));
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        // A string takes whatever is written to it.
        let _ = writeln!(self.svg, "{element}");
    }

    fn end(mut self) -> String {
        self.svg += "</svg>\n";
        self.svg
    }
}

const fn color(subject: Subject) -> &'static str {
    match subject {
        Subject::Echo => "#888888",
        Subject::Plain => "#444444",
        Subject::Nfs4dTokio => "#1f5fa8",
        Subject::Nfs4dThreads => "#62a8e0",
        Subject::LocalTokio => "#5b3fa0",
        Subject::LocalThreads => "#a48bd8",
        Subject::Ganesha => "#d9792b",
        Subject::Embednfs => "#4c9a4c",
    }
}

const GRID: &str = "#dddddd";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn a_longer_bar_is_a_higher_cost() {
        let svg = bars(&report());
        let bars = svg.lines().filter(|line| line.contains("height=\"12.0\""));
        let widths = bars.filter_map(|bar| {
            let (_, rest) = bar.split_once("width=\"")?;
            rest.split('"').next()?.parse::<f64>().ok()
        });
        // Three are the legend's.
        let widths: Vec<f64> = widths.skip(3).collect();
        assert_eq!(widths.len(), 2, "{svg}");
        assert!(widths[0] < widths[1]);
        assert!(svg.contains(">NOT RUN<"));
    }

    #[test]
    fn axes_hold_all_numbers() {
        assert_eq!(decades([0.7, 45.0].into_iter()), (-1, 2));
        assert_eq!(decades([10.0].into_iter()), (1, 2));
        assert_eq!(decades([100.0, 1_000.0].into_iter()), (2, 3));
        assert_eq!(decades(std::iter::empty()), (0, 1));
    }
}
