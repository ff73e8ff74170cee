//! Template and variables to text, within limits: an unknown variable is an error that names its line.

mod arguments;
mod filters;
mod net;
mod password;
mod secrets;
mod text;

#[cfg(test)]
mod tests;

pub use secrets::{Opened, Opener, Rendered, Secrets, render_with};

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde};
use std::io::{self, Write};
use std::sync::Arc;

/// Instructions that one rendering may take: a second or so.
const FUEL: u64 = 2_000_000;
/// Bytes that one rendering may give.
const SIZE_LIMIT: usize = 4 << 20;

/// Where a template is broken, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{}: {text}", line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct Error {
    /// The template's file name.
    pub place: String,
    pub line: Option<usize>,
    pub text: String,
}

/// Finds a template's text by name, below `templates/` or `pxe/`.
pub type Source = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Renders one template. Nothing is escaped by guess: each language has its filter.
pub fn render(source: &Source, name: &str, context: &serde_json::Value) -> Result<String, Error> {
    render_value(source, name, Value::from(Serde(context)))
}

fn render_value(source: &Source, name: &str, context: Value) -> Result<String, Error> {
    let env = environment(source.clone());
    let failed = |e: minijinja::Error| explain(name, &e);
    let template = env.get_template(name).map_err(failed)?;
    let mut out = Limited(Vec::new());
    template.render_captured_to(context, &mut out).map_err(failed)?;
    String::from_utf8(out.0).map_err(|_| Error { place: name.into(), line: None, text: "is not UTF-8".into() })
}

fn environment(source: Source) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_loader(move |name| Ok(source(name)));
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    // So that an error knows the expression that it stands for.
    env.set_debug(true);
    // `{#` is Bash: ${#array[@]}.
    let mut syntax = SyntaxConfig::builder();
    syntax.comment_delimiters("{##", "##}").keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true);
    env.set_syntax(syntax.build().expect("the delimiters are fixed and different"));
    filters::add_to(&mut env);
    env
}

fn explain(name: &str, error: &minijinja::Error) -> Error {
    let place = error.name().unwrap_or(name).to_owned();
    let kind = match error.kind() {
        ErrorKind::UndefinedError => "a variable is not set".to_owned(),
        ErrorKind::OutOfFuel => "takes too long: look for an endless loop".to_owned(),
        ErrorKind::TemplateNotFound => "there is no such template".to_owned(),
        other => other.to_string(),
    };
    let text = match (error.detail(), expression(error)) {
        (Some(detail), Some(expression)) => format!("{expression} {detail}"),
        (Some(detail), None) => format!("{kind}: {detail}"),
        (None, _) => kind,
    };
    Error { place, line: error.line(), text }
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

/// Stops a template that doubles a string for ever.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > SIZE_LIMIT {
            return Err(io::Error::other(format!("gives more than {SIZE_LIMIT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
