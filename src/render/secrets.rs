//! Secret variables in a rendering: each is opened when a template names it, and no error shows what is in it.

use super::{Error, Templates, Whose, Words};
use crate::model::Secret;
use foldhash::HashMap;
use minijinja::value::{Object, Serde};
use minijinja::{ErrorKind, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// Opens a secret: JSON text, or why it stays shut.
pub type Opener = Arc<dyn Fn(&str) -> Result<Secret, String> + Send + Sync>;

/// What a template can name and nobody else may see.
#[derive(Clone)]
pub struct Secrets {
    pub names: BTreeSet<String>,
    pub open: Opener,
}

/// A text, and the secrets that its template named.
pub struct Rendered {
    pub text: String,
    pub opened: Opened,
}

impl Templates {
    /// As `render`, with secrets beside the context: they win over a value of the same name.
    ///
    /// What is opened is wiped at the end, but for the copies that minijinja makes of it: its values are shared texts,
    /// which it drops as they are.
    pub fn render_with(&self, name: &str, words: Words, whose: &Whose, secrets: Secrets) -> Result<Rendered, Error> {
        let root = Arc::new(Root { words, named: Mutex::default(), secrets, opened: Mutex::default() });
        let (rendered, _) = self.render_value(name, Value::from_dyn_object(root.clone()), whose);
        let opened = std::mem::take(&mut *root.opened.lock().unwrap_or_else(PoisonError::into_inner));
        match rendered {
            Ok(text) => Ok(Rendered { text, opened }),
            Err(error) => Err(Error { text: opened.hidden_in(error.text), ..error }),
        }
    }
}

/// The secrets that a rendering has opened.
#[derive(Default)]
pub struct Opened(BTreeMap<String, Secret>);

impl Opened {
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// A text that may quote one, such as an error that tells what it stumbled over, without it.
    pub fn hidden_in(&self, mut text: String) -> String {
        let mut parts: Vec<(String, &String)> = Vec::new();
        for (name, secret) in &self.0 {
            let Ok(value) = serde_json::from_str(secret.expose()) else { continue };
            each_text(&value, &mut |part| {
                // A reader that stumbles quotes the line, or the word.
                let pieces = part.lines().chain(part.split_whitespace()).chain([part]);
                parts.extend(pieces.filter(|piece| piece.len() >= TELLING).map(|piece| (piece.to_owned(), name)));
            });
            crate::model::wipe(value);
        }
        // The longest first: what holds another would be left in halves.
        parts.sort_by_key(|(part, _)| std::cmp::Reverse(part.len()));
        for (part, name) in parts {
            let (hidden, escaped) = (format!("({name})"), part.escape_debug().to_string());
            text = text.replace(&part, &hidden).replace(&escaped, &hidden);
            drop(Zeroizing::new(part));
        }
        text
    }
}

/// Whether a line holds a secret, or a part of it, of at least so many bytes.
pub fn holds(line: &str, secret: &Secret, telling: usize) -> bool {
    let Ok(value) = serde_json::from_str(secret.expose()) else { return false };
    let mut found = false;
    each_text(&value, &mut |part| found |= part.len() >= telling && line.contains(part));
    crate::model::wipe(value);
    found
}

/// The context of a rendering.
struct Root {
    words: Words,
    /// Those that were named already.
    named: Mutex<HashMap<String, Value>>,
    secrets: Secrets,
    opened: Mutex<Opened>,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root(…)")
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        match self.secrets.names.contains(name) {
            true => Some(self.open(name).unwrap_or_else(Value::from)),
            false => self.plain(name),
        }
    }
}

impl Root {
    fn plain(&self, name: &str) -> Option<Value> {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = named.get(name) {
            return Some(value.clone());
        }
        let value = self.words.value(name)?;
        named.insert(name.to_owned(), value.clone());
        Some(value)
    }

    fn open(&self, name: &str) -> Result<Value, minijinja::Error> {
        let refused = |text: String| minijinja::Error::new(ErrorKind::InvalidOperation, text);
        let secret = (self.secrets.open)(name).map_err(|why| refused(format!("names {name}: {why}")))?;
        let value: serde_json::Value = serde_json::from_str(secret.expose())
            .map_err(|_| refused(format!("names {name}, whose value can not be read: set it again")))?;
        let opened = Value::from(Serde(&value));
        crate::model::wipe(value);
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).0.insert(name.to_owned(), secret);
        Ok(opened)
    }
}

/// Shorter texts are words of every error.
const TELLING: usize = 4;

fn each_text(value: &serde_json::Value, take: &mut impl FnMut(&str)) {
    match value {
        serde_json::Value::String(text) => take(text),
        serde_json::Value::Array(all) => all.iter().for_each(|value| each_text(value, take)),
        serde_json::Value::Object(all) => all.values().for_each(|value| each_text(value, take)),
        serde_json::Value::Number(number) => take(&number.to_string()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CANARY: &str = "canary-7f3a";

    fn rendered(text: &str) -> Result<Rendered, Error> {
        let templates = Templates::of([("t", text)]).unwrap();
        let open = |name: &str| match name {
            "shut" => Err("it is locked".to_owned()),
            _ => Ok(Secret::new(json!(CANARY).to_string())),
        };
        let names = ["a_password", "b_password", "shut"].map(str::to_owned).into();
        let secrets = Secrets { names, open: Arc::new(open) };
        templates.render_with("t", json!({"host": "h", "a_password": "plain"}).into(), &Whose::default(), secrets)
    }

    #[test]
    fn a_secret_is_a_variable_like_any_and_its_use_is_known() {
        let done = rendered("{{ host }} {{ a_password|shq }}{% if nothing is defined %}x{% endif %}").unwrap();
        assert_eq!(done.text, "h 'canary-7f3a'");
        assert_eq!(done.opened.names().collect::<Vec<_>>(), ["a_password"]);
        let inside = rendered("{% for i in [1] %}{% set x = b_password %}{{ x|b64 }}{% endfor %}").unwrap();
        assert_eq!(inside.opened.names().collect::<Vec<_>>(), ["b_password"]);
        assert!(rendered("{{ host }}").unwrap().opened.names().next().is_none());
    }

    #[test]
    fn what_can_not_be_opened_stops_only_who_names_it() {
        let error = rendered("\n{{ shut|line }}").err().unwrap().to_string();
        assert_eq!(error, "t:2: shut|line names shut: it is locked");
        assert!(rendered("{% if host is defined %}{{ host }}{% endif %}").is_ok());
    }

    #[test]
    fn what_is_hidden_is_hidden_whole_with_its_lines_and_words() {
        let opened = |all: &[(&str, &str)]| {
            Opened(all.iter().map(|(name, text)| (name.to_string(), Secret::new(json!(text).to_string()))).collect())
        };
        let two = opened(&[("a", "hunter2"), ("b", "hunter2-prod")]);
        assert_eq!(two.hidden_in("hunter2-prod, hunter2".into()), "(b), (a)");
        let phrase = opened(&[("c", "correct horse\nbattery")]);
        assert_eq!(
            phrase.hidden_in("\"correct\" is no command; correct horse; battery".into()),
            "\"(c)\" is no command; (c); (c)"
        );
        assert!(holds("a 123456 b", &Secret::new("123456"), 6) && !holds("a b", &Secret::new("123456"), 6));
    }

    #[test]
    fn no_error_shows_a_secret() {
        for bad in [
            "{% include a_password %}",
            "{{ a_password|int }}",
            "{{ (a_password ~ '\n')|line }}",
            "{{ a_password.nope }}",
            "{{ a_password + 1 }}",
            "{{ range(a_password) }}",
            "{{ host|attr(a_password) }}",
            "{{ {'x': 1}[a_password] }}",
            "{{ dict(x=1)|tojson(a_password) }}",
            "{% for a, b in a_password %}{% endfor %}",
            "{{ (a_password ~ ' || x')|ipxe }}",
            "{{ 'x'|replace(a_password) }}",
            "{{ a_password() }}",
            "{% macro m(x) %}{% endmacro %}{{ m(**{a_password: 1}) }}",
        ] {
            let error = rendered(bad).err().unwrap_or_else(|| panic!("{bad} renders"));
            assert!(!format!("{error} {error:?}").contains(CANARY), "{bad}: {error}");
        }
    }
}
