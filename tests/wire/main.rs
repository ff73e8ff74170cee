//! DHCP's link layer between network namespaces, with real peers: other kernels' ARP, udhcpc, dnsmasq.
//!
//! As root, with what lab/packages.sh installs: `make wire`. No virtual machine is started.

mod answer;
mod conflict;
mod rig;
mod rogue;
