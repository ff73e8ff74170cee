//! Everything that a machine may be given, on paper: its texts, and what DHCP says to it.

use super::kitchen::Dish;
use super::paper::FIRMWARE;
use super::variables::is_empty;
use super::{Engine, Error, scripts};
use crate::boot::offer::OfferReply;
use crate::boot::paper::PaperBoot;
use crate::boot::script::ScriptReply;
use crate::family::check::Fault;
use crate::model::option::{option_name, option_text};
use crate::model::*;
use crate::render::{Whose, Words};
use crate::store::World;
use serde_json::{Value, json};

/// A text that a machine may be given.
pub(super) struct Served {
    pub what: String,
    pub template: String,
    pub context: Value,
    pub whose: Whose,
    /// How its installer would read it.
    pub reader: Option<Reader>,
}

/// Finds what is known to be wrong in an answer file.
pub(super) struct Reader {
    check: fn(&str, &str, &Variables) -> Result<(), Fault>,
    file: &'static str,
    settings: Variables,
}

impl Served {
    /// What an installer would not take of it, as rendered.
    pub fn fault(&self, text: &str) -> Option<String> {
        let Reader { check, file, settings } = self.reader.as_ref()?;
        let fault = check(file, text, settings).err()?;
        Some(format!("{}, line {}: {}", self.template, fault.line, fault.text))
    }
}

/// Whose kernels come by what, in the languages of loaders.
const LANGUAGES: [(Language, By); 3] =
    [(Language::Ipxe, By::Http), (Language::Grub, By::Tftp), (Language::Pxelinux, By::Tftp)];

impl Engine {
    /// What it would be installed from, were it armed.
    pub(super) fn dish_of(&self, world: &World, machine: &Machine) -> Result<Dish, Error> {
        let seat = self.seat(world, machine)?;
        let profile = self.speaker(world, machine, &seat)?;
        let here = self.here_or_there(seat.network);
        Dish::gather(world, machine, profile, (seat.mac, seat.ip), (seat.network, here))
    }

    /// The texts of an install. Secrets are masked; of those that are others than before, by other words.
    pub(super) fn install_texts(&self, dish: &Dish, before: Option<&Dish>) -> Vec<Served> {
        let token = Secret::new("0".repeat(64));
        let mut served = Vec::new();
        for file in dish.files() {
            let Some(template) = dish.template_of(file) else { continue };
            let Ok(words) = self.answer_words(dish, &token, file) else { continue };
            let mut context = masked(words, dish);
            renew(&mut context, dish, before);
            let what = file.unwrap_or("answer file").to_owned();
            let row = dish.row();
            let settings = self.with_defaults(dish).unwrap_or_default();
            let reader = Some(Reader { check: row.check, file: file.unwrap_or(row.name), settings });
            served.push(Served { what, template, context, whose: dish.whose(), reader });
        }
        for (language, by) in LANGUAGES {
            if let Ok(context) = self.script_context(dish, &token, language, by) {
                let template = scripts::template(language, dish.row().start.script()).to_owned();
                let what = format!("install script of {language}");
                served.push(Served { what, template, context, whose: dish.whose(), reader: None });
            }
        }
        served
    }

    /// The texts of other boots: to its own disk, of a machine that nobody knows, and what leads to a script.
    pub(super) fn other_texts(&self, dish: &Dish) -> Vec<Served> {
        let text = |what: String, template: &str, context: Value| Served {
            what,
            template: template.to_owned(),
            context,
            whose: Whose::default(),
            reader: None,
        };
        let mut served = Vec::new();
        for (language, _) in LANGUAGES {
            let context = json!({ "name": dish.machine.name, "mac": dish.mac, "method": DiskBoot::Auto });
            for what in ["disk", "show"] {
                let template = scripts::template(language, what);
                served.push(text(format!("{what} script of {language}"), template, context.clone()));
            }
        }
        let context = json!({ "mac": dish.mac, "script_url": dish.here.script(dish.mac) });
        served.push(text("autoexec of ipxe".into(), scripts::AUTOEXEC, context));
        served
    }

    /// What DHCP says to it and where its script leads, as it is and as if it were armed, by each firmware.
    pub(super) fn offers(&self, world: &World, machine: &Machine) -> Vec<(String, String)> {
        let armed = self.as_if_armed(machine.clone()).ok();
        let cases = std::iter::once(("", machine)).chain(armed.as_ref().map(|armed| (", armed", armed)));
        let each = cases.flat_map(|(how, machine)| FIRMWARE.map(|arch| (how, machine, arch)));
        let offer = |(how, machine, arch): (&str, &Machine, Arch)| {
            (format!("DHCP for {arch}{how}"), self.offer(world, machine, arch))
        };
        each.map(offer).collect()
    }

    fn offer(&self, world: &World, machine: &Machine, arch: Arch) -> String {
        let Some(PaperBoot { scenes, reply, boot, .. }) = self.boot_on_paper(world, machine, arch) else {
            return String::new();
        };
        let mut text = format!("{}\n", scenes.first().map(|scene| scene.answer.as_str()).unwrap_or_default());
        let (OfferReply::Offer(grant) | OfferReply::Proxy(grant)) = reply else { return text };
        let Some(network) = world.network_of(grant.ip) else { return text };
        let dns: Vec<_> = network.dns.iter().map(ToString::to_string).collect();
        for (what, value) in [
            ("netmask", Some(network.cidr.mask().to_string())),
            ("gateway", network.gateway.map(|ip| ip.to_string())),
            ("dns", Some(dns.join(" ")).filter(|dns| !dns.is_empty())),
            ("domain", network.domain.as_ref().map(ToString::to_string)),
            ("hostname", grant.hostname.as_ref().map(ToString::to_string)),
        ] {
            value.into_iter().for_each(|value| text += &format!("{what} {value}\n"));
        }
        for (code, bytes) in grant.options.iter() {
            text += &format!("{} = {}\n", option_name(code), option_text(code, bytes));
        }
        text + &match boot.map_or(ScriptReply::NotFound, |boot| boot.script) {
            ScriptReply::Install { way, .. } => format!("then the installer, then its own disk by {way}\n"),
            ScriptReply::Disk { way } => format!("then its own disk by {way}\n"),
            ScriptReply::Show { way } => format!("then a word on the console, then its own disk by {way}\n"),
            ScriptReply::NotFound => "then nothing\n".to_owned(),
        }
    }
}

/// Puts «name» for every secret, for what an operator's defaults say in clear, too.
pub(super) fn masked(words: Words, dish: &Dish) -> Value {
    let given = words.top().cloned().unwrap_or_default();
    let mut merged = words.merged();
    let Value::Object(context) = &mut merged else { return merged };
    let by_name = |(name, value): (&String, &Value)| (is_secret(name) && !is_empty(value)).then(|| name.clone());
    let mut names: Vec<String> = context.iter().filter_map(by_name).collect();
    names.extend(dish.recipe.secrets.keys().cloned());
    names.retain(|name| !given.contains_key(name));
    context.extend(names.into_iter().map(|name| (name.clone(), Value::String(format!("«{name}»")))));
    merged
}

/// Another word for each masked secret that is another one.
fn renew(context: &mut Value, dish: &Dish, before: Option<&Dish>) {
    let (Value::Object(context), Some(before)) = (context, before) else { return };
    for (name, secret) in &dish.recipe.secrets {
        let masked = format!("«{name}»");
        let another = before.recipe.secrets.get(name).is_some_and(|old| old != secret);
        if another && context.get(name).and_then(Value::as_str) == Some(&masked) {
            context.insert(name.clone(), Value::String(format!("«another {name}»")));
        }
    }
}
