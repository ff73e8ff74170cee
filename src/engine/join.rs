//! Systems that Kickstand did not install: they join with operators' keys, return by a key of their own, and leave.

use super::serve::{Newcomer, Outside, TRIES, Welcome, outcome, restless};
use super::{Engine, Error, fresh_secret};
use crate::boot::join::{JoinAsk, JoinFacts};
use crate::boot::keys::{self, Comer, Grant};
use crate::boot::leave::{LeaveAsk, LeaveReply};
use crate::boot::{Ask, Effect, Reason, Tale};
use crate::model::*;
use crate::store::{Change, Edit, World};
use serde_json::Value;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// What stands before the secret of a key that leads back to a record.
const BACK: &str = "re";
/// More keys than anybody stacks, and more cards than a machine has: what comes from outside has a limit.
const KEYS: usize = 32;
const CARDS: usize = 64;

/// A key for a system, shown once.
pub struct Reactivated {
    pub secret: Secret,
    pub expires_at: Time,
}

impl Engine {
    pub(super) async fn join(&self, newcomer: Newcomer<'_>, from: Ipv4Addr) -> Result<Result<Welcome, Outside>, Error> {
        let ask = match question(newcomer, from) {
            Ok(ask) => ask,
            Err(text) => {
                let text = format!("a system that would join is refused: {text}");
                self.tell_of(from, Tale::new(self.now(), Kind::Refused, text.clone()));
                return Ok(Err(Outside::Silent(text)));
            }
        };
        for _ in 0..TRIES {
            let reactivation = match ask.reactivations.as_slice() {
                [one] => self.store.reactivation(*one).await?,
                _ => None,
            };
            let decision = {
                let world = self.store.world();
                let facts = facts(&world, &ask, reactivation);
                let mut decision = ask.decide(facts, self.now());
                world.stamp(&mut decision.effects);
                decision
            };
            if self.lost_the_race(self.within_pace(from, decision.effects)).await? {
                // Another server may have been faster: what it left counts now.
                self.store.look(vec![Change::Keys]).await?;
                continue;
            }
            return Ok(outcome(decision.reply));
        }
        Err(restless())
    }

    /// A registered system leaves; false if the credential opens nothing, the inner error says what is in the way.
    pub async fn leave(&self, credential: &str, from: Ipv4Addr) -> Result<Result<bool, String>, Error> {
        let ask = LeaveAsk { from, credential: Secret::new(credential).hash() };
        for _ in 0..TRIES {
            let decided = self.decided(ask.credential, |machine| (ask.decide(machine, self.now()), ()));
            let Some((decision, ())) = decided else { return Ok(Ok(false)) };
            if !self.lost_the_race(decision.effects).await? {
                return Ok(match decision.reply {
                    LeaveReply::Left => Ok(true),
                    LeaveReply::Refused(text) => Err(text),
                });
            }
        }
        Err(restless())
    }

    /// A key that leads a system back to this record, once.
    pub async fn reactivate(&self, name: &Name, expires_at: Option<Time>, by: &str) -> Result<Reactivated, Error> {
        let machine = self.named(name)?;
        let (secret, now) = (fresh_secret()?, self.now());
        let expires_at = expires_at.unwrap_or(now.plus_secs(Reactivation::LIFETIME_SECS));
        if expires_at <= now {
            return Err(Error::Invalid(format!("expires_at: {expires_at} is over: name a moment to come")));
        }
        let key = Reactivation { hash: secret.hash(), machine: machine.id, expires_at, spent_at: None };
        let text = format!("{by} made a key that leads a system back to {name}, once, until {expires_at}");
        let tale = Tale::new(now, Kind::Record, text).of(machine.id);
        self.store.record(vec![Effect::Lead(key), Effect::Tell(tale)]).await?;
        Ok(Reactivated { secret: Secret::new(format!("{BACK}.{}", secret.expose())), expires_at })
    }

    /// The secret by which systems join with this key: an earlier one opens nothing any more.
    pub async fn join_by(&self, name: &Name, by: &str) -> Result<Secret, Error> {
        let secret = fresh_secret()?;
        let edit = Edit::JoinBy { name: name.clone(), secret: Some(secret.hash()) };
        self.store.edit(edit, by, self.now()).await?;
        Ok(Secret::new(format!("{name}.{}", secret.expose())))
    }

    pub async fn join_no_more(&self, name: &Name, by: &str) -> Result<(), Error> {
        Ok(self.store.edit(Edit::JoinBy { name: name.clone(), secret: None }, by, self.now()).await?)
    }

    /// What a stack would give now to a machine, or to a new one; the inner error is the rule that is in the way.
    pub fn preview(
        &self,
        stack: &Names,
        machine: Option<&Name>,
        from: Option<Ipv4Addr>,
    ) -> Result<Result<Grant, Reason>, Error> {
        let machine = machine.map(|name| self.named(name)).transpose()?;
        let comer = Comer { machine: machine.as_ref(), from };
        Ok(keys::grant(stack, &self.store.world().keys, comer, self.now()))
    }
}

/// What a system brings, read; the error is for the operator.
fn question(newcomer: Newcomer<'_>, from: Ipv4Addr) -> Result<JoinAsk, String> {
    let Newcomer { key, credential, inventory, name } = newcomer;
    let (mut keys, mut reactivations) = (Vec::new(), Vec::new());
    for one in key.split(',').take(KEYS) {
        let (name, secret) = one.trim().rsplit_once('.').ok_or("a key has no secret: NAME.SECRET")?;
        let hash = Secret::new(secret).hash();
        match name {
            BACK => reactivations.push(hash),
            name => {
                let name: Name = name.parse().map_err(|_| format!("{:?} is no name of a key", said(name)))?;
                if !keys.iter().any(|(known, _)| *known == name) {
                    keys.push((name, hash));
                }
            }
        }
    }
    let no_name = name.filter(|name| name.parse::<Name>().is_err()).map(said);
    let name = name.and_then(|name| name.parse::<Name>().ok());
    let hostname = inventory.get("hostname").and_then(Value::as_str).unwrap_or_default().to_owned();
    let macs = cards(&inventory, from);
    let credential = Secret::new(credential).hash();
    Ok(JoinAsk { keys, reactivations, from, name, no_name, hostname, macs, inventory, credential })
}

/// A stranger's word: as long as a name can be, so that it is no letter to whoever reads events.
fn said(word: &str) -> String {
    let start: String = word.chars().take(63).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if start.len() < word.len() { start + "…" } else { start }
}

/// Its real cards, the one that it speaks by first. Bridges, tunnels and containers have MACs that others have, too.
fn cards(inventory: &Value, from: Ipv4Addr) -> Vec<Mac> {
    let own = format!("{from}/");
    let all = inventory.get("interfaces").and_then(Value::as_array).into_iter().flatten();
    let real = all.filter(|card| card.get("physical") == Some(&Value::Bool(true)));
    let addresses = |card: &Value| card.get("addresses").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut ranked: Vec<(u8, Mac)> = Vec::new();
    for card in real.take(CARDS) {
        let mac = card.get("mac").and_then(Value::as_str).and_then(|text| text.parse::<Mac>().ok());
        let Some(mac) = mac.filter(|mac| mac.0 != [0; 6] && mac.0[0] & 1 == 0) else { continue };
        let addresses = addresses(card);
        let speaks = addresses.iter().any(|ip| ip.as_str().is_some_and(|ip| ip.starts_with(&own)));
        let rank = if speaks { 0 } else { u8::from(addresses.is_empty()) + 1 };
        if !ranked.iter().any(|(_, known)| *known == mac) {
            ranked.push((rank, mac));
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, mac)| mac).collect()
}

fn facts<'a>(world: &'a World, ask: &'a JoinAsk, reactivation: Option<Reactivation>) -> JoinFacts<'a> {
    let mut same_cards: Vec<&Machine> = Vec::new();
    for machine in ask.macs.iter().filter_map(|mac| world.machine_with_mac(*mac)) {
        if !same_cards.iter().any(|known| known.id == machine.id) {
            same_cards.push(machine);
        }
    }
    JoinFacts {
        keys: &world.keys,
        known: world.machine_with_credential(ask.credential),
        same_cards,
        reactivation: reactivation.map(|key| (key.clone(), world.machine(key.machine))),
        // Two words stand below /machines themselves: records of such names could not be asked for.
        is_taken: Box::new(|name| name.is_reserved() || world.machine_named(name).is_some()),
        in_the_way: Box::new(|| ask.macs.iter().find_map(|mac| in_the_way(world, *mac))),
        ids: [Uuid::now_v7(), Uuid::now_v7()],
    }
}

/// Why no record can be made with this card.
fn in_the_way(world: &World, mac: Mac) -> Option<String> {
    if let Some(retired) = world.tombstone(mac) {
        return Some(format!(
            "its card {mac} was replaced by {} and gets no role again: if it is meant, `kickstand machine forget {mac}` first",
            retired.replaced_by
        ));
    }
    let kept = world.reservations().find(|kept| kept.by == Mark::Mac(mac))?;
    Some(format!(
        "its card {mac} has the reservation of {0}: `kickstand reservation remove {0}` first, and give the machine that address",
        kept.ip
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_real_cards_tell_a_system_apart_and_the_one_that_it_speaks_by_comes_first() {
        let card = |mac: &str, physical: bool, addresses: &[&str]| json!({"mac": mac, "physical": physical, "addresses": addresses});
        let inventory = json!({"interfaces": [
            card("52:54:00:00:00:03", true, &[]),
            card("02:42:00:00:00:01", false, &["172.17.0.1/16"]),
            card("52:54:00:00:00:02", true, &["10.1.0.9/24"]),
            card("52:54:00:00:00:01", true, &["10.0.0.9/24", "fe80::1/64"]),
            card("52:54:00:00:00:01", true, &[]),
            card("00:00:00:00:00:00", true, &[]),
            card("01:00:5e:00:00:01", true, &[]),
            card("nonsense", true, &[]),
            {"mac": "52:54:00:00:00:09"}, 7, null,
        ]});
        let macs: Vec<_> = cards(&inventory, Ipv4Addr::new(10, 0, 0, 9)).iter().map(ToString::to_string).collect();
        assert_eq!(macs, ["52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"]);
        for nothing in [json!({}), json!(null), json!({"interfaces": "x"})] {
            assert!(cards(&nothing, Ipv4Addr::new(10, 0, 0, 9)).is_empty());
        }
    }

    #[test]
    fn keys_are_read_with_names_that_have_dots() {
        let read = |key: &str| {
            let newcomer = Newcomer { key, credential: "c", inventory: json!({"hostname": "db1"}), name: None };
            question(newcomer, Ipv4Addr::new(10, 0, 0, 9))
        };
        let hash = |text: &str| Secret::new(text).hash();
        let ask = read("web.eu.aa, db.bb,re.cc,db.dd").unwrap();
        let name = |text: &str| text.parse::<Name>().unwrap();
        assert_eq!(ask.keys, [(name("web.eu"), hash("aa")), (name("db"), hash("bb"))]);
        assert_eq!(ask.reactivations, [hash("cc")]);
        for bad in ["web.aa,nodot", "W.aa", ".aa", "web.aa,"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
