//! The files that TFTP clients get: boot loaders, as the engine knows them.

use super::{Ending, Library, Outcome, Refusal, Request};
use crate::engine::Engine;
use bytes::Bytes;
use std::net::IpAddr;
use std::sync::Arc;

pub struct Loaders {
    engine: Arc<Engine>,
}

impl Loaders {
    pub fn new(engine: Arc<Engine>) -> Loaders {
        Loaders { engine }
    }
}

impl Library for Loaders {
    async fn open(&self, request: Request) -> Result<Bytes, Refusal> {
        let path = match self.engine.loader(&request.name) {
            Ok(Some(path)) => path,
            Ok(None) => return Err(Refusal::NotFound("not found".into())),
            Err(error) => {
                tracing::warn!(%error, client = %request.client, "no boot loader was given");
                return Err(Refusal::NotFound("missing on the server".into()));
            }
        };
        tokio::fs::read(&path).await.map(Bytes::from).map_err(|error| {
            tracing::warn!(%error, path = %path.display(), "a boot loader cannot be read");
            Refusal::NotFound("unreadable on the server".into())
        })
    }

    fn ended(&self, outcome: Outcome) {
        let IpAddr::V4(from) = outcome.request.client.ip() else { return };
        match &outcome.ending {
            Ending::Complete => {
                self.engine.sent(&outcome.request.name, from, outcome.bytes, outcome.duration, "TFTP");
            }
            ending => tracing::debug!(?ending, name = outcome.request.name, %from, "a TFTP transfer ended"),
        }
    }
}
