//! Distros, and where their kernels lie.

use super::values::options;
use super::{Boot, What, Work, field};
use crate::cobbler::folder::Item;
use serde_json::json;

impl Work<'_> {
    pub(super) fn distros(&mut self) {
        let (below, arguments) = self.settings();
        for item in self.folder.all("distro") {
            let Some(name) = self.name("distro", &item.name) else { continue };
            let breed = field(item, "breed");
            let Some(family) = family(breed) else {
                self.say(
                    What::Left,
                    item,
                    &format!("distro {}: {breed:?} is nothing that is installed here", item.name),
                );
                self.names.remove(&("distro", item.name.clone()));
                continue;
            };
            let mut words = self.words("distro", item);
            for (name, value) in below.variables.clone() {
                words.variables.entry(name).or_insert(value);
            }
            for (name, value) in below.secrets.clone() {
                words.secrets.entry(name).or_insert(value);
            }
            if breed == "ubuntu" {
                self.say(What::Note, item, "Ubuntu with a preseed file is of the family debian; for its newer installer import it as a distro of its own, family ubuntu");
            }
            words.variables.insert("breed".into(), json!(breed));
            let version = field(item, "os_version");
            if !version.is_empty() {
                words.variables.insert("os_version".into(), json!(version));
            }
            if let Some(release) = release(version) {
                words.variables.insert("release".into(), json!(release));
            }
            if words
                .variables
                .get("tree")
                .is_some_and(|tree| tree.as_str().is_some_and(|tree| tree.starts_with("nfs:")))
            {
                self.say(
                    What::Todo,
                    item,
                    "its tree is on NFS: Cobbler wrote an nfs line in the place of url; write it in the template",
                );
            } else if words.variables.contains_key("tree") {
                self.say(What::Todo, item, "its tree is still that of Cobbler's host: `kickstand distro import` takes one in, or set the variable tree");
            }
            let (kernel, initrd) = self.boot(item, &name);
            let own = item.fields.get("kernel_options").map(options).unwrap_or_default();
            let arguments = [arguments.as_str(), own.as_str()]
                .into_iter()
                .filter(|one| !one.is_empty())
                .collect::<Vec<_>>()
                .join(" ");
            for name in words.variables.keys().cloned().collect::<Vec<_>>() {
                self.know(&name, false);
            }
            self.plan.distros.push(json!({
                "name": name, "family": family, "kernel": kernel, "initrd": initrd, "arguments": arguments,
                "variables": words.variables, "secrets": words.secrets,
            }));
        }
    }

    /// Those that the server has, or where they will lie.
    fn boot(&mut self, item: &Item, name: &str) -> (String, String) {
        if let Some((kernel, initrd)) = self.server.distros.get(name) {
            return (kernel.clone(), initrd.clone());
        }
        let from = [field(item, "kernel").to_owned(), field(item, "initrd").to_owned()];
        let to = ["kernel", "initrd"].map(|file| format!("distros/{name}/{file}"));
        self.plan.boots.push(Boot { distro: name.to_owned(), from, to: to.clone() });
        let [kernel, initrd] = to;
        (kernel, initrd)
    }
}

fn family(breed: &str) -> Option<&'static str> {
    Some(match breed {
        "redhat" => "redhat",
        "debian" | "ubuntu" => "debian",
        "suse" => "suse",
        "vmware" => "esxi",
        _ => return None,
    })
}

/// `rhel8`, `fedora39`.
fn release(version: &str) -> Option<&str> {
    let number = version.strip_prefix("rhel").or(version.strip_prefix("fedora"))?;
    let number = number.split('.').next().unwrap_or_default();
    (!number.is_empty() && number.chars().all(|c| c.is_ascii_digit())).then_some(number)
}
