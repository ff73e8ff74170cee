//! Boot scripts, made at the moment of asking: decided, rendered with the answer file, recorded, then given away.

use super::kitchen::Dish;
use super::serve::{Planned, TRIES, restless};
use super::{Engine, Error, fresh_secret};
use crate::boot::script::{self, AgainFacts, ScriptAsk, ScriptFacts, ScriptReply};
use crate::boot::{Ask, Effect, Tale};
use crate::model::*;
use crate::render::Whose;
use serde_json::json;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the same script is given again: firmware asks for its size first, or twice.
const AGAIN: Duration = Duration::from_secs(30);
/// How many are remembered.
const MOST: usize = 4096;

/// What leads an iPXE to its script.
pub(super) const AUTOEXEC: &str = "pxe/ipxe/autoexec.ipxe";

/// What was given lately, by TFTP: to whom, and with which token inside.
#[derive(Default)]
pub struct Scripts(Mutex<HashMap<Question, Given>>);

/// Whose script, for which address, in which language, and what its kernel comes by.
type Question = (Mac, Ipv4Addr, Language, By);

struct Given {
    at: Instant,
    token: Hash,
    text: String,
}

/// A script and the token that it carries, if it does.
struct Script {
    text: String,
    token: Option<Hash>,
}

impl Engine {
    /// The boot script of a MAC; none looks like a name that does not exist.
    pub async fn script(&self, mac: Mac, from: Ipv4Addr) -> Result<Option<String>, Error> {
        Ok(self.make_script(mac, from, Language::Ipxe, By::Http).await?.map(|script| script.text))
    }

    /// The same bytes for a while, as long as their token is the one that counts: a repeated question is not another boot.
    pub(super) async fn script_again(
        &self,
        mac: Mac,
        from: Ipv4Addr,
        language: Language,
        by: By,
    ) -> Result<Option<String>, Error> {
        let key = (mac, from, language, by);
        if let Some(text) = self.scripts.again(&key, |token| self.is_open(token, from)) {
            return Ok(Some(text));
        }
        let Some(script) = self.make_script(mac, from, language, by).await? else { return Ok(None) };
        if let Some(token) = script.token {
            self.scripts.keep(key, Given { at: Instant::now(), token, text: script.text.clone() });
        }
        Ok(Some(script.text))
    }

    /// Whether what was given with this token to this address may be given again.
    fn is_open(&self, token: Hash, from: Ipv4Addr) -> bool {
        let world = self.store.world();
        let facts = AgainFacts {
            machine: world.machine_with_token(token),
            lease: world.network_of(from).and_then(|network| world.lease_at(&network.name, from)),
            lost: self.store.lost_since().is_some(),
        };
        script::may_repeat(token, from, &facts, self.now())
    }

    /// What leads an iPXE that looks for `autoexec.ipxe` to its script. Nothing is spent by it.
    pub(super) async fn autoexec(&self, mac: Mac, from: Ipv4Addr) -> Result<Option<String>, Error> {
        let here = {
            let world = self.store.world();
            world.network_of(from).and_then(|network| self.here(network))
        };
        let Some(here) = here else { return Ok(None) };
        self.rendered(AUTOEXEC, json!({ "mac": mac, "script_url": here.script(mac) }), Whose::default()).await.map(Some)
    }

    async fn make_script(&self, mac: Mac, from: Ipv4Addr, language: Language, by: By) -> Result<Option<Script>, Error> {
        let ask = ScriptAsk { mac, from, language };
        for _ in 0..TRIES {
            let token = fresh_secret()?;
            let Some((decision, dish)) = self.decide_script(&ask, &token) else { return Ok(None) };
            let script = match (&decision.reply, dish) {
                (ScriptReply::NotFound, _) => None,
                (ScriptReply::Show { way }, _) => Some(self.plain_script(&ask, "show", *way).await?),
                (ScriptReply::Disk { way }, _) => Some(self.plain_script(&ask, "disk", *way).await?),
                (ScriptReply::Install { way, .. }, Some(dish)) => {
                    match self.both_texts(dish, &token, language, by).await {
                        Ok(text) => Some(Script { text, token: Some(token.hash()) }),
                        Err(e) => return self.cannot_install(&ask, *way, e).await.map(Some),
                    }
                }
                (ScriptReply::Install { .. }, None) => {
                    return Err(Error::Internal("an install without a recipe".into()));
                }
            };
            if self.lost_the_race(decision.effects).await? {
                continue;
            }
            return Ok(script);
        }
        Err(restless())
    }

    fn decide_script(&self, ask: &ScriptAsk, token: &Secret) -> Option<Planned<ScriptReply>> {
        let (mac, from) = (ask.mac, ask.from);
        let shelf = self.shelf();
        let world = self.store.world();
        let network = world.network_of(from)?;
        let facts = ScriptFacts {
            standing: world.standing(mac),
            network,
            lease: world.lease(&network.name, &mac.into()),
            ranges: &world.ranges,
            profiles: &world.profiles,
            shelf: &shelf,
            hindrance: self.hindrance(),
            ticket: self.ticket(token, from),
        };
        let mut decision = ask.decide(facts, self.now());
        world.stamp(&mut decision.effects);
        let dish = match &decision.reply {
            ScriptReply::Install { machine, profile, .. } => {
                let machine = world.machine(*machine)?;
                Some(Dish::gather(&world, machine, profile, (mac, from), (network, self.here(network)?)))
            }
            _ => None,
        };
        Some((decision, dish))
    }

    /// The script, once the answer file that it leads to has been rendered, too, and read as its installer would: a broken
    /// template burns nothing.
    async fn both_texts(
        &self,
        dish: Result<Dish, Error>,
        token: &Secret,
        language: Language,
        by: By,
    ) -> Result<String, Error> {
        let dish = dish?;
        self.files_of(&dish.recipe)?;
        self.check_answers(&dish, token).await?;
        self.install_script(&dish, token, language, by).await
    }

    async fn cannot_install(&self, ask: &ScriptAsk, way: DiskBoot, error: Error) -> Result<Script, Error> {
        let machine = self.store.world().machine_with_mac(ask.mac).map(|m| m.id);
        let text = format!("not installed, sent to its own disk, still armed: {error}");
        let mut tale = Tale::new(self.now(), Kind::Alarm, text).by(ask.mac).from(ask.from);
        tale.machine = machine;
        self.store.record(vec![Effect::Tell(tale)]).await?;
        self.plain_script(ask, "disk", way).await
    }

    /// One that installs nothing.
    async fn plain_script(&self, ask: &ScriptAsk, what: &str, way: DiskBoot) -> Result<Script, Error> {
        let mac = ask.mac;
        let name = self.store.world().machine_with_mac(mac).map_or_else(|| mac.to_string(), |m| m.name.to_string());
        let context = json!({ "name": name, "mac": mac, "method": way });
        let text = self.rendered(template(ask.language, what), context, Whose::default()).await?;
        Ok(Script { text, token: None })
    }
}

impl Scripts {
    fn again(&self, key: &Question, is_open: impl Fn(Hash) -> bool) -> Option<String> {
        let (token, text) = {
            let given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let given = given.get(key).filter(|given| given.at.elapsed() < AGAIN)?;
            (given.token, given.text.clone())
        };
        is_open(token).then_some(text)
    }

    fn keep(&self, key: Question, given: Given) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, given| given.at.elapsed() < AGAIN);
        }
        if all.len() < MOST {
            all.insert(key, given);
        }
    }
}

/// Of the scripts below `pxe/`. U-Boot reads what PXELINUX reads.
pub(super) fn template(language: Language, what: &str) -> &'static str {
    match (language, what) {
        (Language::Grub, "install") => "pxe/grub/install.cfg",
        (Language::Grub, "mboot") => "pxe/grub/mboot.cfg",
        (Language::Grub, "show") => "pxe/grub/show.cfg",
        (Language::Grub, _) => "pxe/grub/disk.cfg",
        (Language::Pxelinux | Language::Extlinux, "install") => "pxe/pxelinux/install.cfg",
        (Language::Pxelinux | Language::Extlinux, "mboot") => "pxe/pxelinux/mboot.cfg",
        (Language::Pxelinux | Language::Extlinux, "show") => "pxe/pxelinux/show.cfg",
        (Language::Pxelinux | Language::Extlinux, _) => "pxe/pxelinux/disk.cfg",
        (_, "install") => "pxe/ipxe/install.ipxe",
        (_, "mboot") => "pxe/ipxe/mboot.ipxe",
        (_, "show") => "pxe/ipxe/show.ipxe",
        _ => "pxe/ipxe/disk.ipxe",
    }
}
