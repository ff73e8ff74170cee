//! The arguments that say how a network is served by DHCP, for `network add` and `network set`, and how they are shown.

use super::table::{maybe, options, words};
use super::values::{OrNone, Setting, clearable, list, settings};
use crate::http::api::dhcp::{DhcpPatch, Relay};
use crate::model::{Dhcp, DiskBoot, Name, Network, Placement, Span};
use anyhow::Result;
use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "DHCP")]
pub struct DhcpArgs {
    /// What this server is there: full, proxy (beside another DHCP server), relayed or off [default: full]
    #[arg(long = "dhcp", value_name = "PLACEMENT")]
    placement: Option<Placement>,
    /// Whether clients with an address that is not from here are refused, not left alone: true or false [default: false]
    #[arg(long, value_name = "BOOL")]
    authoritative: Option<bool>,
    /// A relay that is believed, by its address or a prefix; may be repeated, all of them anew; "" clears them
    #[arg(long = "relay", value_name = "IP")]
    relays: Vec<OrNone<Relay>>,
    /// A word that networks on one wire share; "" clears it
    #[arg(long, value_name = "WORD")]
    link: Option<OrNone<Name>>,
    /// Whether option 82 is believed without a relay, from a switch that puts it in: true or false [default: false]
    #[arg(long, value_name = "BOOL")]
    snooping: Option<bool>,
    /// Addresses that are never given away, though a pool holds them; may be repeated, all of them anew; "" clears them
    #[arg(long = "exclude", value_name = "FIRST-LAST")]
    excluded: Vec<OrNone<Span>>,
    /// How long a lease of a MAC without a record lasts; "" means 600, or the network's where that is less
    #[arg(long, value_name = "SECONDS")]
    unknown_lease_secs: Option<OrNone<u32>>,
    /// Whether addresses are probed before they are given away: true or false [default: true]
    #[arg(long, value_name = "BOOL")]
    probe: Option<bool>,
    /// Whether UEFI HTTP boot is told https:// URLs, which the table https of kickstand.toml serves: true or false [default: false]
    #[arg(long, value_name = "BOOL")]
    https: Option<bool>,
    /// The boot loader that machines there are given, of `kickstand loader list`, where nothing nearer names one; "" clears it
    #[arg(long)]
    loader: Option<OrNone<Name>>,
    /// The way to machines' own disk: auto, nothing, not-found, exit, exit-1, sanboot, efi-chain, grub-chain or localboot, where nothing nearer names one; "" clears it
    #[arg(long, value_name = "WAY")]
    disk_boot: Option<OrNone<DiskBoot>>,
    /// Whether machines that boot are told that no IPv6 router is there, for which iPXE waits 15 s: true or false
    /// [default: false]
    #[arg(long, value_name = "BOOL")]
    advertise: Option<bool>,
    /// A DHCP option, for example ntp-servers=10.0.0.1; NAME= removes it; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<Setting>,
}

impl DhcpArgs {
    pub fn patch(self) -> Result<DhcpPatch> {
        Ok(DhcpPatch {
            placement: self.placement.map(Some),
            authoritative: self.authoritative.map(Some),
            relays: list(self.relays).map(Some),
            link: clearable(self.link),
            snooping: self.snooping.map(Some),
            excluded: list(self.excluded).map(Some),
            unknown_lease_secs: clearable(self.unknown_lease_secs),
            probe: self.probe.map(Some),
            https: self.https.map(Some),
            loader: clearable(self.loader),
            disk_boot: clearable(self.disk_boot),
            advertise: self.advertise.map(Some),
            options: settings(self.options)?,
        })
    }
}

/// The lines of a network's card.
pub fn card(dhcp: &Dhcp, lease_secs: u32) -> Vec<(&'static str, String)> {
    let Dhcp { placement, authoritative, relays, link, snooping, excluded, unknown_lease_secs, probe, .. } = dhcp;
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let relays: Vec<_> = relays.iter().map(|relay| Relay(*relay)).collect();
    let unknown = unknown_lease_secs.unwrap_or(Network::UNKNOWN_LEASE_SECS.min(lease_secs));
    vec![
        ("dhcp", placement.to_string()),
        ("authoritative", yes(*authoritative)),
        ("relays", words(&relays)),
        ("link", maybe(link)),
        ("snooping", yes(*snooping)),
        ("excluded", words(excluded)),
        ("lease of unknown", format!("{unknown} s")),
        ("probe", yes(*probe)),
        ("https", yes(dhcp.https)),
        ("loader", maybe(&dhcp.loader)),
        ("disk boot", maybe(&dhcp.disk_boot)),
        ("advertise", yes(dhcp.advertise)),
        ("options", options(&dhcp.options)),
    ]
}
