//! The variables and secrets of a record, and what of its fields is left.

use super::values::{is_secret, is_silent, is_variable, list, meta, options, removed};
use super::{Line, What, Work};
use crate::cobbler::fields::{Fate, fate};
use crate::cobbler::folder::Item;
use serde_json::{Map, Value, json};

/// Variables and secrets of one record.
#[derive(Default)]
pub struct Words {
    pub variables: Map<String, Value>,
    pub secrets: Map<String, Value>,
}

impl Work<'_> {
    pub(super) fn words(&mut self, kind: &'static str, item: &Item) -> Words {
        let mut words = Words::default();
        for (field, value) in &item.fields {
            let Some(fate) = fate(kind, field) else {
                self.say(What::Left, item, &format!("{field}: this field is not known here"));
                continue;
            };
            if is_silent(value) {
                continue;
            }
            match fate {
                Fate::Variable => {
                    words.variables.insert(field.clone(), value.clone());
                    self.know(field, false);
                }
                Fate::Secret => {
                    words.secrets.insert(field.clone(), json!(value.as_str().unwrap_or_default()));
                    self.know(field, false);
                }
                Fate::Left(why) if is_worth_telling(field, value) => {
                    self.say(What::Left, item, &format!("{field}: {why}"))
                }
                Fate::Left(_) | Fate::Inner | Fate::Kept(_) => {}
            }
        }
        let given =
            item.fields.get("autoinstall_meta").filter(|value| !is_silent(value)).or(item.fields.get("ks_meta"));
        for (name, value) in given.map(meta).unwrap_or_default() {
            self.given(item, &mut words, &name, value);
        }
        for field in ["kernel_options", "kernel_options_post"] {
            for gone in item.fields.get(field).map(removed).unwrap_or_default() {
                self.say(What::Todo, item, &format!("{field} !{gone}: it takes {gone} away from what is inherited: set {gone} here to what it shall be"));
            }
        }
        let post = item.fields.get("kernel_options_post").map(options).unwrap_or_default();
        if !post.is_empty() {
            words.variables.insert("kernel_options_post".into(), json!(post));
            words.variables.insert("kernel_arguments".into(), json!(post));
        }
        words
    }

    /// A word of `ks_meta`.
    fn given(&mut self, item: &Item, words: &mut Words, name: &str, value: Value) {
        if let Some(gone) = name.strip_prefix('!') {
            self.say(
                What::Todo,
                item,
                &format!(
                    "ks_meta {name}: it takes {gone} away from what is inherited: set {gone} here to what it shall be"
                ),
            );
            return;
        }
        if !is_variable(name) {
            self.say(What::Left, item, &format!("ks_meta {name}: no template can name it"));
            return;
        }
        let value = if is_silent(&value) { json!("") } else { self.addressed(value) };
        self.know(name, false);
        if is_secret(name) {
            words
                .secrets
                .insert(name.to_owned(), json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        } else {
            words.variables.insert(name.to_owned(), value);
        }
    }

    /// Cobbler fills in its own address at the end.
    fn addressed(&self, value: Value) -> Value {
        let Value::String(text) = value else { return value };
        let server = self.folder.settings.get("server").and_then(Value::as_str).unwrap_or("127.0.0.1");
        Value::String(text.replace("@@http_server@@", server).replace("@@server@@", server))
    }

    /// What templates name of Cobbler's settings: below all else, so on each distro.
    pub(super) fn settings(&mut self) -> (Words, String) {
        let mut words = Words::default();
        let settings = &self.folder.settings;
        for (field, value) in settings {
            if is_silent(value) {
                continue;
            }
            match fate("settings", field) {
                Some(Fate::Variable) => drop(words.variables.insert(field.clone(), value.clone())),
                Some(Fate::Secret) => {
                    drop(words.secrets.insert(field.clone(), json!(value.as_str().unwrap_or_default())))
                }
                _ => {}
            }
        }
        for (field, name) in
            [("default_name_servers", "name_servers"), ("default_name_servers_search", "name_servers_search")]
        {
            let all = list(settings.get(field));
            if !all.is_empty() {
                words.variables.insert(name.into(), json!(all));
            }
        }
        if let Some(hash) = words.secrets.get("default_password_crypted").cloned() {
            // What our own templates name.
            words.secrets.insert("root_password_hash".into(), hash);
        }
        let all: Vec<String> = words.variables.keys().chain(words.secrets.keys()).cloned().collect();
        all.iter().for_each(|name| self.know(name, true));
        let left = settings
            .iter()
            .filter(|(field, value)| !is_silent(value) && matches!(fate("settings", field), Some(Fate::Left(_))));
        let left: Vec<&str> = left.map(|(field, _)| field.as_str()).collect();
        if !left.is_empty() {
            self.plan.lines.push(Line::new(
                What::Left,
                "settings",
                &format!("how Cobbler itself runs: {}", left.join(", ")),
            ));
        }
        (words, settings.get("kernel_options").map(options).unwrap_or_default())
    }
}

/// What Cobbler writes into every record by itself is no decision of anybody's.
fn is_worth_telling(field: &str, value: &Value) -> bool {
    let usual = match field {
        "owners" => value == &json!(["admin"]),
        "netboot_enabled" => value == &json!(false),
        "enable_menu" => value == &json!(true),
        "enable_gpxe" | "enable_ipxe" | "template_remote_kickstarts" => value == &json!(false) || value == &json!(0),
        "dhcp_tag" => value == &json!("default"),
        _ => false,
    };
    !usual
}
