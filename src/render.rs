//! Template and variables to text, within limits: an unknown variable is an error that names its line.

use base64::Engine as _;
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
    let env = environment(source.clone());
    let failed = |e: minijinja::Error| explain(name, &e);
    let template = env.get_template(name).map_err(failed)?;
    let mut out = Limited(Vec::new());
    template.render_captured_to(Value::from(Serde(context)), &mut out).map_err(failed)?;
    String::from_utf8(out.0).map_err(|_| Error { place: name.into(), line: None, text: "is not UTF-8".into() })
}

fn environment(source: Source) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_loader(move |name| Ok(source(name)));
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    // `{#` is Bash: ${#array[@]}.
    let mut syntax = SyntaxConfig::builder();
    syntax.comment_delimiters("{##", "##}").keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true);
    env.set_syntax(syntax.build().expect("the delimiters are fixed and different"));
    env.add_filter("shq", shell_quoted);
    env.add_filter("ipxe", ipxe_safe);
    env.add_filter("line", one_line);
    env.add_filter("ksq", kickstart_quoted);
    env.add_filter("b64", |value: Value| base64::engine::general_purpose::STANDARD.encode(value.to_string()));
    env
}

/// A value as one word of a POSIX shell.
fn shell_quoted(value: Value) -> String {
    format!("'{}'", value.to_string().replace('\'', r"'\''"))
}

/// A value that can not begin another line: a preseed question, a kickstart command, a `%post`.
fn one_line(value: Value) -> Result<String, minijinja::Error> {
    let text = value.to_string();
    if text.chars().any(char::is_control) {
        let text = format!("{text:?} must be one line: it holds a control character");
        return Err(minijinja::Error::new(ErrorKind::InvalidOperation, text));
    }
    Ok(text)
}

/// A value as one argument of a kickstart command (pykickstart splits lines as a shell does).
fn kickstart_quoted(value: Value) -> Result<String, minijinja::Error> {
    let text = one_line(value)?;
    Ok(format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")))
}

/// Arguments on one iPXE line: what would end the command, start another or expand a setting is refused.
fn ipxe_safe(value: Value) -> Result<String, minijinja::Error> {
    let text = value.to_string();
    // iPXE takes the rest of a line behind a word that begins with # for a comment.
    let ends = |word: &&str| matches!(*word, "||" | "&&" | ";") || word.starts_with('#');
    let operator = text.split_whitespace().find(ends);
    let bad = match (text.chars().find(|c| c.is_control()), operator) {
        _ if text.contains("${") => "${",
        (Some(_), _) => "a control character",
        (_, Some(word)) => word,
        (None, None) => return Ok(text),
    };
    let text = format!("{text:?} can not stand in an iPXE script: it holds {bad}");
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, text))
}

fn explain(name: &str, error: &minijinja::Error) -> Error {
    let place = error.name().unwrap_or(name).to_owned();
    let kind = match error.kind() {
        ErrorKind::UndefinedError => "a variable is not set".to_owned(),
        ErrorKind::OutOfFuel => "takes too long: look for an endless loop".to_owned(),
        ErrorKind::TemplateNotFound => "there is no such template".to_owned(),
        other => other.to_string(),
    };
    let text = error.detail().map_or(kind.clone(), |detail| format!("{kind}: {detail}"));
    Error { place, line: error.line(), text }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn try_render(text: &'static str) -> Result<String, Error> {
        let source: Source = Arc::new(move |name| (name == "t").then(|| text.to_owned()));
        render(&source, "t", &json!({"host": "it's", "args": "console=ttyS0"}))
    }

    #[test]
    fn an_unset_variable_names_itself_and_its_line() {
        let error = try_render("one\ntwo {{ hots }}\n").unwrap_err();
        assert_eq!(error.to_string(), "t:2: a variable is not set: `hots` is undefined");
    }

    #[test]
    fn shell_words_stay_one_word_and_bash_lengths_are_no_comments() {
        assert_eq!(try_render("h={{ host|shq }} ${#a[@]} {## gone ##}.\n").unwrap(), "h='it'\\''s' ${#a[@]} .\n");
    }

    #[test]
    fn no_value_adds_an_ipxe_command() {
        assert_eq!(try_render("{{ args|ipxe }}").unwrap(), "console=ttyS0");
        for bad in [
            "{{ 'a || shell'|ipxe }}",
            "{{ 'a ${net0/mac}'|ipxe }}",
            "{{ 'a\nshell'|ipxe }}",
            "{{ 'a ; b'|ipxe }}",
            "{{ 'a #b'|ipxe }}",
        ] {
            assert!(try_render(bad).unwrap_err().text.contains("can not stand in an iPXE script"), "{bad}");
        }
    }

    #[test]
    fn no_value_begins_another_line() {
        assert_eq!(try_render("lang {{ 'de_DE'|line }}").unwrap(), "lang de_DE");
        for bad in ["{{ 'UTC\n%post'|line }}", "{{ 'UTC\n%post'|ksq }}"] {
            assert!(try_render(bad).unwrap_err().text.contains("must be one line"), "{bad}");
        }
    }

    #[test]
    fn endless_and_exploding_templates_stop() {
        assert!(try_render("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}").is_err());
        assert!(try_render("{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}").is_err());
    }
}
