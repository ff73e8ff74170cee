//! How many lines of the timeline one address may fill in a second.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A machine that boots asks for a handful of files.
const EACH_SECOND: u32 = 20;

pub struct Pace {
    opened: Instant,
    /// Those that were heard in the second that is running: addresses that asked by TCP, so no more than connect in one.
    heard: Mutex<(u64, HashMap<Ipv4Addr, u32>)>,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { opened: Instant::now(), heard: Mutex::default() }
    }
}

impl Pace {
    pub fn allows(&self, from: Ipv4Addr) -> bool {
        self.allows_at(from, self.opened.elapsed().as_secs())
    }

    fn allows_at(&self, from: Ipv4Addr, second: u64) -> bool {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.0 != second {
            heard.0 = second;
            heard.1.clear();
        }
        let count = heard.1.entry(from).or_default();
        *count = count.saturating_add(1);
        *count <= EACH_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_twenty_lines_a_second_and_others_have_their_own() {
        let pace = Pace::default();
        let ip = |last| Ipv4Addr::new(10, 0, 0, last);
        let allowed = |from, second| (0..30).filter(|_| pace.allows_at(from, second)).count();
        assert_eq!([allowed(ip(1), 0), allowed(ip(2), 0), allowed(ip(1), 0)], [20, 20, 0]);
        assert_eq!(allowed(ip(1), 1), 20);
    }
}
