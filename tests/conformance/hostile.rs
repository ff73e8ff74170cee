//! Bytes that were made to break a server: whatever came before, the next client is answered.

use super::packet::{Answer, Question, captured, keeps_its_promises, tlv};
use super::rig::{From, Outcome, Server};
use super::script::{self, LAB};
use super::{setup, words};
use std::net::Ipv4Addr;

/// A server, and how it is seen that it lives.
struct Victim {
    server: Server,
    xid: u32,
}

impl Victim {
    async fn new() -> Victim {
        let mut server = Server::start().await;
        let lines = [
            LAB,
            "network lab relays=10.9.0.254 pool=10.9.0.15-10.9.0.250",
            "network far cidr=10.20.0.0/24 pool=10.20.0.15-10.20.0.24 relays=10.20.0.1",
            "machine good 0a ip=10.9.0.254",
            "everybody option.224=0xaa*100 option.ntp-servers=10.9.0.5",
        ];
        for line in lines {
            setup::edit(&mut server, &words::split(line)).await.unwrap();
        }
        Victim { server, xid: 0 }
    }

    /// Hears it by every door; whatever is answered keeps its promises.
    async fn hear(&mut self, bytes: &[u8]) {
        let doors = [
            From::nobody(),
            From { sender: Ipv4Addr::new(10, 9, 0, 15), ..From::nobody() },
            From { boot_port: true, ..From::nobody() },
            From { relays_only: true, sender: Ipv4Addr::new(10, 20, 0, 1), ..From::nobody() },
        ];
        for from in doors {
            if let Outcome::Decided { sent: Some(out), .. } = self.server.hear(bytes, &from).await {
                let answer = Answer::read(&out.bytes).unwrap_or_else(|error| panic!("{error}: {}", shown(bytes)));
                keeps_its_promises(bytes, &answer).unwrap_or_else(|rule| panic!("{rule}: {}", shown(bytes)));
            }
        }
    }

    /// DISCOVER, OFFER, REQUEST, ACK: of a machine with an address of its own, and of one that takes any.
    async fn lives(&mut self) {
        for mac in ["0a", "0b"] {
            self.xid += 1;
            let asked = self.say(&format!("discover mac={mac} xid={}", self.xid)).await;
            assert_eq!(asked.option(53), Some(vec![2]), "{mac} is offered an address");
            let (ip, xid) = (asked.ip(16), self.xid);
            let taken = self.say(&format!("request mac={mac} xid={xid} 54=10.9.0.2 50={ip}")).await;
            assert_eq!((taken.option(53), taken.ip(16)), (Some(vec![5]), ip), "{mac} gets it");
        }
    }

    async fn say(&mut self, line: &str) -> Answer {
        let (bytes, from) = script::question(&words::split(line)).unwrap();
        let outcome = self.server.hear(&bytes, &from).await;
        let sent = outcome.sent().unwrap_or_else(|| panic!("no answer to {line}: {outcome:?}"));
        Answer::read(&sent.bytes).unwrap()
    }
}

/// As much of a packet as a person reads.
fn shown(bytes: &[u8]) -> String {
    format!(
        "{} bytes, {} {}",
        bytes.len(),
        hex::encode(&bytes[..44]),
        hex::encode(bytes[236..].chunks(300).next().unwrap())
    )
}

/// The captured packets, and one of each kind that they are not.
fn seeds() -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(format!("{}/tests/packets", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter_map(|name| name.strip_suffix(".hex").map(str::to_owned)).collect();
    assert!(names.len() >= 9, "the captured packets are gone");
    let written = [
        "request ciaddr=10.9.0.15",
        "request 50=10.9.0.15 61=0xff0001",
        "decline 50=10.9.0.15 54=10.9.0.2",
        "release ciaddr=10.9.0.15 54=10.9.0.2",
        "inform ciaddr=10.9.0.99 55=1,3,6,121",
        "discover giaddr=10.20.0.1 hops=1 82.1=\"eth1\" 82.5=10.20.0.0 82.11=10.20.0.1 82.19=0x0043",
        "discover htype=32 hlen=0 chaddr=0x00 61=0xff01 118=10.9.0.0 57=1500",
        "discover 52=3 file.61=\"front\" sname.50=10.9.0.20",
    ];
    let written = written.iter().map(|line| script::question(&words::split(line)).unwrap().0);
    names.iter().map(|name| captured(name)).chain(written).collect()
}

fn survives(hostile: impl IntoIterator<Item = Vec<u8>>) {
    script::runtime().block_on(async {
        let mut victim = Victim::new().await;
        for bytes in hostile {
            victim.hear(&bytes).await;
            victim.lives().await;
        }
    });
}

/// The same, and it is looked at only now and then whether the server lives.
fn survives_many(hostile: impl IntoIterator<Item = Vec<u8>>) {
    script::runtime().block_on(async {
        let mut victim = Victim::new().await;
        for (n, bytes) in hostile.into_iter().enumerate() {
            victim.hear(&bytes).await;
            if n % 500 == 0 {
                victim.lives().await;
            }
        }
        victim.lives().await;
    });
}

#[test]
fn every_prefix_of_every_packet() {
    // The fields sname and file are only ever copied or scanned.
    let ends = |bytes: &Vec<u8>| (0..=bytes.len()).filter(|end| !(50..230).contains(end)).collect::<Vec<_>>();
    survives_many(
        seeds().into_iter().flat_map(move |bytes| ends(&bytes).into_iter().map(move |end| bytes[..end].to_vec())),
    );
}

/// All 255 other values are tried a million packets long in `tests/hostile.rs`; here each answer is looked at.
#[test]
fn mutations_of_every_byte_of_every_packet() {
    let all = seeds().into_iter().flat_map(|good| {
        let places = (0..good.len()).filter(|at| !(46..234).contains(at)).collect::<Vec<_>>();
        places.into_iter().flat_map(move |at| {
            let values = [0, 1, 52, 82, 255, good[at].wrapping_add(1), good[at].wrapping_sub(1)];
            let good = good.clone();
            values.into_iter().map(move |value| {
                let mut bytes = good.clone();
                bytes[at] = value;
                bytes
            })
        })
    });
    survives_many(all.enumerate().filter(|(n, _)| n % 7 == 0).map(|(_, bytes)| bytes));
}

#[test]
fn options_without_bytes_and_options_past_the_end() {
    let mut all = Vec::new();
    for code in 1..=254 {
        let empty = Question { options: vec![(53, vec![1]), (code, vec![])], ..Question::default() };
        let past =
            Question { options: vec![(53, vec![3])], raw: vec![code, 255, 1, 2, 3], end: false, ..Question::default() };
        let half = Question { options: vec![(53, vec![3])], raw: vec![code], end: false, ..Question::default() };
        all.extend([empty.bytes(), past.bytes(), half.bytes()]);
    }
    survives(all);
}

#[test]
fn hardware_addresses_of_every_length() {
    let of = |hlen, htype| Question { hlen, htype, options: vec![(53, vec![1])], ..Question::default() }.bytes();
    survives((0..=255).flat_map(|hlen| [of(hlen, 1), of(hlen, 32)]));
}

#[test]
fn datagrams_as_large_as_there_are() {
    let filled = |byte: u8| {
        let mut bytes = Question { options: vec![(53, vec![1])], end: false, ..Question::default() }.bytes();
        bytes.resize(65_507, byte);
        bytes
    };
    survives([
        filled(0),
        filled(1),
        filled(52),
        filled(61),
        filled(82),
        filled(254),
        filled(255),
        vec![1; 65_507],
        vec![0; 65_507],
    ]);
}

#[test]
fn fields_that_overload_each_other_for_ever() {
    let loops = [vec![52, 1, 3], vec![52, 1, 1, 52, 1, 2], [52, 1, 3].repeat(21), vec![52; 64], vec![52, 255]];
    let all = loops.iter().flat_map(|field| {
        (0..=4u8).map(|bits| Question {
            options: vec![(52, vec![bits]), (53, vec![1])],
            sname: field.clone(),
            file: field.clone(),
            ..Question::default()
        })
    });
    survives(all.map(|question| question.bytes()));
}

#[test]
fn one_option_a_hundred_times_over() {
    let times = |code: u8, value: Vec<u8>| {
        let options = std::iter::once((53, vec![1])).chain(std::iter::repeat_n((code, value), 255)).collect();
        Question { options, ..Question::default() }.bytes()
    };
    let all =
        (1..=254).filter(|code| *code != 53).flat_map(|code| [times(code, vec![1]), times(code, vec![code; 200])]);
    survives(all);
}

#[test]
fn twenty_thousand_options() {
    let different: Vec<u8> = (0..20_000u32).flat_map(|n| tlv((n % 254 + 1) as u8, &[1])).collect();
    let empty: Vec<u8> = (0..20_000u32).flat_map(|n| tlv((n % 254 + 1) as u8, &[])).collect();
    let of = |kind: u8, raw: &Vec<u8>| {
        Question { options: vec![(53, vec![kind])], raw: raw.clone(), ..Question::default() }.bytes()
    };
    survives([of(1, &different), of(3, &different), of(1, &empty), of(8, &empty)]);
}

#[test]
fn sub_options_of_relays_that_point_nowhere() {
    let relayed = |value: Vec<u8>| {
        let addresses =
            [Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 20, 0, 1)];
        Question { addresses, options: vec![(53, vec![1]), (82, value)], ..Question::default() }.bytes()
    };
    let all = (0..=255u8)
        .flat_map(|code| [vec![code], vec![code, 0], vec![code, 255], vec![code, 4, 10, 20], vec![code; 700]]);
    survives(all.map(relayed));
}
