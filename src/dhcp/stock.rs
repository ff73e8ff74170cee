//! The stock of addresses that a probe found free, so that no OFFER waits for a probe.

use super::link::{Card, Error};
use super::probe::{Prober, Used};
use crate::model::{Name, Network};
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often a pool is asked whether it runs out of proven addresses.
pub const EVERY: Duration = Duration::from_millis(250);

/// What a probe found.
pub struct Proof {
    pub network: Name,
    pub free: Vec<Ipv4Addr>,
    pub used: Vec<Used>,
}

/// The probes of one wire: one at a time for each network.
pub struct Stock {
    interfaces: Arc<[String]>,
    /// By ARP on an interface, or by ping where none of ours is on the network.
    probers: HashMap<Name, (Option<String>, Arc<Prober>)>,
    /// Where no probe is possible, said once.
    without: HashSet<Name>,
    under_way: usize,
    done: (mpsc::UnboundedSender<Done>, mpsc::UnboundedReceiver<Done>),
}

struct Done {
    network: Name,
    found: Result<Proof, Error>,
}

impl Stock {
    pub fn new(interfaces: Arc<[String]>) -> Stock {
        let done = mpsc::unbounded_channel();
        Stock { interfaces, probers: HashMap::new(), without: HashSet::new(), under_way: 0, done }
    }

    pub fn is_busy(&self) -> bool {
        self.under_way > 0 || self.interfaces.is_empty()
    }

    /// The next result. An interface that went and came again is opened anew.
    pub async fn proofs(&mut self) -> Option<Proof> {
        loop {
            let Done { network, found } = self.done.1.recv().await?;
            self.under_way = self.under_way.saturating_sub(1);
            match found {
                Ok(proof) => return Some(proof),
                Err(error) => {
                    tracing::debug!(%error, network.name = %network, "addresses could not be probed");
                    self.probers.remove(&network);
                }
            }
        }
    }

    /// Probes in the background.
    pub fn probe(&mut self, network: &Network, ips: Vec<Ipv4Addr>) {
        let Some(prober) = self.prober(network) else { return };
        let (name, done) = (network.name.clone(), self.done.0.clone());
        self.under_way = self.under_way.saturating_add(1);
        tokio::spawn(async move {
            let found = prober.probe(&ips).await.map(|used| {
                let is_used = |ip: &Ipv4Addr| used.iter().any(|used| used.ip == *ip);
                let free = ips.iter().copied().filter(|ip| !is_used(ip)).collect();
                Proof { network: name.clone(), free, used }
            });
            let _ = done.send(Done { network: name, found });
        });
    }

    fn prober(&mut self, network: &Network) -> Option<Arc<Prober>> {
        let on_it = |card: &Card| card.addresses.iter().any(|ip| network.cidr.contains(*ip));
        let card = self.interfaces.iter().filter_map(|name| Card::find(name).ok()).find(on_it);
        let interface = card.map(|card| card.name);
        if let Some((_, prober)) = self.probers.get(&network.name).filter(|(known, _)| *known == interface) {
            return Some(prober.clone());
        }
        let opened = interface.as_deref().map_or_else(Prober::routed, Prober::on_link);
        match opened.map(Arc::new) {
            Ok(prober) => {
                self.probers.insert(network.name.clone(), (interface, prober.clone()));
                Some(prober)
            }
            Err(error) => {
                if self.without.insert(network.name.clone()) {
                    tracing::warn!(%error, network.name = %network.name, "addresses are given away without a probe");
                }
                None
            }
        }
    }
}
