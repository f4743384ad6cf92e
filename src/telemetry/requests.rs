//! What is counted for every message: requests to us, and calls to Graph.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::shard::{Cell, Sharded};
use super::tally::CallKey;

/// The upper bound of the first bucket: 0.25 ms. Each of the others has twice the bound of the one before.
const FIRST: Duration = Duration::from_micros(250);
/// Up to 16 s: from a translated message to a slow upstream.
const BUCKETS: usize = 17;

/// A distribution of times.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    count: u64,
    sum: Duration,
    /// By bucket, and not cumulated.
    counts: [u64; BUCKETS],
}

impl Cell for Times {
    fn add(&mut self, time: Duration) {
        self.count += 1;
        self.sum = self.sum.saturating_add(time);
        if let Some(count) = self.counts.get_mut(bucket(time)) {
            *count += 1;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.counts.iter_mut().zip(other.counts).for_each(|(count, other)| *count += other);
    }
}

/// The bucket of `time`, whose upper bound is part of it; beyond the last one there is [`BUCKETS`].
fn bucket(time: Duration) -> usize {
    let firsts = time.as_nanos().saturating_sub(1) / FIRST.as_nanos();
    (u128::BITS - firsts.leading_zeros()) as usize
}

impl Times {
    fn buckets(&self) -> Vec<(f64, u64)> {
        let mut bound = FIRST.as_secs_f64();
        let mut buckets = Vec::with_capacity(BUCKETS + 1);
        for count in self.counts {
            buckets.push((bound, count));
            bound *= 2.0;
        }
        let within: u64 = self.counts.iter().sum();
        // Printed as "+Inf", which every histogram has to end with.
        buckets.push((f64::INFINITY, self.count - within));
        buckets
    }
}

/// Labels of a call to Graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
pub struct UpstreamLabels {
    /// What was called.
    pub op: &'static str,
    /// `ok`, `refused`, `unsent` or `in_doubt`.
    pub outcome: &'static str,
}

/// Counters of requests to us and of calls to Graph; clones count together.
#[derive(Clone, Debug, Default)]
pub struct RequestMetrics(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    requests: Sharded<CallKey, Times>,
    calls: Sharded<UpstreamLabels, Count>,
    call_times: Sharded<(), Times>,
}

/// How often, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
struct Count(u64);

impl Cell for Count {
    fn add(&mut self, _: Duration) {
        self.0 += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.0 += other.0;
    }
}

impl RequestMetrics {
    /// Counts an answer, `time` after the end of the request's head.
    pub fn answered(&self, key: CallKey, time: Duration) {
        self.0.requests.add(key, time);
    }

    /// Counts what a call to Graph led to.
    pub fn called(&self, labels: UpstreamLabels) {
        self.0.calls.add(labels, Duration::ZERO);
    }

    /// Counts the time that a call to Graph took.
    pub fn call_took(&self, time: Duration) {
        self.0.call_times.add((), time);
    }
}

/// Labels of a request to us.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: &'static str,
    method: &'static str,
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabel {
    endpoint: &'static str,
}

impl Collector for RequestMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let requests = self.0.requests.merged();
        let mut counters =
            encoder.encode_descriptor("http_requests", "Requests answered.", None, MetricType::Counter)?;
        let mut by_endpoint: Vec<(&'static str, Times)> = Vec::new();
        for (CallKey { endpoint, method, code }, times) in &requests {
            let labels = RequestLabels { endpoint, method, code: *code };
            counters.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&times.count, None)?;
            // The keys are in order, so those of an endpoint follow each other.
            match by_endpoint.last_mut() {
                Some((last, whole)) if last == endpoint => whole.merge(times),
                Some(_) | None => by_endpoint.push((endpoint, *times)),
            }
        }
        let help = "Time from the end of a request's head to its answer.";
        let unit = Some(&Unit::Seconds);
        let mut histograms =
            encoder.encode_descriptor("http_request_duration", help, unit, MetricType::Histogram)?;
        for (endpoint, times) in &by_endpoint {
            let (sum, buckets) = (times.sum.as_secs_f64(), times.buckets());
            let label = EndpointLabel { endpoint };
            histograms.encode_family(&label)?.encode_histogram::<NoLabelSet>(
                sum,
                times.count,
                &buckets,
                None,
            )?;
        }
        let mut counters = encoder.encode_descriptor(
            "upstream_requests",
            "Calls to the Cloud API.",
            None,
            MetricType::Counter,
        )?;
        for (labels, count) in &self.0.calls.merged() {
            counters.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(&count.0, None)?;
        }
        let times = self.0.call_times.merged().remove(&()).unwrap_or_default();
        let help = "Time of calls to the Cloud API.";
        let mut histogram =
            encoder.encode_descriptor("upstream_duration", help, unit, MetricType::Histogram)?;
        histogram.encode_histogram::<NoLabelSet>(times.sum.as_secs_f64(), times.count, &times.buckets(), None)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let nanos = Duration::from_nanos;
        for (time, expected) in [
            (Duration::ZERO, 0),
            (nanos(250_000), 0),
            (nanos(250_001), 1),
            (nanos(500_000), 1),
            (nanos(500_001), 2),
            (Duration::from_micros(250 << 16), 16),
            (Duration::from_micros((250 << 16) + 1), BUCKETS),
        ] {
            assert_eq!(bucket(time), expected, "{time:?}");
        }
        assert!(bucket(Duration::MAX) > BUCKETS);
    }

    #[test]
    fn every_time_is_in_one_bucket() {
        let mut times = Times::default();
        [1, 300, 900_000, 60_000_000].into_iter().for_each(|micros| times.add(Duration::from_micros(micros)));
        let buckets = times.buckets();
        assert_eq!(buckets.len(), BUCKETS + 1);
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 4);
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, 1)));
    }

    /// The page is what it was with the crate's own histogram, bucket by bucket.
    #[test]
    fn the_page_is_as_the_crate_writes_it() {
        let (mut own, mut theirs) = (Registry::default(), Registry::default());
        let metrics = RequestMetrics::default();
        own.register_collector(Box::new(metrics.clone()));
        let histogram = Histogram::new(exponential_buckets(FIRST.as_secs_f64(), 2.0, 17));
        let help = "Time of calls to the Cloud API";
        theirs.register_with_unit("upstream_duration", help, Unit::Seconds, histogram.clone());
        for micros in [1, 250, 251, 900_000, 16_384_000, 16_384_001, 99_000_000] {
            let time = Duration::from_micros(micros);
            metrics.call_took(time);
            histogram.observe(time.as_secs_f64());
        }
        let page = |registry: &Registry| {
            let mut text = String::new();
            encode(&mut text, registry).unwrap();
            text.lines()
                .filter(|line| line.contains("upstream_duration"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let lines = page(&own);
        assert_eq!(lines, page(&theirs));
        assert!(lines.iter().any(|line| line.ends_with("{le=\"+Inf\"} 7")), "{lines:?}");
    }
}
