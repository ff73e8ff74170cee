//! What a change would do: all that each machine may be given, on paper, before it and after it.

use super::kitchen::Dish;
use super::served::Served;
use super::texts::whole_name;
use super::{Engine, Error};
use crate::model::*;
use crate::render::Templates;
use crate::store::{Edit, Paper, Plan, Resident};
use similar::{ChangeTag, TextDiff};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one difference may take: after that it is right, and longer than need be.
const DIFF_TIME: Duration = Duration::from_millis(500);
/// For all machines together: less than the command line waits.
const COMPARE_TIME: Duration = Duration::from_secs(25);

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// Machines that get something else, those of which something breaks included.
    pub touched: Vec<Name>,
    /// How many machines there are.
    pub of: usize,
    pub broken: Vec<Broken>,
    pub groups: Vec<Group>,
}

/// What is fine now and would not be any more.
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

/// Both sides of a comparison.
struct Sides {
    now: Paper,
    then: Paper,
    old: Templates,
    new: Templates,
    /// The templates that differ.
    changed: BTreeSet<String>,
    /// Whether records may differ, too.
    records: bool,
}

/// What was found so far. A group is known by the changed lines alone: what stands around them is each machine's own.
#[derive(Default)]
struct Found {
    touched: Vec<Name>,
    broken: Vec<Broken>,
    groups: BTreeMap<(String, String), Group>,
}

impl Engine {
    /// Compares without changing anything. Tokens are made up, and secrets masked. No text: the stored one is removed.
    pub async fn compare_template(self: &Arc<Self>, name: &str, text: Option<String>) -> Result<Comparison, Error> {
        // Who waits holds no copy of the configuration.
        let _turn = self.texts.comparing().await?;
        let name = whole_name(name)?;
        self.look_at_templates().await;
        let text = match text {
            Some(text) => Some(text),
            None => self.without_stored(&name)?,
        };
        let (now, then) = {
            let world = self.store.world();
            (world.paper(), world.paper())
        };
        self.compare_sides((now, then), vec![(name, text)], false).await
    }

    /// What an operator's change would do. Whether it is allowed is for the change itself to find out.
    pub async fn compare(self: &Arc<Self>, edit: Edit) -> Result<Comparison, Error> {
        let _turn = self.texts.comparing().await?;
        let sides = self.store.on_paper(edit, self.now())?;
        self.compare_sides(sides, Vec::new(), true).await
    }

    /// What a rollback would do.
    pub async fn compare_rollback(self: &Arc<Self>, to: i64) -> Result<(Plan, Comparison), Error> {
        let _turn = self.texts.comparing().await?;
        let plan = self.store.plan(to, None).await?;
        let (now, mut then) = {
            let world = self.store.world();
            (world.paper(), world.paper())
        };
        plan.turns.iter().for_each(|turn| then.restore(turn.clone(), self.now()));
        let texts = self.texts_of(&plan).await?;
        let comparison = self.compare_sides((now, then), texts, true).await?;
        Ok((plan, comparison))
    }

    async fn compare_sides(
        self: &Arc<Self>,
        (now, then): (Paper, Paper),
        texts: Vec<(String, Option<String>)>,
        records: bool,
    ) -> Result<Comparison, Error> {
        let book = self.book();
        let changed = texts.iter().map(|(name, _)| name.clone()).collect();
        let new = book.templates.with(texts).map_err(|mut errors| Error::Template(errors.remove(0)))?;
        let sides = Sides { now, then, old: book.templates.clone(), new, changed, records };
        let began = Instant::now();
        let (of, machines, newcomers): (usize, Vec<MachineId>, Vec<Name>) = {
            let world = self.store.world();
            let all = world.machines().map(|machine| machine.id);
            let newcomers = sides.then.newcomers(&world).cloned().collect();
            (world.machines().count(), all.filter(|id| sides.then.may_touch(*id)).collect(), newcomers)
        };
        let (of, mut so_far) = (of + newcomers.len(), (sides, Found::default()));
        newcomers.iter().for_each(|name| so_far.1.comes(name));
        for machine in machines {
            // Whoever boots meanwhile gets a room between two machines.
            let room = self.texts.room().await?;
            let engine = self.clone();
            let done = tokio::task::spawn_blocking(move || {
                let _room = room;
                // A copy: while it is rendered, the World is free.
                let resident = engine.store.world().resident(machine);
                resident.into_iter().for_each(|resident| engine.compare_machine(&resident, &mut so_far));
                so_far
            });
            so_far = done.await.map_err(|e| Error::Internal(format!("a comparison was cut off: {e}")))?;
            if began.elapsed() > COMPARE_TIME {
                let text = "comparing takes too long: a template is slow, or there are too many machines; --yes goes on without";
                return Err(Error::Invalid(text.into()));
            }
        }
        let Found { mut touched, broken, groups } = so_far.1;
        touched.sort();
        let mut groups: Vec<Group> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.machines.len()));
        Ok(Comparison { touched, of, broken, groups })
    }

    fn compare_machine(&self, resident: &Resident, (sides, found): &mut (Sides, Found)) {
        let name = &resident.machine.name;
        let Some(now) = sides.now.seat(resident) else { return };
        let touched = match sides.then.seat(resident) {
            None => found.differ((name, "record"), &format!("{name}\n"), ""),
            Some(then) => {
                let dishes = (self.dish_of(&sides.now.world, &now), self.dish_of(&sides.then.world, &then));
                let by_texts = self.compare_dishes(name, dishes, sides, found);
                by_texts | (sides.records && self.compare_offers((&now, &then), sides, found))
            }
        };
        found.touched.extend(touched.then(|| name.clone()));
    }

    fn compare_offers(&self, (now, then): (&Machine, &Machine), sides: &Sides, found: &mut Found) -> bool {
        let offers = self.offers(&sides.now.world, now).into_iter();
        let offers = offers.zip(self.offers(&sides.then.world, then));
        // All of them: each may be in a group of its own.
        offers.fold(false, |touched, ((what, before), (_, after))| {
            found.differ((&now.name, &what), &before, &after) | touched
        })
    }

    fn compare_dishes(
        &self,
        name: &Name,
        dishes: (Result<Dish, Error>, Result<Dish, Error>),
        sides: &Sides,
        found: &mut Found,
    ) -> bool {
        match dishes {
            (Err(_), Err(_)) => false,
            (Ok(_), Err(why)) => found.breaks((name, "install"), why.to_string()),
            (Err(_), Ok(then)) => {
                found.differ((name, "install"), "", &format!("from profile {}\n", then.recipe.profile))
            }
            (Ok(now), Ok(then)) if now == then && sides.changed.is_empty() => false,
            (Ok(now), Ok(then)) => {
                let mut texts: BTreeMap<String, (Option<Served>, Option<Served>)> = BTreeMap::new();
                let others = |dish: &Dish| if sides.changed.is_empty() { Vec::new() } else { self.other_texts(dish) };
                for served in self.install_texts(&now, None).into_iter().chain(others(&now)) {
                    let text = texts.entry(served.what.clone()).or_default();
                    text.0 = Some(served);
                }
                for served in self.install_texts(&then, Some(&now)).into_iter().chain(others(&then)) {
                    let text = texts.entry(served.what.clone()).or_default();
                    text.1 = Some(served);
                }
                texts.iter().fold(false, |touched, (what, text)| found.compare((name, what), text, sides) | touched)
            }
        }
    }
}

impl Sides {
    /// Whether it is made of the same on both sides: what had no part in it changes nothing, what there was not yet may have
    /// one now.
    fn may_differ(&self, now: &Served, then: &Served, used: &BTreeSet<String>) -> bool {
        let had_part = |name: &String| used.contains(name) || !self.old.has(name);
        now.template != then.template
            || now.context != then.context
            || now.whose != then.whose
            || self.changed.iter().any(had_part)
    }
}

impl Found {
    /// A machine that is not there yet: all that it gets is new, and none of it is told.
    fn comes(&mut self, name: &Name) {
        self.differ((name, "record"), "", &format!("{name}\n"));
        self.touched.push(name.clone());
    }

    /// Whether a text changes.
    fn compare(&mut self, of: (&Name, &str), texts: &(Option<Served>, Option<Served>), sides: &Sides) -> bool {
        let render =
            |templates: &Templates, text: &Served| templates.render_telling(&text.template, &text.context, &text.whose);
        let (before, after) = match texts {
            (Some(now), Some(then)) => {
                let same = now.template == then.template && now.context == then.context && now.whose == then.whose;
                if same && sides.changed.is_empty() {
                    return false;
                }
                let (before, used) = render(&sides.old, now);
                if !sides.may_differ(now, then, &used) {
                    return false;
                }
                (before.map_err(drop), render(&sides.new, then).0)
            }
            (Some(now), None) => match render(&sides.old, now).0 {
                Ok(_) => return self.breaks(of, "it would not be made any more".into()),
                Err(_) => return false,
            },
            (None, Some(then)) => (Err(()), render(&sides.new, then).0),
            (None, None) => return false,
        };
        let read = |side: &Option<Served>, text: &String| side.as_ref().and_then(|served| served.fault(text));
        match (before, after) {
            (Ok(_), Err(why)) => self.breaks(of, why.to_string()),
            // What its installer would not take breaks it as well, unless it did so before.
            (Ok(before), Ok(after)) if read(&texts.1, &after).is_some() && read(&texts.0, &before).is_none() => {
                self.breaks(of, read(&texts.1, &after).unwrap_or_default())
            }
            (before, Ok(after)) => self.differ(of, &before.unwrap_or_default(), &after),
            (Err(()), Err(_)) => false,
        }
    }

    fn breaks(&mut self, (machine, what): (&Name, &str), why: String) -> bool {
        self.broken.push(Broken { machine: machine.clone(), what: what.to_owned(), why });
        true
    }

    fn differ(&mut self, (machine, what): (&Name, &str), before: &str, after: &str) -> bool {
        let Some((changed, diff)) = difference(before, after) else { return false };
        let group = || Group { machines: Vec::new(), what: what.to_owned(), diff };
        self.groups.entry((what.to_owned(), changed)).or_insert_with(group).machines.push(machine.clone());
        true
    }
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
