//! What is looked up when somebody asks, as metrics of that moment.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;

/// A number that was looked up at this moment, for each set of labels.
#[derive(Debug)]
pub struct Now {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    rows: Vec<(Vec<(&'static str, String)>, u64)>,
}

impl Now {
    pub fn gauge(name: &'static str, help: &'static str) -> Now {
        Now { name, help, kind: MetricType::Gauge, rows: Vec::new() }
    }

    /// What only grows, and is counted elsewhere.
    pub fn counter(name: &'static str, help: &'static str) -> Now {
        Now { kind: MetricType::Counter, ..Now::gauge(name, help) }
    }

    pub fn put(&mut self, labels: Vec<(&'static str, String)>, value: u64) {
        self.rows.push((labels, value));
    }

    pub fn with(mut self, labels: Vec<(&'static str, String)>, value: u64) -> Now {
        self.put(labels, value);
        self
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(self.name, &format!("{}.", self.help), None, self.kind)?;
        for (labels, value) in &self.rows {
            match labels.is_empty() {
                // Alone in its family, without braces.
                true => return self.write(*value, family),
                false => self.write(*value, family.encode_family(labels)?)?,
            }
        }
        Ok(())
    }
}

impl Now {
    fn write(&self, value: u64, encoder: MetricEncoder<'_>) -> fmt::Result {
        match self.kind {
            MetricType::Counter => ConstCounter::new(value).encode(encoder),
            _ => ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(encoder),
        }
    }
}
