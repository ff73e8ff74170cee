//! The leases of one network: by who holds them, and by address.

use super::write::Unlink;
use crate::model::*;
use foldhash::HashMap;
use std::net::Ipv4Addr;

#[derive(Debug, Default)]
pub struct Leases {
    pub by_holder: HashMap<Holder, Lease>,
    pub by_ip: HashMap<Ipv4Addr, Holder>,
    /// Those that no row says, or not all of; and what the row says, where there is one.
    pub known: HashMap<Holder, Option<Lease>>,
}

impl Leases {
    pub fn put(&mut self, lease: Lease) {
        self.known.remove(&lease.holder);
        if let Some(known) = self.by_holder.get_mut(&lease.holder) {
            if known.ip == lease.ip {
                *known = lease;
                return;
            }
            self.by_ip.unlink(&known.ip, &lease.holder);
        }
        if let Some(previous) = self.by_ip.insert(lease.ip, lease.holder.clone()) {
            self.by_holder.remove(&previous);
            self.known.remove(&previous);
        }
        self.by_holder.insert(lease.holder.clone(), lease);
    }

    pub fn remove(&mut self, holder: &Holder) {
        self.known.remove(holder);
        if let Some(old) = self.by_holder.remove(holder) {
            self.by_ip.unlink(&old.ip, holder);
        }
    }
}
