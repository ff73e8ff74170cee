//! Networks: `/api/v1/networks`.

use super::body::{address, given, put};
use super::dhcp::DhcpPatch;
use super::noun::Noun;
use super::variables::{SecretPatch, merge, names};
use crate::engine::Engine;
use crate::http::problem::Problem;
use crate::model::{Dhcp, Name, Network, Pooled, Record, Secrets, Time, Unknown, Variables};
use crate::store::{Edit, World};
use ipnetwork::Ipv4Network;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A new network.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkDraft {
    pub name: Name,
    pub cidr: Ipv4Network,
    #[serde(default, deserialize_with = "address")]
    pub gateway: Option<Ipv4Addr>,
    #[serde(default)]
    pub dns: Vec<Ipv4Addr>,
    pub domain: Option<Name>,
    #[serde(default)]
    pub pools: Vec<Pooled>,
    pub lease_secs: Option<u32>,
    pub profile: Option<Name>,
    pub unknown: Option<Unknown>,
    #[serde(default)]
    pub dhcp: DhcpPatch,
    #[serde(default)]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
}

/// What is to change of one; `dhcp` field by field; in `variables` and `secrets`, null removes one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr: Option<Ipv4Network>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Option<Ipv4Addr>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Vec<Ipv4Addr>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub domain: Option<Option<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pools: Option<Vec<Pooled>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_secs: Option<u32>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub profile: Option<Option<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Unknown>,
    #[serde(default, skip_serializing_if = "DhcpPatch::is_empty")]
    pub dhcp: DhcpPatch,
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
}

/// A network as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct NetworkView {
    pub name: Name,
    pub cidr: Ipv4Network,
    pub gateway: Option<Ipv4Addr>,
    pub dns: Vec<Ipv4Addr>,
    pub domain: Option<Name>,
    pub pools: Vec<Pooled>,
    pub lease_secs: u32,
    pub profile: Option<Name>,
    pub unknown: Unknown,
    pub dhcp: Dhcp,
    #[serde(default)]
    pub variables: Variables,
    /// Their names: what is in them is shown to nobody.
    #[serde(default)]
    pub secrets: Vec<String>,
}

impl Noun for Network {
    const WORD: &'static str = "network";
    type Key = Name;
    type Draft = NetworkDraft;
    type Patch = NetworkPatch;
    type View = NetworkView;

    fn draft(draft: NetworkDraft, _: Time, _: &World) -> Result<Self, Problem> {
        let NetworkDraft { name, cidr, gateway, dns, domain, pools, lease_secs, profile, unknown, .. } = draft;
        let mut dhcp = Dhcp::default();
        draft.dhcp.apply(&mut dhcp);
        let lease_secs = lease_secs.unwrap_or(Network::LEASE_SECS);
        let unknown = unknown.unwrap_or(Unknown::Ignore);
        let (variables, secrets) = (Variables::new(), Secrets::default());
        let mut network =
            Network { name, cidr, gateway, dns, domain, pools, lease_secs, profile, unknown, dhcp, variables, secrets };
        merge(&mut network, draft.variables, draft.secrets);
        Ok(network)
    }

    fn patch(&mut self, patch: NetworkPatch, _: &World) {
        let NetworkPatch { cidr, gateway, dns, domain, pools, lease_secs, profile, unknown, dhcp, .. } = patch;
        put(&mut self.cidr, cidr);
        put(&mut self.gateway, gateway);
        put(&mut self.dns, dns);
        put(&mut self.domain, domain);
        put(&mut self.pools, pools);
        put(&mut self.lease_secs, lease_secs);
        put(&mut self.profile, profile);
        put(&mut self.unknown, unknown);
        dhcp.apply(&mut self.dhcp);
        merge(self, patch.variables, patch.secrets);
    }

    fn view(&self, _: &World) -> NetworkView {
        let Network { name, cidr, gateway, dns, domain, pools, lease_secs, profile, unknown, dhcp, variables, .. } =
            self.clone();
        let secrets = names(&self.secrets);
        NetworkView { name, cidr, gateway, dns, domain, pools, lease_secs, profile, unknown, dhcp, variables, secrets }
    }

    fn key(&self) -> Name {
        self.name.clone()
    }

    fn record(&self) -> Record {
        Record::Network(self.clone())
    }

    fn find<'a>(world: &'a World, name: &Name) -> Option<&'a Self> {
        world.networks.get(name)
    }

    fn all(world: &World) -> Vec<&Self> {
        world.networks.values().collect()
    }

    fn add(self) -> Edit {
        Edit::AddNetwork(self)
    }

    fn set(self, _: Name) -> Edit {
        Edit::SetNetwork(self)
    }

    fn remove(name: Name) -> Edit {
        Edit::RemoveNetwork(name)
    }

    fn check(&self, engine: &Engine) -> Result<(), Problem> {
        engine.check_loader(self.dhcp.loader.as_ref())?;
        let (cidr, first) = (self.cidr, self.cidr.network());
        if cidr.ip() == first {
            return Ok(());
        }
        let text = format!("cidr: {cidr} is a host's address, not a network: write it like {first}/{}", cidr.prefix());
        Err(Problem::invalid("cidr", text))
    }
}
