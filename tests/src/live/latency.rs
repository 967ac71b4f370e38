//! How long things took: all of them kept, so that percentiles are exact.

use std::fmt;
use std::time::Duration;

/// Durations, and what can be said of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    sorted: Vec<Duration>,
}

impl Latencies {
    /// Of these durations, in any order.
    pub fn of(mut durations: Vec<Duration>) -> Latencies {
        durations.sort_unstable();
        Latencies { sorted: durations }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The shortest that `percent` of them do not exceed; zero if there are none.
    pub fn percentile(&self, percent: f64) -> Duration {
        let rank = (percent / 100.0 * self.sorted.len() as f64).ceil() as usize;
        let last = self.sorted.len().min(rank.max(1));
        self.sorted
            .get(last.wrapping_sub(1))
            .copied()
            .unwrap_or_default()
    }

    /// The longest; zero if there are none.
    pub fn max(&self) -> Duration {
        self.sorted.last().copied().unwrap_or_default()
    }
}

/// Median, 99th percentile and maximum.
impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |span: Duration| span.as_secs_f64() * 1_000.0;
        write!(
            f,
            "{:.2}/{:.2}/{:.2} ms",
            millis(self.percentile(50.0)),
            millis(self.percentile(99.0)),
            millis(self.max())
        )
    }
}

#[test]
fn percentiles_are_exact() {
    let millis = Duration::from_millis;
    let all = Latencies::of((1..=200).rev().map(millis).collect());
    for (percent, expected) in [
        (0.0, 1),
        (0.5, 1),
        (0.6, 2),
        (50.0, 100),
        (99.0, 198),
        (100.0, 200),
    ] {
        assert_eq!(all.percentile(percent), millis(expected), "{percent} %");
    }
    assert_eq!((all.len(), all.max()), (200, millis(200)));
    let one = Latencies::of(vec![millis(7)]);
    assert_eq!(
        (one.percentile(1.0), one.percentile(99.0)),
        (millis(7), millis(7))
    );
    assert_eq!(Latencies::default().percentile(99.0), Duration::ZERO);
}
