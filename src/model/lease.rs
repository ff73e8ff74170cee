//! Leases (what a client was told) and sightings (what a MAC without a record said of itself).

use super::{Arch, Holder, Mac, Name, Time};
use std::net::Ipv4Addr;

/// A promise that a client was given: on disk before the client hears of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    pub network: Name,
    pub holder: Holder,
    pub ip: Ipv4Addr,
    pub starts_at: Time,
    pub ends_at: Time,
    pub hostname: Option<String>,
}

/// A MAC that was heard on a network: what `machine adopt` makes a record of.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    pub mac: Mac,
    pub network: Name,
    pub arch: Option<Arch>,
    /// Option 60, as printable text.
    pub vendor: String,
    /// The SMBIOS UUID of option 97, as on the wire.
    pub uuid: Option<String>,
    pub first_at: Time,
    pub last_at: Time,
}
