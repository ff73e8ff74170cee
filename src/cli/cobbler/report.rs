//! What came of an import, for people and for programs.

use crate::cli::session::{Output, json, print};
use crate::cobbler::{Line, Plan, What};
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

#[derive(Debug, Serialize)]
pub struct Report {
    pub networks: usize,
    pub distros: usize,
    pub profiles: usize,
    pub machines: usize,
    pub templates: usize,
    /// Of them, those of which something is to be said.
    pub templates_remarked: usize,
    pub boot_files: usize,
    /// Why the server would not take it.
    pub refused: Option<String>,
    pub lines: Vec<Line>,
}

impl Report {
    pub fn of(plan: &Plan, boots: usize) -> Report {
        let mut lines = plan.lines.clone();
        lines.sort_by(|a, b| (a.what, &a.place).cmp(&(b.what, &b.place)));
        Report {
            networks: plan.networks.len(),
            distros: plan.distros.len(),
            profiles: plan.profiles.len(),
            machines: plan.machines.len(),
            templates: plan.templates.len(),
            templates_remarked: plan.remarked,
            boot_files: boots.saturating_mul(2),
            refused: None,
            lines,
        }
    }

    pub fn records(&self) -> usize {
        self.networks.saturating_add(self.distros).saturating_add(self.profiles).saturating_add(self.machines)
    }

    pub fn write(&self, file: Option<&Path>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        let text = serde_json::to_string_pretty(self).context("the report can not be written")?;
        std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
    }

    pub fn say(&self, output: Output, verb: &str) -> Result<()> {
        match output {
            Output::Json => json(&serde_json::to_value(self)?),
            Output::Table => print(&self.text(verb)),
        }
    }

    pub fn say_to_terminal(&self) -> Result<()> {
        eprintln!("{}", self.text("would be brought in"));
        Ok(())
    }

    fn text(&self, verb: &str) -> String {
        let mut text = String::new();
        for (what, head) in [
            (What::Todo, "to be done"),
            (What::Left, "not taken"),
            (What::Changed, "taken otherwise"),
            (What::Note, "good to know"),
        ] {
            let lines: Vec<&Line> = self.lines.iter().filter(|line| line.what == what).collect();
            if lines.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{head}:");
            for line in lines {
                let _ = writeln!(text, "  {}: {}", line.place, line.text);
            }
        }
        let _ = writeln!(
            text,
            "{} networks, {} distros, {} profiles, {} machines and {} templates {verb}; {} templates have remarks, {} boot files",
            self.networks,
            self.distros,
            self.profiles,
            self.machines,
            self.templates,
            self.templates_remarked,
            self.boot_files
        );
        if let Some(refused) = &self.refused {
            let _ = writeln!(text, "the server would refuse it: {refused}");
        }
        text
    }
}
