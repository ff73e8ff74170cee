//! Templates and snippets of the data: under which names they lie here, and their texts.

use super::folder::Folder;
use super::plan::{Line, What};
use crate::cheetah::{self, FOLDER, Known, Remark};
use std::collections::BTreeMap;

/// What came of the texts.
#[derive(Debug, Default)]
pub struct Texts {
    /// By their names here.
    pub all: BTreeMap<String, String>,
    pub lines: Vec<Line>,
    /// How many were converted, and of how many something is to be said.
    pub converted: usize,
    pub remarked: usize,
}

pub fn texts(folder: &Folder, known: &mut Known) -> Texts {
    for text in folder.templates.values().chain(folder.snippets.values()) {
        for name in cheetah::gives(text) {
            known.names.entry(name).or_insert(false);
        }
    }
    let plain = |name: &String| name.split_once('/').filter(|(of, _)| of.starts_with("per_")).is_none();
    let mut snippets: std::collections::BTreeSet<String> =
        folder.snippets.keys().filter(|name| plain(name)).cloned().collect();
    snippets.extend(folder.snippets.keys().filter_map(|name| own(name).map(|(_, _, snippet)| snippet.to_owned())));
    known.snippets = Some(snippets);
    let mut texts = Texts::default();
    for (file, text) in &folder.templates {
        let place = format!("templates/{file}");
        texts.one(&place, Some(format!("{FOLDER}/{}", plain_name(file))), text, known);
        if !text.contains("autoinstall_done") && !text.contains("kickstart_done") && !text.trim().is_empty() {
            let why = "it includes neither autoinstall_done nor kickstart_done: nothing tells this server that an install is over, so it would begin anew, up to three times; include \"snippets/cobbler/autoinstall_done\" in its last script";
            texts.lines.push(Line::new(What::Todo, &place, why));
        }
    }
    for (file, text) in &folder.snippets {
        let place = format!("snippets/{file}");
        if let Some(why) = cheetah::names::ours(file) {
            texts.lines.push(Line::new(What::Changed, &place, &format!("the appliance's own takes its place, which {why}; the converted one is snippets/{FOLDER}/own/{file}")));
            texts.one(&place, Some(format!("snippets/{FOLDER}/own/{}", plain_name(file))), text, known);
            continue;
        }
        texts.one(&place, name(file), text, known);
    }
    texts
}

/// `per_system/SNIPPET/NAME`: the kind, the snippet and whose it is.
fn own(file: &str) -> Option<(&'static str, &str, &str)> {
    let (kind, rest) = file.split_once('/')?;
    let kind = match kind {
        "per_system" => "machine",
        "per_profile" => "profile",
        "per_distro" => "distro",
        _ => return None,
    };
    let (snippet, whose) = rest.rsplit_once('/')?;
    Some((kind, whose, snippet))
}

fn name(file: &str) -> Option<String> {
    match own(file) {
        Some((kind, whose, snippet)) => {
            Some(format!("snippets/{kind}/{}/{FOLDER}/{}", super::plan::named(whose)?, plain_name(snippet)))
        }
        None => Some(format!("snippets/{FOLDER}/{}", plain_name(file))),
    }
}

/// With the characters that a template's name may have.
pub fn plain_name(file: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+/".contains(c);
    file.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// What is no template here: settings, notes, and what editors leave.
fn is_left(name: &str) -> bool {
    let left = |part: &str| part.is_empty() || part.starts_with(['.', '#']) || part.ends_with(['~', '#']);
    let ends = [".toml", ".swp", ".bak", ".orig", ".rej", ".tmp", ".md", ".rpmsave", ".rpmnew"];
    ends.iter().any(|end| name.ends_with(end)) || name.split('/').any(left)
}

impl Texts {
    fn one(&mut self, place: &str, name: Option<String>, text: &str, known: &Known) {
        let Some(name) = name.filter(|name| !is_left(name) && name.len() < 240) else {
            self.lines.push(Line::new(What::Left, place, "its name is none of a template's"));
            return;
        };
        self.converted = self.converted.saturating_add(1);
        let first = text.lines().next().unwrap_or_default();
        let converted = match first.strip_prefix("#template=").map(|kind| kind.trim().to_ascii_lowercase()) {
            Some(kind) if kind == "jinja2" => self.jinja(place, text),
            _ => {
                let rest = if first.starts_with("#template=") {
                    text.split_once('\n').map_or("", |(_, rest)| rest)
                } else {
                    text
                };
                let skipped = usize::from(first.starts_with("#template="));
                let done = cheetah::convert(place, rest, known);
                self.remarks(place, &done.remarks, skipped);
                done.text
            }
        };
        self.addresses(place, text);
        if self.all.insert(name.clone(), converted).is_some() {
            self.lines.push(Line::new(What::Changed, place, &format!("another file is {name}, too: this one counts")));
        }
    }

    fn remarks(&mut self, place: &str, remarks: &[Remark], skipped: usize) {
        self.remarked = self.remarked.saturating_add(usize::from(!remarks.is_empty()));
        for remark in remarks {
            let line = remark.line.saturating_add(skipped);
            let at = format!("{place}:{line}:{}", remark.column);
            let (what, then) = match remark.stops {
                true => (What::Todo, "; rendering stops there until it is written anew"),
                false => (What::Note, ""),
            };
            let text = if remark.text.is_empty() { String::new() } else { format!("{}: ", remark.text) };
            self.lines.push(Line::new(what, &at, &format!("{text}{}{then}", remark.why)));
        }
    }

    /// Jinja2 is nearly ours: its comments are written otherwise.
    fn jinja(&mut self, place: &str, text: &str) -> String {
        let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
        let text = rest.replace("\r\n", "\n").replace("{#", "{##").replace("#}", "##}");
        self.lines.push(Line::new(What::Note, place, "it is Jinja2: taken as it is, but for comments"));
        text
    }

    /// Addresses that only Cobbler serves.
    fn addresses(&mut self, place: &str, text: &str) {
        let lines = text.lines().enumerate().filter(|(_, line)| line.contains("/cblr/svc/op/"));
        if let Some((index, _)) =
            lines.take(1).next().filter(|_| !cheetah::names::OURS.iter().any(|(name, _)| place.ends_with(name)))
        {
            let at = format!("{place}:{}", index.saturating_add(1));
            self.lines.push(Line::new(What::Note, &at, "it asks Cobbler's own addresses (/cblr/svc/op/…), which are served only where compatibility with them is switched on"));
        }
    }
}
