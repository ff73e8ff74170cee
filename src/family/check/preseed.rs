//! Preseed files, as debconf reads them: owner, question, type, value.

use super::{Fault, lines, shell, unpacked, without_nul};
use crate::model::Variables;

const TYPES: &[&str] = &["string", "boolean", "select", "multiselect", "note", "text", "password", "error", "title"];

pub fn check(_: &str, text: &str, _: &Variables) -> Result<(), Fault> {
    without_nul(text)?;
    let mut whole = String::new();
    let mut begun = None;
    for (number, line) in lines(text) {
        let at = *begun.get_or_insert(number);
        if let Some(part) = line.strip_suffix('\\') {
            whole.push_str(part);
            continue;
        }
        whole.push_str(line);
        question(at, &whole)?;
        whole.clear();
        begun = None;
    }
    match begun {
        Some(line) => Err(Fault::new(line, "goes on after the last line: a backslash ends it")),
        None => Ok(()),
    }
}

fn question(number: usize, line: &str) -> Result<(), Fault> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    let mut rest = line;
    let mut next = || {
        let (word, tail) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        rest = tail.trim_start_matches([' ', '\t']);
        word
    };
    let (owner, question, kind) = (next(), next(), next());
    let is_owner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-+._".contains(c);
    if !owner.chars().all(is_owner) {
        return Err(Fault::new(number, format!("{owner:?} is no owner: a line is owner, question, type and value")));
    }
    if !question.contains('/') && kind != "seen" {
        return Err(Fault::new(number, format!("{question:?} is no question: those have a / in their names")));
    }
    match kind {
        "seen" | "boolean" if !matches!(rest.trim_end(), "true" | "false") => {
            Err(Fault::new(number, format!("{question} is true or false")))
        }
        "seen" => Ok(()),
        kind if !TYPES.contains(&kind) => {
            Err(Fault::new(number, format!("{kind:?} of {question} is no type: one of {}", TYPES.join(", "))))
        }
        _ if question.ends_with("_command") => command(number, question, rest),
        _ => Ok(()),
    }
}

/// A command is a line of shell; the script that it carries in base64 is looked into, too.
fn command(number: usize, question: &str, line: &str) -> Result<(), Fault> {
    shell::whole(line).map_err(|fault| Fault::new(number, format!("{question}: {}", fault.text)))?;
    let mut packed = line.split_whitespace().filter(|word| word.len() > 200).filter_map(unpacked);
    let inside = |script: String| {
        shell::whole(&script).map_err(|fault| fault.inside(number, &format!("the script of {question}")))
    };
    packed.try_for_each(inside)
}
