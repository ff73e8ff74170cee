//! Who lives on the torture's networks: machines with an address of their own, machines that have theirs from a
//! pool, strangers, and half as many of the last two behind a relay.

use crate::crowd::{Client, Crowd, Habits};
use crate::server::{Server, block};
use kickstand::model::Mac;
use serde_json::json;
use std::collections::HashMap;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, Copy)]
pub struct Estate {
    pub reserved: u16,
    pub pooled: u16,
    pub strangers: u16,
    /// Addresses in the pools, where the machines and the strangers are this many.
    pub machines_pool: u32,
    pub strangers_pool: u32,
}

const RELAY: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

pub const OWN: u8 = 1;
pub const POOL: u8 = 2;
pub const STRANGE: u8 = 3;
const FAR: u8 = 4;
const FAR_STRANGE: u8 = 5;
/// For questions beside the crowd's: a machine with an address of its own.
pub const PROBE: Mac = Mac([0x52, 0x54, 0, 9, 9, 9]);

pub fn ip(third: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, block(), third, last)
}

pub fn mac(kind: u8, n: u16) -> Mac {
    let [high, low] = n.to_be_bytes();
    Mac([0x52, 0x54, 0, kind, high, low])
}

pub fn reserved_ip(n: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(ip(8, 1)) + u32::from(n))
}

impl Estate {
    /// What belongs to a card by its record.
    pub fn records(&self) -> HashMap<Ipv4Addr, Mac> {
        let own = (0..self.reserved).map(|n| (reserved_ip(n), mac(OWN, n)));
        own.chain([(ip(0, 9), PROBE)]).collect()
    }

    pub fn furnish(&self, server: &Server) {
        let pools = |first: Ipv4Addr, share: u32| {
            let span = |at: u32, count: u32, whom: &str| {
                let from = u32::from(first) + at;
                format!("{}-{}={whom}", Ipv4Addr::from(from), Ipv4Addr::from(from + count - 1))
            };
            [span(0x2000, self.machines_pool / share, "machines"), span(0x4000, self.strangers_pool / share, "unknown")]
        };
        let far = Ipv4Addr::new(10, 99, 0, 0);
        let lan = json!({
            "name": "lan", "cidr": format!("{}/16", ip(0, 0)), "unknown": "show", "lease_secs": 600,
            "pools": pools(ip(0, 0), 1), "dhcp": {"authoritative": true, "probe": false},
        });
        server.add("networks", lan);
        let far = json!({
            "name": "far", "cidr": format!("{far}/16"), "unknown": "show", "lease_secs": 600,
            "pools": pools(far, 2), "dhcp": {"authoritative": true, "probe": false, "relays": [RELAY]},
        });
        server.add("networks", far);
        let name = |kind: &str, n: u16| format!("{kind}-{n}");
        let own = (0..self.reserved).map(|n| (name("own", n), mac(OWN, n), Some(reserved_ip(n))));
        let pooled = (0..self.pooled).map(|n| (name("pooled", n), mac(POOL, n), None));
        let far = (0..self.pooled / 2).map(|n| (name("far", n), mac(FAR, n), None));
        let probe = ("probe".to_owned(), PROBE, Some(ip(0, 9)));
        server.add_machines(own.chain(pooled).chain(far).chain([probe]));
    }

    /// Everybody comes, with the habits of machines and of strangers.
    pub fn move_in(&self, crowd: &mut Crowd, machines: Habits, strangers: Habits) {
        let mut join = |kind, count, giaddr, habits| {
            (0..count).for_each(|n| crowd.join(Client::new(mac(kind, n), giaddr, habits)));
        };
        let here = Ipv4Addr::UNSPECIFIED;
        join(OWN, self.reserved, here, machines);
        join(POOL, self.pooled, here, machines);
        join(FAR, self.pooled / 2, RELAY, machines);
        join(STRANGE, self.strangers, here, strangers);
        join(FAR_STRANGE, self.strangers / 2, RELAY, strangers);
    }
}
