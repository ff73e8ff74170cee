//! Machines: `/api/v1/machines`.

use super::body::{address, address_or_none, given, given_names, put};
use super::noun::Noun;
use super::variables::{SecretPatch, merge, names};
use crate::boot::recipe::recipe;
use crate::boot::{lifecycle, role};
use crate::engine::Engine;
use crate::http::problem::Problem;
use crate::model::{
    DiskBoot, Install, Interface, Mac, Machine, MachineId, Name, Names, OptionPatch, OptionSet, Record, State, Time,
    Variables, Way, Wish,
};
use crate::store::{Edit, World};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use uuid::Uuid;

/// A new machine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineDraft {
    pub name: Name,
    #[serde(default)]
    pub interfaces: Vec<InterfaceDraft>,
    pub profile: Option<Name>,
    /// `key` is their earlier name.
    #[serde(default, alias = "key")]
    pub keys: Names,
    #[serde(default)]
    pub groups: Names,
    #[serde(default)]
    pub arguments: String,
    #[serde(default)]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
    #[serde(default)]
    pub options: OptionPatch,
    pub loader: Option<Name>,
    pub disk_boot: Option<DiskBoot>,
}

/// One network card; without an address it gets one from the pool.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceDraft {
    pub mac: Mac,
    #[serde(default, deserialize_with = "address")]
    pub ip: Option<Ipv4Addr>,
}

/// What is to change of one; in `variables` and `options`, null removes one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachinePatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<InterfaceDraft>>,
    /// Of the first card, whichever that is by now.
    #[serde(default, deserialize_with = "address_or_none", skip_serializing_if = "Option::is_none")]
    pub ip: Option<Option<Ipv4Addr>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub profile: Option<Option<Name>>,
    #[serde(default, alias = "key", deserialize_with = "given_names", skip_serializing_if = "Option::is_none")]
    pub keys: Option<Names>,
    #[serde(default, deserialize_with = "given_names", skip_serializing_if = "Option::is_none")]
    pub groups: Option<Names>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
    #[serde(default, skip_serializing_if = "OptionPatch::is_empty")]
    pub options: OptionPatch,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub loader: Option<Option<Name>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub disk_boot: Option<Option<DiskBoot>>,
}

/// A machine as it is shown: no token, hash or credential.
#[derive(Debug, Serialize, Deserialize)]
pub struct MachineView {
    pub id: MachineId,
    pub name: Name,
    pub interfaces: Vec<InterfaceView>,
    pub profile: Option<Name>,
    pub keys: Names,
    /// What it belongs to.
    pub groups: Names,
    /// The keys that it joined with, and that count it.
    pub joined: Names,
    pub arguments: String,
    pub variables: Variables,
    /// Their names: what is in them is shown to nobody.
    #[serde(default)]
    pub secrets: Vec<String>,
    #[serde(default)]
    pub options: OptionSet,
    pub loader: Option<Name>,
    pub disk_boot: Option<DiskBoot>,
    /// What an install would take now, and which rule says so.
    pub chosen: Chosen,
    pub state: State,
    pub state_at: Time,
    pub install: Option<InstallView>,
    pub inventory: Option<serde_json::Value>,
    pub registered: bool,
    #[serde(default)]
    pub heard: Option<HeardView>,
    pub created_at: Time,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InterfaceView {
    pub mac: Mac,
    pub ip: Option<Ipv4Addr>,
    /// What it was last told by DHCP.
    pub leased: Option<Ipv4Addr>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Chosen {
    pub profile: Option<Name>,
    pub keys: Names,
    pub why: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstallView {
    pub id: Uuid,
    pub armed_at: Time,
    pub boots: u8,
    /// For its running system alone.
    #[serde(default)]
    pub inside_only: bool,
    /// How its running system started the last of them, where it did.
    #[serde(default)]
    pub way: Option<Way>,
}

/// When its agent was last heard, from where, and since when the system is up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeardView {
    pub at: Time,
    pub booted_at: Time,
    pub ip: Ipv4Addr,
}

impl InstallView {
    fn of(install: &Install) -> InstallView {
        let way = install.inside().and_then(|inside| inside.way);
        let Install { id, armed_at, boots, inside_only, .. } = *install;
        InstallView { id, armed_at, boots, inside_only, way }
    }
}

impl Noun for Machine {
    const WORD: &'static str = "machine";
    type Key = Name;
    type Draft = MachineDraft;
    type Patch = MachinePatch;
    type View = MachineView;

    fn draft(draft: MachineDraft, now: Time, _: &World) -> Result<Self, Problem> {
        not_reserved(&draft.name)?;
        let MachineDraft { name, interfaces, profile, keys, groups, arguments, options, loader, disk_boot, .. } = draft;
        let Some(first) = interfaces.first() else {
            let text = "interfaces: a machine needs at least one network card, with its MAC";
            return Err(Problem::invalid("interfaces", text));
        };
        let ids = [Uuid::now_v7(), Uuid::now_v7()];
        let blank = lifecycle::newcomer(first.mac, State::Ready, ids, now);
        let interfaces = interfaces.into_iter().map(InterfaceDraft::needed).collect();
        let options = options.into();
        let mut machine =
            Machine { name, interfaces, profile, keys, groups, arguments, options, loader, disk_boot, ..blank };
        merge(&mut machine, draft.variables, draft.secrets);
        Ok(machine)
    }

    fn patch(&mut self, patch: MachinePatch, _: &World) {
        let interfaces = patch.interfaces.map(|all| all.into_iter().map(InterfaceDraft::needed).collect());
        put(&mut self.interfaces, interfaces);
        if let Some(first) = self.interfaces.first_mut() {
            put(&mut first.ip, patch.ip);
        }
        put(&mut self.profile, patch.profile);
        put(&mut self.keys, patch.keys);
        put(&mut self.groups, patch.groups);
        put(&mut self.arguments, patch.arguments);
        merge(self, patch.variables, patch.secrets);
        self.options.patch(patch.options);
        put(&mut self.loader, patch.loader);
        put(&mut self.disk_boot, patch.disk_boot);
    }

    fn view(&self, world: &World) -> MachineView {
        let own = self.clone();
        MachineView {
            id: own.id,
            name: own.name,
            interfaces: self.interfaces.iter().map(|card| card_view(card, world)).collect(),
            profile: own.profile,
            keys: own.keys,
            groups: own.groups,
            joined: own.joined,
            arguments: own.arguments,
            variables: own.variables,
            secrets: names(&self.secrets),
            options: own.options,
            loader: own.loader,
            disk_boot: own.disk_boot,
            chosen: chosen(self, world),
            state: self.state,
            state_at: self.state_at,
            install: self.install.as_ref().map(InstallView::of),
            inventory: own.inventory,
            registered: self.credential.is_some(),
            heard: world.check_in(self.id).map(|c| HeardView { at: c.at, booted_at: c.booted_at, ip: c.ip }),
            created_at: self.created_at,
        }
    }

    fn key(&self) -> Name {
        self.name.clone()
    }

    fn record(&self) -> Record {
        Record::Machine(Wish::of(self))
    }

    fn find<'a>(world: &'a World, name: &Name) -> Option<&'a Self> {
        world.machine_named(name)
    }

    fn all(world: &World) -> Vec<&Self> {
        world.machines().collect()
    }

    fn check(&self, engine: &Engine) -> Result<(), Problem> {
        engine.check_loader(self.loader.as_ref())?;
        let own = engine.addresses();
        match self.interfaces.iter().filter_map(|i| i.ip).find(|ip| own.contains(ip)) {
            Some(ip) => Err(Problem::invalid("ip", format!("ip: {ip} is this server's own address: choose another"))),
            None => Ok(()),
        }
    }

    fn add(self) -> Edit {
        Edit::AddMachines(vec![self])
    }

    fn set(self, _: Name) -> Edit {
        Edit::SetMachine(self)
    }

    fn remove(name: Name) -> Edit {
        Edit::RemoveMachine(name)
    }
}

pub fn not_reserved(name: &Name) -> Result<(), Problem> {
    match name.is_reserved() {
        true => Err(Problem::invalid("name", format!("name: {name} is a word of the API: choose another"))),
        false => Ok(()),
    }
}

impl InterfaceDraft {
    fn needed(self) -> Interface {
        Interface { mac: self.mac, ip: self.ip }
    }
}

fn card_view(card: &Interface, world: &World) -> InterfaceView {
    let leased = world.networks.keys().find_map(|network| world.lease(network, &card.mac.into())).map(|lease| lease.ip);
    InterfaceView { mac: card.mac, ip: card.ip, leased }
}

/// The profile and the key that speak for a machine at the address that it has or last had.
fn chosen(machine: &Machine, world: &World) -> Chosen {
    let ip = machine.interfaces.first().and_then(|card| card.ip.or(card_view(card, world).leased));
    let place = ip.and_then(|ip| Some((ip, world.network_of(ip)?)));
    let (profile, why) = match (place, &machine.profile) {
        (Some((ip, network)), _) => {
            let (profile, why) = role::profile(Some(machine), ip, &world.ranges, network);
            (profile.cloned(), why.text)
        }
        (None, Some(own)) => (Some(own.clone()), format!("{own}, named by the machine itself")),
        (None, None) => (None, "none yet: no network holds an address of this machine".to_owned()),
    };
    let (profiles, distros) = (&world.profiles, &world.distros);
    let recipe = profile.as_ref().and_then(|p| recipe(p, Some(machine), None, profiles, distros, &world.keys).ok());
    let keys = recipe.map_or(machine.keys.clone(), |recipe| recipe.keys);
    Chosen { profile, keys, why }
}
