//! Reservations, addresses for clients that are no machine of ours: `/api/v1/reservations`.

use super::body::put;
use super::noun::Noun;
use crate::engine::Engine;
use crate::http::problem::Problem;
use crate::model::{Malformed, Mark, Name, Record, Reservation, Time};
use crate::store::{Edit, World};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::{fmt, str::FromStr};

/// What a reservation is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(pub Ipv4Addr);

/// A new reservation; without a network, on the one that holds its address.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationDraft {
    pub ip: Address,
    #[serde(rename = "for")]
    pub by: Mark,
    pub network: Option<Name>,
    #[serde(default)]
    pub description: String,
}

/// What is to change of one; a new address brings its network along.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<Address>,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub by: Option<Mark>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A reservation as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReservationView {
    pub ip: Ipv4Addr,
    #[serde(rename = "for")]
    pub by: Mark,
    pub network: Name,
    pub description: String,
}

impl Noun for Reservation {
    const WORD: &'static str = "reservation";
    type Key = Address;
    type Draft = ReservationDraft;
    type Patch = ReservationPatch;
    type View = ReservationView;

    fn draft(draft: ReservationDraft, _: Time, world: &World) -> Result<Self, Problem> {
        let ReservationDraft { ip: Address(ip), by, network, description } = draft;
        let network = network.or_else(|| network_of(ip, world)).ok_or_else(|| {
            let text = format!("ip: no network holds {ip}: `kickstand network list` shows those that there are");
            Problem::invalid("ip", text)
        })?;
        Ok(Reservation { ip, network, by, description })
    }

    /// An address of no network stays with the network that it had: the store says what is wrong with that.
    fn patch(&mut self, patch: ReservationPatch, world: &World) {
        let ReservationPatch { ip, by, network, description } = patch;
        let ip = ip.map(|Address(ip)| ip);
        put(&mut self.network, network.or_else(|| network_of(ip?, world)));
        put(&mut self.ip, ip);
        put(&mut self.by, by);
        put(&mut self.description, description);
    }

    fn view(&self, _: &World) -> ReservationView {
        let Reservation { ip, network, by, description } = self.clone();
        ReservationView { ip, by, network, description }
    }

    fn key(&self) -> Address {
        Address(self.ip)
    }

    fn record(&self) -> Record {
        Record::Reservation(self.clone())
    }

    fn find<'a>(world: &'a World, Address(ip): &Address) -> Option<&'a Self> {
        world.reservation_at(*ip)
    }

    fn all(world: &World) -> Vec<&Self> {
        world.reservations().collect()
    }

    fn check(&self, engine: &Engine) -> Result<(), Problem> {
        match engine.addresses().contains(&self.ip) {
            true => {
                Err(Problem::invalid("ip", format!("ip: {} is this server's own address: choose another", self.ip)))
            }
            false => Ok(()),
        }
    }

    fn add(self) -> Edit {
        Edit::AddReservation(self)
    }

    fn set(self, Address(was): Address) -> Edit {
        Edit::SetReservation { was, reservation: self }
    }

    fn remove(Address(ip): Address) -> Edit {
        Edit::RemoveReservation(ip)
    }
}

fn network_of(ip: Ipv4Addr, world: &World) -> Option<Name> {
    world.network_of(ip).map(|network| network.name.clone())
}

impl FromStr for Address {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        text.parse().map(Address).map_err(|_| Malformed::new(text, "an IPv4 address (write it like 10.0.0.12)"))
    }
}

impl TryFrom<String> for Address {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}
