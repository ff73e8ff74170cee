//! Which generations of which loaders shim refuses, and since when.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::fmt;

/// A state of the variable SbatLevel: a machine has the newest that any shim on it brought along.
pub struct Level {
    pub date: u32,
    /// The least generation of each component that still starts.
    pub least: &'static [(&'static str, u32)],
}

/// The history as shim tells it (rhboot/shim, `SbatLevel_Variable.txt`), without the two payloads that no shim
/// delivered (2023012950 and 2023091900); the last is the "latest" payload inside Debian's shim 16.1. A level
/// stands for itself: what a later one leaves out, its other rows imply.
pub const LEVELS: &[Level] = &[
    Level { date: 2022052400, least: &[("shim", 2), ("grub", 2)] },
    Level { date: 2022111500, least: &[("shim", 2), ("grub", 3)] },
    Level { date: 2023012900, least: &[("shim", 2), ("grub", 3), ("grub.debian", 4)] },
    Level { date: 2024010900, least: &[("shim", 4), ("grub", 3), ("grub.debian", 4)] },
    Level { date: 2024040900, least: &[("shim", 4), ("grub", 4), ("grub.peimage", 2)] },
    Level { date: 2025021800, least: &[("shim", 4), ("grub", 5)] },
    Level { date: 2025051000, least: &[("shim", 4), ("grub", 5), ("grub.proxmox", 2)] },
];

/// A line of a .sbat section: what it is, and how many times it had to be mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    pub name: String,
    pub generation: u32,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.name, self.generation)
    }
}

/// The components of a .sbat section, but for the line about SBAT itself.
pub fn components(sbat: &str) -> Result<Vec<Component>, String> {
    let lines = sbat.lines().map(str::trim).filter(|line| !line.is_empty());
    let all = lines.map(|line| {
        let mut fields = line.split(',').map(str::trim);
        let generation = fields.clone().nth(1).and_then(|field| field.parse().ok());
        match (fields.next(), generation) {
            (Some(name), Some(generation)) if !name.is_empty() => Ok(Component { name: name.into(), generation }),
            _ => Err(format!("its .sbat section has a line without a generation: {line:?}")),
        }
    });
    let all: Vec<Component> = all.collect::<Result<_, String>>()?;
    Ok(all.into_iter().filter(|component| component.name != "sbat").collect())
}

/// Why a level refuses a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub component: Component,
    pub date: u32,
    pub needs: u32,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { component, date, needs } = self;
        write!(
            f,
            "below level {date} ({} {}, needs {needs}): a machine that has seen a shim of that level refuses it",
            component.name, component.generation
        )
    }
}

/// The first level in history that refuses one of these; none: every level lets them start.
pub fn refused(components: &[Component]) -> Option<Refused> {
    LEVELS.iter().find_map(|level| {
        components.iter().find_map(|component| {
            let least = level.least.iter().find(|(name, _)| *name == component.name);
            let needs = least.map(|(_, needs)| *needs).filter(|needs| component.generation < *needs)?;
            Some(Refused { component: component.clone(), date: level.date, needs })
        })
    })
}
