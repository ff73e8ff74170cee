//! `kickstand lease`: which address which client was told, all that is known of one address, and how to free it.

use super::events;
use super::session::{Output, Session, json, print, understood, width};
use super::table::{card, maybe, moment, table};
use crate::http::api::lease::{AddressView, HoldView, LeaseQuery, LeaseView, ReservedView};
use crate::model::{Mac, Name};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::str::FromStr;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List leases, those that ended included
    List(List),
    /// Show an address, or those of a MAC: holder, state, for whom it is kept, what happened
    Show {
        /// For example 10.0.0.12 or 52:54:00:12:34:56
        address: Whose,
    },
    /// Take an address from its holder, or from what holds it back: anybody may be given it
    Release {
        /// For example 10.0.0.12
        ip: Ipv4Addr,
    },
}

#[derive(Debug, Args)]
pub struct List {
    /// On this network alone
    #[arg(long)]
    network: Option<Name>,
    /// Only those that have not ended
    #[arg(long)]
    active: bool,
}

#[derive(Debug, Clone)]
pub enum Whose {
    Ip(Ipv4Addr),
    Mac(Mac),
}

impl FromStr for Whose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ip = text.parse().map(Whose::Ip).ok();
        let wanted = || format!("{text:?} is neither an IPv4 address nor a MAC (write it like 10.0.0.12)");
        ip.or_else(|| text.parse().map(Whose::Mac).ok()).ok_or_else(wanted)
    }
}

/// How many leases are asked for at once.
const PAGE: usize = 5000;

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::List(list) => list.run(session).await,
        Command::Show { address: Whose::Ip(ip) } => show(&[ip], session).await,
        Command::Show { address: Whose::Mac(mac) } => {
            let leases = pages(LeaseQuery { mac: Some(mac), ..LeaseQuery::default() }, session).await?;
            let ips: Vec<_> = leases.iter().map(|lease| lease.ip).collect();
            if ips.is_empty() {
                bail!(
                    "{mac} has no lease: `kickstand why {mac}` tells what it would get, `kickstand capture {mac}` what it sent"
                );
            }
            show(&ips, session).await
        }
        Command::Release { ip } => {
            session.client.ask(Method::DELETE, &format!("leases/{ip}"), None).await?;
            let said = format!("{ip} is free: a client that still uses it asks for it anew when it renews");
            session.say(serde_json::json!({ "released": ip }), move |_: &Value| said.clone())
        }
    }
}

impl List {
    async fn run(self, session: &Session) -> Result<()> {
        let List { network, active } = self;
        let leases = pages(LeaseQuery { network, active, ..LeaseQuery::default() }, session).await?;
        if session.output == Output::Json {
            return json(&serde_json::to_value(leases)?);
        }
        if leases.is_empty() {
            return print("No lease yet, or none that fits: no client has asked for an address\n");
        }
        let heads = ["ip", "mac", "machine", "network", "ends", "state"];
        print(&table(&heads, &leases.iter().map(row).collect::<Vec<_>>(), width()))
    }
}

/// All of them, page after page: no answer is so long that the server or this side would choke on it.
async fn pages(mut query: LeaseQuery, session: &Session) -> Result<Vec<LeaseView>> {
    let mut all = Vec::new();
    loop {
        let page: Vec<LeaseView> = session.get(&path(&query)).await?;
        let full = page.len() == PAGE;
        query.after = page.last().map(|lease| lease.ip);
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

fn path(query: &LeaseQuery) -> String {
    let part =
        |name: &str, value: Option<&dyn Display>| value.map(|value| format!("&{name}={value}")).unwrap_or_default();
    let network = part("network", query.network.as_ref().map(|name| name as &dyn Display));
    let after = part("after", query.after.as_ref().map(|ip| ip as &dyn Display));
    let mac = query.mac.map(|mac| format!("&mac={}", mac.dashed())).unwrap_or_default();
    let active = if query.active { "&active=true" } else { "" };
    format!("leases?limit={PAGE}{network}{mac}{active}{after}")
}

fn row(l: &LeaseView) -> Vec<String> {
    let state = if l.active { "active" } else { "ended" };
    let (ip, mac, network) = (l.ip.to_string(), l.holder.to_string(), l.network.to_string());
    vec![ip, mac, maybe(&l.machine), network, moment(l.ends_at), state.into()]
}

async fn show(ips: &[Ipv4Addr], session: &Session) -> Result<()> {
    let mut all = Vec::new();
    for ip in ips {
        all.push(session.client.ask(Method::GET, &format!("leases/{ip}"), None).await?);
    }
    if session.output == Output::Json {
        return json(&Value::from(all));
    }
    let addresses: Vec<AddressView> = all.into_iter().map(understood).collect::<Result<_>>()?;
    print(&addresses.iter().map(|address| told(address, width())).collect::<Vec<_>>().join("\n"))
}

/// A card, and below it what happened to the holder.
fn told(a: &AddressView, width: Option<usize>) -> String {
    let lease = a.lease.as_ref();
    let of = |get: &dyn Fn(&LeaseView) -> String| lease.map(get).unwrap_or_default();
    let text = card(&[
        ("ip", a.ip.to_string()),
        ("network", a.network.to_string()),
        ("holder", of(&|l| l.holder.to_string())),
        ("machine", of(&|l| maybe(&l.machine))),
        ("hostname", of(&|l| maybe(&l.hostname))),
        ("state", lease.map_or("nobody's", |l| if l.active { "leased" } else { "ended" }).to_owned()),
        ("since", of(&|l| moment(l.starts_at))),
        ("until", of(&|l| moment(l.ends_at))),
        ("reserved", a.reserved.as_ref().map(reserved).unwrap_or_default()),
        ("pool", if a.pooled { "in a pool" } else { "in no pool" }.to_owned()),
        ("held", a.hold.as_ref().map(held).unwrap_or_default()),
    ]);
    match a.events.is_empty() {
        true => text,
        false => format!("{text}\n{}", events::listed(&a.events, width)),
    }
}

fn reserved(reserved: &ReservedView) -> String {
    match reserved {
        ReservedView::Machine { machine, mac } => format!("for machine {machine}, {mac}"),
        ReservedView::Mark { by, description } if description.is_empty() => format!("for {by}"),
        ReservedView::Mark { by, description } => format!("for {by}, {description}"),
    }
}

fn held(hold: &HoldView) -> String {
    let HoldView { until, why, holder, times, active } = hold;
    let over = if *active { "until" } else { "over since" };
    let times = if *times > 1 { format!(", {times} times in a row") } else { String::new() };
    let but = holder.as_ref().map(|holder| format!(", except for {holder}")).unwrap_or_default();
    format!("{why}, {over} {}{times}{but}", moment(*until))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::event::EventView;
    use crate::model::{HoldWhy, Kind, Time};

    fn address() -> AddressView {
        let (at, mac) = (Time::from_secs(1_700_000_000), "52:54:00:12:34:56".parse().unwrap());
        AddressView {
            ip: [10, 0, 0, 10].into(),
            network: "lab".parse().unwrap(),
            lease: Some(LeaseView {
                network: "lab".parse().unwrap(),
                ip: [10, 0, 0, 10].into(),
                mac: Some(mac),
                holder: mac.into(),
                machine: Some("web1".parse().unwrap()),
                hostname: None,
                starts_at: at,
                ends_at: at.plus_secs(3600),
                active: true,
            }),
            reserved: Some(ReservedView::Machine { machine: "web1".parse().unwrap(), mac }),
            pooled: true,
            hold: Some(HoldView { until: at, why: HoldWhy::Declined, holder: None, times: 2, active: false }),
            events: vec![EventView {
                id: uuid::Uuid::nil(),
                at,
                kind: Kind::Lease,
                machine: Some("web1".parse().unwrap()),
                machine_id: None,
                mac: Some(mac),
                ip: None,
                text: "10.0.0.10 for boot ROM, BIOS".into(),
                percent: None,
                revision: None,
            }],
        }
    }

    #[test]
    fn an_address_tells_who_has_it_for_whom_it_is_kept_and_what_happened() {
        insta::assert_snapshot!(told(&address(), None), @r"
        ip        10.0.0.10
        network   lab
        holder    52:54:00:12:34:56
        machine   web1
        state     leased
        since     2023-11-14 22:13:20
        until     2023-11-14 23:13:20
        reserved  for machine web1, 52:54:00:12:34:56
        pool      in a pool
        held      declined, over since 2023-11-14 22:13:20, 2 times in a row

        TIME                 KIND   MACHINE  WHAT
        2023-11-14 22:13:20  lease  web1     10.0.0.10 for boot ROM, BIOS
        ");
    }

    #[test]
    fn an_address_of_nobody_says_so() {
        let free = AddressView { lease: None, reserved: None, pooled: false, hold: None, events: vec![], ..address() };
        insta::assert_snapshot!(told(&free, None), @r"
        ip       10.0.0.10
        network  lab
        state    nobody's
        pool     in no pool
        ");
    }

    #[test]
    fn a_page_is_asked_for_as_the_api_reads_it() {
        let query = LeaseQuery {
            network: Some("lab".parse().unwrap()),
            active: true,
            after: Some([10, 0, 0, 9].into()),
            ..LeaseQuery::default()
        };
        assert_eq!(path(&query), "leases?limit=5000&network=lab&active=true&after=10.0.0.9");
    }
}
