//! Template and variables to text, within limits: an unknown variable is an error that names its line.
//!
//! [`Templates`] is every template, compiled once. `guard` and `course` see to it that none takes more than it may, `bounds`
//! does so for minijinja's own filters, `words` is what a template can name. `filters` has one or two for each language, with `arguments` (a kernel's
//! command line) and `text` (XML, YAML, JSON); `net` those on addresses, `password` those on passwords; `python` has the methods
//! of texts, lists and maps, and patterns.

mod arguments;
mod bounds;
mod course;
mod filters;
mod guard;
mod net;
mod password;
mod python;
mod secrets;
mod templates;
mod text;
mod words;

#[cfg(test)]
mod tests;

use minijinja::ErrorKind;
pub use secrets::{Opened, Opener, Rendered, Secrets, holds};
pub use templates::{TEXT_BYTES, Templates, Used, Whose};
pub use words::Words;

/// Where a template is broken, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{}: {text}", line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct Error {
    /// The template's file name.
    pub place: String,
    pub line: Option<usize>,
    pub text: String,
}

/// Where it went wrong: in what was included, if need be.
fn explain(name: &str, error: &minijinja::Error) -> Error {
    let inner = std::error::Error::source(error);
    if let Some(inner) = inner.and_then(|inner| inner.downcast_ref()) {
        return explain(name, inner);
    }
    let place = error.name().unwrap_or(name).to_owned();
    let kind = match error.kind() {
        ErrorKind::UndefinedError => "a variable is not set".to_owned(),
        // Ours say which limit; minijinja's own is that of its instructions.
        ErrorKind::OutOfFuel => return Error { place, line: error.line(), text: limit(error) },
        ErrorKind::WriteFailure => inner.map_or_else(|| "can not be written".to_owned(), ToString::to_string),
        ErrorKind::TemplateNotFound => "there is no such template".to_owned(),
        other => other.to_string(),
    };
    let detail = error.detail().filter(|_| error.kind() != ErrorKind::WriteFailure);
    let text = match (detail, expression(error)) {
        (Some(detail), Some(expression)) => format!("{expression} {detail}"),
        (Some(detail), None) => format!("{kind}: {detail}"),
        (None, _) => kind,
    };
    Error { place, line: error.line(), text }
}

fn limit(error: &minijinja::Error) -> String {
    error.detail().unwrap_or("takes too long: look for an endless loop").to_owned()
}

/// What a filter would not say, with the name of the variable: `arguments|grub_args`.
fn expression(error: &minijinja::Error) -> Option<&str> {
    let refused = error.kind() == ErrorKind::InvalidOperation;
    // The range is that of the filter's name.
    let (source, at) = (error.template_source()?, error.range().filter(|_| refused)?.start);
    let (before, behind) = source.split_at_checked(at)?;
    let start = before.rfind("{{").max(before.rfind("{%"))?.checked_add(2)?;
    let length = ["}}", "%}"].into_iter().filter_map(|end| behind.find(end)).min()?;
    let end = at.checked_add(length)?;
    source.get(start..end).map(|text| text.trim_matches(['-', ' ']))
}
