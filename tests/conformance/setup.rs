//! Records of a script: one line is one edit, as an operator would make it.

use super::rig::Server;
use super::words;
use kickstand::boot::Effect;
use kickstand::boot::lifecycle::newcomer;
use kickstand::model::*;
use kickstand::store::Edit;
use std::str::FromStr;
use uuid::Uuid;

fn read<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}

fn list<T: FromStr>(text: &str) -> Result<Vec<T>, String>
where
    T::Err: std::fmt::Display,
{
    text.split(',').filter(|part| !part.is_empty()).map(read).collect()
}

fn unquoted(text: &str) -> &str {
    text.trim_matches('"')
}

/// `option.ntp-servers=10.9.0.5`, `option.224=0x01`.
fn option(set: &mut OptionSet, key: &str, text: &str) -> Result<bool, String> {
    let Some(name) = key.strip_prefix("option.") else { return Ok(false) };
    set.put(name, &written(name, text)?).map_err(|error| error.to_string())?;
    Ok(true)
}

/// `0xaa*200` is two hundred bytes; the quotes of a script are not those of a value that has a name.
fn written(name: &str, text: &str) -> Result<String, String> {
    match text {
        text if text.contains('*') => Ok(format!("0x{}", hex::encode(words::value(224, text)?))),
        text if name.starts_with(char::is_numeric) => Ok(text.to_owned()),
        text => Ok(unquoted(text).to_owned()),
    }
}

pub async fn edit(server: &mut Server, words: &[String]) -> Result<(), String> {
    if words[0] == "hold" {
        return hold(server, words).await;
    }
    let edit = match words[0].as_str() {
        "network" => network(server, words)?,
        "machine" => machine(server, words)?,
        "range" => range(words)?,
        "profile" => profile(words)?,
        "class" => class(words)?,
        "reservation" => reservation(words)?,
        "everybody" => everybody(words)?,
        "replace" => replace(server, words)?,
        "unreserve" => Edit::RemoveReservation(words::ip(&words[1])?),
        "remove-machine" => Edit::RemoveMachine(read(&words[1])?),
        other => return Err(format!("{other:?} is no line of a script")),
    };
    server.edit(edit).await.map_err(|error| error.to_string())
}

/// A new one, or a change of what is there.
fn network(server: &Server, words: &[String]) -> Result<Edit, String> {
    let name: Name = read(&words[1])?;
    let old = server.engine.store.world().networks.get(&name).cloned();
    let mut network = old.clone().unwrap_or_else(|| Network {
        name,
        cidr: "10.9.0.0/24".parse().unwrap(),
        gateway: None,
        dns: vec![],
        domain: None,
        pools: vec![],
        lease_secs: 3600,
        profile: None,
        unknown: Unknown::Show,
        variables: Default::default(),
        secrets: Default::default(),
        dhcp: Dhcp { unknown_lease_secs: Some(3600), ..Dhcp::default() },
    });
    for word in &words[2..] {
        let (key, value) = words::pair(word);
        let text = value.unwrap_or_default();
        if !option(&mut network.dhcp.options, key, text)? {
            set_network(&mut network, key, text).map_err(|error| format!("{word}: {error}"))?;
        }
    }
    Ok(if old.is_some() { Edit::SetNetwork(network) } else { Edit::AddNetwork(network) })
}

fn set_network(network: &mut Network, key: &str, text: &str) -> Result<(), String> {
    let dhcp = &mut network.dhcp;
    let some = Some(text).filter(|text| !text.is_empty());
    match key {
        "cidr" => network.cidr = read(text)?,
        "gateway" => network.gateway = some.map(read).transpose()?,
        "dns" => network.dns = list(text)?,
        "domain" => network.domain = some.map(read).transpose()?,
        "pool" => network.pools = list(text)?,
        "lease" => network.lease_secs = read(text)?,
        "profile" => network.profile = some.map(read).transpose()?,
        "unknown" => network.unknown = read(text)?,
        "unknown_lease" => dhcp.unknown_lease_secs = some.map(read).transpose()?,
        "placement" => dhcp.placement = read(text)?,
        "authoritative" => dhcp.authoritative = true,
        "relays" => dhcp.relays = list(text)?,
        "link" => dhcp.link = some.map(read).transpose()?,
        "snooping" => dhcp.snooping = true,
        "excluded" => dhcp.excluded = list(text)?,
        _ => return Err("no such setting".into()),
    }
    Ok(())
}

/// `machine web 01 ip=10.9.0.50 state=armed profile=base`; a second card with `02` and `ip2=`.
fn machine(server: &Server, words: &[String]) -> Result<Edit, String> {
    let name: Name = read(&words[1])?;
    let old = server.engine.store.world().machine_named(&name).cloned();
    let fresh = || newcomer(words::mac(&words[2]).unwrap(), State::Ready, [Uuid::now_v7(), Uuid::now_v7()], server.now);
    let mut machine = old.clone().unwrap_or_else(fresh);
    machine.name = name;
    for word in &words[2..] {
        let (key, value) = words::pair(word);
        let text = value.unwrap_or_default();
        if option(&mut machine.options, key, text)? {
            continue;
        }
        match (key, value) {
            ("ip", _) => machine.interfaces[0].ip = Some(text).filter(|t| !t.is_empty()).map(read).transpose()?,
            ("ip2", _) => machine.interfaces[1].ip = Some(read(text)?),
            ("profile", _) => machine.profile = Some(read(text)?),
            ("state", _) => {
                machine.state = read(text)?;
                let before = State::Ready;
                let install = Install::new(Uuid::now_v7(), server.now, before);
                machine.install = Some(install);
            }
            (mac, None) if machine.has(words::mac(mac)?) => {}
            (mac, None) => machine.interfaces.push(Interface { mac: words::mac(mac)?, ip: None }),
            _ => return Err(format!("{word}: no such setting")),
        }
    }
    Ok(if old.is_some() { Edit::SetMachine(machine) } else { Edit::AddMachines(vec![machine]) })
}

/// `range web 10.9.0.15-10.9.0.16 on=lab profile=base`.
fn range(words: &[String]) -> Result<Edit, String> {
    let (mut options, mut network, mut profile) = (OptionSet::default(), "lab", "base");
    for word in &words[3..] {
        match words::pair(word) {
            ("on", Some(text)) => network = text,
            ("profile", Some(text)) => profile = text,
            (key, Some(text)) if option(&mut options, key, text)? => {}
            _ => return Err(format!("{word}: no such setting")),
        }
    }
    let (name, network, profile) = (read(&words[1])?, read(network)?, read(profile)?);
    let (span, variables, secrets) = (read(&words[2])?, Default::default(), Default::default());
    Ok(Edit::AddRange(Range { name, network, span, profile, options, variables, secrets }))
}

fn profile(words: &[String]) -> Result<Edit, String> {
    let (mut options, mut parent) = (OptionSet::default(), None);
    for word in &words[2..] {
        match words::pair(word) {
            ("parent", Some(text)) => parent = Some(read(text)?),
            (key, Some(text)) if option(&mut options, key, text)? => {}
            _ => return Err(format!("{word}: no such setting")),
        }
    }
    Ok(Edit::AddProfile(Profile {
        name: read(&words[1])?,
        parent,
        distro: None,
        template: None,
        arguments: String::new(),
        keys: Names::default(),
        variables: Variables::new(),
        secrets: Default::default(),
        options,
        loader: None,
        disk_boot: None,
    }))
}

/// `class phones vendor="Cisco" option.150=10.9.0.7`.
fn class(words: &[String]) -> Result<Edit, String> {
    let (mut options, mut matches, mut network) = (OptionSet::default(), Match::default(), None);
    for word in &words[2..] {
        let (key, value) = words::pair(word);
        let quoted = value.unwrap_or_default();
        let text = unquoted(quoted);
        match key {
            "on" => network = Some(read(text)?),
            "program" => matches.program = Some(read(text)?),
            "arch" => matches.arch = Some(read(text)?),
            "vendor" => matches.vendor = Some(text.into()),
            "user_class" => matches.user_class = Some(text.into()),
            "mac" => matches.mac = Some(read(text)?),
            "circuit" => matches.circuit = Some(text.into()),
            key if option(&mut options, key, quoted)? => {}
            _ => return Err(format!("{word}: no such setting")),
        }
    }
    Ok(Edit::AddClass(Class { name: read(&words[1])?, network, matches, options }))
}

/// `reservation 10.9.0.50 mac:52:54:00:00:00:01 on=lab`.
fn reservation(words: &[String]) -> Result<Edit, String> {
    let network = words.get(3).and_then(|word| word.strip_prefix("on=")).unwrap_or("lab");
    let (ip, by) = (words::ip(&words[1])?, read(&words[2])?);
    Ok(Edit::AddReservation(Reservation { ip, network: read(network)?, by, description: "".into() }))
}

fn everybody(words: &[String]) -> Result<Edit, String> {
    let mut patch = OptionPatch::default();
    for word in &words[1..] {
        let (key, value) = words::pair(word);
        let name = key.strip_prefix("option.").ok_or("only options")?;
        let value = value.map(|text| written(name, text)).transpose()?;
        patch.put(name, value.as_deref()).map_err(|error| error.to_string())?;
    }
    Ok(Edit::SetOptions(patch))
}

/// `hold 10.9.0.15 in-use 300 of=01`: as a probe or a record that changed would write it.
async fn hold(server: &Server, words: &[String]) -> Result<(), String> {
    let ip = words::ip(&words[1])?;
    let network = server.engine.store.world().network_of(ip).ok_or("on no network")?.name.clone();
    let holder = words.get(4).and_then(|word| word.strip_prefix("of=")).map(words::mac).transpose()?.map(Holder::Card);
    let until = server.now.plus_secs(words::number(&words[3])?);
    let hold = Hold { network, ip, until, why: read(&words[2])?, holder, times: 1 };
    server.engine.store.record(vec![Effect::Avoid(hold)]).await.map_err(|error| error.to_string())
}

/// `replace web 01 09`: new metal.
fn replace(server: &Server, words: &[String]) -> Result<Edit, String> {
    let world = server.engine.store.world();
    let machine = world.machine_named(&read(&words[1])?).ok_or("no such machine")?;
    let (old, new) = (words::mac(&words[2])?, words::mac(&words[3])?);
    let (state, from) = (machine.state, machine.revision);
    Ok(Edit::Replace { machine: machine.id, from, old, new, at: server.now, state, install: None })
}
