//! The filters of templates, one or two for each language: what can not be said faithfully is an error.

use super::arguments::{fits, one_line, words};
use super::text;
use base64::Engine as _;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

pub fn add_to(env: &mut Environment<'static>) {
    env.add_filter("b64", |value: Value| {
        text_of(&value).map(|text| base64::engine::general_purpose::STANDARD.encode(text))
    });
    env.add_filter("grub", |value: Value| faithful(value, "a GRUB script", grub));
    env.add_filter("grub_args", |value: Value, before: Option<String>| {
        faithful(value, "a GRUB script", |text| grub_args(text, &before.unwrap_or_default()))
    });
    env.add_filter("ipxe", |value: Value| faithful(value, "an iPXE script", ipxe));
    env.add_filter("ipxe_args", |value: Value, before: Option<String>| {
        faithful(value, "an iPXE script", |text| ipxe_args(text, &before.unwrap_or_default()))
    });
    env.add_filter("ipxe_word", |value: Value| faithful(value, "an iPXE script", ipxe_word));
    env.add_filter("json", |value: Value| text_of(&value).map(|text| text::json(&text)));
    env.add_filter("ksq", kickstart_quoted);
    env.add_filter("line", one_text_line);
    env.add_filter("shq", |value: Value| faithful(value, "a shell script", shell_quoted));
    env.add_filter("syslinux", |value: Value, before: Option<String>| {
        faithful(value, "a PXELINUX script", |text| syslinux(text, &before.unwrap_or_default()))
    });
    env.add_filter("syslinux_word", |value: Value| faithful(value, "a PXELINUX script", syslinux_word));
    env.add_filter("xml", |value: Value| faithful(value, "XML", text::xml));
    env.add_filter("yaml", |value: Value| text_of(&value).map(|text| text::yaml(&text)));
    super::net::add_to(env);
    super::password::add_to(env);
}

/// What is quoted is one text: `none` and `[1, 2]` would stand there as words that nobody wrote.
pub fn text_of(value: &Value) -> Result<String, Error> {
    let refused = |what| Err(Error::new(ErrorKind::InvalidOperation, what));
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => refused("is none: ask with `is none` what to write instead"),
        // As JSON, YAML and most settings write it: the language of templates would say True.
        ValueKind::Bool => Ok(if value.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::String | ValueKind::Number => Ok(value.to_string()),
        _ => refused("is no single text: loop over it, or write it with tojson"),
    }
}

/// Without the value: it may be a secret. The error names the expression.
fn faithful(value: Value, place: &str, say: impl FnOnce(&str) -> Result<String, String>) -> Result<String, Error> {
    let refused = |why| Error::new(ErrorKind::InvalidOperation, format!("can not stand in {place}: {why}"));
    say(&text_of(&value)?).map_err(refused)
}

/// A value as one word of a POSIX shell.
fn shell_quoted(text: &str) -> Result<String, String> {
    match text.contains('\0') {
        true => Err("it holds a NUL".into()),
        false => Ok(quoted(text)),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A value as one word of GRUB.
fn grub(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@%+".contains(c);
    match text.chars().find(|c| c.is_control()) {
        Some(_) => Err("it holds a control character".into()),
        None if !text.is_empty() && text.chars().all(|c| plain(c) || c == '=') => Ok(text.to_owned()),
        None => Ok(quoted(text)),
    }
}

/// A kernel's arguments behind `linux`. GRUB puts quotes around a word that holds a blank, as the kernel wants it, but a
/// backslash before each quote and backslash, which the kernel leaves there.
fn grub_args(text: &str, before: &str) -> Result<String, String> {
    let words = words(text)?;
    if let Some(word) = words.iter().find(|word| word.contains(['"', '\'', '\\'])) {
        return Err(format!("it holds {word}, and the kernel would see a backslash more"));
    }
    let seen = words.iter().map(|word| if word.contains(' ') { format!("\"{word}\"") } else { word.clone() });
    fits(before, &seen.collect::<Vec<_>>().join(" "))?;
    let said = words.iter().map(|word| grub(word)).collect::<Result<Vec<_>, _>>()?;
    Ok(said.join(" "))
}

/// The rest of an iPXE line: what would end the command, start another or expand a setting is refused.
fn ipxe(text: &str) -> Result<String, String> {
    // iPXE takes the rest of a line behind a word that begins with # for a comment.
    let ends = |word: &&str| matches!(*word, "||" | "&&" | ";") || word.starts_with('#');
    let operator = text.split_whitespace().find(ends);
    match (text.chars().find(|c| c.is_control()), operator) {
        _ if text.contains("${") => Err("it holds ${".into()),
        (Some(_), _) => Err("it holds a control character".into()),
        (_, Some(word)) => Err(format!("it holds {word}")),
        // A line that ends in a backslash goes on in the next.
        _ if text.ends_with(['\\', '$']) => Err("it ends in a backslash or a dollar sign".into()),
        (None, None) => Ok(text.to_owned()),
    }
}

/// One word of iPXE, which knows no quotes.
fn ipxe_word(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace) {
        return Err("it must be one word that is no option".into());
    }
    ipxe(text)
}

/// A kernel's arguments behind `kernel`: iPXE joins its words with one blank each.
fn ipxe_args(text: &str, before: &str) -> Result<String, String> {
    let seen = words(text)?;
    let joined = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if words(&joined)? != seen {
        return Err("it holds blanks in a row between quotes, of which iPXE leaves one".into());
    }
    fits(before, &joined)?;
    ipxe(&joined)
}

/// The rest of a line of PXELINUX, which U-Boot reads as well: there, `$`, `\` and `'` are not themselves.
fn syslinux(text: &str, before: &str) -> Result<String, String> {
    one_line(text)?;
    fits(before, text)?;
    if let Some(c) = text.chars().find(|c| ['$', '\\', '\''].contains(c)) {
        return Err(format!("it holds {c}, which U-Boot takes for more than itself"));
    }
    if text.trim() != text {
        return Err("it begins or ends with a blank".into());
    }
    if text.starts_with('#') || text == "-" {
        return Err(format!("a line of only {text} means something else"));
    }
    match text.split(' ').find(|word| word.trim_start_matches('"').starts_with("initrd=")) {
        Some(word) => Err(format!("it holds {word}, and the initrd is named by the distro")),
        None => Ok(text.to_owned()),
    }
}

/// A path or a URL in a line of PXELINUX: it splits at blanks, and lists of initrds at commas.
fn syslinux_word(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains([',', '"']) || text.contains(char::is_whitespace) {
        return Err("it must be one word without commas and quotes".into());
    }
    syslinux(text, "")
}

/// A value that can not begin another line: a preseed question, a kickstart command, a `%post`.
fn one_text_line(value: Value) -> Result<String, Error> {
    let text = text_of(&value)?;
    match text.chars().any(char::is_control) {
        true => Err(Error::new(ErrorKind::InvalidOperation, "must be one line: it holds a control character")),
        false => Ok(text),
    }
}

/// A value as one argument of a kickstart command (pykickstart splits lines as a shell does).
fn kickstart_quoted(value: Value) -> Result<String, Error> {
    let text = one_text_line(value)?;
    Ok(format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")))
}
