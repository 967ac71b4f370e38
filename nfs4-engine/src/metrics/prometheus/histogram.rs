//! A histogram that adds whole buckets: those of the crate add one duration at a time.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use ::prometheus::Result;
use ::prometheus::core::Desc;
use ::prometheus::proto::{self, LabelPair, MetricFamily, MetricType};

use super::super::buckets::{Buckets, Scale};

/// One series for each value of its label, or a single one without a label.
#[derive(Debug)]
pub(super) struct BucketHistogram<S, const N: usize> {
    desc: Desc,
    children: Vec<Child<N>>,
    scale: PhantomData<fn() -> S>,
}

#[derive(Debug)]
struct Child<const N: usize> {
    label: Option<LabelPair>,
    counts: [AtomicU64; N],
    nanos: AtomicU64,
}

impl<S: Scale, const N: usize> BucketHistogram<S, N> {
    pub(super) fn new(name: String, help: &str) -> Result<Self> {
        Ok(BucketHistogram {
            desc: Desc::new(name, help.to_string(), Vec::new(), Default::default())?,
            children: vec![Child::new(None)],
            scale: PhantomData,
        })
    }

    pub(super) fn labelled(
        name: String,
        help: &str,
        label: &str,
        values: impl Iterator<Item = String>,
    ) -> Result<Self> {
        let labels = vec![label.to_string()];
        let child = |value| {
            let mut pair = LabelPair::default();
            pair.set_name(label.to_string());
            pair.set_value(value);
            Child::new(Some(pair))
        };
        Ok(BucketHistogram {
            desc: Desc::new(name, help.to_string(), labels, Default::default())?,
            children: values.map(child).collect(),
            scale: PhantomData,
        })
    }

    /// Adds durations to the series of the label's value at `place`.
    pub(super) fn add(&self, place: usize, counted: &Buckets<S, N>) {
        let Some(child) = self.children.get(place) else {
            return;
        };
        for (total, count) in child.counts.iter().zip(counted.counts()) {
            if *count > 0 {
                total.fetch_add(*count, Ordering::Relaxed);
            }
        }
        let nanos = u64::try_from(counted.sum().as_nanos()).unwrap_or(u64::MAX);
        child.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Adds durations of zero.
    pub(super) fn add_instants(&self, place: usize, number: u64) {
        let child = self.children.get(place);
        if let Some(first) = child.and_then(|child| child.counts.first()) {
            first.fetch_add(number, Ordering::Relaxed);
        }
    }
}

/// A histogram of any scale.
pub(super) trait Histogram {
    fn desc(&self) -> &Desc;

    fn collect(&self) -> MetricFamily;
}

impl<S: Scale, const N: usize> Histogram for BucketHistogram<S, N> {
    fn desc(&self) -> &Desc {
        &self.desc
    }

    /// A series with a label exists once it has a duration.
    fn collect(&self) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.desc.fq_name.clone());
        family.set_help(self.desc.help.clone());
        family.set_field_type(MetricType::HISTOGRAM);
        let metrics = self.children.iter().filter_map(Child::collect::<S>);
        family.set_metric(metrics.collect());
        family
    }
}

impl<const N: usize> Child<N> {
    fn new(label: Option<LabelPair>) -> Child<N> {
        Child {
            label,
            counts: [const { AtomicU64::new(0) }; N],
            nanos: AtomicU64::new(0),
        }
    }

    fn collect<S: Scale>(&self) -> Option<proto::Metric> {
        let mut total = 0;
        let mut buckets = Vec::with_capacity(N);
        let bounds = Buckets::<S, N>::bounds().map(Some).chain([None]);
        for (bound, count) in bounds.zip(&self.counts) {
            total += count.load(Ordering::Relaxed);
            // The last bucket has no bound: its cumulated count is that of all durations.
            if let Some(bound) = bound {
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(total);
                buckets.push(bucket);
            }
        }
        if total == 0 && self.label.is_some() {
            return None;
        }
        let sum = Duration::from_nanos(self.nanos.load(Ordering::Relaxed));
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(total);
        histogram.set_sample_sum(sum.as_secs_f64());
        let mut metric = proto::Metric::from_label(self.label.iter().cloned().collect());
        metric.set_histogram(histogram);
        Some(metric)
    }
}
