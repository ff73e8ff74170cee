//! Where each value of a machine's variables comes from, and over whose word: `kickstand machine vars`.

use super::kitchen::Dish;
use super::{Engine, Error, fresh_secret};
use crate::boot::recipe::{self, Layer, Origin, PACKAGES, Place, Recipe};
use crate::model::*;
use crate::store::World;
use serde_json::Value;
use std::collections::BTreeMap;

/// A variable as the machine's templates would see it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub name: String,
    pub by: Over,
    /// What it overrides, the nearest first.
    pub over: Vec<Over>,
}

/// Somebody's word on a variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Over {
    pub origin: String,
    /// None where it is a secret.
    pub value: Option<Value>,
}

/// What the server gives and nobody else may read.
const HIDDEN: [&str; 3] = ["key", "report_url", "secure_report_url"];

impl Engine {
    /// In the order of their names.
    pub fn variables(&self, name: &Name) -> Result<Vec<Variable>, Error> {
        let machine = self.named(name)?;
        let (recipe, given) = {
            let world = self.store.world();
            self.laid(&world, &machine)?
        };
        let mut layers = recipe.layers.clone();
        let place = self.assets.place(&format!("templates/{}/defaults.toml", recipe.distro.family));
        for (name, value) in self.defaults(recipe.distro.family)? {
            let layer = Layer { origin: Origin::Defaults(place.clone()), value: Some(value) };
            layers.entry(name).or_default().push(layer);
        }
        let said = layers.get(PACKAGES).and_then(|layers| layers.first()?.value.as_ref());
        for layer in recipe.packages_over(said) {
            layers.entry(PACKAGES.to_owned()).or_default().insert(0, layer);
        }
        for (name, value) in given {
            let value = Some(value).filter(|value| !HIDDEN.contains(&name.as_str()) || is_empty(value));
            layers.entry(name).or_default().insert(0, Layer { origin: Origin::Server, value });
        }
        Ok(told(layers))
    }

    /// The recipe of its next install, and what the server would give to it.
    fn laid(&self, world: &World, machine: &Machine) -> Result<(Recipe, Variables), Error> {
        let seat = self.seat(world, machine)?;
        let (network, ip) = (seat.network, seat.ip);
        let profile = self.speaker(world, machine, &seat)?;
        let Some(here) = self.here(network) else {
            let place = Place { network, ranges: &world.ranges, ip };
            let recipe =
                recipe::recipe(profile, Some(machine), Some(place), &world.profiles, &world.distros, &world.keys);
            return Ok((recipe.map_err(Error::Invalid)?, Variables::new()));
        };
        let dish = Dish::plan(world, machine, profile, (seat.mac, ip), (network, here))?;
        let given = self.given(&dish, &fresh_secret()?);
        Ok((dish.recipe, given))
    }
}

fn told(layers: BTreeMap<String, Vec<Layer>>) -> Vec<Variable> {
    let all = layers.into_iter().filter_map(|(name, layers)| {
        let secret = is_secret(&name);
        // What lies in clear in a file of defaults is shown as little as what is sealed.
        let shown = |layer: Layer| Over {
            origin: layer.origin.to_string(),
            value: layer.value.filter(|value| !secret || is_empty(value)),
        };
        let mut layers = layers.into_iter().map(shown);
        Some(Variable { by: layers.next()?, over: layers.collect(), name })
    });
    all.collect()
}

pub(super) fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}
