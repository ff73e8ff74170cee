//! What a change of a template would do: the texts of every machine, rendered before and after it.

use super::kitchen::Dish;
use super::texts::{Book, whole_name};
use super::variables::is_empty;
use super::{Engine, Error, scripts};
use crate::boot::{Standing, role};
use crate::model::*;
use crate::render::{Templates, Used, Whose};
use crate::store::World;
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one difference may take: after that it is right, and longer than need be.
const DIFF_TIME: Duration = Duration::from_millis(500);
/// For all machines together: less than the command line waits.
const COMPARE_TIME: Duration = Duration::from_secs(25);

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// Machines of which a text changes, those that no longer render included.
    pub touched: usize,
    pub broken: Vec<Broken>,
    pub groups: Vec<Group>,
}

/// A text that renders now and would not any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    pub machine: Name,
    pub what: String,
    pub why: String,
}

/// Machines of which a text changes in the same lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub machines: Vec<Name>,
    pub what: String,
    /// That of the first.
    pub diff: String,
}

/// A text that a machine may be given.
struct Served {
    what: String,
    template: String,
    context: Value,
    whose: Whose,
}

/// Which machines a change touches, and how. By the changed lines alone: what stands around them is each machine's own.
type Groups = BTreeMap<(String, String), Group>;

impl Engine {
    /// Compares without changing anything. Tokens are made up, and secrets masked.
    pub async fn compare_template(self: &Arc<Self>, name: &str, text: String) -> Result<Comparison, Error> {
        let name = whole_name(name)?;
        self.look_at_templates().await;
        let old = self.book();
        let compiled = old.templates.with([(name.clone(), Some(text))]);
        let new = compiled.map_err(|mut errors| Error::Template(errors.remove(0)))?;
        let _turn = self.texts.comparing().await?;
        let began = Instant::now();
        let machines: Vec<Name> = self.store.world().machines().map(|machine| machine.name.clone()).collect();
        let (new, mut so_far) = (Arc::new(new), (Comparison::default(), Groups::new()));
        for machine in machines {
            // Whoever boots meanwhile gets a room between two machines.
            let room = self.texts.room().await?;
            let (engine, name, old, new) = (self.clone(), name.clone(), old.clone(), new.clone());
            let done = tokio::task::spawn_blocking(move || {
                let _room = room;
                engine.compare_machine(&name, (&old, &new), &machine, &mut so_far);
                so_far
            });
            so_far = done.await.map_err(|e| Error::Internal(format!("a comparison was cut off: {e}")))?;
            if began.elapsed() > COMPARE_TIME {
                let text = "comparing takes too long: a template is slow, or there are too many machines";
                return Err(Error::Invalid(text.into()));
            }
        }
        let (mut comparison, groups) = so_far;
        comparison.groups = groups.into_values().collect();
        comparison.groups.sort_by_key(|group| std::cmp::Reverse(group.machines.len()));
        Ok(comparison)
    }

    fn compare_machine(
        &self,
        name: &str,
        books: (&Book, &Templates),
        machine: &Name,
        so_far: &mut (Comparison, Groups),
    ) {
        let (comparison, groups) = so_far;
        let mut touched = false;
        for served in self.served(machine) {
            touched |= self.compare_one(name, books, (machine, &served), comparison, groups);
        }
        comparison.touched = comparison.touched.saturating_add(usize::from(touched));
    }

    /// Whether this text changes.
    fn compare_one(
        &self,
        name: &str,
        (old, new): (&Book, &Templates),
        (machine, served): (&Name, &Served),
        comparison: &mut Comparison,
        groups: &mut Groups,
    ) -> bool {
        let render = |templates: &Templates| templates.render_telling(&served.template, &served.context, &served.whose);
        let (before, used) = render(&old.templates);
        // What had no part in it changes nothing; what there was not yet may have one now.
        if !used.contains(name) && old.templates.has(name) {
            return false;
        }
        let (after, used): (_, Used) = render(new);
        let what = served.what.clone();
        match (before, after) {
            (Ok(_), Err(why)) => {
                comparison.broken.push(Broken { machine: machine.clone(), what, why: why.to_string() });
                true
            }
            (before, Ok(after)) if used.contains(name) => {
                let before = before.unwrap_or_default();
                let Some((changed, diff)) = difference(&before, &after) else { return false };
                let group = || Group { machines: Vec::new(), what: what.clone(), diff };
                groups.entry((what.clone(), changed)).or_insert_with(group).machines.push(machine.clone());
                true
            }
            _ => false,
        }
    }

    /// Everything that a machine may be given; nothing where no profile speaks for it.
    fn served(&self, name: &Name) -> Vec<Served> {
        let dish = {
            let world = self.store.world();
            let machine = world.machine_named(name);
            machine.and_then(|machine| self.dish_of(&world, machine))
        };
        let Some(dish) = dish else { return Vec::new() };
        let token = Secret::new("0".repeat(64));
        let mut served = Vec::new();
        for file in dish.files() {
            let Some(template) = dish.template_of(file) else { continue };
            let Ok((mut context, given)) = self.answer_context(&dish, &token, file) else { continue };
            mask(&mut context, &dish, &given);
            let what = file.unwrap_or("answer file").to_owned();
            served.push(Served { what, template, context, whose: dish.whose() });
        }
        for (language, by) in [(Language::Ipxe, By::Http), (Language::Grub, By::Tftp), (Language::Pxelinux, By::Tftp)] {
            if let Ok(context) = self.script_context(&dish, &token, language, by) {
                let template = scripts::template(language, dish.row().start.script()).to_owned();
                let what = format!("install script of {language}");
                served.push(Served { what, template, context, whose: dish.whose() });
            }
            let context = json!({ "name": dish.machine.name, "mac": dish.mac, "method": DiskBoot::Auto });
            let template = scripts::template(language, "disk").to_owned();
            let what = format!("disk script of {language}");
            served.push(Served { what, template, context, whose: Whose::default() });
        }
        served
    }

    /// What it would be installed from, were it armed: at its own address, or at one that it might have.
    fn dish_of(&self, world: &World, machine: &Machine) -> Option<Dish> {
        let interface = machine.interfaces.first()?;
        let network = self.network_of(world, interface.mac, Standing::Machine(machine)).ok()?;
        let leased = || world.lease(&network.name, &interface.mac.into()).map(|lease| lease.ip);
        let pooled = || network.pools.first().map(|pool| pool.span.first);
        let ip = interface.ip.or_else(leased).or_else(pooled).unwrap_or_else(|| first_host(network));
        // A server that shares the database may be the one that serves it.
        let here = self.here(network).unwrap_or_else(|| self.here_as(first_host(network), network));
        let profile = role::profile(Some(machine), ip, &world.ranges, network).0?;
        Dish::gather(world, machine, profile, (interface.mac, ip), (network, here)).ok()
    }
}

fn first_host(network: &Network) -> Ipv4Addr {
    network.gateway.or_else(|| network.cidr.nth(1)).unwrap_or(network.cidr.ip())
}

/// Puts «name» for every secret, for what an operator's defaults say in clear, too.
pub(super) fn mask(context: &mut Value, dish: &Dish, given: &Variables) {
    let Value::Object(context) = context else { return };
    let by_name = |(name, value): (&String, &Value)| (is_secret(name) && !is_empty(value)).then(|| name.clone());
    let mut names: Vec<String> = context.iter().filter_map(by_name).collect();
    names.extend(dish.recipe.secrets.keys().cloned());
    names.retain(|name| !given.contains_key(name));
    context.extend(names.into_iter().map(|name| (name.clone(), Value::String(format!("«{name}»")))));
}

/// The changed lines alone, and the whole as `diff -u` would show it; none where nothing differs.
pub fn difference(old: &str, new: &str) -> Option<(String, String)> {
    if old == new {
        return None;
    }
    let diff = TextDiff::configure().timeout(DIFF_TIME).diff_lines(old, new);
    let changed = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    let changed = changed.map(|change| format!("{}{}", change.tag(), change.value())).collect();
    let told = diff.unified_diff().context_radius(3).header("now", "then").to_string();
    Some((changed, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_as_diff_tells_it() {
        let (changed, told) = difference("a\nb\nc\n", "a\nB\nc\n").unwrap();
        assert_eq!(changed, "-b\n+B\n");
        assert_eq!(told, "--- now\n+++ then\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        assert_eq!(difference("a", "a"), None);
    }
}
