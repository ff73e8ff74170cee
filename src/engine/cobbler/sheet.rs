//! What is said of a machine or a profile to anybody who asks: all that installing takes, and no secret.

use crate::boot::Here;
use crate::boot::recipe::{self, Recipe};
use crate::compat::cobbler::{Breed, Sheet, Subject};
use crate::engine::kitchen::Dish;
use crate::engine::{Engine, Error, answers};
use crate::family;
use crate::model::*;
use crate::store::World;
use serde_json::Value;
use std::net::Ipv4Addr;

impl Engine {
    /// Of a machine, or of a profile: as the machine that asks would be installed with it, or as its records say.
    /// None: there is no such record.
    pub fn sheet(&self, subject: &Subject, from: Ipv4Addr) -> Result<Option<Sheet>, Error> {
        let world = self.store.world();
        match subject {
            Subject::System(name) => {
                let Some(machine) = world.machine_named(name) else { return Ok(None) };
                self.sheet_of_machine(&world, machine).map(Some)
            }
            Subject::Profile(name) if world.profiles.contains_key(name) => {
                match self.dish_by_profile(&world, name, from) {
                    Some(dish) => {
                        let url = |here: Here, pins: bool| match pins {
                            true => here.secure_named_answer("profile", name),
                            false => here.named_answer("profile", name),
                        };
                        let sheet = self.sheet_of(dish, url)?;
                        Ok(Some(Sheet { machine: None, ..sheet }))
                    }
                    None => self.sheet_of_profile(&world, name, from).map(Some),
                }
            }
            Subject::Profile(_) => Ok(None),
        }
    }

    fn sheet_of_machine(&self, world: &World, machine: &Machine) -> Result<Sheet, Error> {
        let url = |here: Here, pins: bool| match pins {
            true => here.secure_named_answer("system", &machine.name),
            false => here.named_answer("system", &machine.name),
        };
        self.sheet_of(self.dish_of(world, machine)?, url)
    }

    /// What the machine at this address would be installed from, if that is this profile.
    pub(super) fn dish_by_profile(&self, world: &World, profile: &Name, from: Ipv4Addr) -> Option<Dish> {
        let dish = self.dish_of(world, self.machine_at(world, from)?).ok()?;
        (dish.recipe.profile == *profile).then_some(dish)
    }

    fn sheet_of(&self, dish: Dish, url: impl Fn(Here, bool) -> String) -> Result<Sheet, Error> {
        let variables = self.with_defaults(&dish)?;
        let wiring = dish.wiring(&variables)?;
        let answer_url = url(dish.here, dish.row().pins);
        let command_line = answers::trip(&dish, &answer_url, &variables, &wiring).command_line();
        let Dish { recipe, machine, ip, network, here, .. } = dish;
        let sheet = self.sheet_of_recipe(recipe, here, variables, command_line)?;
        Ok(Sheet { machine: Some(machine), seat: Some((network, ip)), ..sheet })
    }

    fn sheet_of_profile(&self, world: &World, name: &Name, from: Ipv4Addr) -> Result<Sheet, Error> {
        let recipe =
            recipe::recipe(name, None, None, &world.profiles, &world.distros, &world.keys).map_err(Error::Invalid)?;
        let here = self.here_for(world, from)?;
        let mut variables = self.defaults(recipe.distro.family)?;
        variables.extend(recipe.variables.clone());
        let command_line = recipe.operators_arguments().collect::<Vec<_>>().join(" ");
        self.sheet_of_recipe(recipe, here, variables, command_line)
    }

    /// Whoever's it is.
    fn sheet_of_recipe(
        &self,
        recipe: Recipe,
        here: Here,
        variables: Variables,
        command_line: String,
    ) -> Result<Sheet, Error> {
        self.no_secret_in(&command_line, &recipe)?;
        let tree = tree(&recipe, &variables, here);
        let (profile, distro, variables) = (recipe.profile, recipe.distro, shown(variables));
        Ok(Sheet { machine: None, seat: None, profile, distro, here, command_line, tree, variables })
    }

    /// Us, as this address reaches us.
    pub(super) fn here_for(&self, world: &World, from: Ipv4Addr) -> Result<Here, Error> {
        if let Some(here) = world.network_of(from).and_then(|network| self.here(network)) {
            return Ok(here);
        }
        let none =
            || Error::Invalid("no network of this server: `kickstand network add NAME --cidr CIDR` first".into());
        world.networks.values().find_map(|network| self.here(network)).ok_or_else(none)
    }
}

/// Variables of a secret's name are sealed; defaults may name one, too.
fn shown(mut variables: Variables) -> Variables {
    variables.retain(|name, _| !is_secret(name));
    variables
}

/// Where packages come from, as a URL; empty where nothing is installed from such a place.
fn tree(recipe: &Recipe, variables: &Variables, here: Here) -> String {
    let text = |name: &str| variables.get(name).and_then(Value::as_str).unwrap_or_default();
    if family::row(recipe.distro.family).files.contains(&"tree") {
        return family::url(here, variables, "tree");
    }
    if recipe.distro.family != Family::Debian || text("mirror_host").is_empty() {
        return String::new();
    }
    let mirror = format!("http://{}{}", text("mirror_host"), text("mirror_folder"));
    // Where the installer of a release lies is what tools look into.
    match Breed::of(&recipe.distro, variables) {
        Breed { os_version, .. } if os_version == "other" => mirror,
        Breed { os_version, arch, .. } => {
            let arch = match arch.as_str() {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            };
            format!("{mirror}/dists/{os_version}/main/installer-{arch}/")
        }
    }
}
