//! The files that TFTP clients get, as the engine knows them: loaders, scripts, and what lies in the folder of files.

use super::cache::Cache;
use super::{Caps, Content, Ending, Library, Outcome, Refusal, Request};
use crate::engine::{BootFile, Engine};
use crate::metrics::Transfer;
use crate::model::By;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub struct Loaders {
    engine: Arc<Engine>,
    cache: Cache,
    /// The served interfaces, as the kernel counts them.
    links: Vec<u32>,
}

impl Loaders {
    pub fn new(engine: Arc<Engine>) -> Loaders {
        Loaders { engine, cache: Cache::default(), links: Vec::new() }
    }

    pub fn on_links(self, links: Vec<u32>) -> Loaders {
        Loaders { links, ..self }
    }

    async fn file(&self, name: &str) -> Result<Content, Refusal> {
        self.cache.file(&self.engine.files, name).await.map_err(|error| {
            tracing::debug!(%error, name, "a file was not given");
            Refusal::NotFound("not found".into())
        })
    }
}

impl Library for Loaders {
    async fn open(&self, request: Request) -> Result<Content, Refusal> {
        if !self.is_ours(request.client) {
            return Err(Refusal::Silence("not on a network that is served here".into()));
        }
        let from = match request.client.ip() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        };
        match self.engine.boot_file(&request.name, from, By::Tftp).await {
            Ok(BootFile::Loader(loader)) => Ok(Content::Memory(loader.bytes)),
            Ok(BootFile::Script(text)) => Ok(Content::Memory(text.into())),
            Ok(BootFile::File(name)) => self.file(&name).await,
            Ok(BootFile::NotFound) => Err(Refusal::NotFound("not found".into())),
            Err(error) => {
                tracing::warn!(%error, client = %request.client, "no boot loader was given");
                Err(Refusal::NotFound("missing on the server".into()))
            }
        }
    }

    /// By IPv6 it is a neighbour on a served interface: such an address comes through no router.
    fn is_ours(&self, client: SocketAddr) -> bool {
        match client {
            SocketAddr::V4(client) => self.engine.store.world().network_of(*client.ip()).is_some(),
            SocketAddr::V6(client) => client.ip().is_unicast_link_local() && self.links.contains(&client.scope_id()),
        }
    }

    fn caps(&self, request: &Request) -> Caps {
        let IpAddr::V4(from) = request.client.ip() else { return Caps::default() };
        let (max_windowsize, max_blksize) = self.engine.transfer_caps(from);
        Caps { max_blksize, max_windowsize }
    }

    fn ended(&self, outcome: Outcome) {
        self.engine.metrics.transfer(ended_as(&outcome.ending), outcome.bytes);
        let IpAddr::V4(from) = outcome.request.client.ip() else { return };
        match &outcome.ending {
            Ending::Complete => {
                self.engine.sent(&outcome.request.name, from, outcome.bytes, outcome.duration, "TFTP");
            }
            ending => tracing::debug!(?ending, name = outcome.request.name, %from, "a TFTP transfer ended"),
        }
    }
}

fn ended_as(ending: &Ending) -> Transfer {
    match ending {
        Ending::Complete => Transfer::Complete,
        Ending::AbortedByClient { .. } => Transfer::Aborted,
        Ending::TimedOut => Transfer::TimedOut,
        Ending::Refused(_) => Transfer::Refused,
        Ending::Stopped => Transfer::Stopped,
    }
}
