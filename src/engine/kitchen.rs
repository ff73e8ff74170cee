//! From a recipe to texts: boot scripts and answer files, with all that their templates can name.

use super::{Engine, Error, answers, cheetah, scripts};
use crate::boot::recipe::{self, PACKAGES, Place, Recipe};
use crate::boot::{Here, Records};
use crate::family;
use crate::family::network::Card;
use crate::model::*;
use crate::render::{self, Opened, Secrets, Whose, Words};
use crate::store::World;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// Why a boot script names no secret.
const NOT_HERE: &str = "a secret: everybody can read what a machine boots by, its place is the answer file";
/// Shorter ones are in every line.
const TELLING: usize = 6;

/// One install, with everything that its texts are made from: a copy, so that no lock is held while rendering.
#[derive(Debug, Clone, PartialEq)]
pub struct Dish {
    pub recipe: Recipe,
    pub machine: Machine,
    pub mac: Mac,
    pub ip: Ipv4Addr,
    pub network: Network,
    pub here: Here,
    /// The machine's other cards that have an address.
    pub further: Vec<Card>,
    /// Whose snippets its texts take.
    whose: Whose,
}

impl Dish {
    /// Gathers what installing this machine with this profile takes; the error says which record to mend.
    pub fn gather(
        world: &World,
        machine: &Machine,
        profile: &Name,
        at: (Mac, Ipv4Addr),
        on: (&Network, Here),
    ) -> Result<Dish, Error> {
        Dish::plan(world, machine, profile, at, on)?.enough()
    }

    /// Refused without a variable that its family must have.
    pub(super) fn enough(self) -> Result<Dish, Error> {
        match family::lacks(&self.recipe) {
            Some(text) => Err(Error::Invalid(text)),
            None => Ok(self),
        }
    }

    /// The same, whether or not it is enough to install.
    pub fn plan(
        world: &World,
        machine: &Machine,
        profile: &Name,
        at: (Mac, Ipv4Addr),
        on: (&Network, Here),
    ) -> Result<Dish, Error> {
        Dish::plan_by(world, world, machine, profile, at, on)
    }

    /// The same where other records count than the world's.
    pub(super) fn plan_by(
        records: &dyn Records,
        world: &World,
        machine: &Machine,
        profile: &Name,
        (mac, ip): (Mac, Ipv4Addr),
        (network, here): (&Network, Here),
    ) -> Result<Dish, Error> {
        let place = Place { network, ranges: records.ranges(), ip };
        let recipe =
            recipe::recipe(profile, Some(machine), Some(place), records.profiles(), records.distros(), records.keys());
        let recipe = recipe.map_err(Error::Invalid)?;
        let further = further(world, machine, mac);
        let whose = Whose::new(&machine.name, &recipe.lineage, &recipe.distro.name);
        Ok(Dish { recipe, machine: machine.clone(), mac, ip, network: network.clone(), here, further, whose })
    }

    pub(super) fn whose(&self) -> Whose {
        self.whose.clone()
    }
}

fn further(world: &World, machine: &Machine, boots: Mac) -> Vec<Card> {
    let others = machine.interfaces.iter().filter(|card| card.mac != boots);
    let card = |card: &Interface| {
        let ip = card.ip?;
        let cidr = world.network_of(ip)?.cidr;
        Some(Card { mac: card.mac, ip, prefix: cidr.prefix(), netmask: cidr.mask() })
    };
    others.filter_map(card).collect()
}

/// An answer file, and the secrets that it carries. Wiped where it is not given away.
pub struct Answer {
    pub text: Zeroizing<String>,
    pub opened: Opened,
}

/// What families' defaults were when they were last read: reading them takes as long as rendering what they are for.
#[derive(Default)]
pub(super) struct Defaults(Mutex<BTreeMap<&'static str, (Cow<'static, str>, Variables)>>);

impl Defaults {
    /// None where the text is another one by now.
    fn of(&self, family: Family, text: &str) -> Option<Variables> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(family.word()).filter(|(read, _)| read == text).map(|(_, variables)| variables.clone())
    }

    fn keep(&self, family: Family, text: Cow<'static, str>, variables: Variables) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(family.word(), (text, variables));
    }
}

impl Engine {
    /// The script that loads the installer, in the language of the loader that asks, by what it reads its kernel by.
    pub async fn install_script(
        &self,
        dish: &Dish,
        token: &Secret,
        language: Language,
        by: By,
    ) -> Result<String, Error> {
        let context = self.script_context(dish, token, language, by)?;
        let names = dish.recipe.secrets.keys().cloned().collect();
        let secrets = Secrets { names, open: Arc::new(|_| Err(NOT_HERE.into())) };
        let template = scripts::template(language, dish.row().start.script());
        Ok(self.rendered_with(template, context.into(), dish.whose(), secrets).await?.text)
    }

    /// What the template of a script can name.
    pub(super) fn script_context(
        &self,
        dish: &Dish,
        token: &Secret,
        language: Language,
        by: By,
    ) -> Result<Value, Error> {
        let (distro, arguments) = (&dish.recipe.distro, self.command_line(dish, token)?);
        Ok(json!({
            "name": dish.machine.name,
            "mac": dish.mac,
            "machine": machine(dish),
            "profile": dish.recipe.profile,
            "kernel_path": distro.kernel,
            "initrd_path": distro.initrd,
            "kernel_url": dish.here.file(&distro.kernel),
            "initrd_url": dish.here.file(&distro.initrd),
            "server": dish.here.ip,
            "http_port": dish.here.http_port,
            "by": by,
            "language": language,
            "arguments": arguments,
        }))
    }

    /// What the installer's kernel is told.
    pub(super) fn command_line(&self, dish: &Dish, token: &Secret) -> Result<String, Error> {
        let (answer_url, variables) = (dish.answer_url(token), self.with_defaults(dish)?);
        let wiring = dish.wiring(&variables)?;
        let arguments = answers::trip(dish, &answer_url, &variables, &wiring).command_line();
        self.no_secret_in(&arguments, &dish.recipe)?;
        Ok(arguments)
    }

    /// One of the files that this token opens, by its name below the token's URL; none is the answer file itself.
    pub(super) async fn answer_part(&self, dish: &Dish, token: &Secret, file: Option<&str>) -> Result<Answer, Error> {
        self.may_install()?;
        let none =
            || Error::Missing(format!("the {} family has no file {}", dish.recipe.distro.family, file.unwrap_or("")));
        let template = dish.template_of(file).ok_or_else(none)?;
        let words = self.answer_words(dish, token, file)?;
        let secrets = self.secrets_of(dish, &words);
        let rendered = self.rendered_with(&template, words, dish.whose(), secrets).await?;
        let text = match cheetah::is_converted(&template) {
            true => crate::cheetah::finished(rendered.text),
            false => rendered.text,
        };
        Ok(Answer { text: Zeroizing::new(text), opened: rendered.opened })
    }

    /// What the template of such a file can name beside the secrets: no secret may stand for what the appliance gives.
    pub(super) fn answer_words(&self, dish: &Dish, token: &Secret, file: Option<&str>) -> Result<Words, Error> {
        let settings = self.with_defaults(dish)?;
        let mut given = answers::told(dish, &dish.answer_url(token), &settings)?;
        given.extend(self.given(dish, token));
        if !dish.carries_key(file) {
            given.insert("key".into(), "".into());
        }
        let template = dish.template_of(file).filter(|template| cheetah::is_converted(template));
        let Some(template) = template else { return Ok(Words::of([given, settings])) };
        let words = cheetah::words(dish, &template, &settings);
        given.extend(cheetah::over(&words));
        // Not what the family says where the operator is silent: the template's own defaults say that.
        Ok(Words::of([given, with_packages(dish, dish.recipe.variables.clone()), words]))
    }

    /// What a template may open: the recipe's secrets, but for names that the appliance itself gives.
    fn secrets_of(&self, dish: &Dish, words: &Words) -> Secrets {
        let (vault, sealed) = (self.store.vault(), dish.recipe.secrets.clone());
        let open = move |name: &str| {
            let (owner, sealed) = sealed.get(name).ok_or("it is not there")?;
            let secret = vault.open(owner, name, sealed).map_err(|error| error.to_string())?;
            has_its_shape(name, &secret)?;
            Ok(secret)
        };
        let is_given = |name: &&String| words.top().is_some_and(|given| given.contains_key(*name));
        let names = dish.recipe.secrets.keys().filter(|name| !is_given(name)).cloned().collect();
        Secrets { names, open: Arc::new(open) }
    }

    /// The recipe's variables, and what its family says where they are silent.
    pub(super) fn with_defaults(&self, dish: &Dish) -> Result<Variables, Error> {
        let mut variables = self.defaults(dish.recipe.distro.family)?;
        variables.extend(dish.recipe.variables.clone());
        Ok(with_packages(dish, variables))
    }

    /// A kernel's command line is read by everybody: on the wire, on the console, in /proc/cmdline.
    pub(super) fn no_secret_in(&self, line: &str, recipe: &Recipe) -> Result<(), Error> {
        let vault = self.store.vault();
        let carries = |name: &str, owner: &Owner, sealed: &Sealed| {
            vault.open(owner, name, sealed).is_ok_and(|opened| render::holds(line, &opened, TELLING))
        };
        let named = |name: &str| line.contains("{{") && line.contains(name);
        let found = recipe.secrets.iter().find(|(name, (owner, sealed))| named(name) || carries(name, owner, sealed));
        match found {
            Some((name, _)) => Err(Error::Invalid(format!("the kernel's arguments carry {name}, {NOT_HERE}"))),
            None => Ok(()),
        }
    }

    /// What the appliance itself puts in: it wins over every variable of the same name.
    pub(super) fn given(&self, dish: &Dish, token: &Secret) -> Variables {
        let url = |variable: &str| family::url(dish.here, &dish.recipe.variables, variable);
        let key = (!dish.recipe.keys.is_empty()).then(|| self.derived("key", token));
        let report = self.derived("report", token);
        let trust = self.trust().filter(|_| dish.here.pinned.is_some());
        let image = dish.recipe.variables.get("image").and_then(Value::as_str).and_then(ImageFile::of);
        let given = json!({
            "server_url": dish.here.url(),
            "secure_server_url": dish.here.secure_url(),
            "server_ca": trust.as_ref().map_or("", |trust| &trust.pem),
            "report_url": dish.here.report(&report),
            "secure_report_url": dish.here.secure_report(&report),
            "image_url": url("image"),
            "secure_image_url": family::secure_url(dish.here, &dish.recipe.variables, "image"),
            "image_kind": image.map(|image| image.kind),
            "image_packer": image.and_then(|image| image.packer),
            "tree_url": url("tree"),
            "key": key.as_ref().map_or("", |key| key.expose()),
            "machine": machine(dish),
            "profile": dish.recipe.profile,
            "distro": dish.recipe.distro.name,
            "boot_arguments": dish.recipe.operators_arguments().collect::<Vec<_>>().join(" "),
        });
        named(given)
    }

    /// `templates/<family>/defaults.toml`, as it is now.
    pub(super) fn defaults(&self, family: Family) -> Result<Variables, Error> {
        let name = format!("templates/{family}/defaults.toml");
        let text = self.assets.text(&name).unwrap_or_default();
        if let Some(read) = self.defaults.of(family, &text) {
            return Ok(read);
        }
        let read: Variables = toml::from_str(&text).map_err(|e| {
            let line = e.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
            Error::Template(render::Error { place: self.assets.place(&name), line, text: e.message().into() })
        })?;
        self.defaults.keep(family, text, read.clone());
        Ok(read)
    }

    /// Says which file of an install is not there.
    pub(super) fn files_of(&self, recipe: &Recipe) -> Result<(), Error> {
        self.check_files(&recipe.distro)?;
        if !recipe.keys.is_empty() && family::row(recipe.distro.family).fetches_agent {
            self.check_file("agent/kickstand-agent")?;
        }
        let named = family::row(recipe.distro.family).files.iter().filter_map(|name| recipe.variables.get(*name));
        let paths = named.filter_map(|value| value.as_str()).filter(|path| !path.contains("://"));
        paths.into_iter().try_for_each(|path| self.check_file(path))
    }

    /// Says which boot file of a distro is not there.
    pub fn check_files(&self, distro: &Distro) -> Result<(), Error> {
        self.check_file(&distro.kernel)?;
        self.check_file(&distro.initrd)
    }

    fn check_file(&self, path: &str) -> Result<(), Error> {
        let fit = |c: char| c.is_ascii_alphanumeric() || "._-+~/@=".contains(c);
        if path.is_empty() || !path.chars().all(fit) || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(Error::Invalid(format!(
                "{path:?} is not a path below {}: use letters, digits and . _ - + ~ @ = /",
                self.files.display()
            )));
        }
        match self.files.join(path).exists() {
            true => Ok(()),
            false => Err(Error::Invalid(format!(
                "there is no file {}: copy it there, or name another",
                self.files.join(path).display()
            ))),
        }
    }
}

/// What the keys add to the packages.
fn with_packages(dish: &Dish, mut variables: Variables) -> Variables {
    let last = dish.recipe.packages_over(variables.get(PACKAGES)).pop();
    variables.extend(last.and_then(|layer| Some((PACKAGES.to_owned(), layer.value?))));
    variables
}

/// An object by its names.
pub(super) fn named(value: Value) -> Variables {
    match value {
        Value::Object(all) => all.into_iter().collect(),
        _ => Variables::new(),
    }
}

/// What a secret must look like is seen when it is opened, as a plain variable's when it is gathered.
fn has_its_shape(name: &str, secret: &Secret) -> Result<(), String> {
    let Ok(value) = serde_json::from_str(secret.expose()) else { return Ok(()) };
    let mut alone = Variables::from([(name.to_owned(), value)]);
    let user_data = alone.get("user_data").and_then(Value::as_str).unwrap_or_default();
    // Where, and not what: the fault may quote it.
    let whole = family::check::cloud_config(user_data)
        .map_err(|fault| format!("line {} is no YAML that cloud-init takes", fault.line));
    let checked = family::shapes::check(&alone).and(whole);
    alone.values_mut().for_each(|value| crate::model::wipe(value.take()));
    checked
}

fn machine(dish: &Dish) -> Value {
    json!({
        "name": dish.machine.name,
        "system_id": dish.machine.id,
        "mac": dish.mac,
        "ip": dish.ip,
        "prefix": dish.network.cidr.prefix(),
        "netmask": dish.network.cidr.mask(),
        "gateway": dish.network.gateway,
        "dns": dish.network.dns,
        "domain": dish.network.domain,
    })
}
