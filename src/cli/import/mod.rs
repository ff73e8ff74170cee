//! `kickstand distro import`: a tree becomes a distro: copied on this host, then written down by the server.
//!
//! `progress` draws how far it is, `told` says what came of it; the work itself is done by [`crate::import`].

mod progress;
mod told;

use super::client;
use super::loader::Settings;
use super::session::{Session, understood};
use super::values::{Variable, new_variables};
use crate::config::Config;
use crate::http::api::distro::{DistroDraft, DistroPatch, DistroView};
use crate::http::problem;
use crate::import::checks::Claims;
use crate::import::plan::{self, Live, Plan, Wish};
use crate::import::record::Record;
use crate::import::openpgp::Keyring;
use crate::import::remote::address::Address;
use crate::import::source::{Opening, Source};
use crate::import::stage::{Pending, Room};
use crate::import::take::{Gauge, Order, Taken};
use crate::import::verdict::Verdict;
use crate::model::{Family, Name, Variables};
use anyhow::{Context, Result, bail};
use clap::Args;
use hyper::Method;
use progress::Progress;
use std::collections::BTreeSet;
use std::path::PathBuf;
use told::{Outcome, Told};
use tokio::runtime::Runtime;

#[derive(Debug, Args)]
pub struct Import {
    /// A folder, an ISO image, an archive, or an address such as https://mirror.example/almalinux/9/BaseOS/x86_64/os
    #[arg(value_name = "PATH|URL")]
    origin: String,
    /// The distro's name [default: what the tree calls itself, such as almalinux-9.4-x86_64]
    #[arg(long)]
    name: Option<Name>,
    /// The family, where the tree is of one that is not recognised
    #[arg(long)]
    family: Option<Family>,
    /// The kernel within the tree, where it is not the usual one
    #[arg(long, value_name = "PATH")]
    kernel: Option<String>,
    /// The initrd within the tree, where it is not the usual one
    #[arg(long, value_name = "PATH")]
    initrd: Option<String>,
    /// The distro whose live system installs an image that has none of its own
    #[arg(long, value_name = "DISTRO")]
    live: Option<Name>,
    /// Kernel arguments of the installer, for example "console=ttyS0"
    #[arg(long, allow_hyphen_values = true)]
    arguments: Option<String>,
    /// A variable for templates, for example disk=/dev/vda; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// The boot loader that starts its kernel, of `kickstand loader list`
    #[arg(long)]
    loader: Option<Name>,
    /// Put the tree in the place of another that was imported under this name
    #[arg(long)]
    replace: bool,
    /// How much may be written, for example 20G [default: what the disk has free, but for a tenth]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Keys that must have signed what boots; may be repeated [default: those in /usr/share/keyrings may]
    #[arg(long = "keyring", value_name = "FILE")]
    keyrings: Vec<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// `500M`, `20G`, or bytes.
fn size(text: &str) -> Result<u64, String> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit.trim_end_matches('B') {
        "" => Some(1),
        "K" => Some(1_u64 << 10),
        "M" => Some(1 << 20),
        "G" => Some(1 << 30),
        "T" => Some(1 << 40),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    number.ok_or_else(|| "write it like 20G or 500M".to_owned())
}

pub fn run(import: Import, session: Session) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let config = import.settings.config()?;
    let server = Server { runtime, session };
    let told = Work { import, config, server: &server }.run()?;
    told.say(server.session.output)
}

/// The server's side: what it knows of distros.
struct Server {
    runtime: Runtime,
    session: Session,
}

impl Server {
    fn distro(&self, name: &Name) -> Result<Option<DistroView>> {
        let path = format!("distros/{name}");
        match self.runtime.block_on(self.session.client.ask(Method::GET, &path, None)) {
            Ok(value) => understood(value).map(Some),
            Err(client::Error::Refused(problem)) if problem.kind == problem::Kind::Missing => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn send(&self, method: Method, path: &str, body: &impl serde::Serialize) -> Result<DistroView> {
        let body = serde_json::to_value(body)?;
        understood(self.runtime.block_on(self.session.client.ask(method, path, Some(&body)))?)
    }
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
        // Told before much is read: a server that is away, and a name that is taken.
        let wish = self.wish()?;
        let keyring = Keyring::read(&self.import.keyrings)?;
        let mut progress = Progress::new(self.server.session.output);
        let (limit, limit_why) = self.limit(&room)?;
        let mut tell = |phase, gauge: &Gauge| progress.phase(phase, gauge);
        let source = Opening { room: &room, keyring: &keyring, limit, limit_why, tell: &mut tell }.open(&self.import.origin)?;
        let plan = plan::plan(&source, &wish)?;
        let family: Family = plan.family.parse().with_context(|| format!("this is a tree of the {} family, which this Kickstand does not install", plan.family))?;
        let known = self.server.distro(&plan.name)?;
        let claims = Claims::gather(&*source.tree, &folders(&plan), &keyring)?;
        demand(&keyring, &plan, &claims, &source)?;
        if let Some(told) = self.is_there(&room, &source, &plan, &claims, known.as_ref(), &mut progress)? {
            return Ok(told);
        }
        let stage = room.stage()?;
        progress.begin("copying");
        let taken = self.order(&room, &source, &plan, &claims)?.carry_out(Some(&stage), &mut |gauge| progress.show(gauge))?;
        progress.begin("writing to the disk");
        let verdict = Verdict::new(&taken, &plan.boot, &claims, source.seal.as_ref());
        let pending = room.put(stage, &plan, &self.record(&taken, &verdict))?;
        let written = self.write_down(&plan, family, known.as_ref());
        progress.end();
        // A server that went away in the middle may know of it or not: the next import asks.
        if !written.as_ref().is_err_and(is_unsure) {
            room.settle(&pending, written.is_ok())?;
        }
        let outcome = if pending.old.is_some() { Outcome::Replaced } else { Outcome::Added };
        Ok(self.told(outcome, written?, &room, &source, plan, &taken, verdict))
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
                let distro = self.server.distro(name)?.with_context(|| format!("there is no distro {name}: see `kickstand distro list`"))?;
                let live = distro.variables.get("live").and_then(|live| live.as_str());
                let live = live.with_context(|| format!("distro {name} has no live system: its variable live is not set"))?;
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
                bail!("distro {name} is there, with kernel {}: choose another name with --name, or --replace it", known.kernel)
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
            _ => bail!("distro {name} holds another tree, imported from {}: choose another name with --name, or --replace it", record.source),
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
            let draft = DistroDraft { name: plan.name.clone(), family, kernel, initrd, arguments, variables, loader };
            return self.server.send(Method::POST, "distros", &draft);
        }
        let patch = DistroPatch {
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
    fn told(&self, outcome: Outcome, distro: DistroView, room: &Room, source: &Source, plan: Plan, taken: &Taken, verdict: Verdict) -> Told {
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
