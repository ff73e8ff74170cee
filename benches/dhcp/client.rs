//! One DHCP client behind a relay, which asks and looks at what it is offered.

use crate::Lab;
use crate::net::{CLIENTS, SERVER};
use anyhow::{Context, Result, bail, ensure};
use dhcproto::v4::{DhcpOption, Message, MessageType, Opcode};
use dhcproto::{Decodable, Decoder, Encodable};
use kickstand::model::Mac;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A socket where a relay's is. It works inside the clients' namespace only.
pub struct Client {
    socket: UdpSocket,
    xid: u32,
}

impl Client {
    pub fn new() -> Result<Client> {
        Ok(Client { socket: UdpSocket::bind((CLIENTS, 67))?, xid: 1 })
    }

    /// Asks once and waits a while for the OFFER: the address in it.
    pub fn discover(&mut self, mac: Mac, patience: Duration) -> Result<Option<Ipv4Addr>> {
        self.xid += 1;
        let mut message = Message::default();
        message.set_opcode(Opcode::BootRequest).set_xid(self.xid).set_chaddr(&mac.0).set_giaddr(CLIENTS).set_hops(1);
        message.opts_mut().insert(DhcpOption::MessageType(MessageType::Discover));
        self.socket.send_to(&message.to_vec()?, (SERVER, 67))?;
        let end = Instant::now() + patience;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.socket.set_read_timeout(Some(left))?;
            let mut buffer = [0; 1500];
            let Ok(size) = self.socket.recv(&mut buffer) else { continue };
            let message = Message::decode(&mut Decoder::new(buffer.get(..size).unwrap_or_default()))?;
            if message.xid() == self.xid && message.opts().msg_type() == Some(MessageType::Offer) {
                return Ok(Some(message.yiaddr()));
            }
        }
        Ok(None)
    }
}

/// Somebody inside the clients' namespace who asks until there is an OFFER.
pub struct FirstOffer(Child);

pub fn first_offer(lab: &Lab, mac: Mac, patience: Duration) -> Result<FirstOffer> {
    let mut command = lab.net.beside_clients(std::env::current_exe()?);
    command.args(["role", "first-offer", &mac.to_string(), &patience.as_millis().to_string()]);
    Ok(FirstOffer(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?))
}

impl FirstOffer {
    /// When it came.
    pub fn wait(self) -> Result<SystemTime> {
        let done = self.0.wait_with_output()?;
        ensure!(done.status.success(), "no OFFER came");
        let nanos: u64 = String::from_utf8_lossy(&done.stdout).trim().parse().context("no moment was told")?;
        Ok(UNIX_EPOCH + Duration::from_nanos(nanos))
    }
}

/// The other half of [`first_offer`], inside the namespace.
pub fn print_first_offer(mac: Mac, patience_ms: u64) -> Result<()> {
    let mut client = Client::new()?;
    let end = Instant::now() + Duration::from_millis(patience_ms);
    while Instant::now() < end {
        if client.discover(mac, Duration::from_millis(5))?.is_some() {
            println!("{}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
            return Ok(());
        }
    }
    bail!("no OFFER within {patience_ms} ms")
}
