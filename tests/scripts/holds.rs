//! What must hold for one text in one variable of one template.

use super::grub::kernel_line;
use super::kernel::parameters;
use super::setting::{MARK, Template};

/// The script has the commands that it has with a plain word, and the text is itself; or the error names the variable.
pub fn holds(template: &Template, variable: &str, text: &str) -> Result<(), String> {
    let told = |what: String| format!("{} {variable} = {text:?}: {what}", template.name);
    let script = match template.with(variable, text) {
        Ok(script) => script,
        Err(error) => {
            let leaf = variable.rsplit('/').next().unwrap_or(variable);
            // Too long is the whole line: its arguments are named, whatever made it so.
            let named = error.text.contains(leaf) || error.text.contains("command line would have");
            let named = named && error.line.is_some();
            return if named { Ok(()) } else { Err(told(format!("{error} does not name {leaf}"))) };
        }
    };
    let usual = (template.commands)(&template.with(variable, MARK).unwrap())?;
    let found = (template.commands)(&script).map_err(&told)?;
    if usual.len() != found.len() {
        return Err(told(format!("{} commands and not {}:\n{script}", found.len(), usual.len())));
    }
    for (usual, found) in usual.iter().zip(&found) {
        same(template, usual, found, text).map_err(|what| told(format!("{what}\n{script}")))?;
    }
    Ok(())
}

/// One command, with the text where the mark was.
fn same(template: &Template, usual: &[String], found: &[String], text: &str) -> Result<(), String> {
    let wanted: Vec<String> = usual.iter().map(|word| word.replace(MARK, text)).collect();
    let language = template.name.split('/').nth(1).unwrap_or_default();
    let equal = match (language, usual.iter().any(|word| word.contains(MARK))) {
        (_, false) => usual == found,
        ("grub", _) if usual[..2] == ["if", "linux"] => {
            found.get(..2) == Some(&usual[..2]) && found.get(2) == wanted.get(2) && {
                parameters(&kernel_line(&found[3..])) == parameters(&wanted[3..].join(" "))
            }
        }
        ("grub", _) => wanted == found,
        ("ipxe", _) if usual[0] == "kernel" => {
            found.first() == usual.first() && found.get(1) == wanted.get(1) && {
                parameters(&found[2..].join(" ")) == parameters(&wanted[2..].join(" "))
            }
        }
        ("ipxe", _) => words(&found.join(" ")) == words(&wanted.join(" ")),
        (_, _) => found == wanted,
    };
    if equal { Ok(()) } else { Err(format!("{found:?} and not {wanted:?}")) }
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').filter(|word| !word.is_empty()).collect()
}
