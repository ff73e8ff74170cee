//! DHCP's link layer between network namespaces, with real peers: other kernels' ARP, udhcpc, dnsmasq.
//!
//! As root, with what lab/packages.sh installs: `make wire`. No virtual machine is started.

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../torture/packet.rs"]
mod packet;
#[path = "../house/program.rs"]
mod program;
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "../torture/server.rs"]
mod server;

mod advert;
mod answer;
mod clients;
mod conflict;
mod disks;
mod house;
mod installs;
mod interfaces;
mod proxy;
mod relays;
mod rig;
mod rogue;
mod steps;
mod tftp;
