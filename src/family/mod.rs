//! How each family of distributions is driven: the FAMILIES table, one file for each row.
//!
//! [`shapes`] says what a well-known variable may be, [`network`] reads how a machine is wired, [`words`] says it on a kernel's command line, [`links`] in files of the
//! installed system. [`check`] reads an answer file as its installer would, [`catalogue`] the ready-made profiles.

mod agama;
pub mod catalogue;
pub mod check;
mod debian;
mod esxi;
mod fai;
mod ignition;
mod image;
mod links;
pub mod network;
mod redhat;
pub mod shapes;
mod suse;
mod ubuntu;
mod words;

use crate::boot::Here;
use crate::boot::recipe::Recipe;
use crate::model::{Family, Mac, Name, Variables};
use check::Fault;
use network::Wiring;

/// A row: what a family's installer wants to be told, and where.
pub struct Row {
    pub family: Family,
    /// The answer file's template.
    pub template: &'static str,
    /// Its name below the token's URL, where the installer asks for several files.
    pub name: &'static str,
    /// The others.
    pub more: &'static [Answer],
    /// Variables that have no default: without them nothing can be installed.
    pub needs: &'static [&'static str],
    /// Variables that name files of ours, or whole URLs.
    pub files: &'static [&'static str],
    /// Its answer file fetches the agent from here when there is a key to register with.
    pub fetches_agent: bool,
    /// Its installer is told on the command line by which CA it knows us, and fetches its answer file by HTTPS.
    pub pins: bool,
    /// Kernel arguments, before the operator's.
    pub arguments: fn(&Trip<'_>) -> Vec<String>,
    /// What its loader does with the distro's kernel.
    pub start: Start,
    /// Reads a file as the installer would: its name below the token's URL, its text, and the install's variables.
    pub check: fn(&str, &str, &Variables) -> Result<(), Fault>,
}

/// A file beside the answer file, below the same token.
pub struct Answer {
    pub name: &'static str,
    pub template: &'static str,
}

/// How an installer is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// A Linux kernel and its initrd; the operator's arguments follow the family's.
    Linux,
    /// VMware's mboot, which reads the rest, the operator's arguments too, from boot.cfg.
    Mboot,
}

impl Start {
    /// Which of the boot scripts it takes.
    pub fn script(self) -> &'static str {
        match self {
            Start::Linux => "install",
            Start::Mboot => "mboot",
        }
    }
}

pub const FAMILIES: &[Row] =
    &[image::ROW, redhat::ROW, debian::ROW, ubuntu::ROW, suse::ROW, agama::ROW, ignition::ROW, esxi::ROW, fai::ROW];

/// One boot of an installer.
pub struct Trip<'a> {
    pub name: &'a Name,
    pub mac: Mac,
    pub here: Here,
    pub answer_url: &'a str,
    pub recipe: &'a Recipe,
    /// The recipe's, with the family's defaults.
    pub variables: &'a Variables,
    pub wiring: &'a Wiring,
}

impl Trip<'_> {
    /// A variable that names a file below `files`, or a whole URL, as a URL.
    pub fn url(&self, variable: &str) -> String {
        url(self.here, self.variables, variable)
    }

    pub fn has(&self, variable: &str) -> bool {
        self.variables.get(variable).and_then(|value| value.as_str()).is_some_and(|text| !text.is_empty())
    }

    /// The whole kernel command line.
    pub fn command_line(&self) -> String {
        let row = row(self.recipe.distro.family);
        let mut all = (row.arguments)(self);
        if row.start == Start::Linux {
            all.extend(consoles(self.wiring));
            all.extend(self.recipe.operators_arguments().map(str::to_owned));
        }
        all.join(" ")
    }

    /// What ESXi's boot.cfg says behind `kernelopt=`.
    pub fn kernel_options(&self) -> String {
        esxi::options(self).join(" ")
    }
}

/// The last one is the one that the system talks to.
pub fn consoles(wiring: &Wiring) -> Vec<String> {
    let serial = |port| vec!["console=tty0".to_owned(), format!("console={port}")];
    wiring.serial.as_ref().map(serial).unwrap_or_default()
}

pub fn url(here: Here, variables: &Variables, variable: &str) -> String {
    url_by(|path| here.file(path), variables, variable)
}

/// The same for who verifies us.
pub fn secure_url(here: Here, variables: &Variables, variable: &str) -> String {
    url_by(|path| here.secure_file(path), variables, variable)
}

fn url_by(ours: impl Fn(&str) -> String, variables: &Variables, variable: &str) -> String {
    match variables.get(variable).and_then(|v| v.as_str()).unwrap_or_default() {
        "" => String::new(),
        whole if whole.contains("://") => whole.to_owned(),
        path => ours(path),
    }
}

pub fn row(family: Family) -> &'static Row {
    FAMILIES.iter().find(|row| row.family == family).expect("the table has a row for each family: see the test")
}

impl Row {
    /// The template of one of its files; by default that of the answer file itself.
    pub fn template_of(&self, file: Option<&str>) -> Option<&'static str> {
        match file {
            None => Some(self.template),
            Some(name) if !self.name.is_empty() && name == self.name => Some(self.template),
            Some(name) => self.more.iter().find(|answer| answer.name == name).map(|answer| answer.template),
        }
    }
}

/// What a recipe lacks, in one sentence.
pub fn lacks(recipe: &Recipe) -> Option<String> {
    let family = recipe.distro.family;
    if let Some(name) = row(family).files.iter().find(|name| recipe.secrets.contains_key(**name)) {
        return Some(format!("{name} is a secret, and everybody sees which files are fetched: give it with --var"));
    }
    let read_here = |name: &&String| network::VARIABLES.contains(&name.as_str()) || *name == "kernel_arguments";
    if let Some(name) = recipe.secrets.keys().find(read_here) {
        return Some(format!("{name} is a secret, and a kernel's arguments are read by everybody: give it with --var"));
    }
    if let Some(missing) = row(family).needs.iter().find(|name| !recipe.has(name)) {
        let name = &recipe.distro.name;
        return Some(format!(
            "the {family} family needs the variable {missing}: `kickstand distro set {name} --var {missing}=…`"
        ));
    }
    (family == Family::Image).then(|| image::unfit(recipe)).flatten()
}

#[cfg(test)]
mod tests;
