//! Which answer file a record names, and what stands for one that can not be taken.

use super::{Line, What, Work, field, named};
use crate::cheetah::FOLDER;
use crate::cobbler::folder::Item;
use crate::cobbler::texts;
use serde_json::Value;

impl Work<'_> {
    pub(super) fn template_of(&mut self, item: &Item) -> Option<String> {
        let first = [field(item, "autoinstall"), field(item, "kickstart")].into_iter().find(|said| !said.is_empty())?;
        self.answer(item, first)
    }

    /// That of the settings, where a profile without a parent leaves it to them.
    pub(super) fn usual_template(&mut self, item: &Item, is_root: bool) -> Option<String> {
        let said = item.fields.get("autoinstall").or(item.fields.get("kickstart")).and_then(Value::as_str);
        if !is_root {
            return None;
        }
        if said.is_some_and(|said| said.is_empty() || said == "~") {
            return Some(self.stopped(item, "it has no answer file: Cobbler's installer asks, and nothing here does: write a template and `kickstand profile set` it"));
        }
        let settings = &self.folder.settings;
        let usual = settings.get("autoinstall").or(settings.get("default_kickstart")).and_then(Value::as_str)?;
        self.answer(item, usual)
    }

    /// What lies on another server must not become the family's own, which wipes disks.
    fn answer(&mut self, item: &Item, said: &str) -> Option<String> {
        let Some((scheme, rest)) = said.split_once("://") else { return template(said) };
        // Who may fetch it is no one else's business.
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        let why = format!(
            "its answer file {scheme}://{rest} lies on another server: fetch it, `kickstand template set` it and name it in the profile"
        );
        Some(self.stopped(item, &why))
    }

    /// A template in which rendering stops.
    fn stopped(&mut self, item: &Item, why: &str) -> String {
        let plain = named(&item.name).unwrap_or_default();
        let kind = if item.fields.contains_key("interfaces") { "system" } else { "profile" };
        let name = format!("{FOLDER}/answer-of-{kind}-{plain}");
        let quoted = why.replace(['"', '\\'], "'");
        self.say(What::Todo, item, why);
        let text = format!("{{% do not_converted(\"{kind} {plain}: {quoted}\") %}}\n");
        self.stops.insert(name.clone(), text);
        name
    }

    /// A profile names a template that was not there.
    pub(super) fn missing_templates(&mut self) {
        for profile in &mut self.plan.profiles {
            let Some(name) = profile.get("template").and_then(Value::as_str).map(str::to_owned) else { continue };
            if !self.plan.templates.contains_key(&name) {
                let of = profile.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                let text = format!("its answer file {name} is not among the templates: the family's own is taken");
                self.plan.lines.push(Line::new(What::Todo, &format!("profile {of}"), &text));
                if let Some(profile) = profile.as_object_mut() {
                    profile.remove("template");
                }
            }
        }
    }
}

fn template(said: &str) -> Option<String> {
    let file = said.split_once("/kickstarts/").or(said.split_once("/templates/")).map_or(said, |(_, file)| file);
    let file = file.trim_start_matches('/');
    (!file.is_empty()).then(|| format!("{FOLDER}/{}", texts::plain_name(file)))
}
