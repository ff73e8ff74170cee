//! `kickstand capture`: the last DHCP packets of a machine, as a file for tcpdump and Wireshark or as a table.

use super::client::Error;
use super::session::{self, Output, Session};
use super::table::table;
use crate::capture::{Direction, Note, pcap};
use crate::dhcp::packet::Packet;
use crate::http::api::machine::MachineView;
use crate::model::option::{option_text, printable};
use crate::model::{Arch, Mac, Name, Time};
use anyhow::{Context, Result, bail};
use clap::Args;
use dhcproto::v4::{MessageType, OptionCode};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[derive(Debug, Args)]
pub struct Capture {
    /// A MAC, for example 52:54:00:12:34:56, or a machine's name
    #[arg(value_name = "MAC|MACHINE")]
    of: Of,
    /// Write a pcap file; - is standard output
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Debug, Clone)]
enum Of {
    Mac(Mac),
    Machine(Name),
}

impl FromStr for Of {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mac = text.parse().map(Of::Mac).ok();
        let wanted = || format!("{text:?} is neither a MAC (write it like 52:54:00:12:34:56) nor a machine's name");
        mac.or_else(|| text.parse().map(Of::Machine).ok()).ok_or_else(wanted)
    }
}

pub async fn run(Capture { of, write }: Capture, session: &Session) -> Result<()> {
    let records = match of {
        Of::Mac(mac) => fetch(mac, session).await?,
        Of::Machine(name) => of_machine(&name, session).await?,
    };
    let to_terminal = std::io::stdout().is_terminal();
    match (write, session.output) {
        (Some(path), _) if path != Path::new("-") => save(&path, records),
        (Some(_), _) => raw(&pcap::file(records)),
        (None, Output::Json) => session::json(&serde_json::to_value(seen(&records))?),
        (None, Output::Table) if to_terminal => session::print(&told(&records, session::width())),
        (None, Output::Table) => raw(&pcap::file(records)),
    }
}

async fn fetch(mac: Mac, session: &Session) -> Result<Vec<pcap::Record>> {
    let bytes = session.client.fetch(&format!("captures/{}", mac.dashed())).await?;
    pcap::records(&bytes).context("the server's answer is no pcap file: is it of another version?")
}

/// Of all its cards, in one file.
async fn of_machine(name: &Name, session: &Session) -> Result<Vec<pcap::Record>> {
    let machine: MachineView = session.get(&format!("machines/{name}")).await?;
    let mut records = Vec::new();
    for card in &machine.interfaces {
        match fetch(card.mac, session).await {
            Ok(of_card) => records.extend(of_card),
            Err(error) if is_nothing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    if records.is_empty() {
        bail!(
            "no DHCP packet of machine {name} is remembered: none came since the server started, or others came after it"
        );
    }
    records.sort_by_key(|record| record.at);
    Ok(records)
}

fn is_nothing(error: &anyhow::Error) -> bool {
    use crate::http::problem::Kind;
    matches!(error.downcast_ref::<Error>(), Some(Error::Refused(problem)) if problem.kind == Kind::Missing)
}

fn save(path: &Path, records: Vec<pcap::Record>) -> Result<()> {
    let count = records.len();
    std::fs::write(path, pcap::file(records)).with_context(|| format!("cannot write {}", path.display()))?;
    let plural = if count == 1 { "" } else { "s" };
    session::line(&format!("{count} packet{plural} in {}: `tcpdump -vv -r` or Wireshark shows them", path.display()))
}

fn raw(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    Ok(out.write_all(bytes).and_then(|()| out.flush())?)
}

/// One packet, for people.
#[derive(Debug, Serialize)]
struct Seen {
    at: Time,
    /// `in` from the client, `out` to it.
    direction: &'static str,
    from: SocketAddrV4,
    to: SocketAddrV4,
    message: String,
    xid: String,
    /// The one that it is about: given, used or wished for.
    address: Option<Ipv4Addr>,
    /// Who is meant, or who speaks.
    server: Option<Ipv4Addr>,
    options: Vec<String>,
}

fn seen(records: &[pcap::Record]) -> Vec<Seen> {
    records.iter().filter_map(pcap::read).map(|note| describe(&note)).collect()
}

fn describe(note: &Note) -> Seen {
    let blank = Seen {
        at: note.at,
        direction: if note.direction == Direction::In { "in" } else { "out" },
        from: note.from,
        to: note.to,
        message: "?".into(),
        xid: String::new(),
        address: None,
        server: None,
        options: Vec::new(),
    };
    match Packet::parse(&note.payload).or_else(|_| Packet::parse_reply(&note.payload)) {
        Ok(packet) => decoded(&packet, blank),
        Err(error) => Seen { options: vec![error.to_string()], ..blank },
    }
}

fn decoded(packet: &Packet, seen: Seen) -> Seen {
    let options = &packet.options;
    let given = [packet.yiaddr, packet.ciaddr].into_iter().find(|ip| !ip.is_unspecified());
    Seen {
        message: message(options.first(OptionCode::MessageType)),
        xid: format!("{:08x}", packet.xid),
        address: given.or_else(|| options.ip(OptionCode::RequestedIpAddress)),
        server: options.ip(OptionCode::ServerIdentifier),
        options: told_options(packet),
        ..seen
    }
}

fn message(kind: Option<[u8; 1]>) -> String {
    match kind.map(|[kind]| MessageType::from(kind)) {
        None => "BOOTP".into(),
        Some(MessageType::Unknown(kind)) => format!("type {kind}"),
        Some(kind) => format!("{kind:?}").to_uppercase(),
    }
}

/// What decides a boot, in this order: relay, firmware, file, lease, then names and reasons.
const TOLD: &[(u8, &str)] = &[
    (93, "arch"),
    (60, "class"),
    (77, "user-class"),
    (67, "bootfile"),
    (66, "next-server"),
    (51, "lease"),
    (1, "mask"),
    (3, "router"),
    (6, "dns"),
    (12, "host"),
    (15, "domain"),
    (56, "text"),
    (82, "circuit"),
];
const CHARS: usize = 60;

fn told_options(packet: &Packet) -> Vec<String> {
    let relay = Some(packet.giaddr).filter(|ip| !ip.is_unspecified()).map(|ip| format!("relay={ip}"));
    let file = Some(printable(&packet.file, CHARS)).filter(|file| !file.is_empty()).map(|file| format!("file={file}"));
    let told =
        TOLD.iter().filter_map(|(code, name)| Some(format!("{name}={}", value(*code, packet.options.get(*code)?))));
    relay.into_iter().chain(file).chain(told).collect()
}

fn value(code: u8, bytes: &[u8]) -> String {
    match (code, bytes) {
        (93, [high, low, ..]) => Arch(u16::from_be_bytes([*high, *low])).to_string(),
        (60 | 66 | 67 | 77 | 12 | 15 | 56, text) => printable(text, CHARS),
        (code, bytes) => option_text(code, bytes),
    }
}

fn told(records: &[pcap::Record], width: Option<usize>) -> String {
    let heads = ["time", "", "message", "xid", "address", "server", "options"];
    let rows: Vec<_> = seen(records).iter().map(row).collect();
    table(&heads, &rows, width)
}

fn row(s: &Seen) -> Vec<String> {
    let time = s.at.to_string().replace('T', " ").trim_end_matches('Z').to_owned();
    let arrow = if s.direction == "in" { "→" } else { "←" };
    let ip = |ip: Option<Ipv4Addr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    let (message, xid) = (s.message.clone(), s.xid.clone());
    vec![time, arrow.into(), message, xid, ip(s.address), ip(s.server), s.options.join(" ")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(direction: Direction, payload: &[u8]) -> Note {
        let (from, to) = (SocketAddrV4::new([0, 0, 0, 0].into(), 68), SocketAddrV4::new([255; 4].into(), 67));
        Note::new(Time(1_700_000_000_123_456), direction, from, to, payload)
    }

    fn discover() -> Vec<u8> {
        let text = include_str!("../../tests/packets/ovmf-pxe-discover.hex");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        hex::decode(lines.flat_map(str::split_whitespace).collect::<String>()).unwrap()
    }

    #[test]
    fn packets_are_told_one_on_a_line_with_what_decides_a_boot() {
        let mut offer = discover();
        offer[0] = 2;
        offer[16..20].copy_from_slice(&[10, 0, 0, 9]);
        offer[108..119].copy_from_slice(b"snponly.efi");
        offer.truncate(240);
        offer.extend([53, 1, 2, 54, 4, 10, 0, 0, 1, 51, 4, 0, 0, 14, 16, 12, 3, b'w', b'\n', b'b', 255]);
        let bytes = discover();
        let notes = [note(Direction::In, &bytes), note(Direction::Out, &offer), note(Direction::In, b"nonsense")];
        let records = pcap::records(&pcap::write(Mac([2, 0, 0, 0, 0, 1]), &notes)).unwrap();
        insta::assert_snapshot!(told(&records, None), @r"
        TIME                        MESSAGE   XID       ADDRESS   SERVER    OPTIONS
        2023-11-14 22:13:20.123  →  DISCOVER  cfddc91b                      arch=x86-64 UEFI class=PXEClient:Arch:00007:UNDI:003000
        2023-11-14 22:13:20.123  ←  OFFER     cfddc91b  10.0.0.9  10.0.0.1  file=snponly.efi lease=3600 host=w?b
        2023-11-14 22:13:20.123  →  ?                                       8 bytes are too short for a DHCP packet
        ");
    }

    #[test]
    fn a_mac_and_a_machine_are_told_apart() {
        assert!(matches!("52-54-00-12-34-56".parse(), Ok(Of::Mac(_))));
        assert!(matches!("web1".parse(), Ok(Of::Machine(_))));
        assert!("Web 1".parse::<Of>().is_err());
    }
}
