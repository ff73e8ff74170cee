//! A million hostile packets in a process of their own: nothing stops, and nothing is left behind in memory.

#[allow(dead_code, reason = "the tests of conformance use all of it")]
#[path = "conformance/packet.rs"]
mod packet;
#[allow(dead_code, reason = "the tests of conformance use all of it")]
#[path = "conformance/rig.rs"]
mod rig;
#[allow(dead_code, reason = "the tests of conformance use all of it")]
#[path = "conformance/setup.rs"]
mod setup;
#[allow(dead_code, reason = "the tests of conformance use all of it")]
#[path = "conformance/words.rs"]
mod words;

use packet::{Answer, Question, captured};
use rig::{From, Outcome, Server};
use std::net::Ipv4Addr;
use std::time::Instant;

const PACKETS: usize = 1_000_000;
const MOST_GROWTH_BYTES: usize = 16 << 20;
/// How many may be on their way to the store at once, as with the owner of a pool.
const BATCH: usize = 256;

/// The generator of G. Marsaglia: the same million each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() % end
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(format!("{}/tests/packets", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut names: Vec<String> = files
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|n| n.strip_suffix(".hex").map(str::to_owned))
        .collect();
    names.sort();
    let relayed = |bytes: &Vec<u8>| {
        let mut bytes = bytes.clone();
        bytes[24..28].copy_from_slice(&[10, 9, 0, 254]);
        bytes.pop();
        bytes.extend([82, 10, 1, 4, 101, 116, 104, 49, 5, 2, 10, 9, 255]);
        bytes
    };
    let captured: Vec<Vec<u8>> = names.iter().map(|name| captured(name)).collect();
    captured.iter().cloned().chain(captured.iter().map(relayed)).collect()
}

/// Mostly a good packet with some bytes changed; also cut, grown, and nothing but noise.
fn hostile(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    // A hundred thousand senders: whatever is remembered of each must have an end. Most packets come from a few.
    let senders = if random.below(8) == 0 { 1 << 20 } else { 64 };
    let sender = random.below(senders).to_be_bytes();
    bytes[31..34].copy_from_slice(&sender[5..8]);
    for _ in 0..=random.below(4) {
        let at = match random.below(2) {
            0 => random.below(44),
            _ => 236 + random.below(bytes.len() - 236),
        };
        bytes[at] = match random.below(3) {
            0 => [0, 1, 52, 53, 61, 82, 255][random.below(7)],
            1 => bytes[at].wrapping_add(1),
            _ => random.next() as u8,
        };
    }
    match random.below(16) {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => bytes.resize(bytes.len() + random.below(1000), random.next() as u8),
        2 => bytes.iter_mut().skip(240).for_each(|byte| *byte = random.next() as u8),
        _ => {}
    }
    bytes
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

async fn lives(server: &mut Server, xid: u32) {
    let kind = |kind: u8| Question { xid, options: vec![(53, vec![kind])], ..Question::default() };
    let say = async |server: &mut Server, question: Question| {
        let outcome = server.hear(&question.bytes(), &From::nobody()).await;
        let sent = outcome.sent().unwrap_or_else(|| panic!("no answer: {outcome:?}"));
        Answer::read(&sent.bytes).unwrap()
    };
    let offer = say(server, kind(1)).await;
    assert_eq!((offer.option(53), offer.ip(16)), (Some(vec![2]), Ipv4Addr::new(10, 9, 0, 10)));
    let mut request = kind(3);
    request.options.extend([(54, vec![10, 9, 0, 2]), (50, vec![10, 9, 0, 10])]);
    assert_eq!(say(server, request).await.option(53), Some(vec![5]));
}

async fn flood(server: &mut Server, packets: usize, random: &mut Random) {
    let seeds = seeds();
    let (mut answered, mut tickets) = (0, Vec::with_capacity(BATCH));
    for n in 0..packets {
        let sender = if n % 3 == 0 { Ipv4Addr::new(10, 9, 0, 77) } else { Ipv4Addr::UNSPECIFIED };
        let from = From { sender, boot_port: n % 50 == 0, ..From::nobody() };
        let (outcome, ticket) = server.take(&hostile(&seeds, random), &from);
        answered += usize::from(outcome.sent().is_some());
        if let Outcome::Decided { .. } = outcome {
            tickets.extend(ticket);
        }
        if tickets.len() == BATCH {
            for ticket in tickets.drain(..) {
                let _ = ticket.await;
            }
            server.follow();
        }
        if n % 1000 == 0 {
            server.wait(1);
            server.sweep();
        }
        if n % 50_000 == 0 {
            lives(server, n as u32).await;
        }
    }
    assert!(answered > packets / 20, "most are not even read: {answered}");
}

#[test]
fn a_million_hostile_packets_leave_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server = Server::start().await;
        let lines = [
            "network lab cidr=10.9.0.0/24 pool=10.9.0.15-10.9.0.250 lease=600 unknown_lease=60 unknown=show relays=10.9.0.254",
            "machine good 01 ip=10.9.0.10",
        ];
        for line in lines {
            setup::edit(&mut server, &words::split(line)).await.unwrap();
        }
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        lives(&mut server, 0).await;
        let (before, began) = (resident_bytes(), Instant::now());
        flood(&mut server, PACKETS, &mut random).await;
        lives(&mut server, 1).await;
        let grown = resident_bytes().saturating_sub(before);
        println!("{PACKETS} packets in {:.1} s, {} KiB more", began.elapsed().as_secs_f32(), grown >> 10);
        assert!(grown <= MOST_GROWTH_BYTES, "{} KiB are left behind", grown >> 10);
    });
}
