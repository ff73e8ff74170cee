//! Records of several nouns at once, all or nothing: `POST /api/v1/records`.

use super::body::{self, Body};
use super::machine::MachineDraft;
use super::noun::Noun;
use crate::engine::Engine;
use crate::http::auth::Who;
use crate::http::problem::{Kind, Problem};
use crate::model::{Distro, Machine, Name, Network, Profile};
use crate::store::Edit;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Each as the noun's own address takes it, parents before their children.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Records {
    pub templates: Vec<TemplateDraft>,
    pub networks: Vec<Value>,
    pub distros: Vec<Value>,
    pub profiles: Vec<Value>,
    pub machines: Vec<Value>,
    /// What is there already takes on what is given here; without this nothing may be there.
    pub replace: bool,
    /// Nothing is kept: only told what would be.
    pub check: bool,
    /// With `check`: distros whose files are still to be copied.
    pub without_files: Vec<Name>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateDraft {
    pub name: String,
    pub text: String,
}

/// How many of each noun.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct BroughtIn {
    pub added: BTreeMap<String, usize>,
    pub replaced: BTreeMap<String, usize>,
}

pub async fn bring_in(
    State(engine): State<Arc<Engine>>,
    who: Who,
    Body(records): Body<Records>,
) -> Result<Json<BroughtIn>, Problem> {
    let _alone = engine.changing().await;
    let mut gathering = Gathering::of(&engine, records.replace);
    gathering.without_files = if records.check { records.without_files } else { Vec::new() };
    gathering.templates(&records.templates);
    gathering.nouns::<Network>("networks", records.networks);
    gathering.nouns::<Distro>("distros", records.distros);
    gathering.nouns::<Profile>("profiles", records.profiles);
    gathering.machines(records.machines);
    let Gathering { edits, problems, done, .. } = gathering;
    if !problems.is_empty() {
        return Err(Problem::batch(problems));
    }
    let texts = records.templates.into_iter().map(|draft| (draft.name, draft.text)).collect::<Vec<_>>();
    engine.bring_in(texts, edits, &who.0, records.check).await?;
    Ok(Json(done))
}

struct Gathering<'e> {
    engine: &'e Engine,
    replace: bool,
    without_files: Vec<Name>,
    edits: Vec<Edit>,
    problems: Vec<Problem>,
    done: BroughtIn,
}

impl<'e> Gathering<'e> {
    fn of(engine: &'e Engine, replace: bool) -> Self {
        Gathering {
            engine,
            replace,
            without_files: Vec::new(),
            edits: Vec::new(),
            problems: Vec::new(),
            done: BroughtIn::default(),
        }
    }

    fn count(&mut self, plural: &str, is_there: bool) {
        let counts = if is_there { &mut self.done.replaced } else { &mut self.done.added };
        let count = counts.entry(plural.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    fn taken(&mut self, plural: &str, index: usize, name: &str) {
        let text = format!(
            "{plural}[{index}]: {name} is there already: remove it, or have it replaced (--replace, \"replace\": true)"
        );
        self.problems.push(Problem { field: Some(plural.into()), ..Problem::new(Kind::Conflict, text) }.at(index));
    }

    fn wrong(&mut self, plural: &str, index: usize, name: &Value, problem: Problem) {
        let name = name.get("name").and_then(Value::as_str).unwrap_or_default();
        let message = format!("{plural}[{index}] {name}: {}", problem.message);
        self.problems.push(Problem { message, ..problem }.at(index));
    }

    fn templates(&mut self, drafts: &[TemplateDraft]) {
        for (index, draft) in drafts.iter().enumerate() {
            let is_there = self.engine.template(&draft.name).is_ok();
            if is_there && !self.replace {
                self.taken("templates", index, &draft.name);
            }
            self.count("templates", is_there);
        }
    }

    fn nouns<N: Noun<Key = crate::model::Name>>(&mut self, plural: &str, values: Vec<Value>) {
        for (index, value) in values.into_iter().enumerate() {
            match self.noun::<N>(value.clone()) {
                Ok((record, is_there)) if is_there && !self.replace => {
                    self.taken(plural, index, record.key().as_str());
                }
                Ok((record, is_there)) => {
                    self.count(plural, is_there);
                    let key = record.key();
                    self.edits.push(if is_there { record.set(key) } else { record.add() });
                }
                Err(problem) => self.wrong(plural, index, &value, problem),
            }
        }
    }

    fn noun<N: Noun<Key = crate::model::Name>>(&self, value: Value) -> Result<(N, bool), Problem> {
        let draft = body::read::<N::Draft>(value)?;
        let (record, is_there) = {
            let world = self.engine.store.world();
            let record = N::draft(draft, self.engine.now(), &world)?;
            let is_there = N::find(&world, &record.key()).is_some();
            (record, is_there)
        };
        if N::WORD != Distro::WORD || !self.without_files.contains(&record.key()) {
            record.check(self.engine)?;
        }
        Ok((record, is_there))
    }

    /// Those that are there keep what their life made of them. New ones are written at once.
    fn machines(&mut self, values: Vec<Value>) {
        let mut new = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            match self.machine(value.clone()) {
                Ok((machine, true)) if !self.replace => self.taken("machines", index, machine.name.as_str()),
                Ok((machine, is_there)) => {
                    self.count("machines", is_there);
                    match is_there {
                        true => self.edits.push(Edit::SetMachine(machine)),
                        false => new.push(machine),
                    }
                }
                Err(problem) => self.wrong("machines", index, &value, problem),
            }
        }
        if !new.is_empty() {
            self.edits.push(Edit::AddMachines(new));
        }
    }

    fn machine(&self, value: Value) -> Result<(Machine, bool), Problem> {
        let draft = body::read::<MachineDraft>(value)?;
        let (machine, is_there) = {
            let world = self.engine.store.world();
            let new = Machine::draft(draft, self.engine.now(), &world)?;
            match world.machine_named(&new.name) {
                None => (new, false),
                Some(old) => (onto(new, old), true),
            }
        };
        machine.check(self.engine)?;
        Ok((machine, is_there))
    }
}

/// What an operator says of it, on the record that is there.
fn onto(new: Machine, old: &Machine) -> Machine {
    Machine {
        interfaces: new.interfaces,
        profile: new.profile,
        arguments: new.arguments,
        variables: new.variables,
        secrets: new.secrets,
        ..old.clone()
    }
}
