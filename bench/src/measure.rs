//! What a load has measured.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::fault::{At as _, Fault};
use crate::usage::{self, Usage};
use crate::workload::Size;

/// Counts what happens between two points in time.
#[derive(Debug)]
pub(crate) struct Meter {
    process: Option<u32>,
    begin: Instant,
    time: Duration,
    before: Option<Mark>,
    after: Option<Mark>,
    requests: u64,
    data: u64,
}

/// The counters at one point in time.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    server: Usage,
    client: Usage,
    machine: Duration,
    requests: u64,
    data: u64,
}

/// The figures of one load. Times of requests are in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) time: Duration,
    pub(crate) requests: f64,
    /// Bytes of file data.
    pub(crate) data: u64,
    pub(crate) server: Usage,
    pub(crate) client: Usage,
    /// Time that other processes worked meanwhile, on all processors.
    pub(crate) others: Duration,
    pub(crate) latency: Histogram<u64>,
    /// Replies that were no success, from the first to the last.
    pub(crate) errors: BTreeMap<String, u64>,
    /// What the server refused afterwards.
    pub(crate) after: Option<Fault>,
    /// The lengths of the records of each step.
    pub(crate) sizes: Vec<Size>,
}

impl Meter {
    pub(crate) fn new(process: Option<u32>, warm_up: Duration, time: Duration) -> Meter {
        Meter {
            process,
            begin: Instant::now() + warm_up,
            time,
            before: None,
            after: None,
            requests: 0,
            data: 0,
        }
    }

    /// Counts a request; true if it belongs to what is measured.
    pub(crate) fn count(&mut self, data: usize) -> bool {
        self.requests += 1;
        self.data += data as u64;
        self.before.is_some() && self.after.is_none()
    }

    /// Whether all is measured.
    pub(crate) fn is_over(&self) -> bool {
        self.after.is_some()
    }

    /// Reads the counters if it is time to.
    ///
    /// # Errors
    /// A process is gone.
    pub(crate) fn tick(&mut self) -> io::Result<()> {
        let now = Instant::now();
        match (&self.before, &self.after) {
            (None, _) if now >= self.begin => self.before = Some(self.mark()?),
            // The time begins when the first counters are read, which may be late.
            (Some(before), None) if now >= before.at + self.time => self.after = Some(self.mark()?),
            _ => {}
        }
        Ok(())
    }

    /// The figures.
    ///
    /// # Errors
    /// The load has ended too early.
    pub(crate) fn end(
        self,
        latency: Histogram<u64>,
        errors: BTreeMap<String, u64>,
        sizes: Vec<Size>,
    ) -> Result<Sample, Fault> {
        let marks = self.before.zip(self.after);
        let (before, after) = marks.ok_or("too early").at("the load has ended")?;
        let requests = after.requests - before.requests;
        if requests == 0 {
            return Err(Fault::new("no reply in the time that is measured"));
        }
        let server = after.server.since(&before.server);
        let client = after.client.since(&before.client);
        let machine = after.machine.saturating_sub(before.machine);
        Ok(Sample {
            time: after.at - before.at,
            requests: requests as f64,
            data: after.data - before.data,
            server,
            client,
            others: machine.saturating_sub(server.cpu + client.cpu),
            latency,
            errors,
            after: None,
            sizes,
        })
    }

    fn mark(&self) -> io::Result<Mark> {
        let server = self.process.map(Usage::of).transpose()?;
        Ok(Mark {
            server: server.unwrap_or_default(),
            client: Usage::of(std::process::id())?,
            machine: usage::machine()?,
            at: Instant::now(),
            requests: self.requests,
            data: self.data,
        })
    }
}

impl Sample {
    /// A histogram of nanoseconds, up to a minute, with three digits.
    pub(crate) fn histogram() -> Histogram<u64> {
        let minute = Duration::from_secs(60).as_nanos() as u64;
        let bounds = Histogram::new_with_bounds(1, minute, 3);
        bounds.unwrap_or_else(|why| unreachable!("the bounds are in order: {why:?}"))
    }

    /// Lets so many requests count as one.
    pub(crate) fn count_as_one(&mut self, requests: usize) {
        self.requests /= requests as f64;
    }

    /// Time of the server's process on a processor for a request, in microseconds.
    pub(crate) fn server_us(&self) -> f64 {
        self.server.cpu.as_secs_f64() * 1e6 / self.requests
    }

    /// Time of this process on a processor for a request, in microseconds.
    pub(crate) fn client_us(&self) -> f64 {
        self.client.cpu.as_secs_f64() * 1e6 / self.requests
    }

    /// Requests in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests / self.time.as_secs_f64()
    }

    /// File data in a second, in units of 10^6 bytes.
    pub(crate) fn megabytes(&self) -> f64 {
        self.data as f64 / 1e6 / self.time.as_secs_f64()
    }

    /// The time from call to reply that this part of the requests did not exceed, in microseconds.
    pub(crate) fn percentile_us(&self, percent: f64) -> f64 {
        self.latency.value_at_percentile(percent) as f64 / 1e3
    }

    /// Context switches of the server for 1 000 requests: voluntary, involuntary.
    pub(crate) fn switches(&self) -> (f64, f64) {
        let of = |count: u64| count as f64 * 1e3 / self.requests;
        (of(self.server.voluntary), of(self.server.involuntary))
    }

    /// How busy the server's processor was with the server, of 1.
    pub(crate) fn server_share(&self) -> f64 {
        self.server.cpu.as_secs_f64() / self.time.as_secs_f64()
    }

    /// Processors that worked for other processes, on average.
    pub(crate) fn others_share(&self) -> f64 {
        self.others.as_secs_f64() / self.time.as_secs_f64()
    }

    /// Replies that were no success.
    pub(crate) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// 1 000 requests in half a second, of which each takes as many microseconds as it has
    /// predecessors.
    pub(crate) fn sample() -> Sample {
        let mut latency = Sample::histogram();
        for n in 1..=1_000_u64 {
            latency.record(n * 1_000).unwrap();
        }
        Sample {
            time: Duration::from_millis(500),
            requests: 1_000.0,
            data: 4_000_000,
            server: Usage {
                cpu: Duration::from_millis(2),
                voluntary: 500,
                involuntary: 10,
            },
            client: Usage {
                cpu: Duration::from_millis(1),
                ..Usage::default()
            },
            others: Duration::from_millis(100),
            latency,
            errors: BTreeMap::new(),
            after: None,
            sizes: Vec::new(),
        }
    }

    #[test]
    fn figures_are_in_their_units() {
        let sample = sample();
        assert_eq!((sample.server_us(), sample.client_us()), (2.0, 1.0));
        assert_eq!((sample.rate(), sample.megabytes()), (2_000.0, 8.0));
        assert_eq!(sample.switches(), (500.0, 10.0));
        let share = (sample.server_share(), sample.others_share());
        assert_eq!(share, (0.004, 0.2));
        let near = |percent, expected: f64| {
            let found = sample.percentile_us(percent);
            assert!((found / expected - 1.0).abs() < 0.002, "{percent}: {found}");
        };
        near(50.0, 500.0);
        near(99.0, 990.0);
        near(100.0, 1_000.0);
    }

    #[test]
    fn requests_that_count_as_one_cost_their_sum() {
        let mut sample = sample();
        sample.count_as_one(4);
        assert_eq!((sample.requests, sample.server_us()), (250.0, 8.0));
    }

    #[test]
    fn only_what_is_between_the_marks_counts() {
        let mut meter = Meter::new(None, Duration::ZERO, Duration::ZERO);
        assert!(!meter.count(5));
        meter.tick().unwrap();
        assert!(meter.count(7));
        assert!(meter.count(8));
        meter.tick().unwrap();
        assert!(meter.is_over() && !meter.count(9));
        let end = meter.end(Sample::histogram(), BTreeMap::new(), Vec::new());
        let sample = end.unwrap();
        assert_eq!((sample.requests, sample.data), (2.0, 15));
    }
}
