//! The families' rows, how a machine is wired, and what a kernel is told of it.

use super::network::{Card, Place};
use super::*;
use crate::boot::lifecycle;
use crate::boot::recipe::{Named, Origin};
use crate::model::*;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use uuid::Uuid;

const BOOTS: Mac = Mac([0x52, 0x54, 0, 0, 0, 1]);
const OTHER: Mac = Mac([0x52, 0x54, 0, 0, 0, 2]);

fn machine(ip: Option<Ipv4Addr>) -> Machine {
    let mut machine = lifecycle::newcomer(BOOTS, State::Armed, [Uuid::nil(); 2], Time::from_secs(1));
    machine.name = "web-1".parse().unwrap();
    machine.interfaces[0].ip = ip;
    machine
}

fn network() -> Network {
    Network {
        name: "lab".parse().unwrap(),
        cidr: "10.0.0.0/24".parse().unwrap(),
        gateway: Some(Ipv4Addr::new(10, 0, 0, 254)),
        dns: vec![Ipv4Addr::new(10, 0, 0, 53), Ipv4Addr::new(10, 0, 0, 54)],
        domain: Some("lab.example".parse().unwrap()),
        pools: vec![],
        lease_secs: 600,
        profile: None,
        unknown: Unknown::Show,
        variables: Default::default(),
        secrets: Default::default(),
        dhcp: Dhcp::default(),
    }
}

fn variables(value: Value) -> Variables {
    value.as_object().unwrap().clone().into_iter().collect()
}

fn further() -> Vec<Card> {
    let netmask = Ipv4Addr::new(255, 255, 255, 0);
    vec![Card { mac: OTHER, ip: Ipv4Addr::new(10, 0, 1, 2), prefix: 24, netmask }]
}

fn wiring(ip: Option<Ipv4Addr>, value: Value) -> Result<Wiring, String> {
    let (machine, network) = (machine(ip), network());
    let place = Place { machine: &machine, mac: BOOTS, network: &network, further: &further() };
    Wiring::read(&place, &variables(value))
}

const OWN: Option<Ipv4Addr> = Some(Ipv4Addr::new(10, 0, 0, 5));

/// A family's whole command line for these variables.
fn line(family: Family, value: Value) -> String {
    let wiring = wiring(OWN, value.clone()).unwrap();
    let distro = Distro {
        name: "d".parse().unwrap(),
        family,
        kernel: "k".into(),
        initrd: "i".into(),
        arguments: String::new(),
        variables: Variables::new(),
        secrets: Default::default(),
        loader: None,
    };
    let mut all = variables(json!({"tree": "t", "live": "l", "iso": "i", "rootfs": "r", "config_space": "c.tar.gz"}));
    all.extend(variables(value));
    let recipe = Recipe {
        profile: "p".parse().unwrap(),
        distro,
        lineage: vec!["p".parse().unwrap()],
        template: None,
        arguments: vec![(Origin::Profile("p".parse().unwrap()), "quiet".into())],
        keys: Names::default(),
        packages: Vec::new(),
        named: Named { distro: "p".parse().unwrap(), template: None, keys: None },
        variables: all.clone(),
        secrets: Default::default(),
        layers: Default::default(),
    };
    let here = Here { ip: Ipv4Addr::new(10, 0, 0, 1), http_port: 80, https_port: None, pinned: None };
    let name = "web-1".parse().unwrap();
    let answer_url = "http://10.0.0.1/answer/T";
    Trip { name: &name, mac: BOOTS, here, answer_url, recipe: &recipe, variables: &all, wiring: &wiring }.command_line()
}

#[test]
fn every_family_has_one_row() {
    for family in Family::ALL {
        assert_eq!(FAMILIES.iter().filter(|row| row.family == *family).count(), 1, "{family}");
        let row = row(*family);
        assert!(row.template.starts_with(&format!("{family}/")), "{family}");
        assert!(row.more.is_empty() == row.name.is_empty(), "{family}: a name where there are several, and only there");
        assert_eq!(row.template_of(None), Some(row.template));
        assert_eq!(row.template_of(Some("")), None, "{family}");
        assert_eq!(row.template_of(Some("../x")), None, "{family}");
        assert!(row.more.iter().all(|answer| row.template_of(Some(answer.name)) == Some(answer.template)));
    }
}

#[test]
fn each_family_is_told_where_its_answer_file_is() {
    let files = "http://10.0.0.1/files";
    let answer = "http://10.0.0.1/answer/T";
    let bootif = "BOOTIF=01-52-54-00-00-00-01";
    let wanted = [
        (
            Family::Image,
            format!("boot=kickstand ip=dhcp {bootif} kickstand.live={files}/l kickstand.answer={answer} quiet"),
        ),
        (Family::Redhat, format!("inst.repo={files}/t inst.ks={answer} inst.text ip=dhcp {bootif} quiet")),
        (
            Family::Debian,
            format!(
                "auto=true priority=critical DEBIAN_FRONTEND=text url={answer} interface=auto {bootif} netcfg/no_default_route=true netcfg/get_nameservers= quiet"
            ),
        ),
        (
            Family::Ubuntu,
            format!(
                "ip=dhcp {bootif} url={files}/i cloud-config-url=/dev/null autoinstall ds=nocloud-net;s={answer}/ quiet"
            ),
        ),
        (
            Family::Suse,
            format!("install={files}/t autoyast={answer} textmode=1 {bootif} hostname=web-1 netsetup=dhcp quiet"),
        ),
        (
            Family::Agama,
            format!(
                "root=live:{files}/l rd.neednet=1 inst.auto={answer} inst.install_url={files}/t ip=dhcp {bootif} quiet"
            ),
        ),
        (
            Family::Ignition,
            format!(
                "coreos.live.rootfs_url={files}/r ignition.firstboot ignition.platform.id=metal ignition.config.url={answer} rd.neednet=1 ip=dhcp {bootif} quiet"
            ),
        ),
        (Family::Esxi, format!("-c {answer}/boot.cfg")),
        (
            Family::Fai,
            format!(
                "rd.neednet=1 root=live:{files}/l rd.live.overlay.overlayfs FAI_FLAGS=verbose,createvt,reboot FAI_ACTION=install FAI_CONFIG_SRC={files}/c.tar.gz KICKSTAND_ANSWER={answer} hostname=web-1 ip=dhcp {bootif} quiet"
            ),
        ),
    ];
    assert_eq!(wanted.len(), FAMILIES.len());
    for (family, wanted) in wanted {
        assert_eq!(line(family, json!({})), wanted, "{family}");
    }
    assert!(line(Family::Ignition, json!({"rootfs": ""})).starts_with("flatcar.first_boot=1 ignition.config.url="));
}

#[test]
fn an_address_of_its_own_is_told_in_the_words_of_each_initrd() {
    let ip = "10.0.0.5::10.0.0.254:255.255.255.0:web-1:";
    for (family, wanted) in [
        (Family::Redhat, format!(" ip={ip}:none nameserver=10.0.0.53 nameserver=10.0.0.54 BOOTIF=")),
        (Family::Ubuntu, format!("ip={ip}:none:10.0.0.53 BOOTIF=")),
        (Family::Debian, " netcfg/no_default_route=true netcfg/disable_autoconfig=true netcfg/get_ipaddress=10.0.0.5 netcfg/get_netmask=255.255.255.0 netcfg/get_gateway=10.0.0.254 netcfg/get_nameservers=10.0.0.53 netcfg/confirm_static=true ".into()),
        (Family::Suse, " hostip=10.0.0.5/24 gateway=10.0.0.254 nameserver=10.0.0.53,10.0.0.54 domain=lab.example ".into()),
    ] {
        let line = line(family, json!({"addressing": "static"}));
        assert!(line.contains(&wanted) && !line.contains("dhcp"), "{family}: {line}");
    }
}

#[test]
fn a_bond_and_a_vlan_on_it_are_told_to_dracut_by_names_that_follow_the_macs() {
    let bond = json!({"members": [BOOTS, OTHER], "mode": "active-backup"});
    let line = line(Family::Redhat, json!({"bond": bond, "vlan": 12, "serial_console": "ttyS1,9600"}));
    let wanted = "ifname=nic0:52:54:00:00:00:01 ifname=nic1:52:54:00:00:00:02 \
        bond=bond0:nic0,nic1:mode=active-backup,miimon=100 vlan=bond0.12:bond0 ip=bond0.12:dhcp \
        console=tty0 console=ttyS1,9600 quiet";
    assert!(line.ends_with(wanted), "{line}");
}

#[test]
fn a_well_known_variable_of_another_shape_is_refused_by_its_name() {
    let bond =
        |members: Value, name: &str, mode: &str| json!({"bond": {"members": members, "name": name, "mode": mode}});
    let bad = [
        (json!({"addressing": "fixed"}), "dhcp or static"),
        (json!({"addressing": 4}), "dhcp or static"),
        (json!({"vlan": 0}), "from 1 to 4094"),
        (json!({"vlan": "12;reboot"}), "from 1 to 4094"),
        (json!({"vlan": 4095}), "from 1 to 4094"),
        (json!({"serial_console": "ttyS0 init=/bin/sh"}), "ttyS0,115200n8"),
        (json!({"serial_console": "ttyS0,fast"}), "ttyS0,115200n8"),
        (json!({"serial_console": "tty"}), "ttyS0,115200n8"),
        (json!({"bond": "bond0"}), "it is no object"),
        (json!({"bond": {"members": [BOOTS], "slaves": []}}), "no field \"slaves\""),
        (bond(json!([BOOTS, "x"]), "bond0", "802.3ad"), "\"x\" is no MAC"),
        (bond(json!([OTHER]), "bond0", "802.3ad"), "the card that boots"),
        (bond(json!([BOOTS, BOOTS]), "bond0", "802.3ad"), "twice"),
        (bond(json!([BOOTS]), "bond0", "lacp"), "one of balance-rr"),
        (bond(json!([BOOTS]), "a b", "802.3ad"), "1 to 10"),
        (bond(json!([BOOTS]), "nic0", "802.3ad"), "not begin with nic"),
    ];
    for (value, why) in bad {
        let name = value.as_object().unwrap().keys().next().unwrap().clone();
        let error = wiring(OWN, value.clone()).expect_err(&value.to_string());
        assert!(error.starts_with(&format!("variable {name}: ")) && error.contains(why), "{value}: {error}");
    }
    let error = wiring(None, json!({"addressing": "static"})).unwrap_err();
    assert!(error.contains("needs an address of its own") && error.contains("kickstand machine set web-1"), "{error}");
    for silent in [json!({}), json!({"vlan": "", "bond": null, "addressing": "dhcp", "serial_console": false})] {
        let wiring = wiring(OWN, silent).unwrap();
        assert!(wiring.is_bare() && wiring.address.is_none() && wiring.serial.is_none());
    }
}

#[test]
fn a_card_in_a_bond_is_no_further_card() {
    let plain = wiring(OWN, json!({})).unwrap();
    assert_eq!((plain.cards().len(), plain.further.len()), (2, 1));
    let bonded = wiring(OWN, json!({"bond": {"members": [BOOTS, OTHER]}})).unwrap();
    assert_eq!((bonded.cards().len(), bonded.further.len(), bonded.link().as_str()), (2, 0, "bond0"));
}
