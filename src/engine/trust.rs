//! The CA that machines are told of, and at which addresses it vouches for this server.

use super::Engine;
use crate::boot::Pinned;
use crate::model::Time;
use std::net::Ipv4Addr;
use std::sync::{Arc, PoisonError};

/// What answer files carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// The CA's certificate, as PEM.
    pub pem: String,
    /// Of that certificate.
    pub sha256: [u8; 32],
    pub ends_at: Option<Time>,
    /// Where the server's certificate is good for whoever trusts this CA alone.
    pub addresses: Vec<Ipv4Addr>,
}

impl Engine {
    pub fn trust(&self) -> Option<Arc<Trust>> {
        self.trust.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A certificate was made or read, or ended.
    pub fn set_trust(&self, trust: Option<Trust>) {
        *self.trust.write().unwrap_or_else(PoisonError::into_inner) = trust.map(Arc::new);
    }

    /// How machines that reach us here can verify that it is us.
    pub(super) fn pinned(&self, ip: Ipv4Addr) -> Option<Pinned> {
        let trust = self.trust().filter(|trust| trust.addresses.contains(&ip))?;
        Some(Pinned { port: self.https_port?, sha256: trust.sha256 })
    }
}
