//! Repositories, by their mirrors.

use super::values::list;
use super::{Line, What, Work};
use crate::cobbler::fields::{Fate, fate};
use crate::cobbler::wires::text;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

impl Work<'_> {
    pub(super) fn repos(&mut self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        let used: BTreeSet<String> =
            self.folder.all("profile").iter().flat_map(|item| list(item.fields.get("repos"))).collect();
        for item in self.folder.all("repo") {
            let kept = item
                .fields
                .iter()
                .filter(|(field, _)| matches!(fate("repo", field), Some(Fate::Kept(_) | Fate::Variable)));
            let kept: Map<String, Value> = kept.map(|(field, value)| (field.clone(), value.clone())).collect();
            for field in item.fields.keys().filter(|field| fate("repo", field).is_none()) {
                self.plan.lines.push(Line::new(
                    What::Left,
                    &item.place,
                    &format!("{field}: this field is not known here"),
                ));
            }
            match used.contains(&item.name) {
                false => self.say(What::Left, item, &format!("repo {}: no profile names it", item.name)),
                true if kept.get("mirror_locally").is_some_and(|is| is == &json!(true)) => {
                    self.say(
                        What::Note,
                        item,
                        &format!("repo {}: Cobbler's copy is not taken: the profiles name its mirror", item.name),
                    );
                }
                true => {}
            }
            all.insert(item.name.clone(), Value::Object(kept));
        }
        all
    }
}

/// Repositories as lines of a kickstart, by their mirrors.
pub fn stanza(repos: &[Value]) -> String {
    let line = |repo: &Value| format!("repo --name={} --baseurl={}\n", text(repo, "name"), text(repo, "mirror"));
    repos.iter().map(line).collect()
}
