//! A machine's answer files as its installer would be given them, without their secrets: for tools that read them.

use super::kitchen::Dish;
use super::paper::FIRMWARE;
use super::{Engine, Error, fresh_secret};
use crate::model::*;

/// What one machine would be given.
#[derive(Debug, Clone, PartialEq)]
pub struct Paper {
    pub family: Family,
    /// Of the distro, where somebody said it: "9", "24.04".
    pub release: Option<String>,
    /// By their names, the answer file first. «name» stands for each secret.
    pub files: Vec<(String, String)>,
}

impl Engine {
    /// As if it were armed; the error is why it could not be.
    pub async fn answers_on_paper(&self, name: &Name) -> Result<Paper, Error> {
        let machine = self.as_if_armed(self.named(name)?)?;
        self.install_on_paper(&machine).await?;
        let none = || Error::Invalid(format!("machine {name} has no interface to boot from"));
        let mac = machine.interfaces.first().ok_or_else(none)?.mac;
        for arch in FIRMWARE {
            let (_, Some(install)) = self.play(mac, arch, Some(&machine))? else { continue };
            let (dish, token) = (install.dish?, fresh_secret()?);
            let mut files = Vec::new();
            for file in dish.files() {
                let Some(text) = self.masked(&dish, &token, file).await? else { continue };
                files.push((called(&dish, file), self.without_tokens(text, &token)));
            }
            let release = self.with_defaults(&dish)?.get("release").and_then(|value| value.as_str()).map(str::to_owned);
            return Ok(Paper { family: dish.recipe.distro.family, release, files });
        }
        Err(Error::Invalid(format!("machine {name} is given no installer: see `kickstand why {name} --armed`")))
    }
}

/// Some installers give their answer file no name.
fn called(dish: &Dish, file: Option<&str>) -> String {
    let name = file.unwrap_or(dish.row().name);
    if name.is_empty() { "answer file".to_owned() } else { name.to_owned() }
}
