//! What a server knows before it is asked: machines with reserved addresses, and leases of other clients.

use crate::net::SERVER;
use kickstand::model::Mac;
use std::net::Ipv4Addr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stock {
    pub machines: u32,
    /// Running leases out of the pool, of clients that are never heard.
    pub leases: u32,
}

/// What a well filled site has.
pub const SITE: Stock = Stock { machines: 50_000, leases: 50_000 };

pub const LEASE_SECS: u32 = 3600;
/// The pool, from its first address: half a million.
pub const POOL: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(10, 72, 0, 0), Ipv4Addr::new(10, 79, 255, 254));

/// The name, the card and the reserved address of a machine. None of them is in the pool.
pub fn machine(number: u32) -> (String, Mac, Ipv4Addr) {
    (format!("node-{number:06}"), mac(0x0200, number), above(SERVER, 0x100 + number))
}

/// A second address for a machine, which is nobody's.
pub fn other_address(number: u32) -> Ipv4Addr {
    above(SERVER, 0x04_0000 + number)
}

/// Who holds one of the leases, and which.
pub fn lease(number: u32) -> (Mac, Ipv4Addr) {
    (mac(0x0600, number), above(POOL.0, number))
}

fn mac(first: u16, number: u32) -> Mac {
    let ([a, b], [c, d, e, f]) = (first.to_be_bytes(), number.to_be_bytes());
    Mac([a, b, c, d, e, f])
}

fn above(ip: Ipv4Addr, number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(ip) + number)
}
