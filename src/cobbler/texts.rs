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
    /// What a text without a header is.
    is_jinja: bool,
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
    let usual = folder.settings.get("default_template_type").and_then(|kind| kind.as_str()).unwrap_or_default();
    let mut texts = Texts { is_jinja: usual.eq_ignore_ascii_case("jinja2"), ..Texts::default() };
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

/// Its comments are written otherwise, and lines with a tag alone stay: Cobbler trims nothing.
fn jinja(text: &str) -> String {
    let (mut said, mut rest) = (String::new(), text);
    while let Some(at) = rest.match_indices('{').map(|(at, _)| at).find(|at| begins(rest.get(*at..))) {
        let (before, tag) = rest.split_at_checked(at).unwrap_or((rest, ""));
        said.push_str(before);
        let (open, closes) = match tag.get(..2) {
            Some("{#") => ("{##", "#}"),
            Some("{%") => ("{%", "%}"),
            _ => ("{{", "}}"),
        };
        let inner = tag.get(2..).unwrap_or_default();
        let Some(end) = end(inner, closes) else {
            said.push_str(tag);
            return said;
        };
        let (inner, behind) = inner.split_at_checked(end).unwrap_or((inner, ""));
        rest = behind.get(2..).unwrap_or_default();
        let plus = |has: bool| if has || closes == "}}" { "" } else { "+" };
        let (first, last) = (plus(inner.starts_with(['-', '+'])), plus(inner.ends_with(['-', '+'])));
        let close = if closes == "#}" { "##}" } else { closes };
        said.push_str(&format!("{open}{first}{inner}{last}{close}"));
        if closes == "%}" && inner.trim_matches(['-', '+']).trim() == "raw" {
            // Up to its end all is text.
            let ends = rest.match_indices("{%").map(|(at, _)| at).find(|at| {
                let tag = rest.get(at.saturating_add(2)..).unwrap_or_default();
                tag.trim_start_matches(['-', '+']).trim_start().starts_with("endraw")
            });
            let (raw, behind) = rest.split_at_checked(ends.unwrap_or(rest.len())).unwrap_or((rest, ""));
            said.push_str(raw);
            rest = behind;
        }
    }
    said.push_str(rest);
    said
}

fn begins(text: Option<&str>) -> bool {
    text.is_some_and(|text| ["{#", "{%", "{{"].iter().any(|sign| text.starts_with(sign)))
}

/// Where a tag ends; in its texts nothing does.
fn end(inner: &str, closes: &str) -> Option<usize> {
    if closes == "#}" {
        return inner.find(closes);
    }
    let mut quote = None;
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match quote {
            Some(_) if c == '\\' => drop(chars.next()),
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if inner.get(at..).is_some_and(|rest| rest.starts_with(closes)) => return Some(at),
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => {}
        }
    }
    None
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
            Some(kind) if kind == "jinja2" => self.jinja(place, text.split_once('\n').map_or("", |(_, rest)| rest)),
            None if self.is_jinja => self.jinja(place, text),
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

    /// Jinja2 is nearly ours.
    fn jinja(&mut self, place: &str, text: &str) -> String {
        let why = "it is Jinja2: taken as it is, but for comments and for the blanks around tags, which Cobbler keeps";
        self.lines.push(Line::new(What::Note, place, why));
        jinja(&text.replace("\r\n", "\n"))
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
