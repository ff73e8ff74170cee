//! A network that Kickstand serves, its pools, and the address ranges that name a profile.

use super::{Malformed, Name, serde_as_text, words};
use ipnetwork::Ipv4Network;
use std::net::Ipv4Addr;
use std::{fmt, str::FromStr};

#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    pub name: Name,
    pub cidr: Ipv4Network,
    pub gateway: Option<Ipv4Addr>,
    pub dns: Vec<Ipv4Addr>,
    pub domain: Option<Name>,
    /// Addresses for machines that have none of their own.
    pub pools: Vec<Span>,
    pub lease_secs: u32,
    /// The profile of machines here that neither they nor a range name.
    pub profile: Option<Name>,
    /// What a MAC without a record gets.
    pub unknown: Unknown,
}

impl Network {
    pub const LEASE_SECS: u32 = 3600;

    /// An address that a machine can have: neither the network's own nor its broadcast address.
    pub fn can_hold(&self, ip: Ipv4Addr) -> bool {
        self.cidr.contains(ip)
            && (self.cidr.prefix() >= 31 || (ip != self.cidr.network() && ip != self.cidr.broadcast()))
    }

    pub fn pooled(&self, ip: Ipv4Addr) -> bool {
        self.pools.iter().any(|pool| pool.contains(ip))
    }
}

words! {
    /// What a network does with a MAC that no record holds.
    Unknown, "one of ignore, show, discover, install" {
        /// Silence.
        Ignore = "ignore",
        /// The console says the MAC and that nobody here knows it, then the machine's own disk.
        Show = "show",
        /// A record in state discovered, then the machine's own disk.
        Discover = "discover",
        /// A record that is armed with the profile of its address, once.
        Install = "install",
    }
}

/// Addresses that name a profile. Where ranges nest, the smallest that holds an address speaks.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    pub name: Name,
    pub network: Name,
    pub span: Span,
    pub profile: Name,
}

/// Addresses from `first` to `last`, both included: `10.0.0.10-10.0.0.50`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
}

impl Span {
    pub fn contains(self, ip: Ipv4Addr) -> bool {
        self.first <= ip && ip <= self.last
    }

    pub fn holds(self, other: Span) -> bool {
        self.contains(other.first) && self.contains(other.last)
    }

    pub fn meets(self, other: Span) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Overlaps without one holding the other, or the very same: nobody could say which one speaks.
    pub fn contradicts(self, other: Span) -> bool {
        self == other || (self.meets(other) && !self.holds(other) && !other.holds(self))
    }

    pub fn size(self) -> u64 {
        u64::from(u32::from(self.last)).saturating_sub(u64::from(u32::from(self.first))) + 1
    }

    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        (u32::from(self.first)..=u32::from(self.last)).map(Ipv4Addr::from)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}-{}", self.first, self.last))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Span {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wanted = "a span of addresses (write it like 10.0.0.10-10.0.0.50, the lower first)";
        let malformed = || Malformed::new(text, wanted);
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let first = first.trim().parse().map_err(|_| malformed())?;
        let last = last.trim().parse().map_err(|_| malformed())?;
        if first <= last { Ok(Span { first, last }) } else { Err(malformed()) }
    }
}

serde_as_text!(Span);

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Span {
        text.parse().unwrap()
    }

    #[test]
    fn nested_ranges_are_fine_and_overlapping_ones_contradict() {
        let wide = span("10.0.0.10-10.0.0.50");
        assert!(!wide.contradicts(span("10.0.0.20-10.0.0.30")));
        assert!(!wide.contradicts(span("10.0.0.51-10.0.0.60")));
        assert!(wide.contradicts(span("10.0.0.40-10.0.0.60")));
        assert!(wide.contradicts(wide));
    }

    #[test]
    fn a_span_reads_as_it_is_written_and_never_backwards() {
        assert_eq!(span("10.0.0.1-10.0.0.9").to_string(), "10.0.0.1-10.0.0.9");
        assert_eq!(span("10.0.0.0-10.0.0.255").size(), 256);
        assert_eq!(span("0.0.0.0-255.255.255.255").size(), 1 << 32);
        assert!("10.0.0.9-10.0.0.1".parse::<Span>().is_err());
    }
}
