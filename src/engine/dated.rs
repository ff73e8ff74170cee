//! Reasons with the revisions in which the records that they name were last changed.

use super::Engine;
use crate::boot::{Mention, Reason};
use crate::model::*;
use crate::store::World;

/// A rule that applied, and since when it says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Dated {
    pub rule: &'static str,
    /// With each revision behind the name of its record.
    pub text: String,
    pub records: Vec<DatedRecord>,
}

/// A record as it was last changed.
#[derive(Debug, Clone, PartialEq)]
pub struct DatedRecord {
    pub noun: Noun,
    pub name: String,
    pub since: Since,
}

impl Engine {
    pub fn dated(&self, reason: Reason) -> Dated {
        dated(&self.store.world(), reason)
    }
}

fn dated(world: &World, Reason { rule, mut text, of }: Reason) -> Dated {
    let known = |Mention { end, noun, name }: Mention| {
        let since = world.last_changed(noun, &name)?;
        Some((end, DatedRecord { noun, name, since }))
    };
    let found: Vec<(usize, DatedRecord)> = of.into_iter().filter_map(known).collect();
    // From the end: what comes before stays where it is.
    for (end, record) in found.iter().rev() {
        text.insert_str(*end, &format!(" ({})", record.since));
    }
    Dated { rule, text, records: found.into_iter().map(|(_, record)| record).collect() }
}
