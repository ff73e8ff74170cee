//! TFTP between namespaces: other people's clients on a cable that loses and doubles, and blocks that fit their way.

use crate::rig::{Space, cable, until};
use bytes::Bytes;
use kickstand::tftp::packet::{Packet, Read};
use kickstand::tftp::{Content, Library, Limits, Outcome, Refusal, Request, Server};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::Duration;
use tokio::sync::watch;

const SERVER: &str = "10.9.0.1";
const PORT: u16 = 69;
/// Enough for many blocks of 512 bytes, and little enough for a client that waits seconds for each that was lost.
const SIZE: usize = 40_000;
/// A client that gives up is started again, as a machine is; what it writes must be right all the same. With windows atftp
/// gives up whenever an OACK comes twice, which is every other time here.
const ATTEMPTS: usize = 20;

struct Shelf;

impl Library for Shelf {
    async fn open(&self, _: Request) -> Result<Content, Refusal> {
        Ok(Content::Memory(content()))
    }

    fn is_ours(&self, _: SocketAddr) -> bool {
        true
    }

    fn ended(&self, _: Outcome) {}
}

fn content() -> Bytes {
    (0..SIZE).map(|at| (at.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

/// Ends when it is dropped.
struct House {
    stop: Option<watch::Sender<bool>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl House {
    fn open(space: &Space, at: SocketAddr) -> House {
        let (stop, stopped) = watch::channel(false);
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = space.start(move || async move {
            let socket = tokio::net::UdpSocket::bind(at).await.unwrap();
            let limits = Limits { max_transfers_per_client: 64, ..Limits::default() };
            ready.send(()).unwrap();
            Server::run(vec![socket], Shelf.into(), limits, stopped).await.unwrap();
        });
        is_ready.recv().unwrap();
        House { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// Both ends of a cable with addresses.
fn served() -> (Space, Space) {
    let (server, client) = cable();
    server.ip(&format!("address add {SERVER}/24 dev eth0"));
    client.ip("address add 10.9.0.2/24 dev eth0");
    (server, client)
}

/// A fifth of what goes out is lost, and a fifth of the rest comes twice.
fn bad_weather(space: &Space) {
    let rules = "add table netdev weather; \
        add chain netdev weather out { type filter hook egress device eth0 priority 0; }; \
        add rule netdev weather out meta l4proto udp numgen random mod 100 < 20 drop; \
        add rule netdev weather out meta l4proto udp numgen random mod 100 < 20 dup to eth0";
    space.run("nft", &[rules]);
}

/// Programs and what they are told; FILE is where they write.
const CLIENTS: [(&str, &[&str]); 6] = [
    ("curl", &["-sS", "--max-time", "120", "--tftp-blksize", "1468", "-o", "FILE", "tftp://10.9.0.1/loader"]),
    ("atftp", &["--tftp-timeout", "1", "--get", "-r", "loader", "-l", "FILE", SERVER, "69"]),
    (
        "atftp",
        &["--tftp-timeout", "1", "--option", "windowsize 8", "--get", "-r", "loader", "-l", "FILE", SERVER, "69"],
    ),
    (
        "atftp",
        &["--tftp-timeout", "1", "--option", "blksize 1428", "--get", "-r", "loader", "-l", "FILE", SERVER, "69"],
    ),
    ("busybox", &["tftp", "-g", "-b", "1468", "-r", "loader", "-l", "FILE", SERVER]),
    ("tftp", &["-m", "octet", SERVER, "-c", "get", "loader", "FILE"]),
];

fn fetch(space: &Space, folder: &Path, program: &str, args: &[&str]) {
    let file = folder.join("loader");
    for attempt in 1..=ATTEMPTS {
        let _ = std::fs::remove_file(&file);
        let path = file.display().to_string();
        let told: Vec<&str> = args.iter().map(|word| if *word == "FILE" { path.as_str() } else { word }).collect();
        let output = space.command("timeout 150").arg(program).args(&told).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let got = std::fs::read(&file).unwrap_or_default();
        if got == content() {
            return println!("{program} {args:?}: whole, attempt {attempt}");
        }
        // tftp-hpa gives up with exit code 0 and a shorter file.
        let is_given_up = !output.status.success() || got.len() < SIZE;
        assert!(is_given_up && content().starts_with(&got), "{program} {args:?}: {} bytes, wrong: {text}", got.len());
        println!("{program} {args:?}: gave up after {} bytes: {}", got.len(), text.trim());
    }
    panic!("{program} {args:?} gave up {ATTEMPTS} times");
}

#[test]
#[ignore = "network namespaces: make wire"]
fn every_client_gets_the_same_bytes_over_a_bad_cable() {
    let (server, client) = served();
    let _house = House::open(&server, format!("{SERVER}:{PORT}").parse().unwrap());
    [&server, &client].into_iter().for_each(bad_weather);
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for (number, (program, args)) in CLIENTS.iter().cycle().take(2 * CLIENTS.len()).enumerate() {
            let (own, client) = (folder.path().join(number.to_string()), &client);
            std::fs::create_dir(&own).unwrap();
            scope.spawn(move || fetch(client, &own, program, args));
        }
    });
}

/// What the server agrees to when it is asked for blocks of 9000 bytes.
fn agreed_blksize(space: &Space, from: SocketAddr, to: SocketAddr) -> u16 {
    let read =
        Read { name: b"loader".to_vec(), is_netascii: false, options: vec![("blksize".to_owned(), "9000".to_owned())] };
    space.inside(move || async move {
        let socket = UdpSocket::bind(from).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let (mut bytes, mut buffer) = (Vec::new(), [0; 2048]);
        Packet::Read(read).encode(&mut bytes);
        for _ in 0..10 {
            socket.send_to(&bytes, to).unwrap();
            let Ok(length) = socket.recv(&mut buffer) else { continue };
            let Ok(Packet::OptionAck(options)) = Packet::parse(&buffer[..length]) else { panic!("no OACK") };
            return options[0].1.parse().unwrap();
        }
        panic!("no answer")
    })
}

#[test]
#[ignore = "network namespaces: make wire"]
fn a_block_fits_the_way_to_its_client() {
    let (server, client) = served();
    let at: SocketAddr = format!("{SERVER}:{PORT}").parse().unwrap();
    let own = "10.9.0.2:0".parse().unwrap();
    let _house = House::open(&server, at);
    assert_eq!(agreed_blksize(&client, own, at), 1468);
    server.ip("link set eth0 mtu 1400");
    assert_eq!(agreed_blksize(&client, own, at), 1368, "the interface's MTU");
    server.ip("route add 10.9.0.2/32 dev eth0 mtu 1300");
    assert_eq!(agreed_blksize(&client, own, at), 1268, "the route's");
}

/// Neighbours without a router: fe80:: on both ends. Its header is 20 bytes longer.
#[test]
#[ignore = "network namespaces: make wire"]
fn a_link_local_neighbour_is_served() {
    let (server, client) = served();
    let [at, own] = [&server, &client].map(|space| {
        let conf = "/proc/sys/net/ipv6/conf/eth0";
        space.run("sh -c", &[&format!("echo 0 >{conf}/accept_dad; echo 0 >{conf}/disable_ipv6")]);
        let mut address = None;
        until("a link-local address", || {
            let text = space.ip("-6 -brief address show dev eth0 scope link");
            address = text.split_whitespace().find_map(|word| Some(word.split_once('/')?.0.to_owned()));
            address.is_some()
        });
        let link = space.ip("-oneline link show eth0").split(':').next().unwrap().trim().to_owned();
        (address.unwrap(), link)
    });
    let whole = |(ip, link): &(String, String), port| format!("[{ip}%{link}]:{port}").parse::<SocketAddr>().unwrap();
    let _house = House::open(&server, whole(&at, PORT));
    // The same address, as the client's own link number has it.
    let to = whole(&(at.0.clone(), own.1.clone()), PORT);
    assert_eq!(agreed_blksize(&client, whole(&own, 0), to), 1448);
}
