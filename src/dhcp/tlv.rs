//! Options as bytes: read leniently, written in the order that firmware expects.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

use dhcproto::v4::OptionCode;
use std::net::Ipv4Addr;

const PAD: u8 = 0;
const END: u8 = 255;
const RELAY: u8 = 82;

/// On the wire in this order, then all others, then [`LAST`]: the mask before the routers (RFC 2132 §3.3).
const FIRST: &[u8] = &[53, 54, 51, 58, 59, 1, 3, 6, 12, 15, 26, 28, 42, 119, 121, 60, 43, 66, 67, 150, 175];
/// Echoes; what a relay added comes last of all (RFC 3046 §2.1).
const LAST: &[u8] = &[61, 97, RELAY];

/// What must stay in an answer that is too long, the most needed first. All others go before these.
const NEEDED: &[u8] = &[53, 54, RELAY, 51, 1, 60, 67, 43, 3, 175, 97, 61, 118, 6, 58, 59, 56, 66, 12, 15, 28];
/// That many of [`NEEDED`] never go: no client takes an answer without them.
const INDISPENSABLE: usize = 5;

/// In the order in which they came; each code once, whatever it was split into. All values lie in one piece of
/// memory: packets are made of little else.
#[derive(Clone, Default)]
pub struct Options {
    items: Vec<Item>,
    bytes: Vec<u8>,
}

/// Where the value of a code lies.
#[derive(Clone, Copy)]
struct Item {
    code: u8,
    at: usize,
    len: usize,
}

impl PartialEq for Options {
    fn eq(&self, other: &Options) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Options {}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Options {
    /// Reads what can be read: pads, no END, and a last option that is cut off (which is left out) are all fine.
    pub fn scan(field: &[u8]) -> Options {
        let mut options = Options::default();
        options.read(field);
        options
    }

    /// The parts of an option belong together, wherever they stand (RFC 3396 §5): each value is copied once, however
    /// many parts it has.
    pub(super) fn read(&mut self, mut field: &[u8]) {
        let mut further = Vec::new();
        while let Some((&code, rest)) = field.split_first() {
            field = rest;
            match code {
                PAD => continue,
                END => break,
                _ => {}
            }
            let Some((&len, rest)) = field.split_first() else { break };
            let Some((value, rest)) = rest.split_at_checked(usize::from(len)) else { break };
            match self.items.iter().any(|item| item.code == code) {
                true => further.push((code, value)),
                false => self.push(code, value),
            }
            field = rest;
        }
        further.sort_by_key(|(code, _)| *code);
        further.chunk_by(|a, b| a.0 == b.0).for_each(|parts| self.append(parts));
    }

    /// More parts of an option that is there.
    fn append(&mut self, parts: &[(u8, &[u8])]) {
        let Some(&(code, _)) = parts.first() else { return };
        let Some(old) = self.items.iter().position(|item| item.code == code) else { return };
        let mut whole = self.get(code).unwrap_or_default().to_vec();
        parts.iter().for_each(|(_, part)| whole.extend_from_slice(part));
        let item = self.store(code, &whole);
        self.items.get_mut(old).into_iter().for_each(|place| *place = item);
    }

    #[cfg(test)]
    pub(super) fn stored_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn push(&mut self, code: u8, value: &[u8]) {
        let item = self.store(code, value);
        self.items.push(item);
    }

    fn store(&mut self, code: u8, value: &[u8]) -> Item {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(value);
        Item { code, at, len: value.len() }
    }

    fn value(&self, item: &Item) -> &[u8] {
        self.bytes.get(item.at..item.at.saturating_add(item.len)).unwrap_or_default()
    }

    pub fn get(&self, code: impl Into<u8>) -> Option<&[u8]> {
        let code = code.into();
        self.items.iter().find(|item| item.code == code).map(|item| self.value(item))
    }

    /// The first bytes of an option that should have just as many: clients that send one twice mean it once.
    pub fn first<const N: usize>(&self, code: OptionCode) -> Option<[u8; N]> {
        self.get(code)?.first_chunk().copied()
    }

    /// An address; 0.0.0.0 is none.
    pub fn ip(&self, code: OptionCode) -> Option<Ipv4Addr> {
        self.first::<4>(code).map(Ipv4Addr::from).filter(|ip| !ip.is_unspecified())
    }

    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.items.iter().map(|item| (item.code, self.value(item)))
    }

    /// Replaces what was there. PAD and END are no options.
    pub fn set(&mut self, code: impl Into<u8>, value: impl AsRef<[u8]>) {
        let code = code.into();
        self.items.retain(|item| item.code != code);
        if !matches!(code, PAD | END) {
            self.push(code, value.as_ref());
        }
    }

    /// Takes away all but those.
    pub(super) fn keep(&mut self, keeps: impl Fn(u8) -> bool) {
        self.items.retain(|item| keeps(item.code));
    }

    /// All of them and END, in the order of the wire.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut sorted: Vec<_> = self.items.iter().collect();
        sorted.sort_by_key(|item| place(item.code));
        sorted.into_iter().for_each(|item| write_one(item.code, self.value(item), out));
        out.push(END);
    }

    /// How many bytes option 82 takes on the wire.
    pub(super) fn relay_bytes(&self) -> usize {
        let mut out = Vec::new();
        if let Some(value) = self.get(RELAY) {
            write_one(RELAY, value, &mut out);
        }
        out.len()
    }

    /// Takes away one option, if any can be spared.
    pub(super) fn drop_least_needed(&mut self) -> Option<()> {
        let need = |code: u8| NEEDED.iter().position(|c| *c == code).unwrap_or(usize::MAX);
        let code = self.items.iter().map(|item| item.code).max_by_key(|code| need(*code))?;
        if need(code) < INDISPENSABLE {
            return None;
        }
        self.keep(|other| other != code);
        Some(())
    }
}

fn place(code: u8) -> (u8, Option<usize>) {
    match LAST.iter().position(|c| *c == code) {
        Some(place) => (2, Some(place)),
        None => match FIRST.iter().position(|c| *c == code) {
            Some(place) => (0, Some(place)),
            None => (1, None),
        },
    }
}

/// More than 255 bytes are split, the parts side by side (RFC 3396 §4).
fn write_one(code: u8, value: &[u8], out: &mut Vec<u8>) {
    if value.is_empty() {
        out.extend([code, 0]);
    }
    for part in value.chunks(usize::from(u8::MAX)) {
        out.extend([code, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
        out.extend_from_slice(part);
    }
}
