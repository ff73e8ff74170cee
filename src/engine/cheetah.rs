//! The names that templates of Cobbler's expect, for those that were converted: below every word of our own.

use super::kitchen::Dish;
use crate::family;
use crate::model::*;
use serde_json::{Map, Value, json};

/// Where converted answer files are.
const FOLDER: &str = "templates/cobbler/";

pub(super) fn is_converted(template: &str) -> bool {
    template.starts_with(FOLDER)
}

/// What Cobbler would tell of this machine. `settings` are the operator's variables.
pub(super) fn words(dish: &Dish, template: &str, settings: &Variables) -> Variables {
    let server = dish.here.url().trim_start_matches("http://").to_owned();
    let tree = family::url(dish.here, &dish.recipe.variables, "tree");
    let path = tree.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
    let file = template.trim_start_matches(FOLDER);
    let network = &dish.network;
    let name = settings.get("hostname").and_then(Value::as_str).unwrap_or(dish.machine.name.as_str());
    let cards = cards(dish, settings);
    let words = json!({
        "server": dish.here.ip,
        "http_server": server,
        "http_port": dish.here.http_port.to_string(),
        "name": dish.machine.name,
        "system_name": dish.machine.name,
        "profile": dish.recipe.profile,
        "profile_name": dish.recipe.profile,
        "distro": dish.recipe.distro.name,
        "distro_name": dish.recipe.distro.name,
        "breed": breed(dish.recipe.distro.family),
        "os_version": version(dish.recipe.distro.family, settings),
        "arch": "x86_64",
        "hostname": name,
        "gateway": network.gateway.map(|ip| ip.to_string()).unwrap_or_default(),
        "name_servers": network.dns,
        "name_servers_search": network.domain.iter().collect::<Vec<_>>(),
        "default_password_crypted": "",
        "kernel_options": dish.recipe.operators_arguments().collect::<Vec<_>>().join(" "),
        "kernel_options_post": settings.get("kernel_arguments").cloned().unwrap_or_else(|| "".into()),
        "repo_data": [],
        "repos": [],
        "source_repos": [],
        "template_files": {},
        "proxy": "",
        "autoinstall": file,
        "kickstart": file,
        "pxe_just_once": true,
        "run_install_triggers": false,
        "anamon_enabled": false,
        "register_new_installs": false,
        "redhat_management_key": "",
        "redhat_management_server": "",
        "redhat_management_type": "off",
        "install_source_directory": path.unwrap_or_default(),
        "directory": path.unwrap_or_default(),
        "tree": tree,
        "tree_url": tree,
        "yum_repo_stanza": "",
        "yum_config_stanza": "",
        "ipv6_autoconfiguration": false,
        "ipv6_default_device": "",
    });
    let mut words = super::kitchen::named(words);
    for (nic, card) in cards.iter().filter_map(|(nic, card)| Some((nic, card.as_object()?))) {
        words.extend(card.iter().map(|(key, value)| (format!("{key}_{nic}"), value.clone())));
    }
    words.insert("interfaces".into(), Value::Object(cards));
    words
}

/// What stands above the operator's variables: their `interfaces` say how cards are wired, the record whose they are; and
/// `kernel_options` are the operator's words, not all that a kernel of ESXi's is told.
pub(super) fn over(words: &Variables) -> Variables {
    let above = ["interfaces", "kernel_options"].into_iter();
    above.filter_map(|name| Some((name.to_owned(), words.get(name)?.clone()))).collect()
}

fn breed(family: Family) -> &'static str {
    match family {
        Family::Redhat => "redhat",
        Family::Debian => "debian",
        Family::Ubuntu => "ubuntu",
        Family::Suse | Family::Agama => "suse",
        Family::Esxi => "vmware",
        Family::Image | Family::Ignition | Family::Fai => "generic",
    }
}

fn version(family: Family, settings: &Variables) -> String {
    let release = settings.get("release").and_then(Value::as_str).unwrap_or_default();
    match (family, release.split('.').next().unwrap_or_default()) {
        (Family::Redhat, major) if major.len() == 1 || major == "10" => format!("rhel{major}"),
        (Family::Redhat, major) if !major.is_empty() => format!("fedora{major}"),
        _ => String::new(),
    }
}

/// A card as Cobbler tells of one, with nothing set.
fn blank() -> Map<String, Value> {
    let texts = [
        "mac_address",
        "ip_address",
        "netmask",
        "if_gateway",
        "dns_name",
        "mtu",
        "interface_master",
        "bonding_opts",
        "bridge_opts",
        "dhcp_tag",
        "virt_bridge",
        "ipv6_address",
        "ipv6_prefix",
        "ipv6_default_gateway",
        "ipv6_mtu",
    ];
    let lists = ["static_routes", "cnames", "ipv6_secondaries", "ipv6_static_routes"];
    let texts = texts.into_iter().map(|key| (key.to_owned(), json!("")));
    let lists = lists.into_iter().map(|key| (key.to_owned(), json!([])));
    let rest = [
        ("interface_type", json!("na")),
        ("static", json!(false)),
        ("management", json!(false)),
        ("connected_mode", json!(false)),
    ];
    texts.chain(lists).chain(rest.map(|(key, value)| (key.to_owned(), value))).collect()
}

/// The variable `interfaces`, whose entries say by `card` which of the machine's cards they are and by `address_of`
/// whose address they have, counted from 1; without
/// it the cards in their order.
fn cards(dish: &Dish, settings: &Variables) -> Map<String, Value> {
    let of = |card: &Interface| {
        let here = if card.mac == dish.mac { Some(dish.ip) } else { card.ip };
        let further = dish.further.iter().find(|further| further.mac == card.mac).map(|further| further.netmask);
        let netmask = if card.mac == dish.mac { Some(dish.network.cidr.mask()) } else { further };
        (card.mac, here, netmask)
    };
    if let Some(told) = settings.get("interfaces").and_then(Value::as_object) {
        return told.iter().map(|(nic, said)| (nic.clone(), told_of(dish, said))).collect();
    }
    let each = dish.machine.interfaces.iter().enumerate().map(|(index, card)| {
        let (mac, ip, netmask) = of(card);
        let mut all = blank();
        all.insert("mac_address".into(), json!(mac));
        let is_static = settings.get("addressing").and_then(Value::as_str) == Some("static");
        if let (Some(ip), true) = (ip, is_static || card.mac != dish.mac) {
            all.insert("ip_address".into(), json!(ip));
            all.insert("netmask".into(), json!(netmask));
            all.insert("static".into(), json!(true));
        }
        (format!("eth{index}"), Value::Object(all))
    });
    each.collect()
}

fn told_of(dish: &Dish, said: &Value) -> Value {
    let mut all = blank();
    let said = said.as_object().cloned().unwrap_or_default();
    let number = |key: &str| said.get(key).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
    let card = |number: usize| dish.machine.interfaces.get(number.checked_sub(1)?);
    let (mac, ip) = (number("card").and_then(card), number("address_of").and_then(card));
    all.extend(said.into_iter().filter(|(key, _)| key != "card" && key != "address_of"));
    if let Some(card) = mac {
        all.insert("mac_address".into(), json!(card.mac));
    }
    if let Some(ip) = ip.and_then(|card| card.ip) {
        all.insert("ip_address".into(), json!(ip));
    }
    Value::Object(all)
}
