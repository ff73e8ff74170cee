//! `kickstand distro import`: a tree becomes a distro: copied on this host, then written down by the server.
//!
//! `args` is what operators type, `progress` draws how far it is, `words` is what the server hears, `there` what lies in the place already, `told` says what came of it; the work itself is done by [`crate::import`].

mod args;
pub(super) mod progress;
mod server;
mod there;
mod told;
mod words;

pub use args::Import;
pub use server::demand_files;

use super::client;
use super::session::Session;
use crate::config::Config;
use crate::http::api::distro::DistroView;
use crate::import::checks::Claims;
use crate::import::journal::Pending;
use crate::import::openpgp::Keyring;
use crate::import::plan::{self, Live, Plan, Wish};
use crate::import::record::Record;
use crate::import::remote::address::Address;
use crate::import::repository::Chain;
use crate::import::source::{Opening, Source};
use crate::import::stage::Room;
use crate::import::take::{Gauge, Order, Taken};
use crate::import::verdict::Verdict;
use crate::model::Family;
use anyhow::{Context, Result};
use hyper::Method;
use progress::Progress;
use server::Server;
use std::time::Duration;
use told::{Outcome, Told};

/// What was left less than so long ago may still be on its way to the disk of the server's database.
const MOMENT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);

pub fn run(import: Import, session: Session) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let config = import.settings.config()?;
    let server = Server { runtime, session };
    let told = Work { import, config, server: &server }.run()?;
    told.say(server.session.output)
}

/// The tree, and all that is known of it.
struct Arrival {
    source: Source,
    plan: Plan,
    family: Family,
    claims: Claims,
}

struct Work<'a> {
    import: Import,
    config: Config,
    server: &'a Server,
}

impl Work<'_> {
    fn run(self) -> Result<Told> {
        self.server.demand_files(&self.config.files)?;
        let room = Room::open(&self.config.files)?;
        self.settle(&room)?;
        room.clean()?;
        // Told before much is read: a server that is away, and a distro that is not there.
        let wish = self.wish()?;
        let keyring = Keyring::read(&self.import.keyrings)?;
        let mut progress = Progress::new(self.server.session.output);
        let arrival = self.arrival(&room, &wish, &keyring, &mut progress)?;
        let plan = &arrival.plan;
        let known = self.server.distro(&plan.name)?;
        if let Some(told) = self.is_there(&room, &arrival, known.as_ref(), &mut progress)? {
            return Ok(told);
        }
        let before = Record::read(&room.place(&plan.name)).filter(|_| known.is_some());
        let before = before.map(|record| record.variables).unwrap_or_default();
        let stage = room.stage()?;
        progress.begin("copying");
        let taken = self.order(&room, &arrival)?.carry_out(Some(&stage), &mut |gauge| progress.show(gauge))?;
        let verdict = Verdict::new(&taken, &plan.boot, &arrival.claims, arrival.source.seal.as_ref());
        let words = words::words(plan, arrival.family, &self.import, &before);
        let pending = room.put(stage, &plan.name, &self.record(plan, &taken, &verdict), words)?;
        progress.end();
        let written = self.write_down(&arrival, known.is_some(), &before);
        let distro = registered(&room, &pending, written)?;
        let outcome = if pending.old.is_some() { Outcome::Replaced } else { Outcome::Added };
        Ok(self.told(outcome, distro, &room, &arrival, &taken, verdict))
    }

    fn arrival(&self, room: &Room, wish: &Wish, keyring: &Keyring, progress: &mut Progress) -> Result<Arrival> {
        let source = self.open(room, keyring, progress)?;
        let mut plan = plan::plan(&source, wish)?;
        let not_ours =
            || format!("this is a tree of the {} family, which this Kickstand does not install", plan.family);
        let family: Family = plan.family.parse().with_context(not_ours)?;
        let mut claims = Claims::gather(&*source.tree, &plan.folders(), keyring)?;
        if let Some(listing) = source.tree.listing().filter(|_| plan.is_whole) {
            let mut chain = Chain::new(&*source.tree, &mut claims, keyring);
            chain.all(listing)?;
            plan.notes.extend(chain.told(self.import.partial)?);
        }
        demand(keyring, &plan, &claims, &source)?;
        Ok(Arrival { source, plan, family, claims })
    }

    fn open(&self, room: &Room, keyring: &Keyring, progress: &mut Progress) -> Result<Source> {
        let (limit, limit_why) = self.limit(room)?;
        let mut tell = |phase, gauge: &Gauge| progress.phase(phase, gauge);
        let source = Opening { room, keyring, limit, limit_why, mirror: self.import.mirror, tell: &mut tell }
            .open(&self.import.origin)?;
        progress.end();
        Ok(source)
    }

    /// What an import left that was ended between moving its tree and hearing from the server.
    fn settle(&self, room: &Room) -> Result<()> {
        let Some(pending) = room.pending() else { return Ok(()) };
        let is_known = || -> Result<bool> {
            let known = self.server.distro(&pending.name)?;
            Ok(known.is_some_and(|distro| words::was_told(&pending.words, &distro)))
        };
        let mut keep = is_known()?;
        if !keep && room.is_fresh(MOMENT) {
            // It may have told the server before it was ended, and a busy disk has not taken that yet.
            std::thread::sleep(PAUSE);
            keep = is_known()?;
        }
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

    fn order<'b>(&self, room: &Room, arrival: &'b Arrival) -> Result<Order<'b>> {
        let (limit, limit_why) = self.limit(room)?;
        let Arrival { source, plan, claims, .. } = arrival;
        Ok(Order { tree: &*source.tree, files: plan.files.clone(), claims, limit, limit_why })
    }

    fn record(&self, plan: &Plan, taken: &Taken, verdict: &Verdict) -> Record {
        let origin = self.import.origin.clone();
        let path = (!Address::is_meant(&origin)).then(|| std::path::absolute(&origin).ok()).flatten();
        Record {
            id: taken.id.clone(),
            source: path.map_or(origin, |path| path.display().to_string()),
            files: taken.files,
            bytes: taken.bytes,
            verified: verdict.to_string(),
            variables: words::of_tree(plan, &self.import),
        }
    }

    fn write_down(&self, arrival: &Arrival, is_known: bool, before: &[String]) -> Result<DistroView> {
        let Arrival { plan, family, .. } = arrival;
        match is_known {
            false => self.server.send(Method::POST, "distros", &words::draft(plan, *family, &self.import)),
            true => {
                let patch = words::patch(plan, *family, &self.import, before);
                self.server.send(Method::PATCH, &format!("distros/{}", plan.name), &patch)
            }
        }
    }

    fn told(
        &self,
        outcome: Outcome,
        distro: DistroView,
        room: &Room,
        arrival: &Arrival,
        taken: &Taken,
        verdict: Verdict,
    ) -> Told {
        let listing = arrival.source.tree.listing();
        Told {
            outcome,
            place: room.place(&arrival.plan.name),
            plan: arrival.plan.clone(),
            distro,
            files: taken.files,
            bytes: taken.bytes,
            links: listing.map_or(0, |listing| listing.links),
            devices: listing.map_or(0, |listing| listing.devices),
            verdict,
        }
    }
}

/// The server's word on a tree that has moved in; without it the place is as it was.
fn registered(room: &Room, pending: &Pending, written: Result<DistroView>) -> Result<DistroView> {
    // A server that went away in the middle may know of it or not: the next import asks.
    if !written.as_ref().is_err_and(is_unsure) {
        room.settle(pending, written.is_ok())?;
    }
    written
}

/// Keys that an operator names must have signed what boots.
fn demand(keyring: &Keyring, plan: &Plan, claims: &Claims, source: &Source) -> Result<(), crate::import::Error> {
    let by_image = source.seal.as_ref().is_some_and(|seal| seal.is_signed);
    if !keyring.is_demanded || by_image || plan.boot.iter().all(|path| claims.is_sealed(path)) {
        return Ok(());
    }
    let said: Vec<&String> = source.seal.iter().flat_map(|seal| &seal.signatures).chain(&claims.signatures).collect();
    let mut said: String = said.iter().map(|said| format!("; {said}")).collect();
    if plan.boot.iter().any(|path| claims.algorithms(path).next().is_some() && !claims.is_strong(path)) {
        said += "; what boots is named there with md5 only, which keeps nobody out";
    }
    Err(crate::import::Error::Unsigned { said })
}

fn is_unsure(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(client::Error::Silent { .. } | client::Error::Broken { .. }))
}
