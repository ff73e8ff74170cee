//! What DHCP's questions ask the records: looked up when a rule needs it, never all of it.

use crate::model::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The records as of the last commit.
pub trait Records {
    /// Whose card a machine's record gives this address to.
    fn reserved(&self, ip: Ipv4Addr) -> Option<Mac>;
    /// The reservation for such clients on a network.
    fn reservation(&self, network: &Name, mark: &Mark) -> Option<&Reservation>;
    /// The reservation of an address.
    fn reservation_at(&self, ip: Ipv4Addr) -> Option<&Reservation>;
    /// Why an address is given to nobody, now or earlier.
    fn hold(&self, ip: Ipv4Addr) -> Option<&Hold>;
    /// What is committed of a client's lease.
    fn lease(&self, network: &Name, holder: &Holder) -> Option<&Lease>;
    /// How many records packets have made that nobody has taken in yet.
    fn newcomers(&self) -> u64;
    fn ranges(&self) -> &[Range];
    fn profiles(&self) -> &BTreeMap<Name, Profile>;
    fn distros(&self) -> &BTreeMap<Name, Distro>;
    fn keys(&self) -> &BTreeMap<Name, ActivationKey>;
    fn classes(&self) -> &BTreeMap<Name, Class>;
    /// The options that everybody gets.
    fn options(&self) -> &OptionSet;
}
