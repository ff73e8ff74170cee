//! The CA that machines are told of, and at which addresses it vouches for this server.

use super::{Engine, Error};
use crate::boot::Pinned;
use crate::boot::script::Hindrance;
use crate::model::{Hash, Time};
use crate::store::{self, Edit};
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

/// Whether the certificate is good for who trusts this CA (PEM) alone and comes by this host.
pub type Vouch = Box<dyn Fn(&str, &str) -> Result<(), String> + Send + Sync>;

/// The CA that machines know is not here, so nothing is installed: they would be told of another, or of none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostCa {
    /// What is wrong, where, and what to do.
    pub why: String,
    pub found: FoundCa,
    /// The one that machines were told of, if that was written down.
    pub told: Option<Hash>,
}

/// What lies in the place of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundCa {
    Nothing,
    Another(Hash),
    /// It can not be read, or is no CA.
    Unusable,
}

impl Engine {
    /// Said once, before anything is answered. It stays so until the next start.
    pub fn lose_ca(&self, lost: LostCa) {
        let _ = self.lost_ca.set(lost);
    }

    pub fn lost_ca(&self) -> Option<&LostCa> {
        self.lost_ca.get()
    }

    /// Takes what was found at this start for the CA from the next one on, unless machines were told of another since.
    /// Those that know the old one have to be told.
    pub async fn accept_ca(&self, by: &str) -> Result<Option<Hash>, Error> {
        let none = || Error::Conflict("the CA is the one that machines know: there is nothing to accept".into());
        let lost = self.lost_ca().ok_or_else(none)?;
        let found = match lost.found {
            FoundCa::Nothing => None,
            FoundCa::Another(found) => Some(found),
            FoundCa::Unusable => return Err(Error::Conflict(lost.why.clone())),
        };
        let edit = Edit::AcceptCa { from: lost.told, ca: found };
        let changed =
            "another server of this database has told machines of another CA since this one started: restart this one";
        self.store.edit(edit, by, self.now()).await.map_err(|error| match error {
            store::Error::Conflict => Error::Conflict(changed.into()),
            error => error.into(),
        })?;
        Ok(found)
    }

    /// What the core must know of it.
    pub(super) fn hindrance(&self) -> Option<Hindrance> {
        let database = self.store.lost_since().map(|_| Hindrance::Database);
        database.or_else(|| self.lost_ca().map(|_| Hindrance::Ca))
    }

    /// Refused while machines could not be told of the CA that the installed ones know.
    pub(super) fn may_install(&self) -> Result<(), Error> {
        self.lost_ca().map_or(Ok(()), |lost| Err(Error::Invalid(lost.why.clone())))
    }

    pub fn trust(&self) -> Option<Arc<Trust>> {
        self.trust.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who knows under which names and addresses the certificate is good.
    pub fn ask_of_hosts(&self, vouch: Vouch) {
        let _ = self.vouch.set(vouch);
    }

    /// Systems that reach this server by this host would refuse it.
    pub fn must_be_good_at(&self, host: &str) -> Result<(), Error> {
        let (Some(trust), Some(vouch)) = (self.trust(), self.vouch.get()) else { return Ok(()) };
        let Err(why) = vouch(&trust.pem, host) else { return Ok(()) };
        let all: Vec<_> = trust.addresses.iter().map(ToString::to_string).collect();
        Err(Error::Invalid(format!(
            "host: systems that know this server as {host} would refuse its certificate ({why}): name {host} in [https] names \
             and restart, or take a host that it is good for, such as {}",
            all.join(", ")
        )))
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
