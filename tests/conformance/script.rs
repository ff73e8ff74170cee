//! Plays a script: records are set up, packets are heard, answers and what they changed are compared.
//!
//! One line is one thing. `network`, `machine`, `range`, `profile`, `class`, `reservation`, `everybody` and
//! `replace` set up records; `wait 60` moves the clock, `restart` forgets memory, `sweep` is the owner's minute;
//! `> discover 50=10.9.0.20` is a packet, `< offer yiaddr=10.9.0.20` its answer, `= lease 10.9.0.20 of=01` what is
//! written then.

use super::packet::{Answer, Question, asked, keeps_its_promises, tlv};
use super::rig::{From, Outcome, Server};
use super::{setup, words};
use kickstand::boot::Effect;
use kickstand::dhcp::reply::Destination;
use kickstand::model::*;
use std::net::Ipv4Addr;

/// What every script finds unless it says otherwise: unknown clients are served, ten addresses.
pub const LAB: &str = "network lab cidr=10.9.0.0/24 gateway=10.9.0.1 dns=10.9.0.2,10.9.0.3 domain=lab.example \
     pool=10.9.0.15-10.9.0.24 lease=3600 unknown=show unknown_lease=3600";

pub struct Script {
    server: Server,
    question: Vec<u8>,
    outcome: Option<Outcome>,
}

/// Plays it, or says which line came out otherwise, and how.
pub fn play(script: &str) {
    let told = runtime().block_on(run(LAB, script));
    told.unwrap_or_else(|error| panic!("{error}"));
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub async fn run(before: &str, script: &str) -> Result<(), String> {
    let mut state = Script { server: Server::start().await, question: Vec::new(), outcome: None };
    for line in before.lines().chain(script.lines()).map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        state.line(line).await.map_err(|error| format!("{line}\n    {error}"))?;
    }
    Ok(())
}

impl Script {
    async fn line(&mut self, line: &str) -> Result<(), String> {
        let words = words::split(line);
        let rest = &words[1..];
        match words[0].as_str() {
            ">" => self.hear(rest).await,
            "<" => self.answer(rest),
            "=" => self.written(rest),
            "wait" => {
                self.server.wait(words::number(&rest[0])?);
                Ok(())
            }
            "restart" => {
                self.server.forget_memory();
                Ok(())
            }
            "sweep" => {
                self.server.sweep();
                Ok(())
            }
            _ => setup::edit(&mut self.server, &words).await,
        }
    }

    async fn hear(&mut self, words: &[String]) -> Result<(), String> {
        let (bytes, from) = question(words)?;
        self.outcome = Some(self.server.hear(&bytes, &from).await);
        self.question = bytes;
        Ok(())
    }

    fn answer(&self, words: &[String]) -> Result<(), String> {
        let outcome = self.outcome.as_ref().ok_or("nothing was asked")?;
        let sent = outcome.sent();
        if words[0] == "nothing" {
            return match sent {
                Some(out) => Err(format!("an answer: {:?}", Answer::read(&out.bytes).map(|a| a.options))),
                None => because(outcome, &words[1..]),
            };
        }
        let sent = sent.ok_or_else(|| format!("no answer: {outcome:?}"))?;
        let answer = Answer::read(&sent.bytes)?;
        keeps_its_promises(&self.question, &answer)?;
        let kind = match words[0].as_str() {
            "offer" => 2,
            "ack" => 5,
            "nak" => 6,
            other => return Err(format!("{other:?} is no answer")),
        };
        if answer.option(53) != Some(vec![kind]) {
            return Err(format!("message type {:?}: {outcome:?}", answer.option(53)));
        }
        words[1..].iter().try_for_each(|word| self.check(&answer, sent.to, word))
    }

    fn check(&self, answer: &Answer, to: Destination, word: &str) -> Result<(), String> {
        let (key, value) = words::pair(word);
        let is = |got: String| match value {
            Some(value) if got == value => Ok(()),
            _ => Err(format!("{word}: it is {got}")),
        };
        let want = value.unwrap_or_default();
        let header = [("ciaddr", 12), ("yiaddr", 16), ("siaddr", 20), ("giaddr", 24)];
        if let Some((_, at)) = header.iter().find(|(name, _)| *name == key) {
            return is(answer.ip(*at).to_string());
        }
        match key {
            "sname" => is(answer.text(44, 108)),
            "file" => is(answer.text(108, 236)),
            "flags" => is(format!("0x{:02x}{:02x}", answer.bytes[10], answer.bytes[11])),
            "len" => is(answer.bytes.len().to_string()),
            "to" => is(destination(to, &self.question)),
            "order" => is(codes(&answer.order())),
            "parts" => is(codes(&answer.options.iter().map(|(code, _)| *code).collect::<Vec<_>>())),
            "no" | "has" => want.split(',').try_for_each(|code| {
                let there = answer.option(code.parse().map_err(|_| format!("{word}: no code"))?).is_some();
                if there == (key == "has") { Ok(()) } else { Err(format!("{word}: {:?}", answer.order())) }
            }),
            "same" => want.split(',').try_for_each(|code| {
                let code = code.parse().map_err(|_| format!("{word}: no code"))?;
                let (got, sent) = (answer.option(code), asked(&self.question, code));
                if got.is_some() && got == sent { Ok(()) } else { Err(format!("{word}: {got:x?}, asked {sent:x?}")) }
            }),
            code => {
                let code: u8 = code.parse().map_err(|_| format!("{word}: what is that?"))?;
                let got = answer.option(code).ok_or_else(|| format!("{word}: it is missing: {:?}", answer.order()))?;
                let want = words::value(code, want)?;
                if got == want { Ok(()) } else { Err(format!("{word}: {got:02x?}, not {want:02x?}")) }
            }
        }
    }

    fn written(&self, words: &[String]) -> Result<(), String> {
        let world = self.server.engine.store.world();
        let now = self.server.now;
        let (noun, name) = (words[0].as_str(), words.get(1).map(String::as_str).unwrap_or_default());
        let at = |time: Time| if time > now { time.secs_since(now).to_string() } else { "over".into() };
        let facts: Vec<(&str, String)> = match noun {
            "lease" => {
                let ip = words::ip(name)?;
                let lease = world.leases().filter(|lease| lease.ip == ip).max_by_key(|lease| lease.ends_at);
                let Some(lease) = lease else { return none(words, "no lease") };
                let of = lease.holder.to_string().replace("52:54:00:00:00:", "");
                vec![("of", of), ("for", at(lease.ends_at)), ("on", lease.network.to_string())]
            }
            "hold" => {
                let Some(hold) = world.hold(words::ip(name)?) else { return none(words, "no hold") };
                vec![("for", at(hold.until)), ("why", hold.why.to_string()), ("times", hold.times.to_string())]
            }
            "seen" => {
                let Some(seen) = world.sighting(words::mac(name)?) else { return none(words, "not seen") };
                let arch = seen.arch.map_or_else(|| "none".into(), |arch| arch.0.to_string());
                vec![("uuid", seen.uuid.clone().unwrap_or_default()), ("vendor", seen.vendor.clone()), ("arch", arch)]
            }
            "machine" => {
                let machine = world.machine_with_mac(words::mac(name)?);
                let Some(machine) = machine else { return none(words, "no record") };
                vec![("state", machine.state.to_string())]
            }
            "told" => return self.told(words),
            "promised" | "remembered" => return self.promised(noun),
            other => return Err(format!("{other:?} is nothing that is written")),
        };
        words[2..].iter().try_for_each(|word| {
            let (key, value) = words::pair(word);
            let got = facts.iter().find(|(name, _)| *name == key).map(|(_, got)| got.as_str());
            if got.is_some() && got == value.map(|text| text.trim_matches('"')) {
                Ok(())
            } else {
                Err(format!("{word}: {facts:?}"))
            }
        })
    }

    fn effects(&self) -> &[Effect] {
        match &self.outcome {
            Some(Outcome::Decided { effects, .. }) => effects,
            _ => &[],
        }
    }

    /// Whether an event of a kind, with these words in it, was told of the last packet.
    fn told(&self, words: &[String]) -> Result<(), String> {
        let tales = self.effects().iter().filter_map(|effect| match effect {
            Effect::Tell(tale) => Some((tale.kind.to_string(), tale.text.clone())),
            _ => None,
        });
        let tales: Vec<_> = tales.collect();
        let wanted = words[2..].join(" ").replace('"', "");
        let found = tales.iter().any(|(kind, text)| *kind == words[1] && text.contains(&wanted));
        if found { Ok(()) } else { Err(format!("told {tales:?}")) }
    }

    /// Whether the last packet had to be written before its answer.
    fn promised(&self, noun: &str) -> Result<(), String> {
        let promised = self.effects().iter().any(Effect::is_promise);
        if promised == (noun == "promised") { Ok(()) } else { Err(format!("{:?}", self.effects())) }
    }
}

fn none(words: &[String], what: &str) -> Result<(), String> {
    if words.get(2).is_some_and(|word| word == "none") { Ok(()) } else { Err(what.into()) }
}

/// Why there was no answer: `unheard`, `ignored`, `silence` or `refused`; any where nothing is said.
fn because(outcome: &Outcome, words: &[String]) -> Result<(), String> {
    let why = match outcome {
        Outcome::Unheard(_) => "unheard",
        Outcome::Ignored => "ignored",
        Outcome::Decided { refused: Some(_), .. } => "refused",
        Outcome::Decided { .. } => "silence",
    };
    match words.first() {
        Some(word) if word != why => Err(format!("{why}: {outcome:?}")),
        _ => Ok(()),
    }
}

fn codes(all: &[u8]) -> String {
    all.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
}

fn destination(to: Destination, question: &[u8]) -> String {
    match to {
        Destination::Broadcast => "broadcast".into(),
        Destination::Unicast(ip) => format!("unicast:{ip}"),
        Destination::Card { mac, ip } if mac.0 == question[28..34] => format!("card:{ip}"),
        Destination::Card { mac, .. } => format!("another card, {mac}"),
        Destination::Relay { ip, own_port: false } => format!("relay:{ip}"),
        Destination::Relay { ip, own_port: true } => format!("relay:{ip}:its-own-port"),
        Destination::Sender => "sender".into(),
    }
}

/// A packet, and how it arrived: who uses an address sends from it, a relay from its own.
pub fn question(words: &[String]) -> Result<(Vec<u8>, From), String> {
    let mut packet = Question::default();
    let mut from = From::nobody();
    let mut sender = None;
    match words[0].as_str() {
        "discover" => packet.options.push((53, vec![1])),
        "request" => packet.options.push((53, vec![3])),
        "decline" => packet.options.push((53, vec![4])),
        "release" => packet.options.push((53, vec![7])),
        "inform" => packet.options.push((53, vec![8])),
        "bootp" => {}
        "captured" => packet = Question::captured(&words[1]),
        other => return Err(format!("{other:?} is no question")),
    }
    let mut relay = Vec::new();
    let own = if words[0] == "captured" { 2 } else { 1 };
    for word in &words[own..] {
        let (key, value) = words::pair(word);
        let text = value.unwrap_or_default();
        match key {
            "from" => sender = Some(words::ip(text)?),
            "door" => {
                from.ours = text.split(',').filter(|ip| !ip.is_empty()).map(words::ip).collect::<Result<_, _>>()?
            }
            "relays-only" => from.relays_only = true,
            "port" => from.boot_port = text == "4011",
            key if key.starts_with("82.") => {
                let code: u8 = key[3..].parse().map_err(|_| format!("{word}: no code"))?;
                let kind = if matches!(code, 5 | 11) { 54 } else { 82 };
                relay.extend(tlv(code, &words::value(kind, text)?));
            }
            _ => field(&mut packet, key, text).map_err(|error| format!("{word}: {error}"))?,
        }
    }
    if !relay.is_empty() {
        packet.options.push((82, relay));
    }
    let [ciaddr, _, _, giaddr] = packet.addresses;
    let usual = [giaddr, ciaddr].into_iter().find(|ip| !ip.is_unspecified()).unwrap_or(Ipv4Addr::UNSPECIFIED);
    from.sender = sender.unwrap_or(usual);
    Ok((packet.bytes(), from))
}

fn field(packet: &mut Question, key: &str, text: &str) -> Result<(), String> {
    let number = || words::number(text);
    let bytes = |code: &str| words::value(code.parse().map_err(|_| "no such field")?, text);
    match key {
        "op" => packet.op = number()? as u8,
        "htype" => packet.htype = number()? as u8,
        "hlen" => packet.hlen = number()? as u8,
        "hops" => packet.hops = number()? as u8,
        "xid" => packet.xid = number()?,
        "secs" => packet.secs = number()? as u16,
        "flags" => packet.flags = number()? as u16,
        "broadcast" => packet.flags |= 0x8000,
        "ciaddr" => packet.addresses[0] = words::ip(text)?,
        "yiaddr" => packet.addresses[1] = words::ip(text)?,
        "siaddr" => packet.addresses[2] = words::ip(text)?,
        "giaddr" => packet.addresses[3] = words::ip(text)?,
        "mac" => packet.chaddr[..6].copy_from_slice(&words::mac(text)?.0),
        "chaddr" => {
            let bytes = words::value(82, text)?;
            packet.chaddr = [0; 16];
            packet.chaddr[..bytes.len()].copy_from_slice(&bytes);
        }
        "sname" => packet.sname = words::value(82, text)?,
        "file" => packet.file = words::value(82, text)?,
        "cookie" => packet.cookie = words::value(82, text)?.try_into().map_err(|_| "four bytes")?,
        "raw" => packet.raw.extend(words::value(82, text)?),
        "no-end" => packet.end = false,
        "length" => packet.length = number()? as usize,
        code if code.starts_with("file.") => {
            packet.file.extend(tlv(code[5..].parse().map_err(|_| "no code")?, &bytes(&code[5..])?))
        }
        code if code.starts_with("sname.") => {
            packet.sname.extend(tlv(code[6..].parse().map_err(|_| "no code")?, &bytes(&code[6..])?))
        }
        "without" => packet.options.retain(|(code, _)| !text.split(',').any(|word| word == code.to_string())),
        code => packet.options.push((code.parse().map_err(|_| "no such field")?, bytes(code)?)),
    }
    Ok(())
}
