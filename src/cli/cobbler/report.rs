//! What came of an import, for people and for programs.

use super::boots::Boots;
use crate::cli::session::{Output, json, print};
use crate::cli::table::count;
use crate::cobbler::{Line, Plan, What};
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

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
    /// The folder that they go to.
    pub files: PathBuf,
    /// Why it would not be taken.
    pub refused: Option<String>,
    pub lines: Vec<Line>,
}

/// For its owner alone: it tells of a whole fleet.
pub fn open(file: Option<&Path>) -> Result<Option<File>> {
    let Some(path) = file else { return Ok(None) };
    let said = || format!("cannot write {}", path.display());
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.with_context(said)?;
    if file.metadata().is_ok_and(|about| about.is_file()) {
        file.set_permissions(Permissions::from_mode(0o600)).with_context(said)?;
    }
    Ok(Some(file))
}

impl Report {
    pub fn of(plan: &Plan, boots: &Boots) -> Report {
        let mut lines = plan.lines.clone();
        lines.sort_by(|a, b| (a.what, &a.place).cmp(&(b.what, &b.place)));
        Report {
            networks: plan.networks.len(),
            distros: plan.distros.len(),
            profiles: plan.profiles.len(),
            machines: plan.machines.len(),
            templates: plan.templates.len(),
            templates_remarked: plan.remarked,
            boot_files: boots.found.len().saturating_mul(2),
            files: boots.files.clone(),
            refused: None,
            lines,
        }
    }

    pub fn records(&self) -> usize {
        self.networks.saturating_add(self.distros).saturating_add(self.profiles).saturating_add(self.machines)
    }

    pub fn write(&self, file: Option<File>) -> Result<()> {
        let Some(mut file) = file else { return Ok(()) };
        let text = serde_json::to_string_pretty(self).context("the report can not be written")?;
        // What is no plain file, a terminal for one, has no length.
        let is_plain = file.metadata().is_ok_and(|about| about.is_file());
        let written = if is_plain { file.set_len(0) } else { Ok(()) };
        written.and_then(|()| writeln!(file, "{text}")).context("cannot write the report")
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
            "{}, {}, {}, {} and {} {verb}; {} with remarks, {} below {}",
            count(self.networks, "network"),
            count(self.distros, "distro"),
            count(self.profiles, "profile"),
            count(self.machines, "machine"),
            count(self.templates, "template"),
            count(self.templates_remarked, "template"),
            count(self.boot_files, "boot file"),
            self.files.display(),
        );
        if let Some(refused) = &self.refused {
            let _ = writeln!(text, "the import would refuse it: {refused}");
        }
        text
    }
}
