//! Several measurements of the same, and their medians.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::measure::Sample;

/// Medians of what was measured in several rounds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    /// Time of the server on a processor for a request, in microseconds, and the least and the most.
    pub(crate) server_us: f64,
    pub(crate) least_us: f64,
    pub(crate) most_us: f64,
    /// The same of the load generator.
    pub(crate) client_us: f64,
    /// Requests in a second.
    pub(crate) rate: f64,
    /// File data in a second, in 10^6 bytes.
    pub(crate) megabytes: f64,
    /// Time from call to reply, in microseconds.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    /// Context switches of the server for 1 000 requests.
    pub(crate) voluntary: f64,
    pub(crate) involuntary: f64,
    /// How busy the server's processor was with the server, of 1.
    pub(crate) server_share: f64,
    /// Processors that worked for other processes.
    pub(crate) others_share: f64,
    /// Replies that were no success, of all rounds, those after the load too.
    pub(crate) errors: BTreeMap<String, u64>,
}

impl Figures {
    /// Nothing if there is no sample.
    pub(crate) fn of(samples: &[Sample]) -> Option<Figures> {
        let of = |figure: &dyn Fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
        let cost = samples.iter().map(Sample::server_us);
        let mut errors = BTreeMap::new();
        for (error, count) in samples.iter().flat_map(|sample| &sample.errors) {
            *errors.entry(error.clone()).or_default() += count;
        }
        for why in samples.iter().filter_map(|sample| sample.after.as_ref()) {
            *errors.entry(format!("after the load: {why}")).or_default() += 1;
        }
        Some(Figures {
            server_us: of(&Sample::server_us)?,
            least_us: cost.clone().fold(f64::INFINITY, f64::min),
            most_us: cost.fold(0.0, f64::max),
            client_us: of(&Sample::client_us)?,
            rate: of(&Sample::rate)?,
            megabytes: of(&Sample::megabytes)?,
            p50_us: of(&|sample| sample.percentile_us(50.0))?,
            p99_us: of(&|sample| sample.percentile_us(99.0))?,
            p999_us: of(&|sample| sample.percentile_us(99.9))?,
            voluntary: of(&|sample| sample.switches().0)?,
            involuntary: of(&|sample| sample.switches().1)?,
            server_share: of(&Sample::server_share)?,
            others_share: of(&Sample::others_share)?,
            errors,
        })
    }

    /// How many times the floor a request costs.
    pub(crate) fn multiple_of(&self, floor: &Figures) -> f64 {
        self.server_us / floor.server_us
    }

    /// The same as JSON; each key names its unit.
    pub(crate) fn json(&self) -> Value {
        json!({
            "server_us_per_request": self.server_us,
            "server_us_least": self.least_us,
            "server_us_most": self.most_us,
            "client_us_per_request": self.client_us,
            "requests_per_second": self.rate,
            "data_mb_per_second": self.megabytes,
            "latency_us": { "p50": self.p50_us, "p99": self.p99_us, "p99.9": self.p999_us },
            "voluntary_switches_per_1000": self.voluntary,
            "involuntary_switches_per_1000": self.involuntary,
            "server_processors": self.server_share,
            "other_processors": self.others_share,
            "errors": self.errors,
        })
    }
}

/// A number with as many digits as matter, three as a rule.
pub(crate) fn number(number: f64) -> String {
    match number {
        _ if number < 9.995 => format!("{number:.2}"),
        _ if number < 99.95 => format!("{number:.1}"),
        _ if number < 99_950.0 => format!("{number:.0}"),
        _ => format!("{:.0} k", number / 1e3),
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    let upper = *numbers.get(half)?;
    match numbers.len() % 2 {
        1 => Some(upper),
        _ => Some((numbers[half - 1] + upper) / 2.0),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::tests::sample;

    /// Figures of a server that costs so many microseconds.
    pub(crate) fn costing(server_us: u64) -> Figures {
        let mut sample = sample();
        sample.server.cpu = Duration::from_micros(server_us * 1_000);
        Figures::of(&[sample]).unwrap()
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 4.0]), Some(4.0));
        assert_eq!(median(vec![9.0, 1.0, 4.0, 2.0]), Some(3.0));
    }

    #[test]
    fn one_slow_round_changes_the_most_and_not_the_median() {
        let mut slow = sample();
        slow.server.cpu *= 50;
        slow.errors.insert("DELAY".to_owned(), 2);
        let figures = Figures::of(&[sample(), slow.clone(), sample()]).unwrap();
        assert_eq!(figures.server_us, 2.0);
        assert_eq!((figures.least_us, figures.most_us), (2.0, 100.0));
        assert_eq!(figures.errors["DELAY"], 2);
    }

    #[test]
    fn a_multiple_is_of_the_floor() {
        assert_eq!(costing(6).multiple_of(&costing(4)), 1.5);
        assert_eq!(costing(4).multiple_of(&costing(4)), 1.0);
    }

    #[test]
    fn numbers_have_three_digits() {
        let texts = [0.451, 9.996, 12.34, 160.4, 99_949.0, 1_234_567.0].map(number);
        assert_eq!(texts, ["0.45", "10.0", "12.3", "160", "99949", "1235 k"]);
    }
}
