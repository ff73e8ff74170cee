//! Sightings in memory: so many and no more, and no search for the one that goes.

use super::sightings::LIMIT;
use crate::model::*;
use std::collections::{BTreeSet, HashMap};

#[derive(Debug, Default)]
pub struct Seen {
    by_mac: HashMap<Mac, Entry>,
    /// The one that was silent longest first: a flood of MACs finds it without looking at all others.
    by_age: BTreeSet<(Time, Mac)>,
}

#[derive(Debug)]
struct Entry {
    sighting: Sighting,
    /// When its row was last written, which is more seldom than it is heard.
    kept_at: Time,
}

/// How old a sighting's row may be.
const SIGHTING_SECS: u32 = 60;

impl Seen {
    pub fn get(&self, mac: Mac) -> Option<&Sighting> {
        self.by_mac.get(&mac).map(|entry| &entry.sighting)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Sighting> {
        self.by_mac.values().map(|entry| &entry.sighting)
    }

    /// Whether it is news enough to be written down.
    pub fn is_news(&self, sighting: &Sighting) -> bool {
        let entry = self.by_mac.get(&sighting.mac);
        entry.is_none_or(|entry| sighting.last_at.secs_since(entry.kept_at) >= SIGHTING_SECS)
    }

    pub fn put(&mut self, mut sighting: Sighting) {
        let mac = sighting.mac;
        let kept_at = match self.by_mac.get(&mac) {
            Some(entry) if !self.is_news(&sighting) => entry.kept_at,
            _ => sighting.last_at,
        };
        if let Some(known) = self.remove(mac) {
            sighting.first_at = sighting.first_at.min(known.first_at);
        }
        if self.by_mac.len() >= LIMIT
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.by_mac.remove(&oldest);
        }
        self.by_age.insert((sighting.last_at, mac));
        self.by_mac.insert(mac, Entry { sighting, kept_at });
    }

    pub fn remove(&mut self, mac: Mac) -> Option<Sighting> {
        let Entry { sighting, .. } = self.by_mac.remove(&mac)?;
        self.by_age.remove(&(sighting.last_at, mac));
        Some(sighting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(n: u32, at: i64) -> Sighting {
        let [a, b, c, d] = n.to_be_bytes();
        let at = Time::from_secs(at);
        Sighting {
            mac: Mac([0x52, 0x54, a, b, c, d]),
            network: "lab".parse().unwrap(),
            arch: None,
            vendor: String::new(),
            uuid: None,
            first_at: at,
            last_at: at,
        }
    }

    #[test]
    fn the_one_that_was_silent_longest_goes_first() {
        let mut seen = Seen::default();
        (0..LIMIT as u32).for_each(|n| seen.put(sighting(n, n.into())));
        seen.put(sighting(0, 10_000));
        seen.put(sighting(70_000, 10_001));
        assert_eq!(seen.iter().count(), LIMIT);
        assert_eq!(seen.by_age.len(), LIMIT);
        let is_there = |n| seen.get(sighting(n, 0).mac).is_some();
        assert_eq!((is_there(0), is_there(1), is_there(2), is_there(70_000)), (true, false, true, true));
    }

    #[test]
    fn who_is_heard_again_was_first_heard_before_and_is_news_after_a_minute() {
        let mut seen = Seen::default();
        seen.put(sighting(1, 100));
        assert!(!seen.is_news(&sighting(1, 159)) && seen.is_news(&sighting(2, 100)));
        seen.put(sighting(1, 159));
        assert!(seen.is_news(&sighting(1, 160)), "the row is as old as it was");
        assert_eq!(
            seen.get(sighting(1, 0).mac).map(|s| (s.first_at, s.last_at)),
            Some((Time::from_secs(100), Time::from_secs(159)))
        );
        seen.put(sighting(1, 160));
        assert!(!seen.is_news(&sighting(1, 219)));
        assert!(seen.remove(sighting(1, 0).mac).is_some() && seen.by_age.is_empty());
    }
}
