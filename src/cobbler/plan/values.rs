//! Values as Cobbler writes them: silence, options, words and lists.

use serde_json::{Map, Value};

pub fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Nobody said anything: nothing, Cobbler's word for inherited, or its word for nothing.
pub fn is_silent(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => matches!(text.as_str(), "" | "~" | "<<inherit>>"),
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Options as words: `{"console": ["ttyS0", "tty0"], "quiet": "~"}`, or the words themselves.
pub fn options(value: &Value) -> String {
    let word = |key: &str, value: &Value| match value {
        Value::Null => key.to_owned(),
        Value::String(text) if text.is_empty() || text == "~" => key.to_owned(),
        Value::String(text) if text.contains(' ') => format!("{key}=\"{text}\""),
        Value::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    };
    match value {
        Value::String(text) if !removed(value).is_empty() => {
            text.split_whitespace().filter(|word| !word.starts_with('!')).collect::<Vec<_>>().join(" ")
        }
        Value::String(text) if text != "<<inherit>>" && text != "~" => text.trim().to_owned(),
        Value::Object(all) => {
            let words = all.iter().filter(|(key, _)| !key.starts_with('!')).flat_map(|(key, value)| match value {
                Value::Array(several) => several.iter().map(|one| word(key, one)).collect::<Vec<_>>(),
                one => vec![word(key, one)],
            });
            words.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// Options that are taken away from what is inherited: `{"!quiet": "~"}`.
pub fn removed(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split_whitespace().filter_map(|word| word.strip_prefix('!')).collect(),
        Value::Object(all) => all.keys().filter_map(|key| key.strip_prefix('!')).collect(),
        _ => Vec::new(),
    }
}

/// `ks_meta`: a map, or `a=b c=d` in one text.
pub fn meta(value: &Value) -> Map<String, Value> {
    match value {
        Value::Object(all) => all.clone(),
        Value::String(text) if text != "<<inherit>>" && text != "~" => {
            let pair = |word: &str| {
                let (key, value) = word.split_once('=').unwrap_or((word, ""));
                (key.to_owned(), Value::String(value.trim_matches(['"', '\'']).to_owned()))
            };
            text.split_whitespace().map(pair).collect()
        }
        _ => Map::new(),
    }
}

pub fn list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) if !is_silent(&Value::String(text.clone())) => {
            text.split([',', ' ']).filter(|one| !one.is_empty()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Names of secrets by their endings, as everywhere here, and those that Cobbler's templates have by habit.
pub fn is_secret(name: &str) -> bool {
    crate::model::is_secret(name)
        || name.ends_with("password_crypted")
        || name.ends_with("_pass")
        || name.ends_with("passwd")
}
