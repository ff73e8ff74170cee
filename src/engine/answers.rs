//! The files that a token opens: which there are, what the family itself puts in, and what their installer would say.

use super::kitchen::{self, Dish};
use super::{Engine, Error};
use crate::family::catalogue::{self, Ready};
use crate::family::network::{Place, Wiring};
use crate::family::{self, Trip};
use crate::model::*;
use crate::render;
use serde_json::{Value, json};

impl Dish {
    pub(super) fn row(&self) -> &'static family::Row {
        family::row(self.recipe.distro.family)
    }

    /// All that its token opens: the answer file, and those beside it by their names.
    pub(super) fn files(&self) -> impl Iterator<Item = Option<&'static str>> + use<> {
        std::iter::once(None).chain(self.row().more.iter().map(|answer| Some(answer.name)))
    }

    /// The template of one of its files; by default the answer file itself, which a profile may replace.
    pub(super) fn template_of(&self, file: Option<&str>) -> Option<String> {
        let usual = self.row().template_of(file)?;
        let own = self.recipe.template.as_deref().filter(|_| usual == self.row().template);
        Some(format!("templates/{}", own.unwrap_or(usual)))
    }

    /// By HTTPS where the installer can be told of the CA.
    pub(super) fn answer_url(&self, token: &Secret) -> String {
        if self.row().pins { self.here.secure_answer(token) } else { self.here.answer(token) }
    }

    /// Only the answer file itself registers: what stands beside it needs no secret.
    pub(super) fn carries_key(&self, file: Option<&str>) -> bool {
        let row = self.row();
        !self.recipe.keys.is_empty() && row.template_of(file) == Some(row.template)
    }

    pub(super) fn wiring(&self, variables: &Variables) -> Result<Wiring, Error> {
        let place = Place { machine: &self.machine, mac: self.mac, network: &self.network, further: &self.further };
        match self.machine.carried() {
            None => Wiring::read(&place, variables),
            Some(carried) => Wiring::carried(&place, variables, carried),
        }
        .map_err(Error::Invalid)
    }
}

/// What the family puts into its files beside the operator's variables.
pub(super) fn told(dish: &Dish, answer_url: &str, variables: &Variables) -> Result<Variables, Error> {
    family::shapes::check(variables).map_err(Error::Invalid)?;
    let wiring = dish.wiring(variables)?;
    let trip = trip(dish, answer_url, variables, &wiring);
    let own = variables.get("kernel_arguments").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut arguments = family::consoles(&wiring);
    arguments.extend((!own.is_empty()).then_some(own));
    let told = json!({
        "wiring": wiring.facts(),
        "kernel_arguments": arguments.join(" "),
        "kernel_options": trip.kernel_options(),
        "answer_url": answer_url,
    });
    Ok(kitchen::named(told))
}

pub(super) fn trip<'a>(dish: &'a Dish, answer_url: &'a str, variables: &'a Variables, wiring: &'a Wiring) -> Trip<'a> {
    Trip {
        name: &dish.machine.name,
        mac: dish.mac,
        here: dish.here,
        answer_url,
        recipe: &dish.recipe,
        variables,
        wiring,
    }
}

impl Engine {
    /// Renders every file that the token would open, and reads each as its installer would.
    pub(super) async fn check_answers(&self, dish: &Dish, token: &Secret) -> Result<(), Error> {
        let row = dish.row();
        let variables = self.with_defaults(dish)?;
        for file in dish.files() {
            let Some(template) = dish.template_of(file) else { continue };
            let answer = self.answer_part(dish, token, file).await?;
            let checked = (row.check)(file.unwrap_or(row.name), &answer.text, &variables);
            checked.map_err(|fault| {
                let text = answer.opened.hidden_in(fault.text);
                self.faulty(dish, &template, family::check::Fault { text, ..fault })
            })?;
        }
        Ok(())
    }

    fn faulty(&self, dish: &Dish, template: &str, fault: family::check::Fault) -> Error {
        let text = format!("as rendered for {}, line {}: {}", dish.machine.name, fault.line, fault.text);
        let place = self.book().place(template, self.assets.operator.as_deref());
        Error::Template(render::Error { place, line: None, text })
    }

    /// The ready-made profiles by name, the operator's among them.
    pub fn ready_names(&self) -> Vec<String> {
        self.assets.names("profiles")
    }

    /// One of them; the error says which there are, or what is wrong with it.
    pub fn ready(&self, name: &str) -> Result<Ready, Error> {
        let path = format!("profiles/{name}.toml");
        let unknown = || {
            Error::Missing(format!("there is no ready-made profile {name}: `kickstand profile catalogue` lists them"))
        };
        let text = self.assets.text(&path).ok_or_else(unknown)?;
        catalogue::read(&self.assets.place(&path), &text).map_err(Error::Invalid)
    }
}
