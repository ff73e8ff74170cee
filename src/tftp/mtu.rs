//! How large a block may be, so that no packet is cut into fragments on its way: asked of the kernel's routes.

use rustix::net::sockopt;
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Ethernet's, where the kernel does not say.
const USUAL_MTU: u32 = 1500;
/// IP header, UDP header and the four bytes of TFTP.
const HEADERS_V4: u32 = 20 + 8 + 4;
const HEADERS_V6: u32 = 40 + 8 + 4;

/// The largest block that goes whole from `local` to `client`.
pub fn max_blksize(local: SocketAddr, client: SocketAddr) -> u16 {
    let mtu = of_route(local, client).unwrap_or(USUAL_MTU);
    let headers = if client.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 };
    u16::try_from(mtu.saturating_sub(headers)).unwrap_or(u16::MAX)
}

/// A connected socket knows the MTU of its route, and what was heard of routers behind it.
fn of_route(mut local: SocketAddr, client: SocketAddr) -> io::Result<u32> {
    local.set_port(0);
    let socket = UdpSocket::bind(local)?;
    socket.connect(client)?;
    let asked = if client.is_ipv4() { sockopt::ip_mtu(&socket) } else { sockopt::ipv6_mtu(&socket) };
    Ok(asked?)
}
