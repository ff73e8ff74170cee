//! Which loopback address stands for which real one: whole networks move, and each keeps its shape. Pure.

use ipnetwork::Ipv4Network;
use std::net::Ipv4Addr;

/// Anybody may bind an address of it, and no packet to one leaves this host.
const LOOPBACK: u32 = 0x7f00_0000;
const LOOPBACK_SIZE: u64 = 1 << 24;
/// Others have their services near the beginning.
const FIRST: u64 = 1 << 16;

/// A network, and where it is on loopback.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sheet {
    real: Ipv4Network,
    first: u32,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Atlas(Vec<Sheet>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the networks hold {0} addresses, and loopback, on which they are rehearsed, has 16777216: this configuration is too wide for a rehearsal"
)]
pub struct TooLarge(u64);

impl Atlas {
    /// The networks must not overlap.
    pub fn of(networks: impl IntoIterator<Item = Ipv4Network>) -> Result<Atlas, TooLarge> {
        let mut sorted: Vec<_> = networks.into_iter().collect();
        // The largest first: then each begins where its size lets it.
        sorted.sort_by_key(|network| (network.prefix(), network.network()));
        let all: u64 = sorted.iter().map(|network| size(*network)).sum();
        let lay = |from: u64| {
            let mut next = from;
            let sheets = sorted.iter().map(|real| {
                let size = size(*real);
                let first = next.div_ceil(size) * size;
                next = first + size;
                (next <= LOOPBACK_SIZE).then(|| Sheet { real: *real, first: LOOPBACK + first as u32 })
            });
            sheets.collect::<Option<Vec<_>>>()
        };
        lay(FIRST).or_else(|| lay(0)).map(Atlas).ok_or(TooLarge(all))
    }

    /// What stands for it; an address on no network stands for itself.
    pub fn stage(&self, real: Ipv4Addr) -> Ipv4Addr {
        let sheet = self.0.iter().find(|sheet| sheet.real.contains(real));
        sheet.map_or(real, |sheet| (sheet.first + (u32::from(real) - u32::from(sheet.real.network()))).into())
    }

    pub fn stage_network(&self, real: Ipv4Network) -> Ipv4Network {
        Ipv4Network::new(self.stage(real.network()), real.prefix()).unwrap_or(real)
    }

    /// What it stands for.
    pub fn real(&self, staged: Ipv4Addr) -> Ipv4Addr {
        let at = u32::from(staged);
        let place = |sheet: &&Sheet| at >= sheet.first && u64::from(at - sheet.first) < size(sheet.real);
        let sheet = self.0.iter().find(place);
        sheet.map_or(staged, |sheet| (u32::from(sheet.real.network()) + (at - sheet.first)).into())
    }

    /// A text of the rehearsal, with the addresses that people know.
    pub fn real_text(&self, text: &str) -> String {
        let is_inside = |c: char| c.is_ascii_digit() || c == '.';
        let mut told = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, from) = rest.split_at(at);
            let end = from.find(|c| !is_inside(c)).unwrap_or(from.len());
            let (number, after) = from.split_at(end);
            let bare = number.trim_end_matches('.');
            told.push_str(before);
            match bare.parse::<Ipv4Addr>() {
                Ok(ip) => told.push_str(&self.real(ip).to_string()),
                Err(_) => told.push_str(bare),
            }
            told.push_str(&number[bare.len()..]);
            rest = after;
        }
        told + rest
    }
}

fn size(network: Ipv4Network) -> u64 {
    1 << (32 - u32::from(network.prefix()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn atlas(all: &[&str]) -> Atlas {
        Atlas::of(all.iter().map(|text| text.parse().unwrap())).unwrap()
    }

    #[test]
    fn a_text_is_told_with_the_addresses_that_people_know() {
        let atlas = atlas(&["10.0.0.0/24", "10.0.1.0/24"]);
        let (a, b) = (atlas.stage("10.0.0.7".parse().unwrap()), atlas.stage("10.0.1.8".parse().unwrap()));
        assert!(a.is_loopback() && b.is_loopback() && a != b);
        let text = format!("{a} and http://{b}:80/x, not 8.8.8.8. See web1.conf line 7, or {a}.");
        let told = "10.0.0.7 and http://10.0.1.8:80/x, not 8.8.8.8. See web1.conf line 7, or 10.0.0.7.";
        assert_eq!(atlas.real_text(&text), told);
    }

    #[test]
    fn all_of_ten_fits_and_two_of_that_size_do_not() {
        let whole = atlas(&["10.0.0.0/8"]);
        assert_eq!(whole.stage("10.1.2.3".parse().unwrap()), "127.1.2.3".parse::<Ipv4Addr>().unwrap());
        let two = ["10.0.0.0/8", "192.168.0.0/24"].map(|text| text.parse().unwrap());
        assert!(Atlas::of(two).unwrap_err().to_string().contains("hold 16777472 addresses"));
    }

    proptest! {
        #[test]
        fn whoever_is_moved_comes_back_and_meets_nobody(prefixes in prop::collection::vec(12u8..=30, 1..12), at in any::<u32>()) {
            let networks: Vec<Ipv4Network> = prefixes.iter().enumerate().map(|(index, prefix)| {
                Ipv4Network::new(Ipv4Addr::new(10 + index as u8, 0, 0, 0), *prefix).unwrap()
            }).collect();
            let atlas = Atlas::of(networks.clone()).unwrap();
            for network in &networks {
                let ip = Ipv4Addr::from(u32::from(network.network()) + at % size(*network) as u32);
                let staged = atlas.stage(ip);
                prop_assert!(staged.is_loopback());
                prop_assert_eq!(atlas.real(staged), ip);
                let moved = atlas.stage_network(*network);
                prop_assert!(moved.contains(staged) && moved.network() == atlas.stage(network.network()));
                let others = networks.iter().filter(|other| *other != network);
                prop_assert!(others.clone().all(|other| !atlas.stage_network(*other).contains(staged)));
            }
        }
    }
}
