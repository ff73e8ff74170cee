//! How each family of distributions is driven: the FAMILIES table, one file for each row.

mod debian;
mod image;
mod redhat;

use crate::boot::Here;
use crate::boot::recipe::Recipe;
use crate::model::{Family, Mac, Variables};

/// A row: what a family's installer wants to be told, and where.
pub struct Row {
    pub family: Family,
    /// The answer file's template.
    pub template: &'static str,
    /// Variables that have no default: without them nothing can be installed.
    pub needs: &'static [&'static str],
    /// Those of them that name files of ours, or whole URLs.
    pub files: &'static [&'static str],
    /// Its answer file fetches the agent from here when there is a key to register with.
    pub fetches_agent: bool,
    /// Kernel arguments, before the operator's.
    pub arguments: fn(&Trip<'_>) -> Vec<String>,
}

pub const FAMILIES: &[Row] = &[image::ROW, redhat::ROW, debian::ROW];

/// One boot of an installer.
pub struct Trip<'a> {
    pub mac: Mac,
    pub here: Here,
    pub answer_url: &'a str,
    pub recipe: &'a Recipe,
}

impl Trip<'_> {
    /// A variable that names a file below `files`, or a whole URL, as a URL.
    pub fn url(&self, variable: &str) -> String {
        url(self.here, &self.recipe.variables, variable)
    }

    /// The whole kernel command line.
    pub fn command_line(&self) -> String {
        let mut all = (row(self.recipe.distro.family).arguments)(self);
        all.extend(self.recipe.arguments.clone());
        all.join(" ")
    }
}

pub fn url(here: Here, variables: &Variables, variable: &str) -> String {
    match variables.get(variable).and_then(|v| v.as_str()).unwrap_or_default() {
        whole if whole.contains("://") => whole.to_owned(),
        path => here.file(path),
    }
}

pub fn row(family: Family) -> &'static Row {
    FAMILIES.iter().find(|row| row.family == family).expect("the table has a row for each family: see the test")
}

/// What a recipe lacks, in one sentence.
pub fn lacks(recipe: &Recipe) -> Option<String> {
    let family = recipe.distro.family;
    if let Some(name) = row(family).files.iter().find(|name| recipe.secrets.contains_key(**name)) {
        return Some(format!("{name} is a secret, and everybody sees which files are fetched: give it with --var"));
    }
    let missing = row(family).needs.iter().find(|name| !recipe.has(name))?;
    Some(format!(
        "the {family} family needs the variable {missing}: `kickstand distro set {} --var {missing}=…`",
        recipe.distro.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_one_row() {
        for family in Family::ALL {
            assert!(row(*family).files.iter().all(|name| row(*family).needs.contains(name)), "{family}");
            assert_eq!(FAMILIES.iter().filter(|row| row.family == *family).count(), 1, "{family}");
        }
    }
}
