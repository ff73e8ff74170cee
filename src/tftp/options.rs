//! Which options of a read request we accept, and what we then hold to (RFC 2347, 2348, 2349, 7440).

use super::Limits;
use std::time::Duration;

/// Without options: RFC 1350.
const DEFAULT_BLKSIZE: u16 = 512;
const MIN_BLKSIZE: u16 = 8;
const MAX_BLKSIZE: u16 = 65464;
/// Far below half of the 65536 numbers, so that no number means two blocks; and what one client may make us read at once.
pub const MAX_WINDOWSIZE: u16 = 1024;
/// Whoever asks us to wait longer is sent the packet again earlier: a slow answer must not hold a transfer for minutes.
const MAX_WAIT_SECS: u64 = 10;

/// What holds for one transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    pub blksize: u16,
    /// Before a packet is sent for the second time; doubles from then on.
    pub wait: Duration,
    /// The client named the wait (RFC 2349).
    pub is_wait_asked: bool,
    /// How many blocks may be in flight (RFC 7440).
    pub windowsize: u16,
    /// What the OACK says; without any there is no OACK.
    pub accepted: Vec<(String, String)>,
}

struct Row {
    name: &'static str,
    /// Changes the agreement and gives the value to answer with; None leaves the option out.
    accept: fn(u64, &mut Agreement, Terms) -> Option<u64>,
}

#[derive(Clone, Copy)]
struct Terms {
    size_bytes: u64,
    max_blksize: u16,
    max_windowsize: u16,
}

const OPTIONS: &[Row] = &[
    Row { name: "blksize", accept: blksize },
    Row { name: "timeout", accept: timeout },
    Row { name: "tsize", accept: |_, _, terms| Some(terms.size_bytes) },
    Row { name: "windowsize", accept: windowsize },
];

impl Agreement {
    pub fn reach(asked: &[(String, String)], size_bytes: u64, limits: &Limits) -> Agreement {
        let max_blksize = limits.max_blksize.clamp(MIN_BLKSIZE, MAX_BLKSIZE);
        let terms = Terms { size_bytes, max_blksize, max_windowsize: limits.max_windowsize.clamp(1, MAX_WINDOWSIZE) };
        let wait = limits.wait;
        let mut agreement =
            Agreement { blksize: DEFAULT_BLKSIZE, wait, is_wait_asked: false, windowsize: 1, accepted: Vec::new() };
        for (name, value) in asked {
            agreement.consider(name, value, terms);
        }
        agreement
    }

    /// Named as the client spelled it: case does not count (RFC 2347), but not every client knows. The first of two
    /// options with one name counts.
    fn consider(&mut self, name: &str, value: &str, terms: Terms) {
        let is_known = self.accepted.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let row = OPTIONS.iter().find(|row| row.name.eq_ignore_ascii_case(name) && !is_known);
        let answer = row.zip(number(value)).and_then(|(row, asked)| (row.accept)(asked, self, terms));
        if let Some(answer) = answer {
            self.accepted.push((name.to_owned(), answer.to_string()));
        }
    }
}

/// Never more than was asked for, and never more than fits in one Ethernet frame (edk2#7632: fragments hang firmware).
fn blksize(asked: u64, agreement: &mut Agreement, terms: Terms) -> Option<u64> {
    let asked = u16::try_from(asked).unwrap_or(u16::MAX);
    if asked < MIN_BLKSIZE {
        return None;
    }
    agreement.blksize = asked.min(terms.max_blksize);
    Some(agreement.blksize.into())
}

/// Never more than was asked for (RFC 7440 §3), and no more than what a client with a small buffer may lose.
fn windowsize(asked: u64, agreement: &mut Agreement, terms: Terms) -> Option<u64> {
    let asked = u16::try_from(asked).ok().filter(|asked| *asked > 0)?;
    agreement.windowsize = asked.min(terms.max_windowsize);
    Some(agreement.windowsize.into())
}

/// The answer must be the value that was asked for (RFC 2349); only our own patience is capped.
fn timeout(asked: u64, agreement: &mut Agreement, _: Terms) -> Option<u64> {
    if !(1..=255).contains(&asked) {
        return None;
    }
    agreement.wait = Duration::from_secs(asked.min(MAX_WAIT_SECS));
    agreement.is_wait_asked = true;
    Some(asked)
}

/// Digits only; a number that is too large is the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}
