//! Profiles, after their parents, and those that a system has for itself.

use super::repo::stanza;
use super::values::{list, options};
use super::{What, Work, field};
use crate::cobbler::folder::Item;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

impl Work<'_> {
    pub(super) fn profiles(&mut self) {
        let repos = self.repos();
        let all = self.folder.all("profile");
        // Parents first; a circle is told.
        let mut left: Vec<&Item> = all.iter().filter(|item| self.name("profile", &item.name).is_some()).collect();
        let mut done = BTreeSet::new();
        while !left.is_empty() {
            let is_ready = |item: &Item| field(item, "parent").is_empty() || done.contains(field(item, "parent"));
            let (ready, rest): (Vec<&Item>, Vec<&Item>) = left.iter().partition(|item| is_ready(item));
            if ready.is_empty() {
                for item in rest {
                    self.say(
                        What::Left,
                        item,
                        &format!("profile {}: its parent {:?} is not there", item.name, field(item, "parent")),
                    );
                    self.names.remove(&("profile", item.name.clone()));
                }
                break;
            }
            for item in ready {
                done.insert(field(item, "name").to_owned());
                self.profile(item, &repos);
            }
            left = rest;
        }
    }

    fn profile(&mut self, item: &Item, repos: &BTreeMap<String, Value>) {
        let Some(name) = self.name("profile", &item.name) else { return };
        let mut words = self.words("profile", item);
        let named: Vec<Value> =
            list(item.fields.get("repos")).iter().filter_map(|repo| repos.get(repo)).cloned().collect();
        if !named.is_empty() {
            words.variables.insert("yum_repo_stanza".into(), json!(stanza(&named)));
            words.variables.insert("repo_data".into(), Value::Array(named));
        }
        let parent = field(item, "parent");
        let distro = field(item, "distro");
        let distro_here = self.name("distro", distro);
        if !distro.is_empty() && distro_here.is_none() && parent.is_empty() {
            self.say(
                What::Todo,
                item,
                &format!(
                    "profile {}: its distro {distro:?} is not taken in: `kickstand profile set {name} --distro …`",
                    item.name
                ),
            );
        }
        let template = self.template_of(item).or_else(|| self.usual_template(item, parent.is_empty()));
        self.plan.profiles.push(json!({
            "name": name,
            "parent": if parent.is_empty() { None } else { self.name("profile", parent) },
            "distro": distro_here.filter(|_| parent.is_empty()),
            "template": template,
            "arguments": item.fields.get("kernel_options").map(options).unwrap_or_default(),
            "variables": words.variables,
            "secrets": words.secrets,
        }));
    }

    /// A system with an answer file of its own needs a profile that says so.
    pub(super) fn own_profile(&mut self, item: &Item, name: &str, profile: Option<String>) -> Option<String> {
        let Some(template) = self.template_of(item) else {
            if profile.is_none() {
                self.say(
                    What::Todo,
                    item,
                    &format!("machine {name} has no profile: its profile or image is not taken in"),
                );
            }
            return profile;
        };
        let parent = profile?;
        let of_profile =
            self.plan.profiles.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(parent.as_str()));
        if of_profile.is_some_and(|one| one.get("template").and_then(Value::as_str) == Some(template.as_str())) {
            return Some(parent);
        }
        let mut own = format!("of-{}", name.chars().take(56).collect::<String>());
        while self.plan.profiles.iter().any(|one| one.get("name").and_then(Value::as_str) == Some(own.as_str())) {
            own.push_str("-2");
        }
        self.say(What::Changed, item, &format!("its own answer file is that of profile {own}, a child of {parent}"));
        self.plan.profiles.push(json!({"name": own, "parent": parent, "template": template}));
        Some(own)
    }

    pub(super) fn breed_of(&self, profile: &str) -> String {
        let find = |kind: &str, name: &str| self.folder.all(kind).iter().find(|item| item.name == name);
        let mut profile = find("profile", profile);
        for _ in 0..64 {
            let Some(item) = profile else { break };
            if let Some(distro) = find("distro", field(item, "distro")) {
                return field(distro, "breed").to_owned();
            }
            profile = find("profile", field(item, "parent"));
        }
        String::new()
    }
}
