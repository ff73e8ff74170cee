//! What the server is told of a tree, and whether it was told.

use super::args::Import;
use crate::cli::values::{new_variables, variables};
use crate::http::api::distro::{DistroDraft, DistroPatch, DistroView};
use crate::import::journal::Words;
use crate::import::plan::Plan;
use crate::model::{Family, Variables, is_secret};
use serde_json::Value;

pub fn draft(plan: &Plan, family: Family, import: &Import) -> DistroDraft {
    let mut variables = plan.variables.clone();
    variables.extend(new_variables(import.variables.clone()));
    DistroDraft {
        name: plan.name.clone(),
        family,
        kernel: plan.kernel.clone(),
        initrd: plan.initrd.clone(),
        arguments: import.arguments.clone().unwrap_or_default(),
        variables,
        secrets: Default::default(),
        loader: import.loader.clone(),
    }
}

/// For a distro that is there. `before` are the variables that the tree before had set.
pub fn patch(plan: &Plan, family: Family, import: &Import, before: &[String]) -> DistroPatch {
    DistroPatch {
        secrets: Default::default(),
        family: Some(family),
        kernel: Some(plan.kernel.clone()),
        initrd: Some(plan.initrd.clone()),
        arguments: import.arguments.clone(),
        variables: all_variables(plan, import, before),
        loader: import.loader.clone().map(Some),
    }
}

/// What an operator gave by hand, for a tree that is in its place already. None: nothing.
pub fn given(plan: &Plan, family: Family, import: &Import) -> Option<DistroPatch> {
    let mut given = variables(import.variables.clone());
    let live = plan.variables.get("live").filter(|_| import.live.is_some());
    if let Some(live) = live {
        given.entry("live".to_owned()).or_insert_with(|| live.clone());
    }
    let (kernel, initrd) = (import.kernel.is_some() || live.is_some(), import.initrd.is_some() || live.is_some());
    let patch = DistroPatch {
        secrets: Default::default(),
        family: import.family.map(|_| family),
        kernel: kernel.then(|| plan.kernel.clone()),
        initrd: initrd.then(|| plan.initrd.clone()),
        arguments: import.arguments.clone(),
        variables: given,
        loader: import.loader.clone().map(Some),
    };
    let is_empty = [patch.kernel.is_none(), patch.initrd.is_none(), patch.family.is_none(), patch.arguments.is_none()];
    let is_empty = is_empty.iter().all(|none| *none) && patch.variables.is_empty() && patch.loader.is_none();
    (!is_empty).then_some(patch)
}

pub fn words(plan: &Plan, family: Family, import: &Import, before: &[String]) -> Words {
    let mut variables = all_variables(plan, import, before);
    variables.retain(|name, _| !is_secret(name));
    Words { kernel: plan.kernel.clone(), initrd: plan.initrd.clone(), family: family.to_string(), variables }
}

/// Names of the variables that the tree sets, and no operator.
pub fn of_tree(plan: &Plan, import: &Import) -> Vec<String> {
    let own = |name: &&String| !import.variables.iter().any(|given| given.name == **name);
    plan.variables.keys().filter(own).cloned().collect()
}

/// Whether the server was told of the tree that moved in.
pub fn was_told(words: &Words, distro: &DistroView) -> bool {
    let says = |(name, value): (&String, &Value)| match value {
        Value::Null => !distro.variables.contains_key(name),
        value => distro.variables.get(name) == Some(value),
    };
    let paths = distro.kernel == words.kernel && distro.initrd == words.initrd;
    paths && distro.family.to_string() == words.family && words.variables.iter().all(says)
}

fn all_variables(plan: &Plan, import: &Import, before: &[String]) -> Variables {
    let mut all: Variables = before.iter().map(|name| (name.clone(), Value::Null)).collect();
    all.extend(plan.variables.clone());
    all.extend(variables(import.variables.clone()));
    all
}
