//! What came of an import, for people and for programs.

use crate::cli::session::{Output, json, print};
use crate::http::api::distro::DistroView;
use crate::import::plan::Plan;
use crate::import::verdict::Verdict;
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Added,
    Replaced,
    Same,
    /// The tree is the same, what was given with it was written down.
    Changed,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::Added => "added",
            Outcome::Replaced => "replaced",
            Outcome::Same => "same",
            Outcome::Changed => "changed",
        }
    }
}

pub struct Told {
    pub outcome: Outcome,
    pub distro: DistroView,
    pub plan: Plan,
    pub place: PathBuf,
    pub files: usize,
    pub bytes: u64,
    pub links: usize,
    pub devices: usize,
    pub verdict: Verdict,
}

impl Told {
    pub fn say(&self, output: Output) -> Result<()> {
        match output {
            Output::Json => json(&self.value()),
            Output::Table => print(&self.text()),
        }
    }

    fn value(&self) -> serde_json::Value {
        json!({
            "outcome": self.outcome.word(),
            "distro": self.distro,
            "place": self.place,
            "files": self.files,
            "bytes": self.bytes,
            "links_passed_over": self.links,
            "devices_passed_over": self.devices,
            "verified": self.verdict.boot,
            "verification": self.verdict.to_string(),
            "notes": self.plan.notes,
        })
    }

    fn text(&self) -> String {
        let mut rows = vec![
            ("tree", format!("{}, family {}", self.plan.title, self.distro.family)),
            ("files", format!("{} with {}, in {}", self.files, bytes(self.bytes), self.place.display())),
            ("checked", self.verdict.to_string()),
        ];
        rows.extend(passed_over(self.links, "link", "links").map(|text| ("passed over", text)));
        rows.extend(passed_over(self.devices, "device", "devices").map(|text| ("passed over", text)));
        rows.extend(self.plan.notes.iter().map(|note| ("note", note.clone())));
        let mut text: String = rows.iter().map(|(label, value)| format!("  {label:<12}{value}\n")).collect();
        let name = &self.distro.name;
        text += &match self.outcome {
            Outcome::Added => format!("distro {name} added\n"),
            Outcome::Replaced => format!("distro {name} replaced\n"),
            Outcome::Same => format!("distro {name} holds this tree already: nothing was changed\n"),
            Outcome::Changed => format!("distro {name} holds this tree already: what was given is written down\n"),
        };
        text
    }
}

fn passed_over(count: usize, one: &str, many: &str) -> Option<String> {
    (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
}

/// `1.5 MB`.
pub fn bytes(count: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} bytes");
    }
    let mut value = count as f64 / 1000.0;
    for unit in units {
        if value < 1000.0 {
            return format!("{value:.1} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} PB")
}
