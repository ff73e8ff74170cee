//! Systems: machines, by the cards that they have.

use super::values::{list, options};
use super::{Line, What, Work, field};
use crate::cobbler::fields::fate;
use crate::cobbler::folder::Item;
use crate::cobbler::places::Places;
use crate::cobbler::wires::{self, Card, Wires};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What earlier systems have taken.
struct Taken {
    places: Places,
    /// Whose each is.
    macs: BTreeMap<String, String>,
    ips: BTreeMap<Ipv4Addr, String>,
}

impl Work<'_> {
    pub(super) fn systems(&mut self) {
        let places = Places::of(&self.server.networks);
        let mut taken = Taken { places, macs: BTreeMap::new(), ips: BTreeMap::new() };
        for item in self.folder.all("system") {
            let Some(name) = self.name("system", &item.name) else { continue };
            self.system(item, &name, &mut taken);
        }
        for (record, told) in taken.places.records(&self.server.network_names) {
            let place = format!("network {}", record.get("name").and_then(Value::as_str).unwrap_or_default());
            self.plan.lines.push(Line::new(What::Todo, &place, &told));
            self.plan.networks.push(record);
        }
    }

    fn system(&mut self, item: &Item, name: &str, taken: &mut Taken) {
        let mut words = self.words("system", item);
        let nothing = Map::new();
        let interfaces = item.fields.get("interfaces").and_then(Value::as_object).unwrap_or(&nothing);
        self.know_cards(item, interfaces);
        let gateway = field(item, "gateway");
        if !gateway.is_empty() {
            words.variables.insert("gateway".into(), json!(gateway));
        }
        let profile = self.name("profile", field(item, "profile"));
        let breed = self.breed_of(field(item, "profile"));
        let Wires { mut cards, told, variables, remarks } = wires::wires(interfaces, gateway, breed == "vmware");
        remarks.iter().for_each(|remark| self.say(What::Note, item, remark));
        cards.retain(|card| self.has_mac(item, card, taken));
        if cards.is_empty() {
            let text = format!("system {}: no card with a MAC of its own: a machine is known by it", item.name);
            self.say(What::Left, item, &text);
            return;
        }
        self.place(item, &mut cards, taken);
        words.variables.extend(variables);
        if cards.first().is_some_and(|card| card.ip.is_none()) {
            words.variables.remove("addressing");
        }
        if !told.is_empty() {
            words.variables.insert("interfaces".into(), Value::Object(told));
        }
        let profile = self.own_profile(item, name, profile);
        let cards: Vec<Value> = cards.iter().map(|card| json!({"mac": card.mac, "ip": card.ip})).collect();
        self.plan.machines.push(json!({
            "name": name,
            "interfaces": cards,
            "profile": profile,
            "arguments": item.fields.get("kernel_options").map(options).unwrap_or_default(),
            "variables": words.variables,
            "secrets": words.secrets,
        }));
    }

    /// Templates find each field of a card as `FIELD_CARD`, too.
    fn know_cards(&mut self, item: &Item, interfaces: &Map<String, Value>) {
        for (nic, of) in interfaces {
            for field in of.as_object().into_iter().flat_map(|of| of.keys()) {
                match fate("interface", field) {
                    None => self.say(What::Left, item, &format!("{nic}: {field}: this field is not known here")),
                    Some(_) => self.know(&format!("{field}_{nic}"), false),
                }
            }
        }
    }

    /// A card is known by a MAC that no earlier system has.
    fn has_mac(&mut self, item: &Item, card: &Card, taken: &Taken) -> bool {
        let Card { nic, mac, .. } = card;
        if !is_mac(mac) {
            self.say(What::Left, item, &format!("{nic}: {mac:?} is no MAC"));
            return false;
        }
        let Some(holder) = taken.macs.get(mac) else { return true };
        let text = format!("{nic}: its MAC {mac} is that of system {holder}, too: it stays that one's");
        self.say(What::Todo, item, &text);
        false
    }

    /// Addresses that are free stay, in networks that hold them.
    fn place(&mut self, item: &Item, cards: &mut [Card], taken: &mut Taken) {
        let dns: Vec<Ipv4Addr> =
            list(item.fields.get("name_servers")).iter().filter_map(|ip| ip.parse().ok()).collect();
        for card in cards {
            taken.macs.insert(card.mac.clone(), item.name.clone());
            let Some(ip) = card.ip else { continue };
            if let Some(holder) = taken.ips.get(&ip) {
                let text = format!("{}: its address {ip} is that of system {holder}, too: it has none now", card.nic);
                self.say(What::Todo, item, &text);
                card.ip = None;
                continue;
            }
            match taken.places.take(card, &dns) {
                Ok(remark) => {
                    remark.iter().for_each(|remark| self.say(What::Note, item, remark));
                    taken.ips.insert(ip, item.name.clone());
                }
                Err(why) => {
                    self.say(What::Todo, item, &format!("{}: {why}", card.nic));
                    card.ip = None;
                }
            }
        }
    }
}

fn is_mac(text: &str) -> bool {
    let mut count = 0_usize;
    let all = text.split(':').all(|part| {
        count = count.saturating_add(1);
        part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit())
    });
    all && count == 6
}
