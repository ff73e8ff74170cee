//! A histogram of waits in plain atomics.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds: from a packet that memory answers to a client that has given up.
const BOUNDS_MICROS: [u64; 16] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000,
];

/// A histogram of plain atomics: the crate's own takes a lock for each observation.
#[derive(Debug, Clone, Default)]
pub struct Latency(Arc<Buckets>);

#[derive(Debug, Default)]
pub struct Buckets {
    /// The last one has no bound.
    counts: [AtomicU64; BOUNDS_MICROS.len() + 1],
    nanos: AtomicU64,
}

impl Latency {
    pub fn observe(&self, took: Duration) {
        let place = BOUNDS_MICROS.partition_point(|bound| Duration::from_micros(*bound) < took);
        if let Some(bucket) = self.0.counts.get(place) {
            bucket.fetch_add(1, Relaxed);
        }
        self.0.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

impl TypedMetric for Latency {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Latency {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = BOUNDS_MICROS.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(&self.0.counts).map(|(bound, n)| (bound, n.load(Relaxed))).collect();
        let sum = self.0.nanos.load(Relaxed) as f64 / 1e9;
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
