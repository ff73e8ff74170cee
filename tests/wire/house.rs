//! A real `kickstand serve` in a space, and other people's DHCP clients in others.

use crate::packet::{DISCOVER, OFFER, Said, Sent};
use crate::program::program;
use crate::rig::{Space, until};
use crate::server::{Folder, Known, Server};
use kickstand::model::Mac;
use serde_json::json;
use socket2::{Domain, Socket, Type};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The server, and the folder that it goes with.
pub struct House {
    pub server: Server,
    _folder: Folder,
}

impl House {
    /// With these settings under `[dhcp]`.
    pub fn open(space: &Space, dhcp: &str) -> House {
        let folder = Folder::new();
        let database = format!("sqlite://{}/kickstand.db", folder.path().display());
        let mut server = Server::lay(folder.path(), &database, &format!("[dhcp]\n{dhcp}\n"));
        server.before = ["ip", "netns", "exec", space.name()].map(str::to_owned).to_vec();
        server.start();
        server.ready();
        House { server, _folder: folder }
    }

    /// A network with the pool .100 to .199, which gives any MAC an address.
    pub fn add_network(&self, name: &str, first_three: &str, dhcp: serde_json::Value) {
        let pool = format!("{first_three}.100-{first_three}.199");
        let cidr = format!("{first_three}.0/24");
        self.server
            .add("networks", json!({"name": name, "cidr": cidr, "pools": [pool], "unknown": "show", "dhcp": dhcp}));
    }

    pub fn lease(&self, mac: Mac) -> Option<Known> {
        self.server.leases().into_iter().find(|lease| lease.mac == mac)
    }

    pub fn ends(&self, mac: Mac) -> i64 {
        self.lease(mac).map_or(0, |lease| lease.until)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Udhcpc,
    Dhclient,
    Dhcpcd,
    Networkd,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Udhcpc, Kind::Dhclient, Kind::Dhcpcd, Kind::Networkd];

    /// What sets it up, what starts it, what makes it renew (if anything does) and what makes it give its address back.
    fn words(self) -> [&'static str; 4] {
        match self {
            Kind::Udhcpc => [":", "busybox udhcpc -i eth0 -f -s /run/told", "kill -USR1 $pid", "kill -USR2 $pid"],
            // Asked to go on with what its file says, after a start: RFC 2131's INIT-REBOOT.
            Kind::Dhclient => [
                ":",
                "dhclient -4 -d -sf /run/told -lf /run/leases -pf /run/pid eth0",
                "kill -KILL $pid; start",
                "dhclient -4 -r -sf /run/told -lf /run/leases -pf /run/pid eth0",
            ],
            Kind::Dhcpcd => [
                "mount -t tmpfs none /var/lib/dhcpcd",
                "dhcpcd -4 -B -f /dev/null -c /bin/true eth0",
                "dhcpcd -4 -N eth0",
                "dhcpcd -4 -k eth0",
            ],
            // Where /sys can not be written it does not wait for udev, as in a container.
            Kind::Networkd => [
                "mount -o remount,bind,ro /sys; mkdir -p /run/systemd/network /run/systemd/netif
                 chown -R systemd-network /run/systemd/netif
                 printf '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\n' \
                    >/run/systemd/network/eth0.network",
                "/lib/systemd/systemd-networkd",
                ":",
                "kill -TERM $pid",
            ],
        }
    }

    pub fn renews_when_told(self) -> bool {
        self != Kind::Networkd
    }
}

/// For udhcpc and dhclient, which leave addresses to a script.
const TOLD: &str = "#!/bin/sh
case $1$reason in
bound|renew|BOUND|RENEW|REBIND|REBOOT) ip -4 address replace ${ip:-$new_ip_address}/24 dev eth0
    [ -z \"$router$new_routers\" ] || ip route replace default via ${router:-$new_routers} ;;
deconfig|RELEASE|EXPIRE|STOP) ip -4 address flush dev eth0 ;;
esac
";

/// A client on a space's `eth0`, with a `/run` and processes of its own: killed when it is dropped, without a word.
pub struct Client<'a> {
    space: &'a Space,
    child: Child,
}

impl Client<'_> {
    pub fn start(kind: Kind, space: &Space) -> Client<'_> {
        let [set_up, start, renew, release] = kind.words();
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        program(&told, TOLD);
        let script = format!(
            "keep=$(cat {told})\nmount -t tmpfs none /run\necho \"$keep\" >/run/told\nchmod 755 /run/told\n{set_up}\n\
             start() {{ {start} >/dev/null 2>&1 & pid=$!; }}\nstart\n\
             while read word; do\ncase $word in\nrenew) {renew} ;;\nrelease) {release} ;;\nesac\ndone >/dev/null 2>&1\n",
            told = told.display()
        );
        space.ip("-4 address flush dev eth0");
        let mut command = space.command("unshare --mount --propagation private --pid --fork --kill-child sh -c");
        let child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let client = Client { space, child };
        until(&format!("{kind:?} has an address"), || client.address().is_some());
        client
    }

    pub fn address(&self) -> Option<Ipv4Addr> {
        let text = self.space.ip("-4 -brief address show dev eth0");
        text.split_whitespace().nth(2)?.split('/').next()?.parse().ok()
    }

    pub fn tell(&mut self, word: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{word}").unwrap();
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// DISCOVERs to everybody out of this interface until one is offered something; what, and after how long.
pub fn ask(space: &Space, interface: &str, mac: Mac, limit: Duration) -> Option<(Said, Duration)> {
    let interface = interface.to_owned();
    space.inside(move || async move {
        let start = Instant::now();
        let mut xid = 0;
        while start.elapsed() < limit {
            xid += 1;
            // The interface may be gone for a moment: then it is asked again on a new socket.
            let Ok(socket) = broadcaster(&interface) else { continue };
            let all: SocketAddr = (Ipv4Addr::BROADCAST, 67).into();
            let mut buffer = [0; 1500];
            let _ = socket.send_to(&Sent::new(DISCOVER, xid, mac).bytes(), all);
            let Ok(size) = socket.recv(&mut buffer) else { continue };
            let said = Said::read(&buffer[..size]).filter(|said| said.kind == OFFER && said.mac == mac);
            if let Some(said) = said {
                return Some((said, start.elapsed()));
            }
        }
        None
    })
}

/// Port 68 of one interface, with or without an address.
pub fn broadcaster(interface: &str) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_broadcast(true)?;
    socket.set_reuse_address(true)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 68)).into())?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    Ok(socket.into())
}
