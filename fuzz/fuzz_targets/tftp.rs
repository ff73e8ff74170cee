//! TFTP: a request, judged, and the packets and moments of its transfer after it.
//!
//! The input is pieces: a kind, a length, bytes. The first is what comes to the listening port; the others come to the
//! transfer, or are time that goes by.

#![no_main]

use kickstand::tftp::packet::Packet;
use kickstand::tftp::request::{self, Judged};
use kickstand::tftp::transfer::{Action, Transfer};
use kickstand::tftp::Limits;
use libfuzzer_sys::fuzz_target;
use std::time::{Duration, Instant};

const SIZE: u64 = 100_000;

fuzz_target!(|bytes: &[u8]| {
    let mut pieces = pieces(bytes).into_iter();
    let Some((_, first)) = pieces.next() else { return };
    let client = "10.9.0.15:2070".parse().unwrap();
    let Judged::Read(read) = request::judge(client, first) else { return };
    if let Ok(request) = request::request(&read, client, "10.9.0.1:69".parse().unwrap()) {
        assert!(!request.name.is_empty() && request.name.len() <= 255);
        assert!(!request.name.starts_with('/') && !request.name.split('/').any(|part| part == ".."));
    }
    let (limits, mut now) = (Limits::default(), Instant::now());
    let (mut transfer, mut actions) = Transfer::start(&read, SIZE, limits, now);
    assert!(transfer.blksize() <= limits.max_blksize && transfer.windowsize() <= limits.max_windowsize);
    loop {
        if check(&transfer, &actions) {
            return;
        }
        assert!(transfer.bytes_acknowledged() <= SIZE);
        let Some((kind, bytes)) = pieces.next() else { break };
        actions = match kind % 4 {
            0 => {
                now = transfer.deadline().max(now);
                transfer.on_timeout(now)
            }
            1 => {
                now += Duration::from_millis(bytes.len() as u64);
                transfer.on_timeout(now)
            }
            2 => transfer.on_repeat(now),
            _ => Packet::parse(bytes).map_or_else(|_| vec![], |packet| transfer.on_packet(&packet, now)),
        };
    }
});

/// A kind, a length, and as many bytes: until the input ends.
fn pieces(mut rest: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let [kind, length, behind @ ..] = rest {
        let (piece, next) = behind.split_at(usize::from(*length).min(behind.len()));
        found.push((*kind, piece));
        rest = next;
    }
    found
}

/// True at the end. What is sent lies in the file, and is a window at most.
fn check(transfer: &Transfer, actions: &[Action]) -> bool {
    for action in actions {
        match action {
            Action::Blocks { first, count } => {
                assert!(*first > 0 && *count > 0 && *count <= transfer.windowsize());
                for block in *first..*first + u64::from(*count) {
                    let span = transfer.span(block);
                    assert!(span.from <= span.to && span.to <= SIZE);
                    assert!(span.to - span.from <= u64::from(transfer.blksize()));
                }
            }
            Action::Send(packet) => {
                let mut bytes = Vec::new();
                packet.encode(&mut bytes);
                assert!(bytes.len() < 1500 && Packet::parse(&bytes).is_ok());
            }
            Action::End(_) => return true,
        }
    }
    false
}
