//! `kickstand distro import`: a tree becomes a distro: copied on this host, then written down by the server.
//!
//! `args` is what operators type, `progress` draws how far it is, `told` says what came of it; the work itself is done by [`crate::import`].

mod args;
mod progress;
mod server;
mod told;

pub use args::Import;

use super::client;
use super::session::Session;
use super::values::new_variables;
use crate::config::Config;
use crate::http::api::distro::{DistroDraft, DistroPatch, DistroView};
use crate::import::checks::Claims;
use crate::import::openpgp::Keyring;
use crate::import::plan::{self, Live, Plan, Wish};
use crate::import::record::Record;
use crate::import::remote::address::Address;
use crate::import::source::{Opening, Source};
use crate::import::stage::{Pending, Room};
use crate::import::take::{Gauge, Order, Taken};
use crate::import::verdict::Verdict;
use crate::model::{Family, Variables};
use anyhow::{Context, Result, bail};
use hyper::Method;
use progress::Progress;
use server::Server;
use std::collections::BTreeSet;
use told::{Outcome, Told};

pub fn run(import: Import, session: Session) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let config = import.settings.config()?;
    let server = Server { runtime, session };
    let told = Work { import, config, server: &server }.run()?;
    told.say(server.session.output)
}

struct Work<'a> {
    import: Import,
    config: Config,
    server: &'a Server,
}

impl Work<'_> {
    fn run(self) -> Result<Told> {
        let room = Room::open(&self.config.files)?;
        self.settle(&room)?;
        room.clean()?;
        // Told before much is read: a server that is away, and a distro that is not there.
        let wish = self.wish()?;
        let keyring = Keyring::read(&self.import.keyrings)?;
        let mut progress = Progress::new(self.server.session.output);
        let source = self.open(&room, &keyring, &mut progress)?;
        let plan = plan::plan(&source, &wish)?;
        let not_ours =
            || format!("this is a tree of the {} family, which this Kickstand does not install", plan.family);
        let family: Family = plan.family.parse().with_context(not_ours)?;
        let known = self.server.distro(&plan.name)?;
        let claims = Claims::gather(&*source.tree, &folders(&plan), &keyring)?;
        demand(&keyring, &plan, &claims, &source)?;
        if let Some(told) = self.is_there(&room, &source, &plan, &claims, known.as_ref(), &mut progress)? {
            return Ok(told);
        }
        let stage = room.stage()?;
        progress.begin("copying");
        let order = self.order(&room, &source, &plan, &claims)?;
        let taken = order.carry_out(Some(&stage), &mut |gauge| progress.show(gauge))?;
        let verdict = Verdict::new(&taken, &plan.boot, &claims, source.seal.as_ref());
        let pending = room.put(stage, &plan, &self.record(&taken, &verdict))?;
        progress.end();
        let distro = self.registered(&room, &pending, &plan, family, known.as_ref())?;
        let outcome = if pending.old.is_some() { Outcome::Replaced } else { Outcome::Added };
        Ok(self.told(outcome, distro, &room, &source, plan, &taken, verdict))
    }

    fn open(&self, room: &Room, keyring: &Keyring, progress: &mut Progress) -> Result<Source> {
        let (limit, limit_why) = self.limit(room)?;
        let mut tell = |phase, gauge: &Gauge| progress.phase(phase, gauge);
        let source = Opening { room, keyring, limit, limit_why, tell: &mut tell }.open(&self.import.origin)?;
        progress.end();
        Ok(source)
    }

    /// The server's word on a tree that has moved in; without it the place is as it was.
    fn registered(
        &self,
        room: &Room,
        pending: &Pending,
        plan: &Plan,
        family: Family,
        known: Option<&DistroView>,
    ) -> Result<DistroView> {
        let written = self.write_down(plan, family, known);
        // A server that went away in the middle may know of it or not: the next import asks.
        if !written.as_ref().is_err_and(is_unsure) {
            room.settle(pending, written.is_ok())?;
        }
        written
    }

    /// What an import left that was ended between moving its tree and hearing from the server.
    fn settle(&self, room: &Room) -> Result<()> {
        let Some(pending) = room.pending() else { return Ok(()) };
        let known = self.server.distro(&pending.name)?;
        let keep = known.is_some_and(|distro| is_of(&pending, &distro));
        Ok(room.settle(&pending, keep)?)
    }

    fn wish(&self) -> Result<Wish> {
        let live = match &self.import.live {
            None => None,
            Some(name) => {
                let distro = self
                    .server
                    .distro(name)?
                    .with_context(|| format!("there is no distro {name}: see `kickstand distro list`"))?;
                let live = distro.variables.get("live").and_then(|live| live.as_str());
                let live =
                    live.with_context(|| format!("distro {name} has no live system: its variable live is not set"))?;
                Some(Live { kernel: distro.kernel.clone(), initrd: distro.initrd.clone(), live: live.to_owned() })
            }
        };
        Ok(Wish {
            name: self.import.name.clone(),
            family: self.import.family.map(|family| family.to_string()),
            kernel: self.import.kernel.clone(),
            initrd: self.import.initrd.clone(),
            live,
        })
    }

    fn limit(&self, room: &Room) -> Result<(u64, &'static str)> {
        Ok(match self.import.max_size {
            Some(limit) => (limit, "--max-size"),
            None => (room.free()?, "what the disk has free, but for a tenth; --max-size names another"),
        })
    }

    fn order<'b>(&self, room: &Room, source: &'b Source, plan: &Plan, claims: &'b Claims) -> Result<Order<'b>> {
        let (limit, limit_why) = self.limit(room)?;
        Ok(Order { tree: &*source.tree, files: plan.files.clone(), claims, limit, limit_why })
    }

    /// Whether this tree is in its place already; an error where another one is, and is not to be replaced.
    fn is_there(
        &self,
        room: &Room,
        source: &Source,
        plan: &Plan,
        claims: &Claims,
        known: Option<&DistroView>,
        progress: &mut Progress,
    ) -> Result<Option<Told>> {
        let place = room.place(&plan.name);
        let name = &plan.name;
        let record = match (Record::read(&place), known) {
            (Some(record), Some(_)) => record,
            (None, Some(known)) if !self.import.replace => {
                bail!(
                    "distro {name} is there, with kernel {}: choose another name with --name, or --replace it",
                    known.kernel
                )
            }
            // Of a record that was removed, the files may go.
            _ => return Ok(None),
        };
        progress.begin("comparing");
        let order = Order { limit: u64::MAX, ..self.order(room, source, plan, claims)? };
        let taken = order.carry_out(None, &mut |gauge| progress.show(gauge))?;
        progress.end();
        match (taken.id == record.id, known) {
            (true, Some(known)) => {
                let verdict = Verdict::new(&taken, &plan.boot, claims, source.seal.as_ref());
                Ok(Some(self.told(Outcome::Same, known.clone(), room, source, plan.clone(), &taken, verdict)))
            }
            _ if self.import.replace => Ok(None),
            _ => bail!(
                "distro {name} holds another tree, imported from {}: choose another name with --name, or --replace it",
                record.source
            ),
        }
    }

    fn record(&self, taken: &Taken, verdict: &Verdict) -> Record {
        let origin = self.import.origin.clone();
        let path = (!Address::is_meant(&origin)).then(|| std::path::absolute(&origin).ok()).flatten();
        Record {
            id: taken.id.clone(),
            source: path.map_or(origin, |path| path.display().to_string()),
            files: taken.files,
            bytes: taken.bytes,
            verified: verdict.to_string(),
        }
    }

    fn write_down(&self, plan: &Plan, family: Family, known: Option<&DistroView>) -> Result<DistroView> {
        let mut variables: Variables = plan.variables.clone();
        variables.extend(new_variables(self.import.variables.clone()));
        let (kernel, initrd, loader) = (plan.kernel.clone(), plan.initrd.clone(), self.import.loader.clone());
        if known.is_none() {
            let arguments = self.import.arguments.clone().unwrap_or_default();
            let draft = DistroDraft {
                name: plan.name.clone(),
                family,
                kernel,
                initrd,
                arguments,
                variables,
                secrets: Default::default(),
                loader,
            };
            return self.server.send(Method::POST, "distros", &draft);
        }
        let patch = DistroPatch {
            secrets: Default::default(),
            family: Some(family),
            kernel: Some(kernel),
            initrd: Some(initrd),
            arguments: self.import.arguments.clone(),
            variables,
            loader: loader.map(Some),
        };
        self.server.send(Method::PATCH, &format!("distros/{}", plan.name), &patch)
    }

    #[expect(clippy::too_many_arguments, reason = "what it tells of is all there is")]
    fn told(
        &self,
        outcome: Outcome,
        distro: DistroView,
        room: &Room,
        source: &Source,
        plan: Plan,
        taken: &Taken,
        verdict: Verdict,
    ) -> Told {
        let listing = source.tree.listing();
        Told {
            outcome,
            place: room.place(&plan.name),
            plan,
            distro,
            files: taken.files,
            bytes: taken.bytes,
            links: listing.map_or(0, |listing| listing.links),
            devices: listing.map_or(0, |listing| listing.devices),
            verdict,
        }
    }
}

/// The folders of what boots, and those above them.
fn folders(plan: &Plan) -> BTreeSet<String> {
    let mut folders = BTreeSet::from([String::new()]);
    for path in &plan.boot {
        folders.extend(path.match_indices('/').filter_map(|(at, _)| path.get(..at).map(str::to_owned)));
    }
    folders
}

/// Keys that an operator names must have signed what boots.
fn demand(keyring: &Keyring, plan: &Plan, claims: &Claims, source: &Source) -> Result<(), crate::import::Error> {
    let by_image = source.seal.as_ref().is_some_and(|seal| seal.is_signed);
    if !keyring.is_demanded || by_image || plan.boot.iter().all(|path| claims.is_sealed(path)) {
        return Ok(());
    }
    let said: Vec<&String> = source.seal.iter().flat_map(|seal| &seal.signatures).chain(&claims.signatures).collect();
    let said = said.iter().map(|said| format!("; {said}")).collect();
    Err(crate::import::Error::Unsigned { said })
}

/// Whether the server was told of the tree that moved in.
fn is_of(pending: &Pending, distro: &DistroView) -> bool {
    distro.kernel == pending.kernel && distro.initrd == pending.initrd
}

fn is_unsure(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(client::Error::Silent { .. } | client::Error::Broken { .. }))
}
