//! The files that TFTP clients get: boot loaders, as the engine knows them, each in memory once.

use super::{Ending, Library, Outcome, Refusal, Request};
use crate::engine::Engine;
use crate::metrics::Transfer;
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

pub struct Loaders {
    engine: Arc<Engine>,
    /// As many as there are boot loaders. A file that changed is read again.
    read: Mutex<HashMap<PathBuf, (SystemTime, Bytes)>>,
}

impl Loaders {
    pub fn new(engine: Arc<Engine>) -> Loaders {
        Loaders { engine, read: Mutex::default() }
    }

    async fn bytes(&self, path: &Path) -> io::Result<Bytes> {
        let modified = tokio::fs::metadata(path).await?.modified()?;
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some((_, bytes)) = known.filter(|(at, _)| *at == modified) {
            return Ok(bytes);
        }
        let bytes = Bytes::from(tokio::fs::read(path).await?);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(path.to_owned(), (modified, bytes.clone()));
        Ok(bytes)
    }

    /// Whether the client is on a network that we serve: others may have forged their address.
    fn is_ours(&self, client: IpAddr) -> bool {
        matches!(client, IpAddr::V4(ip) if self.engine.store.world().network_of(ip).is_some())
    }
}

impl Library for Loaders {
    async fn open(&self, request: Request) -> Result<Bytes, Refusal> {
        if !self.is_ours(request.client.ip()) {
            return Err(Refusal::Silence("not on a network that is served here".into()));
        }
        let path = match self.engine.loader(&request.name) {
            Ok(Some(path)) => path,
            Ok(None) => return Err(Refusal::NotFound("not found".into())),
            Err(error) => {
                tracing::warn!(%error, client = %request.client, "no boot loader was given");
                return Err(Refusal::NotFound("missing on the server".into()));
            }
        };
        self.bytes(&path).await.map_err(|error| {
            tracing::warn!(%error, path = %path.display(), "a boot loader cannot be read");
            Refusal::NotFound("unreadable on the server".into())
        })
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
