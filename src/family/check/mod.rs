//! Reads an answer file as its installer would, before any machine does: what is known to be wrong names its line.
//!
//! No check is an installer: what passes here may still be refused there. What fails here fails there.

mod agama;
mod autoinstall;
mod autoyast;
mod esxi;
mod ignition;
mod image;
mod kickstart;
mod preseed;
mod shell;
pub mod tree;

#[cfg(test)]
mod tests;

pub use agama::check as agama;
pub use autoinstall::check as autoinstall;
pub use autoyast::check as autoyast;
pub use esxi::check as esxi;
pub use ignition::check as ignition;
pub use image::{check as image, cloud_config};
pub use kickstart::{check as kickstart, knows as kickstart_knows};
pub use preseed::check as preseed;
pub use shell::check as shell;

/// What an installer would stumble over: the line of the rendered file, and what is expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct Fault {
    pub line: usize,
    pub text: String,
}

impl Fault {
    fn new(line: usize, text: impl Into<String>) -> Fault {
        Fault { line: line.max(1), text: text.into() }
    }

    /// The same, in a text that begins at this line of another.
    fn below(self, line: usize) -> Fault {
        Fault { line: line.saturating_add(self.line).saturating_sub(1), ..self }
    }

    /// The same, in a text that a line of another carries in another form.
    fn inside(self, line: usize, what: &str) -> Fault {
        Fault { line, text: format!("in {what}, {self}") }
    }
}

/// Lines with their numbers, as editors count them.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at.saturating_add(1), line))
}

/// No installer's file holds one, and C would take it for the end; before the first word a byte order mark is a letter.
fn without_nul(text: &str) -> Result<(), Fault> {
    if text.starts_with('\u{feff}') {
        return Err(Fault::new(1, "begins with a byte order mark"));
    }
    match lines(text).find(|(_, line)| line.contains('\0')) {
        Some((line, _)) => Err(Fault::new(line, "holds a NUL")),
        None => Ok(()),
    }
}

/// Base64 of scripts is wrapped into one line by templates: what it unpacks to.
fn unpacked(base64: &str) -> Option<String> {
    use base64::Engine as _;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(base64).ok()?).ok()
}
