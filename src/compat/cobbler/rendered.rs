//! One machine or profile with everything that installing takes, flat, as koan reads it.

use super::{Breed, Record, said};
use crate::boot::Here;
use crate::compat::xmlrpc::Value;
use crate::model::{Distro, Family, Machine, Name, Network, Variables};
use std::net::Ipv4Addr;

/// What is said of a machine or of a profile.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// None: of the profile alone.
    pub machine: Option<Machine>,
    /// Where the machine is, and the address that it would have.
    pub seat: Option<(Network, Ipv4Addr)>,
    pub profile: Name,
    pub distro: Distro,
    /// Us, as who asks reaches us.
    pub here: Here,
    /// Of the kernel; of a profile only what its records say.
    pub command_line: String,
    /// Where packages come from; empty where nothing is installed from a tree.
    pub tree: String,
    /// Not one of them a secret.
    pub variables: Variables,
}

/// Of such lengths are the disks and the memory of guests, where no variable says otherwise.
const GUEST_GIB: i64 = 10;
const GUEST_MIB: i64 = 2048;

/// Fills every field that koan reads. Of secrets there is none: `~` and `""` stand where Cobbler would show one.
pub fn rendered(sheet: &Sheet) -> Value {
    let mut record = Record::default();
    names(&mut record, sheet);
    boot(&mut record, sheet);
    network(&mut record, sheet);
    guest(&mut record, sheet);
    record.put("template_files", template_files(&sheet.variables));
    record.put("power_pass", "");
    record.put("redhat_management_key", "");
    record.done()
}

/// The server as URLs name it.
fn authority(here: Here) -> String {
    here.url().trim_start_matches("http://").to_owned()
}

fn names(record: &mut Record, sheet: &Sheet) {
    let name = sheet.machine.as_ref().map_or(&sheet.profile, |machine| &machine.name);
    record.put("name", name.as_str());
    record.all(&["profile", "profile_name"], &Value::from(sheet.profile.as_str()));
    record.all(&["distro", "distro_name"], &Value::from(sheet.distro.name.as_str()));
    record.all(&["server", "next_server_v4", "next_server"], &Value::from(sheet.here.ip.to_string()));
    record.put("http_server", authority(sheet.here));
    record.put("http_port", i64::from(sheet.here.http_port));
    let Breed { breed, os_version, arch } = Breed::of(&sheet.distro, &sheet.variables);
    record.put("breed", breed);
    record.put("os_version", os_version);
    record.put("arch", arch);
    if let Some(machine) = &sheet.machine {
        record.put("system_name", machine.name.as_str());
        record.put("uid", machine.id.to_string());
        record.put("status", machine.state.to_string());
        record.put("netboot_enabled", machine.netboots());
    }
    record.put("mgmt_classes", Value::List(vec![]));
    record.put("owners", vec!["admin"]);
    record.put("comment", "");
    record.put("repos", "");
    record.put("repo_data", Value::List(vec![]));
}

fn boot(record: &mut Record, sheet: &Sheet) {
    // With a slash in front clients ask /cobbler/images for the last part of it.
    record.put("kernel", format!("/{}", sheet.distro.kernel));
    record.put("initrd", format!("/{}", sheet.distro.initrd));
    let answer = match &sheet.machine {
        Some(machine) => sheet.here.named_answer("system", &machine.name),
        None => sheet.here.named_answer("profile", &sheet.profile),
    };
    let told = told_by_client(sheet.distro.family);
    record.put("kernel_options", kernel_options(&sheet.command_line, told));
    record.put("kernel_options_post", " ");
    // Absent, not empty, where the client must not add words of its own to the command line.
    if told.is_some() {
        record.all(&["autoinst", "autoinstall", "kickstart"], &Value::from(answer));
    }
    let has_tree = !sheet.tree.is_empty();
    let tree = || Value::from(sheet.tree.clone());
    record.put("ks_meta", if has_tree { format!("tree={} ", sheet.tree) } else { String::new() });
    let meta = if has_tree { vec![("tree".to_owned(), tree())] } else { vec![] };
    record.put("autoinstall_meta", Value::Struct(meta));
    record.all(&["tree", "install_tree"], &if has_tree { tree() } else { Value::from(links(sheet)) });
}

/// A place for who wants one before he boots a guest from the network.
fn links(sheet: &Sheet) -> String {
    format!("{}/cblr/links/{}", sheet.here.url(), sheet.distro.name)
}

/// The words that koan itself adds for an installer that it knows; none for those that it does not.
fn told_by_client(family: Family) -> Option<&'static [&'static str]> {
    match family {
        Family::Redhat => Some(&[]),
        Family::Debian => Some(&["auto=true", "priority=critical", "url="]),
        Family::Suse => Some(&["autoyast="]),
        _ => None,
    }
}

/// Flat and with a blank at its end. What the client adds is not said twice.
fn kernel_options(line: &str, told: Option<&[&str]>) -> String {
    let added = |word: &str| {
        let same = |told: &&str| if told.ends_with('=') { word.starts_with(*told) } else { word == *told };
        told.unwrap_or_default().iter().any(same)
    };
    let kept: Vec<_> = line.split_ascii_whitespace().filter(|word| !added(word)).collect();
    kept.join(" ") + " "
}

fn network(record: &mut Record, sheet: &Sheet) {
    let network = sheet.seat.as_ref().map(|(network, _)| network);
    record.put("gateway", said(network.and_then(|network| network.gateway)));
    let dns: Vec<String> = network.map(|net| net.dns.iter().map(ToString::to_string).collect()).unwrap_or_default();
    record.put("name_servers", dns);
    let domain = network.and_then(|network| network.domain.as_ref()).map(ToString::to_string);
    record.put("name_servers_search", domain.clone().into_iter().collect::<Vec<String>>());
    let Some(machine) = &sheet.machine else { return };
    let full = domain.map_or(machine.name.to_string(), |domain| format!("{}.{domain}", machine.name));
    record.put("hostname", full.clone());
    let cards = machine.interfaces.iter().enumerate();
    let cards = cards.map(|(at, card)| (format!("eth{at}"), interface(card, at == 0, sheet, &full)));
    record.put("interfaces", Value::Struct(cards.collect()));
}

fn interface(card: &crate::model::Interface, boots: bool, sheet: &Sheet, full: &str) -> Value {
    let seat = sheet.seat.as_ref().filter(|(network, ip)| boots && *ip != network.cidr.network());
    let ip = card.ip.or(seat.map(|(_, ip)| *ip));
    let near = sheet.seat.as_ref().filter(|(network, _)| ip.is_some_and(|ip| network.cidr.contains(ip)));
    let mut record = Record::default();
    record.put("mac_address", card.mac.to_string());
    record.put("ip_address", said(ip));
    record.put("netmask", said(near.map(|(network, _)| network.cidr.mask())));
    record.put("if_gateway", said(near.and_then(|(network, _)| network.gateway)));
    record.put("dns_name", if boots { full } else { "" });
    record.put("static", card.ip.is_some());
    record.put("management", boots);
    record.put("interface_type", "na");
    record.all(&["interface_master", "bonding_opts", "bridge_opts", "mtu", "dhcp_tag"], &Value::from(""));
    record.put("virt_bridge", bridge(&sheet.variables));
    record.done()
}

fn bridge(variables: &Variables) -> &str {
    variables.get("virt_bridge").and_then(|value| value.as_str()).unwrap_or("virbr0")
}

/// Guests; each of these may be said by a variable of the same name.
fn guest(record: &mut Record, sheet: &Sheet) {
    let own = |name: &str| sheet.variables.get(name);
    let number = |name: &str, usual: i64| own(name).and_then(number_of).unwrap_or(usual);
    let word = |name: &str, usual: &'static str| own(name).and_then(|v| v.as_str()).unwrap_or(usual).to_owned();
    record.put("virt_type", word("virt_type", "kvm"));
    record.put("virt_ram", number("virt_ram", GUEST_MIB));
    record.put("virt_cpus", number("virt_cpus", 1));
    record.put("virt_file_size", number("virt_file_size", GUEST_GIB).to_string());
    record.put("virt_path", word("virt_path", ""));
    record.put("virt_disk_driver", word("virt_disk_driver", "raw"));
    record.put("virt_bridge", bridge(&sheet.variables));
    record.put("virt_auto_boot", number("virt_auto_boot", 0));
    // What has no tree is installed from the network.
    record.put("virt_pxe_boot", number("virt_pxe_boot", i64::from(sheet.tree.is_empty())));
}

fn number_of(value: &serde_json::Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_bool().map(i64::from)).or_else(|| value.as_str()?.trim().parse().ok())
}

/// `TEMPLATE=PATH` and a blank for each; what has a blank in it can not be said so, and is left out.
fn template_files(variables: &Variables) -> String {
    let Some(files) = variables.get("template_files").and_then(|value| value.as_object()) else { return String::new() };
    let plain = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '=');
    let pairs = files.iter().filter_map(|(from, to)| Some((from, to.as_str()?)));
    pairs.filter(|(from, to)| plain(from) && plain(to)).map(|(from, to)| format!("{from}={to} ")).collect()
}
