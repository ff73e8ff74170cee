//! The figures of a run: a table for people, target/bench.json for programs.

use anyhow::Result;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, Default)]
pub struct Report(Vec<Row>);

#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub name: String,
    pub ours: f64,
    pub peer: Option<f64>,
    pub unit: &'static str,
    pub bar: Bar,
}

/// What we hold ourselves to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// Told, not judged.
    None,
    RatioAtLeast(f64),
    RatioAtMost(f64),
    AtMost(f64),
}

impl Row {
    /// Ours by the peer's.
    fn ratio(&self) -> Option<f64> {
        self.peer.filter(|peer| *peer > 0.0).map(|peer| self.ours / peer)
    }

    /// None where there is no bar.
    fn is_ok(&self) -> Option<bool> {
        match self.bar {
            Bar::None => None,
            Bar::RatioAtLeast(bar) => Some(self.ratio().is_some_and(|ratio| ratio >= bar)),
            Bar::RatioAtMost(bar) => Some(self.ratio().is_some_and(|ratio| ratio <= bar)),
            Bar::AtMost(bar) => Some(self.ours <= bar),
        }
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name, "ours": self.ours, "peer": self.peer, "ratio": self.ratio(), "unit": self.unit,
            "bar": self.bar.to_string(), "ok": self.is_ok(),
        })
    }
}

impl std::fmt::Display for Bar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&match self {
            Bar::None => String::new(),
            Bar::RatioAtLeast(bar) => format!("ratio >= {bar}"),
            Bar::RatioAtMost(bar) => format!("ratio <= {bar}"),
            Bar::AtMost(bar) => format!("ours <= {bar}"),
        })
    }
}

impl Report {
    pub fn add(&mut self, name: impl Into<String>, ours: f64, peer: Option<f64>, unit: &'static str, bar: Bar) {
        self.0.push(Row { name: name.into(), ours, peer, unit, bar });
    }

    pub fn extend(&mut self, other: Report) {
        self.0.extend(other.0);
    }

    pub fn print(&self) {
        println!();
        println!("{:26} {:>10} {:>10} {:>7}  {:14} {:14} ok", "name", "ours", "peer", "ratio", "unit", "bar");
        for row in &self.0 {
            let (peer, ratio) = (row.peer.map(short).unwrap_or_default(), row.ratio().map(short).unwrap_or_default());
            let ok = row.is_ok().map_or("", |ok| if ok { "yes" } else { "NO" });
            let Row { name, ours, unit, bar, .. } = row;
            println!("{name:26} {:>10} {peer:>10} {ratio:>7}  {unit:14} {bar:14} {ok}", short(*ours));
        }
        let missed = self.0.iter().filter(|row| row.is_ok() == Some(false)).count();
        println!("\n{missed} of {} bars missed", self.0.iter().filter(|row| row.is_ok().is_some()).count());
    }

    /// Adds these figures to those that other benches of the same `make bench` wrote, or replaces them.
    pub fn write(&self) -> Result<()> {
        let path = path();
        let old = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Vec<Value>>(&bytes).ok());
        let mut all = old.unwrap_or_default();
        all.retain(|old| !self.0.iter().any(|row| old["name"] == row.name));
        all.extend(self.0.iter().map(Row::json));
        std::fs::write(&path, serde_json::to_string_pretty(&all)?)?;
        println!("written to {}", path.display());
        Ok(())
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench.json")
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A line of progress, for whoever waits.
pub fn say(text: impl std::fmt::Display) {
    eprintln!("bench: {text}");
}

/// The value that `percent` of all lie below. `values` is not empty.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len());
    sorted.get(index - 1).copied().unwrap_or(f64::NAN)
}
