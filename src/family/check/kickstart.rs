//! Kickstarts, as Anaconda reads them: known commands for the release, sections closed, quotes whole.

use super::{Fault, lines, shell, without_nul};
use crate::model::Variables;

/// A release that a command came with, and the last one that it is known to.
type Span = (Release, Release);

/// RHEL's number, or Fedora's, which are never below 20.
pub type Release = u32;

const EVER: Span = (0, Release::MAX);

/// Known to RHEL 7 to 10 and Fedora alike.
const COMMON: &[&str] = &[
    "autopart",
    "bootloader",
    "cdrom",
    "clearpart",
    "cmdline",
    "driverdisk",
    "eula",
    "fcoe",
    "firewall",
    "firstboot",
    "graphical",
    "group",
    "halt",
    "harddrive",
    "hmc",
    "ignoredisk",
    "iscsi",
    "iscsiname",
    "keyboard",
    "lang",
    "liveimg",
    "logging",
    "logvol",
    "mediacheck",
    "network",
    "nfs",
    "ostreesetup",
    "part",
    "partition",
    "poweroff",
    "raid",
    "realm",
    "reboot",
    "repo",
    "reqpart",
    "rescue",
    "rootpw",
    "selinux",
    "services",
    "shutdown",
    "skipx",
    "snapshot",
    "sshpw",
    "text",
    "timezone",
    "updates",
    "url",
    "user",
    "volgroup",
    "xconfig",
    "zerombr",
    "zfcp",
];

/// The others: in RHEL, and in Fedora.
const OTHERS: &[(&str, Span, Option<Span>)] = &[
    ("auth", (7, 9), None),
    ("authconfig", (7, 9), None),
    ("authselect", (8, 99), Some((28, 99))),
    ("autostep", (7, 9), None),
    ("bootc", (10, 99), Some((43, 99))),
    ("btrfs", (7, 9), Some(EVER)),
    ("device", (7, 8), None),
    ("deviceprobe", (7, 8), None),
    ("dmraid", (7, 8), None),
    ("install", (7, 8), None),
    ("method", (7, 9), None),
    ("module", (8, 10), Some((29, 44))),
    ("mount", (8, 99), Some((27, 99))),
    ("multipath", (7, 8), None),
    ("nvdimm", (7, 9), Some((28, 44))),
    ("ostreecontainer", (9, 99), Some((38, 99))),
    ("rdp", (10, 99), Some((43, 99))),
    ("rhsm", (8, 99), None),
    ("sshkey", (8, 99), Some((22, 99))),
    ("stratisfs", (11, 99), Some((45, 99))),
    ("stratispool", (11, 99), Some((45, 99))),
    ("syspurpose", (8, 99), None),
    ("timesource", (9, 99), Some((33, 99))),
    ("unsupported_hardware", (7, 7), None),
    ("upgrade", (7, 7), None),
    ("vnc", (7, 10), Some((0, 44))),
    ("zipl", (8, 99), Some((32, 99))),
];

/// Sections whose bodies are scripts.
const SCRIPTS: &[&str] = &["%pre", "%pre-install", "%post", "%onerror", "%traceback"];
const SECTIONS: &[&str] = &["%packages", "%addon", "%anaconda", "%certificate"];

/// Whether a release of RHEL, or of Fedora from 20 on, knows a command.
pub fn knows(release: Release, command: &str) -> bool {
    let within = |(first, last): Span| (first..=last).contains(&release);
    let other = OTHERS.iter().find(|(name, ..)| *name == command);
    COMMON.contains(&command)
        || other.is_some_and(|(_, rhel, fedora)| if release < 20 { within(*rhel) } else { fedora.is_some_and(within) })
}

/// The variable `release`: `9`, `"9.4"`, `41`.
pub fn release(variables: &Variables) -> Release {
    let text = variables.get("release").map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
    let number = text.and_then(|text| text.split('.').next()?.parse().ok());
    number.unwrap_or(9)
}

pub fn check(_: &str, text: &str, variables: &Variables) -> Result<(), Fault> {
    without_nul(text)?;
    let release = release(variables);
    let mut section: Option<Section<'_>> = None;
    for (number, line) in lines(text) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let first = words.first().copied().unwrap_or_default();
        match (&mut section, first) {
            (Some(open), "%end") => {
                open.end()?;
                section = None;
            }
            (Some(open), _) => open.line(line, number, first)?,
            (None, "%end") => return Err(Fault::new(number, "%end closes no section")),
            (None, "" | "%include" | "%ksappend") => {}
            (None, _) if first.starts_with('#') => {}
            (None, _) if first.starts_with('%') => section = Some(Section::new(number, first, &words)?),
            (None, _) => command(number, line, first, release)?,
        }
    }
    section.map_or(Ok(()), |open| Err(Fault::new(open.line, format!("{} is not closed by %end", open.name))))
}

struct Section<'a> {
    name: &'a str,
    line: usize,
    /// A script of sh or bash, which can be looked into.
    is_shell: bool,
    body: String,
}

impl<'a> Section<'a> {
    fn new(line: usize, name: &'a str, words: &[&str]) -> Result<Section<'a>, Fault> {
        let is_script = SCRIPTS.contains(&name);
        if !is_script && !SECTIONS.contains(&name) {
            return Err(Fault::new(line, format!("there is no section {name}")));
        }
        let interpreter = words.iter().find_map(|word| word.strip_prefix("--interpreter"));
        let other = interpreter.is_some_and(|rest| !rest.is_empty() && !rest.ends_with("sh"));
        Ok(Section { name, line, is_shell: is_script && !other && interpreter != Some(""), body: String::new() })
    }

    fn line(&mut self, line: &str, number: usize, first: &str) -> Result<(), Fault> {
        if SCRIPTS.contains(&first) || SECTIONS.contains(&first) {
            return Err(Fault::new(
                number,
                format!("{first} begins inside {}, which began in line {} and has no %end", self.name, self.line),
            ));
        }
        if self.name == "%packages" && line.trim_start().starts_with("--") {
            return Err(Fault::new(number, "an option stands alone where a package is expected"));
        }
        self.body.push_str(line);
        self.body.push('\n');
        Ok(())
    }

    fn end(&self) -> Result<(), Fault> {
        match self.is_shell {
            true => shell::whole(&self.body).map_err(|fault| fault.below(self.line.saturating_add(1))),
            false => Ok(()),
        }
    }
}

fn command(number: usize, line: &str, first: &str, release: Release) -> Result<(), Fault> {
    if !quotes_are_whole(line) {
        return Err(Fault::new(number, "a quote is not closed, and Anaconda reads each line by itself"));
    }
    if knows(release, first) {
        return Ok(());
    }
    let known_elsewhere = OTHERS.iter().any(|(name, ..)| *name == first);
    let whose = if release < 20 { "RHEL" } else { "Fedora" };
    Err(Fault::new(
        number,
        match known_elsewhere {
            true => {
                format!("{whose} {release} does not know the command {first} (the variable release says which it is)")
            }
            false => format!("{first:?} is no kickstart command"),
        },
    ))
}

/// As a POSIX shell splits words, `#` of a comment included.
pub fn quotes_are_whole(line: &str) -> bool {
    let mut open: Option<char> = None;
    let mut chars = line.chars();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        match (open, c) {
            (None, '#') if before.is_whitespace() => return true,
            (None | Some('"'), '\\') if chars.next().is_none() => return false,
            (None | Some('"'), '\\') => {}
            (None, '\'' | '"') => open = Some(c),
            (Some(quote), _) if quote == c => open = None,
            _ => {}
        }
        before = c;
    }
    open.is_none()
}
