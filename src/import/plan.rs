//! What will be done with a tree: its name, its boot files, its variables, and which files are taken.

use super::Error;
use super::marks::{self, Extent, Recognised, Value};
use super::source::Source;
use super::stage::DISTROS;
use super::tree::{Tree, Under, folders_above, has, missing, plain};
use crate::model::{Name, Variables};
use std::collections::BTreeSet;

/// What an operator says of a tree; it overrules what the tree says.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub name: Option<Name>,
    pub family: Option<String>,
    pub kernel: Option<String>,
    pub initrd: Option<String>,
    /// Where the boot files are those of another distro.
    pub live: Option<Live>,
}

/// The live system of a distro of the image family: paths below the folder of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub kernel: String,
    pub initrd: String,
    pub live: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub name: Name,
    pub family: String,
    /// What people call it: `almalinux 9.4 x86_64`.
    pub title: String,
    /// Below the folder of files.
    pub kernel: String,
    pub initrd: String,
    pub variables: Variables,
    /// Of the tree.
    pub files: Vec<String>,
    /// Those without which nothing boots.
    pub boot: Vec<String>,
    /// The tree is taken with all of its files, packages among them.
    pub is_whole: bool,
    pub notes: Vec<String>,
}

pub fn plan(source: &Source, wish: &Wish) -> Result<Plan, Error> {
    let found = recognised(source, wish)?;
    let name = match &wish.name {
        Some(name) => name.clone(),
        None => found.name().parse().map_err(|_| Error::Nameless { origin: source.tree.origin().into() })?,
    };
    let folder = format!("{DISTROS}/{name}");
    let mut plan = Plan {
        family: found.family.clone(),
        title: title(&found),
        kernel: format!("{folder}/{}", found.kernel),
        initrd: format!("{folder}/{}", found.initrd),
        variables: Variables::new(),
        files: Vec::new(),
        is_whole: found.extent == Extent::Whole && source.tree.listing().is_some(),
        boot: vec![found.kernel.clone(), found.initrd.clone()],
        notes: found.notes.clone(),
        name,
    };
    if let (Some(live), true) = (&wish.live, found.kernel.is_empty()) {
        (plan.kernel, plan.initrd) = (live.kernel.clone(), live.initrd.clone());
        plan.variables.insert("live".into(), live.live.clone().into());
        plan.boot.clear();
    }
    plan.add_variables(&found, source, &folder);
    plan.files = files(source, &found, &plan.boot);
    for path in &plan.boot {
        if !has(&*source.tree, path)? {
            return Err(missing(&*source.tree, path));
        }
    }
    Ok(plan)
}

impl Plan {
    /// The folders of what boots, and those above them.
    pub fn folders(&self) -> BTreeSet<String> {
        let above = self.boot.iter().flat_map(|path| folders_above(path));
        above.map(str::to_owned).chain([String::new()]).collect()
    }

    fn add_variables(&mut self, found: &Recognised, source: &Source, folder: &str) {
        for (name, value) in &found.variables {
            let value = match (value, &source.image) {
                (Value::Tree, _) => source.address.clone().unwrap_or_else(|| match source.folder.as_str() {
                    "" => folder.to_owned(),
                    below => format!("{folder}/{below}"),
                }),
                (Value::Text(text), _) => text.clone(),
                (Value::File(path), _) => {
                    self.boot.push(path.clone());
                    format!("{folder}/{path}")
                }
                (Value::Image, Some(image)) => {
                    self.boot.push(image.clone());
                    format!("{folder}/{image}")
                }
                (Value::Image, None) => {
                    self.notes.push(format!(
                        "its installer fetches the whole image: import the ISO file itself, or set the variable {name}"
                    ));
                    continue;
                }
            };
            self.variables.insert((*name).to_owned(), value.into());
        }
    }
}

/// It goes to a terminal, and a tree may say anything.
fn title(found: &Recognised) -> String {
    let whole = [&found.product, &found.version, &found.arch].map(String::as_str).join(" ");
    whole.trim().chars().filter(|c| !c.is_control()).collect()
}

fn recognised(source: &Source, wish: &Wish) -> Result<Recognised, Error> {
    let tree = &Under { tree: &*source.tree, folder: &source.folder };
    let mut found = match marks::recognise(tree)? {
        Some(found) => found,
        None if wish.family.is_some() && wish.kernel.is_some() && wish.initrd.is_some() => unknown(),
        None => return Err(Error::Unknown { origin: tree.origin().into(), looked: marks::looked_for() }),
    };
    if let Some(family) = &wish.family {
        found.family = family.clone();
    }
    for (given, place) in [(&wish.kernel, &mut found.kernel), (&wish.initrd, &mut found.initrd)] {
        if let Some(given) = given {
            let outside = || Error::NotThere { path: given.clone(), origin: tree.origin().into() };
            *place = plain(given).ok_or_else(outside)?;
        }
    }
    match found.kernel.is_empty() && wish.live.is_none() {
        true => Err(Error::NoKernel { origin: tree.origin().into() }),
        false => Ok(found.placed(tree)),
    }
}

/// What nobody knows, and an operator does.
fn unknown() -> Recognised {
    Recognised::new("", "", "", "")
}

fn files(source: &Source, found: &Recognised, boot: &[String]) -> Vec<String> {
    match (found.extent, source.tree.listing()) {
        (Extent::Whole, Some(listing)) => listing.files.keys().cloned().collect(),
        _ => boot.to_vec(),
    }
}
