//! A network that Kickstand serves, its pools, and the address ranges that name a profile.

use super::{DiskBoot, Malformed, Name, OptionSet, Secrets, Variables, serde_as_text, words};
use ipnetwork::Ipv4Network;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::{fmt, str::FromStr};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network {
    pub name: Name,
    pub cidr: Ipv4Network,
    pub gateway: Option<Ipv4Addr>,
    pub dns: Vec<Ipv4Addr>,
    pub domain: Option<Name>,
    /// Addresses for machines that have none of their own.
    pub pools: Vec<Pooled>,
    pub lease_secs: u32,
    /// The profile of machines here that neither they nor a range name.
    pub profile: Option<Name>,
    /// What a MAC without a record gets.
    pub unknown: Unknown,
    pub dhcp: Dhcp,
    /// Of machines that are installed here.
    pub variables: Variables,
    #[serde(skip)]
    pub secrets: Secrets,
}

/// How a network is served by DHCP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dhcp {
    pub placement: Placement,
    /// What this server does not know of its networks is wrong: such clients are refused, not left alone.
    pub authoritative: bool,
    /// Relays that are believed, by their giaddr. Anybody can write one.
    pub relays: Vec<Ipv4Network>,
    /// Networks with the same word here share one wire.
    pub link: Option<Name>,
    /// Option 82 is believed without a relay: a switch that snoops on DHCP puts it in.
    pub snooping: bool,
    /// Addresses that are never given away, though a pool holds them.
    pub excluded: Vec<Span>,
    /// How long a lease of a MAC without a record lasts: by default ten minutes, or the network's where that is less.
    pub unknown_lease_secs: Option<u32>,
    /// Addresses are probed before they are given away.
    pub probe: bool,
    /// UEFI HTTP boot is told `https://` URLs, where HTTPS is served.
    pub https: bool,
    /// The loader that machines here are given, where nothing nearer names one.
    pub loader: Option<Name>,
    /// The way of machines here to their own disks, where nothing nearer names one.
    pub disk_boot: Option<DiskBoot>,
    /// Machines that boot are told that no IPv6 router is there: iPXE then waits for none.
    pub advertise: bool,
    pub options: OptionSet,
}

impl Default for Dhcp {
    fn default() -> Self {
        Dhcp {
            placement: Placement::Full,
            authoritative: false,
            relays: Vec::new(),
            link: None,
            snooping: false,
            excluded: Vec::new(),
            unknown_lease_secs: None,
            probe: true,
            https: false,
            loader: None,
            disk_boot: None,
            advertise: false,
            options: OptionSet::default(),
        }
    }
}

words! {
    /// What this server is on a network.
    Placement, "one of full, proxy, relayed, off" {
        /// The DHCP server: addresses and boot files.
        Full = "full",
        /// Beside another DHCP server: boot files only.
        Proxy = "proxy",
        /// The DHCP server, for what relays forward and nobody else.
        Relayed = "relayed",
        /// Not there.
        Off = "off",
    }
}

/// A pool and whom it serves: `10.0.0.100-10.0.0.199`, or with `=machines` or `=unknown` behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pooled {
    pub span: Span,
    pub serves: Serves,
}

words! {
    /// Whom a pool serves.
    Serves, "one of all, machines, unknown" {
        All = "all",
        /// Machines with a record.
        Machines = "machines",
        /// MACs without a record: a flood of them can take no more than this.
        Unknown = "unknown",
    }
}

impl fmt::Display for Pooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.serves {
            Serves::All => fmt::Display::fmt(&self.span, f),
            serves => f.pad(&format!("{}={serves}", self.span)),
        }
    }
}

impl FromStr for Pooled {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (span, serves) = text.split_once('=').unwrap_or((text, "all"));
        Ok(Pooled { span: span.parse()?, serves: serves.parse()? })
    }
}

serde_as_text!(Pooled);

impl From<Span> for Pooled {
    fn from(span: Span) -> Self {
        Pooled { span, serves: Serves::All }
    }
}

impl Network {
    pub const LEASE_SECS: u32 = 3600;
    /// A MAC that nobody knows gives its address back soon.
    pub const UNKNOWN_LEASE_SECS: u32 = 600;

    /// The wire that it is on: its own name, unless it shares one.
    pub fn link(&self) -> &Name {
        self.dhcp.link.as_ref().unwrap_or(&self.name)
    }

    pub fn believes(&self, relay: Ipv4Addr) -> bool {
        self.dhcp.relays.iter().any(|trusted| trusted.contains(relay))
    }

    pub fn unknown_lease_secs(&self) -> u32 {
        self.dhcp.unknown_lease_secs.unwrap_or(Self::UNKNOWN_LEASE_SECS.min(self.lease_secs))
    }

    /// An address that a machine can have: neither the network's own nor its broadcast address.
    pub fn can_hold(&self, ip: Ipv4Addr) -> bool {
        self.cidr.contains(ip)
            && (self.cidr.prefix() >= 31 || (ip != self.cidr.network() && ip != self.cidr.broadcast()))
    }

    pub fn pooled(&self, ip: Ipv4Addr) -> bool {
        self.pools.iter().any(|pool| pool.span.contains(ip)) && !self.dhcp.excluded.iter().any(|span| span.contains(ip))
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Range {
    pub name: Name,
    pub network: Name,
    pub span: Span,
    pub profile: Name,
    /// DHCP options of clients whose address it holds.
    pub options: OptionSet,
    /// Of machines whose address it holds.
    pub variables: Variables,
    #[serde(skip)]
    pub secrets: Secrets,
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
