//! Texts for the running system: files that its records name, where its packages come from, and what koan greps.

use crate::boot::Tale;
use crate::compat::cobbler::Subject;
use crate::engine::kitchen::Dish;
use crate::engine::{Engine, Error, fresh_secret};
use crate::family;
use crate::model::*;
use crate::render::Secrets;
use serde_json::Value;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Who may read one is known by an address alone.
const NOT_HERE: &str =
    "a secret: these files are given to whoever has the machine's address, its place is the answer file";

impl Engine {
    /// The file of this path, from a template that the variable `template_files` names, for the system at the machine's
    /// own address. None: there is none, or it is not for who asks.
    pub async fn template_file(&self, subject: &Subject, path: &str, from: Ipv4Addr) -> Result<Option<String>, Error> {
        let Some(dish) = self.own_dish(subject, from)? else { return Ok(None) };
        let variables = self.with_defaults(&dish)?;
        let files = variables.get("template_files").and_then(Value::as_object);
        let named = files.and_then(|files| files.iter().find(|(_, to)| to.as_str() == Some(path)));
        let Some((template, _)) = named else { return Ok(None) };
        let (template, token) = (format!("templates/{template}"), fresh_secret()?);
        // No file of its family's: what only those carry is not in it.
        let words = self.answer_words(&dish, &token, Some(path))?;
        let secrets =
            Secrets { names: dish.recipe.secrets.keys().cloned().collect(), open: Arc::new(|_| Err(NOT_HERE.into())) };
        let rendered = self.rendered_with(&template, words, dish.whose(), secrets).await?;
        let text = format!("{path} of {}, from {template}", dish.machine.name);
        self.tell_of(from, Tale::new(self.now(), Kind::File, text).of(dish.machine.id));
        Ok(Some(rendered.text))
    }

    /// What the machine at its own address would be installed from.
    fn own_dish(&self, subject: &Subject, from: Ipv4Addr) -> Result<Option<Dish>, Error> {
        let world = self.store.world();
        let Some(machine) = self.machine_at(&world, from) else { return Ok(None) };
        let dish = self.dish_of(&world, machine)?;
        let is_meant = match subject {
            Subject::System(name) => dish.machine.name == *name,
            Subject::Profile(name) => dish.recipe.profile == *name,
        };
        Ok(is_meant.then_some(dish))
    }

    /// The repository that it was installed from, for its package manager.
    pub fn repositories(&self, subject: &Subject, from: Ipv4Addr) -> Result<Option<String>, Error> {
        let Some(sheet) = self.sheet(subject, from)? else { return Ok(None) };
        if sheet.tree.is_empty() || family::row(sheet.distro.family).family != Family::Redhat {
            return Ok(Some(String::new()));
        }
        let name = &sheet.distro.name;
        Ok(Some(format!("[{name}]\nname={name}\nbaseurl={}\nenabled=1\ngpgcheck=1\n", sheet.tree)))
    }

    /// What koan looks for in an answer file before it starts anything: where packages come from, and no more.
    pub fn source_of_install(&self, subject: &Subject, from: Ipv4Addr) -> Result<Option<String>, Error> {
        let Some(sheet) = self.sheet(subject, from)? else { return Ok(None) };
        let whole = "# Where packages come from. The answer file itself is given to the installer alone, at its\n# machine's own address, once the machine is armed.\n";
        Ok(Some(match sheet.tree.as_str() {
            "" => whole.to_owned(),
            tree => format!("{whole}url --url={tree}\n"),
        }))
    }

    /// A file of a distro by the name that clients know it under, as a name below the served folder.
    pub fn distro_file(&self, distro: &Name, file: &str) -> Option<String> {
        let world = self.store.world();
        let distro = world.distros.get(distro)?;
        let last = |path: &str| path.rsplit('/').next().map(str::to_owned);
        [&distro.kernel, &distro.initrd].into_iter().find(|path| last(path).as_deref() == Some(file)).cloned()
    }

    /// A file of the tree that a distro is installed from.
    pub fn tree_file(&self, distro: &Name, file: &str) -> Option<String> {
        let world = self.store.world();
        let tree = world.distros.get(distro)?.variables.get("tree")?.as_str()?;
        (!tree.contains("://")).then(|| format!("{}/{file}", tree.trim_end_matches('/')))
    }

    /// Us, for URLs that name the server.
    pub fn url_for(&self, from: Ipv4Addr) -> Result<crate::boot::Here, Error> {
        self.here_for(&self.store.world(), from)
    }
}
