//! What Cobbler calls a system: its breed, its version, its architecture.

use crate::model::{Distro, Family, Variables};

/// Names as Cobbler's clients compare them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breed {
    pub breed: &'static str,
    pub os_version: String,
    pub arch: String,
}

/// Releases by the name that is in their version.
const CODENAMES: &[&str] =
    &["buster", "bullseye", "bookworm", "trixie", "forky", "sid", "bionic", "focal", "jammy", "noble", "resolute"];
/// What RHEL has not come to, Fedora has left behind.
const FEDORA: u32 = 18;

impl Breed {
    /// The variables `breed`, `os_version` and `arch` where they are set, else what the family, `release` and the
    /// distro's name tell.
    pub fn of(distro: &Distro, variables: &Variables) -> Breed {
        let name = distro.name.as_str();
        let breed = breed(distro.family, name, word(variables, "breed"));
        let wanted = word(variables, "os_version").unwrap_or_default().to_owned();
        let os_version = match (wanted.is_empty(), breed) {
            (false, "redhat") => redhat_as_numbered(&wanted),
            (false, _) => wanted,
            (true, "redhat") => redhat(name, variables),
            (true, "debian" | "ubuntu") => codename(name, variables),
            (true, "suse") => suse(name, distro.family),
            (true, "vmware") => numbered("esxi", name),
            _ => "other".into(),
        };
        Breed { breed, os_version, arch: arch(name, variables) }
    }
}

fn word<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    variables.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

fn breed(family: Family, name: &str, wanted: Option<&str>) -> &'static str {
    const BREEDS: &[&str] = &["redhat", "debian", "ubuntu", "suse", "vmware", "generic", "other"];
    if let Some(known) = wanted.and_then(|wanted| BREEDS.iter().find(|breed| **breed == wanted)) {
        return known;
    }
    match family {
        Family::Redhat => "redhat",
        Family::Debian if name.contains("ubuntu") => "ubuntu",
        Family::Debian => "debian",
        Family::Ubuntu => "ubuntu",
        Family::Suse | Family::Agama => "suse",
        Family::Esxi => "vmware",
        Family::Image | Family::Ignition | Family::Fai => "generic",
    }
}

/// The first number of a text: of `rocky-9.4-x86_64` 9, not that of `x86_64`.
fn number(text: &str) -> Option<u32> {
    let mut parts = text.split(|c: char| !c.is_ascii_alphanumeric());
    parts.find_map(|part| {
        let digits = part.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        digits.parse().ok().filter(|_| !matches!(part, "x86" | "x64" | "i386" | "i586" | "i686" | "arm64" | "amd64"))
    })
}

fn numbered(what: &str, name: &str) -> String {
    number(name).map_or("other".into(), |number| format!("{what}{number}"))
}

/// Clients make a number of what follows `rhel` and `fedora`, and break where it is none.
fn redhat_as_numbered(wanted: &str) -> String {
    for what in ["rhel", "fedora"] {
        if let Some(rest) = wanted.strip_prefix(what) {
            return numbered(what, rest);
        }
    }
    wanted.to_owned()
}

fn redhat(name: &str, variables: &Variables) -> String {
    let release = word(variables, "release").and_then(number);
    let by_name = number(name);
    let fedora = name.contains("fedora") || release.is_some_and(|release| release >= FEDORA);
    match release.filter(|_| !fedora || by_name.is_none()).or(by_name).or(release) {
        Some(number) if fedora => format!("fedora{number}"),
        Some(_) if by_name.is_some_and(|number| number < FEDORA) => numbered("rhel", name),
        Some(number) => format!("rhel{number}"),
        None => "other".into(),
    }
}

fn codename(name: &str, variables: &Variables) -> String {
    let said = ["suite", "release"].into_iter().filter_map(|variable| word(variables, variable));
    let known = |text: &str| CODENAMES.iter().find(|code| text.contains(**code)).map(|code| (*code).to_owned());
    said.chain([name]).find_map(known).unwrap_or_else(|| "other".into())
}

fn suse(name: &str, family: Family) -> String {
    match (name.contains("tumbleweed"), name.contains("sles") || name.contains("sle-")) {
        (true, _) => "opensusetumbleweed".into(),
        (_, true) => numbered("sles", name),
        _ if family == Family::Agama || name.contains("leap") => numbered("opensuse", name),
        _ => "suse".into(),
    }
}

fn arch(name: &str, variables: &Variables) -> String {
    let found = ["aarch64", "arm64", "ppc64le", "s390x", "i386"].into_iter().find(|arch| name.contains(arch));
    match word(variables, "arch").or(found) {
        Some("arm64") => "aarch64".into(),
        Some("amd64") | None => "x86_64".into(),
        Some(arch) => arch.to_owned(),
    }
}
