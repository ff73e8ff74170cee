//! Ignition's configurations: their version, files with places and contents, units, and what they carry inside.

use super::tree::{self, Node};
use super::{Fault, shell, without_nul};
use crate::model::Variables;
use base64::Engine as _;

/// A configuration of a live system carries that of the installed one; none carries more.
const LEVELS: usize = 3;

pub fn check(_: &str, text: &str, _: &Variables) -> Result<(), Fault> {
    without_nul(text)?;
    configuration(text, LEVELS)
}

fn configuration(text: &str, levels: usize) -> Result<(), Fault> {
    let root = tree::json(text)?;
    root.map("a configuration")?;
    root.only(&["ignition", "kernelArguments", "passwd", "storage", "systemd"], "a configuration of version 3")?;
    let version = root.need("ignition", "a configuration")?.need("version", "ignition")?;
    let text = version.text().unwrap_or_default();
    if !matches!(text.split('.').collect::<Vec<_>>().as_slice(), ["3", "0" | "1" | "2" | "3" | "4" | "5" | "6", "0"]) {
        return Err(Fault::new(version.line, format!("{text:?} is no version of Ignition's: 3.0.0 to 3.6.0")));
    }
    let storage = root.get("storage");
    let files = storage.and_then(|storage| storage.get("files")).map(|files| files.list("files")).transpose()?;
    files.unwrap_or_default().iter().try_for_each(|node| file(node, levels))?;
    let units = root.get("systemd").and_then(|systemd| systemd.get("units"));
    units.map_or(Ok(&[][..]), |units| units.list("units"))?.iter().try_for_each(unit)?;
    let users = root.get("passwd").and_then(|passwd| passwd.get("users"));
    for user in users.map_or(Ok(&[][..]), |users| users.list("users"))? {
        user.need("name", "a user")?;
    }
    Ok(())
}

fn file(node: &Node, levels: usize) -> Result<(), Fault> {
    let path = node.need("path", "a file")?;
    let place = path.text().unwrap_or_default();
    if !place.starts_with('/') || place.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(Fault::new(path.line, format!("{place:?} is no whole path")));
    }
    let contents = node.get("contents").and_then(|contents| contents.get("source"));
    let Some(source) = contents else { return Ok(()) };
    let Some(text) = carried(source)? else { return Ok(()) };
    if place.ends_with(".ign") {
        let levels =
            levels.checked_sub(1).ok_or_else(|| Fault::new(source.line, "configurations in configurations in …"))?;
        return configuration(&text, levels).map_err(|fault| fault.inside(source.line, place));
    }
    match text.starts_with("#!") && text.lines().next().is_some_and(|line| line.ends_with("sh")) {
        true => shell::whole(&text).map_err(|fault| fault.inside(source.line, place)),
        false => Ok(()),
    }
}

/// What a `data:` URL carries; none for another URL, and for what is no text.
fn carried(source: &Node) -> Result<Option<String>, Fault> {
    let url = source.text().unwrap_or_default();
    let wrong = |why: &str| Fault::new(source.line, format!("source: {why}"));
    let Some(data) = url.strip_prefix("data:") else {
        let known = ["http://", "https://", "tftp://", "s3://", "gs://", "arn:"];
        return match url.is_empty() || known.iter().any(|scheme| url.starts_with(scheme)) {
            true => Ok(None),
            false => Err(wrong("must be a data: URL, or one that Ignition can fetch")),
        };
    };
    let (kind, data) = data.split_once(',').ok_or_else(|| wrong("a data: URL has a comma before its data"))?;
    if !kind.ends_with(";base64") {
        return match data.contains(|c: char| c.is_whitespace() || c.is_control()) {
            true => Err(wrong("a data: URL has its blanks as %20")),
            false => Ok(None),
        };
    }
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(data).map_err(|_| wrong("what it carries is no base64"))?;
    Ok(String::from_utf8(bytes).ok())
}

fn unit(node: &Node) -> Result<(), Fault> {
    const KINDS: &[&str] =
        &[".service", ".mount", ".automount", ".socket", ".timer", ".target", ".path", ".swap", ".slice", ".device"];
    let name = node.need("name", "a unit")?;
    let text = name.text().unwrap_or_default();
    if !KINDS.iter().any(|kind| text.ends_with(kind)) {
        return Err(Fault::new(name.line, format!("{text:?} is no unit's name: it ends in .service, for example")));
    }
    let Some(contents) = node.get("contents") else { return Ok(()) };
    match contents.text().unwrap_or_default().lines().find(|line| !line.trim().is_empty()) {
        Some(line) if line.starts_with('[') || line.starts_with('#') => Ok(()),
        _ => Err(Fault::new(contents.line, format!("{text} begins with a section, such as [Unit]"))),
    }
}
