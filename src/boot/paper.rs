//! The dry run: plays a machine's next network boot on paper, with the code that answers the wire.

use super::lifecycle::Ticket;
use super::names::Here;
use super::offer::{Case, Grant, Message, OfferAsk, OfferFacts, OfferReply};
use super::pool::Pool;
use super::script::{Hindrance, ScriptAsk, ScriptFacts, ScriptReply};
use super::{Ask, Reason, Records, Standing, role, told};
use crate::model::*;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// What must be known to play a boot: what its questions need, nothing more.
pub struct PaperFacts<'a> {
    /// The networks on its wire, the one that it boots from first.
    pub networks: &'a [&'a Network],
    pub network: &'a Network,
    pub here: Here,
    pub standing: Standing<'a>,
    pub records: &'a dyn Records,
    pub pool: &'a Pool,
    pub shelf: &'a Shelf,
    pub hindrance: Option<Hindrance>,
}

/// One question of a boot, its answer and the rules that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    pub question: &'static str,
    pub answer: String,
    pub why: Vec<Reason>,
}

/// Where a boot leads: the address and the script.
#[derive(Debug, Clone, PartialEq)]
pub struct Boot {
    pub ip: Ipv4Addr,
    pub script: ScriptReply,
    /// Of the loader that would ask for it, and what that reads its kernel by.
    pub language: Language,
    pub by: By,
}

/// A boot on paper.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperBoot {
    pub scenes: Vec<Scene>,
    /// Who asked, and the first answer that it was given.
    pub client: Client,
    pub reply: OfferReply,
    pub boot: Option<Boot>,
}

/// What would happen now if this MAC booted from this network with this firmware.
pub fn play(mac: Mac, arch: Arch, facts: &PaperFacts<'_>, now: Time) -> PaperBoot {
    let (client, program) = (client(mac, arch), program(arch));
    let rom = discover(mac, client);
    let offer = rom.decide(offer_facts(facts), now);
    let (language, by) = language(&offer.reply, program, facts.shelf);
    let first = Scene { question: "address and first program", answer: say_offer(&offer.reply), why: offer.why };
    let mut scenes = vec![first];
    let ip = match &offer.reply {
        OfferReply::Offer(Grant { ip, place, .. }) => {
            scenes.extend(options(&rom, facts, (*place, *ip), now));
            *ip
        }
        OfferReply::Proxy(Grant { ip, .. }) => *ip,
        _ => return PaperBoot { scenes, client, reply: offer.reply, boot: None },
    };
    let lease = Lease {
        network: facts.network.name.clone(),
        holder: mac.into(),
        ip,
        starts_at: now,
        ends_at: now.plus_secs(facts.network.lease_secs),
        hostname: None,
    };
    let script = script((mac, language), &lease, facts, now);
    let (scene, reply) =
        (Scene { question: "script", answer: say_script(&script.reply), why: script.why }, script.reply);
    scenes.push(scene);
    PaperBoot { scenes, client, reply: offer.reply, boot: Some(Boot { ip, script: reply, language, by }) }
}

/// What operators set for it, and where.
fn options(ask: &OfferAsk, facts: &PaperFacts<'_>, (place, ip): (usize, Ipv4Addr), now: Time) -> Option<Scene> {
    let network = facts.networks.get(place).copied().unwrap_or(facts.network);
    let (role, _) = role::role(facts.standing, facts.network);
    let case = Case { ask, facts: offer_facts(facts), network: facts.network, now, role };
    let why = told::reasons(&case, network, ip);
    let answer = format!("{} set by operators, for a client that asks for them", why.len());
    (!why.is_empty()).then_some(Scene { question: "options", answer, why })
}

/// Firmware of this kind.
pub(super) fn client(mac: Mac, arch: Arch) -> Client {
    Client { program: program(arch), arch: Some(arch) }.on(Some(mac))
}

fn program(arch: Arch) -> Program {
    if arch.is_http() { Program::Http } else { Program::Rom }
}

pub(super) fn discover(mac: Mac, client: Client) -> OfferAsk {
    OfferAsk {
        message: Message::Discover { wants: None },
        holder: mac.into(),
        client,
        vendor: vendor(client),
        user_classes: Vec::new(),
        uuid: None,
        hostname: None,
        client_id: None,
        circuit: None,
        relayed: true,
    }
}

/// As a boot ROM says it, for the classes that look at it.
fn vendor(client: Client) -> String {
    let class = if client.program == Program::Http { "HTTPClient" } else { "PXEClient" };
    client.arch.map(|Arch(arch)| format!("{class}:Arch:{arch:05}:UNDI:003000")).unwrap_or_default()
}

/// Of the loader that was named; where none was, iPXE may still ask.
fn language(reply: &OfferReply, program: Program, shelf: &Shelf) -> (Language, By) {
    use super::loader::First;
    let (OfferReply::Offer(grant) | OfferReply::Proxy(grant)) = reply else { return (Language::Ipxe, By::Http) };
    let named = |loader: &&Loader| match &grant.first {
        First::Tftp(name) => super::names::first_file(shelf, loader).as_ref() == Some(name),
        First::Url(url) => {
            super::names::first_file(shelf, loader).is_some_and(|name| url.ends_with(&format!("/loader/{name}")))
        }
        First::Server => loader.language == Language::Extlinux,
        First::Nothing => false,
    };
    let Some(loader) = shelf.loaders.iter().map(|row| &row.loader).find(named) else {
        return (Language::Ipxe, By::Http);
    };
    let by_http = program == Program::Http || loader.by.contains(&By::Http);
    (loader.language, if by_http { By::Http } else { By::Tftp })
}

fn offer_facts<'a>(facts: &'a PaperFacts<'a>) -> OfferFacts<'a> {
    let PaperFacts { networks, here, standing, records, pool, shelf, .. } = *facts;
    OfferFacts {
        networks,
        here,
        ours: &[],
        standing,
        records,
        pool,
        shelf,
        lost_since: None,
        fresh: &|| [Uuid::nil(); 2],
    }
}

fn script(
    (mac, language): (Mac, Language),
    lease: &Lease,
    paper: &PaperFacts<'_>,
    now: Time,
) -> super::Decision<ScriptReply> {
    let unused = Hash([0; 32]);
    let ticket = Ticket { token: unused, report: unused, ip: lease.ip, lives_secs: 0 };
    let newcomer;
    let standing = match paper.standing {
        // The wire would have made the record by now.
        Standing::Unknown if paper.network.unknown == Unknown::Install => {
            newcomer = super::lifecycle::newcomer(mac, State::Armed, [Uuid::nil(); 2], now);
            Standing::Machine(&newcomer)
        }
        standing => standing,
    };
    let facts = ScriptFacts {
        standing,
        network: paper.network,
        lease: Some(lease),
        ranges: paper.records.ranges(),
        profiles: paper.records.profiles(),
        shelf: paper.shelf,
        hindrance: paper.hindrance,
        ticket,
    };
    ScriptAsk { mac, from: lease.ip, language }.decide(facts, now)
}

fn say_offer(reply: &OfferReply) -> String {
    match reply {
        OfferReply::Offer(grant) => {
            format!("{} for {} s, then {}", grant.ip, grant.lease_secs, say_first(&grant.first))
        }
        OfferReply::Proxy(grant) => {
            format!("an address from the other DHCP server, then {}", say_first(&grant.first))
        }
        OfferReply::Nak(text) => format!("refused: {text}"),
        _ => "silence".into(),
    }
}

fn say_first(first: &super::loader::First) -> String {
    use super::loader::First;
    match first {
        First::Nothing => "nothing to boot".into(),
        First::Tftp(file) => format!("{file} by TFTP"),
        First::Url(url) => url.clone(),
        First::Server => "its script by TFTP, which it asks for by itself".into(),
    }
}

fn say_script(reply: &ScriptReply) -> String {
    match reply {
        ScriptReply::Install { profile, .. } => format!("the installer of profile {profile}"),
        ScriptReply::Disk { .. } => "its own disk".into(),
        ScriptReply::Show { .. } => "a word on the console, then its own disk".into(),
        ScriptReply::NotFound => "nothing".into(),
    }
}
