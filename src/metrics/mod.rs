//! Numbers for Prometheus: counted in atomics where things happen, written out when somebody asks.
//!
//! Every series is made once, at the start: to count a packet is one addition, without a lock and without a
//! heap. What can be looked up instead ([`Now`]) is looked up when it is asked for.

mod labels;
mod latency;
mod now;

pub use labels::{Dropped, Message, Reply, Route, Silence, Transfer};
pub use now::Now;

use latency::Latency;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the text is: the form that Prometheus asks for first.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const STATUSES: &[&str] = &["2xx", "3xx", "4xx", "5xx"];

type Labels = Vec<(&'static str, &'static str)>;
type Counters = Vec<Counter>;

pub struct Metrics {
    registry: Registry,
    packets: Counters,
    replies: Counters,
    silences: Counters,
    dropped: Counters,
    latency: Vec<Latency>,
    transfers: Counters,
    tftp_bytes: Counter,
    /// One row of statuses for each route.
    requests: Vec<Counters>,
    queues: Mutex<Vec<Queue>>,
    stock: Mutex<BTreeMap<String, u64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut made = Registry::with_prefix("kickstand");
        let registry = &mut made;
        let help = "DHCP packets that were received, by what the client says";
        let packets = counters(registry, "dhcp_packets", help, one_label("message", Message::WORDS));
        let silent = |why| vec![("reply", "silence"), ("why", why)];
        let replies = one_label("reply", Reply::WORDS).chain(Silence::WORDS.iter().copied().map(silent));
        let help = "DHCP packets that were answered, and those left unanswered by a rule";
        let mut replies = counters(registry, "dhcp_replies", help, replies);
        let silences = replies.split_off(Reply::WORDS.len());
        let help = "DHCP packets that could not be dealt with";
        let dropped = counters(registry, "dhcp_dropped", help, one_label("why", Dropped::WORDS));
        let help = "Transfers by TFTP that ended";
        let transfers = counters(registry, "tftp_transfers", help, one_label("ending", Transfer::WORDS));
        let tftp_bytes = Counter::default();
        registry.register("tftp_bytes", "Bytes that TFTP clients acknowledged", tftp_bytes.clone());
        Metrics {
            packets,
            replies,
            silences,
            dropped,
            latency: latency(registry),
            transfers,
            tftp_bytes,
            requests: requests(registry),
            registry: made,
            queues: Mutex::default(),
            stock: Mutex::default(),
        }
    }
}

fn one_label(label: &'static str, words: &'static [&'static str]) -> impl Iterator<Item = Labels> {
    words.iter().map(move |word| vec![(label, *word)])
}

/// A family, and the counter of each of its label sets, in their order.
fn counters(registry: &mut Registry, name: &str, help: &str, labels: impl Iterator<Item = Labels>) -> Counters {
    let family = Family::<Labels, Counter>::default();
    registry.register(name, help, family.clone());
    labels.map(|labels| family.get_or_create_owned(&labels)).collect()
}

fn latency(registry: &mut Registry) -> Vec<Latency> {
    let family = Family::<Labels, Latency>::default();
    registry.register("dhcp_latency_seconds", "From a DHCP packet to its answer", family.clone());
    one_label("reply", Reply::WORDS).map(|labels| family.get_or_create_owned(&labels)).collect()
}

fn requests(registry: &mut Registry) -> Vec<Counters> {
    let family = Family::<Labels, Counter>::default();
    registry.register("http_requests", "HTTP requests that were answered", family.clone());
    let row = |route| {
        STATUSES.iter().map(move |status| vec![("route", route), ("status", *status)]).collect::<Vec<_>>().into_iter()
    };
    Route::WORDS.iter().map(|route| row(*route).map(|l| family.get_or_create_owned(&l)).collect()).collect()
}

fn count(counters: &[Counter], place: usize) {
    if let Some(counter) = counters.get(place) {
        counter.inc();
    }
}

impl Metrics {
    pub fn packet(&self, message: Message) {
        count(&self.packets, message as usize);
    }

    /// It is on its way; `took` is how long the client waited.
    pub fn replied(&self, reply: Reply, took: Duration) {
        count(&self.replies, reply as usize);
        if let Some(latency) = self.latency.get(reply as usize) {
            latency.observe(took);
        }
    }

    pub fn silent(&self, why: Silence) {
        count(&self.silences, why as usize);
    }

    pub fn dropped(&self, why: Dropped) {
        count(&self.dropped, why as usize);
    }

    pub fn transfer(&self, ending: Transfer, bytes: u64) {
        count(&self.transfers, ending as usize);
        self.tftp_bytes.inc_by(bytes);
    }

    pub fn request(&self, route: Route, status: u16) {
        if let Some(statuses) = self.requests.get(route as usize) {
            count(statuses, usize::from(status / 100).saturating_sub(2));
        }
    }

    /// A queue whose length is asked for with each look, until it says that it has ended.
    pub fn watch_queue(&self, wire: String, queue: &'static str, length: impl Fn() -> Option<usize> + Send + 'static) {
        locked(&self.queues).push(Queue { wire, queue, length: Box::new(length) });
    }

    /// How many addresses of a network a probe found free.
    pub fn set_stock(&self, network: &str, addresses: usize) {
        let addresses = u64::try_from(addresses).unwrap_or(u64::MAX);
        let mut stock = locked(&self.stock);
        match stock.get_mut(network) {
            Some(known) => *known = addresses,
            None => drop(stock.insert(network.to_owned(), addresses)),
        }
    }

    pub fn stock(&self, network: &str) -> u64 {
        locked(&self.stock).get(network).copied().unwrap_or_default()
    }

    /// All of it, with what the caller has looked up.
    pub fn text(&self, mut now: Vec<Now>) -> Result<String, fmt::Error> {
        now.push(self.queues());
        let mut looked_up = Registry::with_prefix("kickstand");
        now.into_iter().for_each(|now| looked_up.register_collector(Box::new(now)));
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &looked_up)?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    fn queues(&self) -> Now {
        let mut now = Now::gauge("dhcp_queue", "DHCP packets that wait for their turn");
        locked(&self.queues).retain(|queue| {
            let length = (queue.length)();
            let labels = vec![("wire", queue.wire.clone()), ("queue", queue.queue.to_owned())];
            if let Some(length) = length {
                now.put(labels, u64::try_from(length).unwrap_or(u64::MAX));
            }
            length.is_some()
        });
        now
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Queue {
    wire: String,
    queue: &'static str,
    length: Box<dyn Fn() -> Option<usize> + Send>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    fn lines<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
        text.lines().filter(|line| line.contains(word) && !line.starts_with('#')).collect()
    }

    #[test]
    fn what_is_counted_stands_in_its_own_series_and_nowhere_else() {
        let metrics = Metrics::default();
        metrics.packet(Message::Discover);
        metrics.packet(Message::Discover);
        metrics.replied(Reply::Ack, Duration::from_micros(70));
        metrics.silent(Silence::of("first program"));
        metrics.dropped(Dropped::NotWritten);
        metrics.transfer(Transfer::Complete, 4096);
        metrics.request(Route::of("/boot/52-54-00-00-00-01/script.ipxe"), 200);
        metrics.request(Route::of("/"), 404);
        let text = metrics.text(Vec::new()).unwrap();
        for line in [
            "kickstand_dhcp_packets_total{message=\"discover\"} 2",
            "kickstand_dhcp_packets_total{message=\"request\"} 0",
            "kickstand_dhcp_replies_total{reply=\"ack\"} 1",
            "kickstand_dhcp_replies_total{reply=\"silence\",why=\"first_program\"} 1",
            "kickstand_dhcp_dropped_total{why=\"not_written\"} 1",
            "kickstand_dhcp_latency_seconds_count{reply=\"ack\"} 1",
            "kickstand_tftp_transfers_total{ending=\"complete\"} 1",
            "kickstand_tftp_bytes_total 4096",
            "kickstand_http_requests_total{route=\"boot\",status=\"2xx\"} 1",
            "kickstand_http_requests_total{route=\"other\",status=\"4xx\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing:\n{text}");
        }
        let counted = text.lines().filter(|l| l.contains("_total") && !l.starts_with('#') && !l.ends_with(" 0"));
        assert_eq!(counted.count(), 8, "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_wait_falls_into_the_first_bucket_that_is_wide_enough() {
        let metrics = Metrics::default();
        for micros in [50, 51, 5_000_000, 9_000_000] {
            metrics.replied(Reply::Offer, Duration::from_micros(micros));
        }
        let text = metrics.text(Vec::new()).unwrap();
        let buckets = lines(&text, "latency_seconds_bucket{le=");
        let of = |le: &str| {
            let line = buckets.iter().find(|l| l.contains(&format!("le=\"{le}\"")) && l.contains("\"offer\""));
            line.unwrap_or_else(|| panic!("{le}: {buckets:?}")).rsplit(' ').next().unwrap().to_owned()
        };
        assert_eq!([of("0.00005"), of("0.0001"), of("2.5"), of("5.0"), of("+Inf")], ["1", "2", "2", "3", "4"]);
        assert!(text.contains("latency_seconds_sum{reply=\"offer\"} 14.000101"), "{text}");
    }

    #[test]
    fn a_queue_is_asked_for_its_length_until_it_ends() {
        let metrics = Metrics::default();
        let (length, ended) = (Arc::new(AtomicU64::new(7)), Arc::new(AtomicU64::new(0)));
        let (l, e) = (length.clone(), ended.clone());
        metrics.watch_queue("lab".into(), "requests", move || {
            (e.load(Relaxed) == 0).then(|| usize::try_from(l.load(Relaxed)).unwrap())
        });
        let shown = || lines(&metrics.text(Vec::new()).unwrap(), "dhcp_queue").join("\n");
        assert_eq!(shown(), "kickstand_dhcp_queue{wire=\"lab\",queue=\"requests\"} 7");
        length.store(0, Relaxed);
        assert_eq!(shown(), "kickstand_dhcp_queue{wire=\"lab\",queue=\"requests\"} 0");
        ended.store(1, Relaxed);
        assert_eq!(shown(), "");
    }

    #[test]
    fn what_is_looked_up_is_written_with_its_labels_escaped() {
        let now = Now::gauge("pool_addresses", "Addresses").with(vec![("network", "a\"b".to_owned())], 3);
        let counter = Now::counter("store_commits", "Commits").with(Vec::new(), 9);
        let text = Metrics::default().text(vec![now, counter]).unwrap();
        assert!(text.contains("# HELP kickstand_pool_addresses Addresses.\n# TYPE kickstand_pool_addresses gauge\n"));
        assert!(text.contains("kickstand_pool_addresses{network=\"a\\\"b\"} 3\n"), "{text}");
        assert!(text.contains("kickstand_store_commits_total 9\n"), "{text}");
    }
}
