//! `kickstand import cobbler` as operators type it: data folders of our own making, in the layouts of 2.8 and of 3.x.

use crate::imports::{Scene, everything, tree};
use crate::rig::{Booted, get, pattern};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

const KS: &str = "# $name of $profile_name, $mine and $HOME
text
url --url=$tree
rootpw --iscrypted $default_password_crypted
#for $nic in $interfaces.keys()
#set $card = $interfaces[$nic]
#if $card['interface_type'].lower() not in ('bond_slave', 'bmc')
# $nic $card['mac_address'] $card['ip_address'] $card['netmask'] $card['static_routes']
#end if
#end for
# $getVar('ip_address_eth0', 'none') $hostname $gateway #echo ','.join($name_servers)
zerombr
clearpart --all
autopart
%packages
@core
%end
%pre
$SNIPPET('autoinstall_start')
SNIPPET::own
%end
%post
$SNIPPET('autoinstall_done')
%end
";

fn put(folder: &Path, name: &str, value: &Value) {
    tree(folder, &[(name, serde_json::to_string(value).unwrap().as_bytes())]);
}

fn nic(mac: &str, more: Value) -> Value {
    let mut plain = json!({
        "mac_address": mac, "ip_address": "", "netmask": "", "if_gateway": "", "interface_type": "na", "interface_master": "",
        "bonding_opts": "", "static": false, "static_routes": [], "dns_name": "", "management": false, "mtu": "",
    });
    plain.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    plain
}

fn system(name: &str, interfaces: Value, more: Value) -> Value {
    let mut plain = json!({
        "name": name, "profile": "Web Servers", "interfaces": interfaces, "hostname": format!("{name}.example.com"),
        "gateway": "10.9.0.254", "kernel_options": {}, "autoinstall": "<<inherit>>", "autoinstall_meta": {}, "ks_meta": {},
        "netboot_enabled": true, "power_type": "ipmilanplus", "power_address": "10.8.0.1", "power_user": "root",
        "power_pass": "calvin77", "virt_cpus": 2, "owners": ["admin"], "ctime": 1.5, "uid": "x", "name_servers": ["10.9.0.2"],
        "comment": "",
    });
    plain.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    plain
}

/// A copy of a host with Cobbler 3.3.
fn folder(scene: &Scene) -> PathBuf {
    let root = scene.path("host");
    let data = root.join("var/lib/cobbler");
    let (kernel, initrd) = (pattern(3000), pattern(4000));
    tree(
        &root,
        &[
            ("srv/www/cobbler/distro_mirror/alma9/vmlinuz", &kernel),
            ("srv/www/cobbler/distro_mirror/alma9/initrd.img", &initrd),
            ("etc/cobbler/settings.yaml", b"server: 10.7.0.1\ndefault_password_crypted: \"$6$abc$hash\"\nanamon_enabled: false\nmanage_dhcp: true\nkernel_options: {}\n"),
            ("var/lib/cobbler/templates/web.ks", KS.as_bytes()),
            ("var/lib/cobbler/templates/odd.ks", b"#while $x\n#end while\n"),
            ("var/lib/cobbler/snippets/own", b"# own of $name\n"),
            ("var/lib/cobbler/snippets/per_system/own/web1", b"# own of web1 alone\n"),
            ("var/lib/cobbler/snippets/autoinstall_done", b"curl http://$server/cblr/svc/op/nopxe/system/$name\n"),
            ("var/lib/cobbler/triggers/install/post/mail", b"#!/bin/sh\n"),
        ],
    );
    let collection = |name: &str, value: Value| put(&data.join("collections"), name, &value);
    collection(
        "distros/alma9.json",
        json!({
            "name": "alma9", "breed": "redhat", "os_version": "rhel9", "arch": "x86_64", "comment": "",
            "kernel": "/srv/www/cobbler/distro_mirror/alma9/vmlinuz", "initrd": "/srv/www/cobbler/distro_mirror/alma9/initrd.img",
            "kernel_options": {"console": ["tty0", "ttyS0"], "quiet": "~"}, "kernel_options_post": {},
            "autoinstall_meta": {"tree": "http://@@http_server@@/cblr/links/alma9"}, "ks_meta": {}, "tree_build_time": 1.0, "new_field": 7,
        }),
    );
    collection(
        "profiles/web.json",
        json!({
            "name": "Web Servers", "distro": "alma9", "parent": "", "autoinstall": "web.ks", "autoinstall_meta": {"mine": "value", "db_password": "s3cret77", "a-b": "x"},
            "kernel_options": "<<inherit>>", "kernel_options_post": {"audit": "1"}, "repos": ["extra"], "enable_menu": true, "filename": "grub.0",
            "virt_ram": 2048, "menu": "",
        }),
    );
    collection(
        "profiles/child.json",
        json!({"name": "child", "distro": "", "parent": "Web Servers", "autoinstall": "<<inherit>>"}),
    );
    collection(
        "repos/extra.json",
        json!({"name": "extra", "mirror": "http://repo.example.com/x", "mirror_locally": false, "arch": "x86_64"}),
    );
    collection("images/memtest.json", json!({"name": "memtest", "file": "/x/memtest.bin", "image_type": "direct"}));
    collection("menus/m.json", json!({"name": "m", "display_name": "M"}));
    let lab = scene.appliance.ip(12).to_string();
    let own = json!({"ip_address": lab, "netmask": "255.255.255.0", "static": true});
    collection(
        "systems/web1.json",
        system(
            "web1",
            json!({"eth0": nic("52:54:00:77:00:0c", own)}),
            json!({"kernel_options": {"net": "1", "!quiet": "~"}}),
        ),
    );
    let fixed = |ip: &str| json!({"ip_address": ip, "netmask": "255.255.255.0", "static": true});
    collection(
        "systems/bonded.json",
        system(
            "bonded",
            json!({
                "bond0": nic("", json!({"ip_address": "10.9.0.20", "netmask": "255.255.255.0", "static": true, "interface_type": "bond", "bonding_opts": "mode=4 miimon=100"})),
                "eth0": nic("52:54:00:77:01:01", json!({"interface_type": "bond_slave", "interface_master": "bond0"})),
                "eth1": nic("52:54:00:77:01:02", json!({"interface_type": "bond_slave", "interface_master": "bond0"})),
                "ipmi": nic("52:54:00:77:01:03", json!({"interface_type": "bmc", "ip_address": "10.8.0.9"})),
            }),
            json!({}),
        ),
    );
    collection(
        "systems/tagged.json",
        system(
            "tagged",
            json!({
                "eth0": nic("52:54:00:77:02:01", json!({})),
                "eth0.100": nic("", fixed(&scene.appliance.ip(13).to_string())),
            }),
            json!({"autoinstall": "odd.ks"}),
        ),
    );
    collection(
        "systems/twin.json",
        system(
            "twin",
            json!({"eth0": nic("52:54:00:77:02:01", fixed("10.9.0.20")), "eth1": nic("52:54:00:77:03:01", fixed("10.9.0.20"))}),
            json!({}),
        ),
    );
    collection("systems/nobody.json", system("nobody", json!({"eth0": nic("", json!({}))}), json!({})));
    root
}

fn args<'a>(scene: &'a Scene, folder: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["import", "cobbler", "--config", &scene.config, folder.to_str().unwrap()], more].concat()
}

async fn scene() -> Scene {
    let scene = Scene::new().await;
    let lab = scene.appliance.network_cidr();
    scene.appliance.cli(&["network", "add", "lab", "--cidr", &lab]).await;
    scene
}

async fn count(scene: &Scene, noun: &str) -> usize {
    scene.appliance.json(&[noun, "list"]).await.as_array().unwrap().len()
}

#[tokio::test]
async fn a_folder_becomes_records_and_says_what_is_not_the_same() {
    let scene = scene().await;
    let folder = folder(&scene);
    let built_in = count(&scene, "template").await;
    let dry = scene.appliance.cli(&args(&scene, &folder, &["--dry-run"])).await;
    assert!(dry.contains("4 machines") && dry.contains("would be brought in"), "{dry}");
    assert_eq!((count(&scene, "distro").await, count(&scene, "template").await), (0, built_in), "nothing was changed");
    let report = scene.path("report.json");
    let said = scene.appliance.cli(&args(&scene, &folder, &["--report", report.to_str().unwrap()])).await;
    for part in [
        "1 network, 1 distro, 3 profiles, 4 machines and",
        "profile Web Servers is called web-servers here",
        "new_field: this field is not known here\n",
        "alma9/vmlinuz is copied to distros/alma9/kernel: whoever boots can fetch it",
        "kernel_options !quiet: it takes quiet away from what is inherited",
        "ks_meta a-b: no template can name it",
        "filename: loaders are chosen from the catalogue",
        "image memtest: an image is nothing that is installed here",
        "menu m: there is no menu at boot",
        "triggers/install/post/mail: a program that Cobbler ran by itself",
        "its MAC 52:54:00:77:02:01 is that of system",
        "system nobody: no card with a MAC of its own",
        "templates/odd.ks:1:1: #while $x: the directive #while; rendering stops there",
        "templates/web.ks:1:",
        "$HOME: left as it is, as Cobbler does",
        "netboot_enabled: nothing is armed by this",
        "settings: how Cobbler itself runs: manage_dhcp",
        "its own answer file is that of profile of-tagged, a child of web-servers",
        "snippets/autoinstall_done: the appliance's own takes its place",
        "DHCP off: `kickstand network set cobbler-10-9-0-0-24 --dhcp full` serves it",
        "ipmi is a management controller's",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let told: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(fs::metadata(&report).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(told["machines"] == 4 && told["lines"].as_array().unwrap().len() > 15);
    assert!(!said.contains("calvin77") && !said.contains("s3cret77"), "secrets are told to nobody");

    let distro = scene.appliance.json(&["distro", "show", "alma9"]).await;
    assert_eq!(
        (&distro["kernel"], &distro["arguments"]),
        (&json!("distros/alma9/kernel"), &json!("console=tty0 console=ttyS0 quiet"))
    );
    assert_eq!(
        (&distro["variables"]["tree"], &distro["variables"]["release"]),
        (&json!("http://10.7.0.1/cblr/links/alma9"), &json!("9"))
    );
    assert!(distro["secrets"].as_array().unwrap().contains(&json!("default_password_crypted")), "{distro}");
    let profile = scene.appliance.json(&["profile", "show", "web-servers"]).await;
    assert_eq!((&profile["template"], &profile["variables"]["mine"]), (&json!("cobbler/web.ks"), &json!("value")));
    assert_eq!(
        (&profile["secrets"], &profile["variables"]["kernel_arguments"]),
        (&json!(["db_password"]), &json!("audit=1"))
    );
    assert_eq!(scene.appliance.json(&["machine", "show", "web1"]).await["arguments"], "net=1");
    let bonded = scene.appliance.json(&["machine", "show", "bonded"]).await;
    assert_eq!(bonded["interfaces"][0]["ip"], "10.9.0.20");
    assert_eq!(bonded["variables"]["bond"]["mode"], "802.3ad");
    assert_eq!((&bonded["state"], &bonded["secrets"]), (&json!("ready"), &json!(["power_pass"])));
    let tagged = scene.appliance.json(&["machine", "show", "tagged"]).await;
    assert_eq!((&tagged["variables"]["vlan"], &tagged["profile"]), (&json!(100), &json!("of-tagged")));
    let network = scene.appliance.json(&["network", "show", "cobbler-10-9-0-0-24"]).await;
    assert_eq!((&network["gateway"], &network["dhcp"]["placement"]), (&json!("10.9.0.254"), &json!("off")));

    let again = scene.appliance.refused(&args(&scene, &folder, &[])).await;
    assert!(again.contains("is there already") && again.contains("--replace"), "{again}");
    let before = scene.appliance.json(&["machine", "show", "web1"]).await;
    scene.appliance.cli(&args(&scene, &folder, &["--replace"])).await;
    assert_eq!(scene.appliance.json(&["machine", "show", "web1"]).await, before, "once more is the same");
}

#[tokio::test]
async fn a_converted_answer_file_arms_and_sees_what_cobbler_told_it() {
    let scene = scene().await;
    let folder = folder(&scene);
    // What the family says of itself, and neither Cobbler nor its records.
    let set = ["kernel_arguments", "release", "root_password_hash", "addressing"];
    let defaults = fs::read_to_string("templates/redhat/defaults.toml").unwrap();
    let names = defaults.lines().filter_map(|line| line.split_once(" = ").map(|(name, _)| name));
    let names: Vec<&str> = names.filter(|name| !name.starts_with('#') && !set.contains(name)).collect();
    assert!(names.len() > 5 && names.contains(&"timezone"), "{names:?}");
    let lines: String = names.iter().map(|name| format!("# {name}=$getVar('{name}', 'own')\n")).collect();
    let ks = format!("{KS}{lines}# words: $kernel_options\n");
    tree(&folder, &[("var/lib/cobbler/templates/web.ks", ks.as_bytes())]);
    scene.appliance.cli(&args(&scene, &folder, &[])).await;
    scene.appliance.cli(&["machine", "arm", "web1"]).await;
    let ip = scene.appliance.ip(12);
    let Booted::Told(script) = scene.appliance.machine(12).power_on().await else { panic!("it is told a script") };
    let url = script.split("inst.ks=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect(&script);
    let text = get(ip, url, "").await.text();
    for part in [
        "# web1 of web-servers, value and $HOME\n".to_owned(),
        "url --url=http://10.7.0.1/cblr/links/alma9\n".to_owned(),
        "rootpw --iscrypted $6$abc$hash\n".to_owned(),
        format!("# eth0 52:54:00:77:00:0c {ip} 255.255.255.0 []\n"),
        format!("# {ip} web1.example.com 10.9.0.254 10.9.0.2\n"),
        "# own of web1 alone\n".to_owned(),
        "kickstand_report started 10\n".to_owned(),
        "kickstand_report done 60\n".to_owned(),
        "# words: console=tty0 console=ttyS0 quiet net=1\n".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    assert!(!text.contains("nopxe"), "the appliance reports itself: {text}");
    for name in names {
        assert!(text.contains(&format!("# {name}=own\n")), "{name}: {text}");
    }
    let refused = scene.appliance.refused(&["machine", "arm", "tagged"]).await;
    assert!(refused.contains("templates/odd.ks:1: #while $x"), "{refused}");
}

#[tokio::test]
async fn what_is_refused_changes_nothing_at_all() {
    let scene = scene().await;
    let folder = folder(&scene);
    let before = everything(&scene.appliance);
    let built_in = count(&scene, "template").await;
    scene.appliance.cli(&["machine", "add", "other", "--mac", "52:54:00:77:01:02"]).await;
    let refused = scene.appliance.refused(&args(&scene, &folder, &[])).await;
    assert!(refused.contains("52:54:00:77:01:02"), "{refused}");
    for noun in ["distro", "profile"] {
        assert_eq!(count(&scene, noun).await, 0, "{noun}");
    }
    assert_eq!(
        (count(&scene, "network").await, count(&scene, "machine").await, count(&scene, "template").await),
        (1, 1, built_in)
    );
    assert_eq!(everything(&scene.appliance).len(), before.len(), "files that were copied are gone");
    tree(&scene.appliance.config.files, &[("distros/alma9/kernel", b"another one")]);
    let before = everything(&scene.appliance);
    let refused = scene.appliance.refused(&args(&scene, &folder, &["--replace"])).await;
    assert!(refused.contains("52:54:00:77:01:02"), "{refused}");
    assert_eq!(everything(&scene.appliance), before, "what was to be replaced is as it was");
    fs::remove_dir_all(scene.appliance.config.files.join("distros/alma9")).unwrap();
    let nowhere = scene.path("nowhere/report.json");
    let refused = scene.appliance.refused(&args(&scene, &folder, &["--report", nowhere.to_str().unwrap()])).await;
    assert!(refused.contains("cannot write"), "{refused}");
    assert_eq!(count(&scene, "distro").await, 0, "it is known before anything is changed");
    fs::remove_file(folder.join("srv/www/cobbler/distro_mirror/alma9/initrd.img")).unwrap();
    scene.appliance.cli(&["machine", "remove", "other"]).await;
    let refused = scene.appliance.refused(&args(&scene, &folder, &[])).await;
    assert!(refused.contains("files that boot are not here") && refused.contains("--partial"), "{refused}");
    scene.appliance.cli(&args(&scene, &folder, &["--partial"])).await;
    let profile = scene.appliance.json(&["profile", "show", "web-servers"]).await;
    assert_eq!((count(&scene, "distro").await, &profile["distro"]), (0, &Value::Null));
    let nothing = scene.appliance.refused(&["import", "cobbler", "--config", &scene.config, "/nonexistent"]).await;
    assert!(nothing.contains("there is no Cobbler in /nonexistent"), "{nothing}");
}

/// What a dry run says that is refused: the same as the import itself.
async fn refused_dry(scene: &Scene, folder: &Path, more: &[&str]) -> String {
    let more = [more, &["--dry-run"]].concat();
    let table = scene.appliance.try_cli(&args(scene, folder, &more)).await;
    let said = String::from_utf8(table.stdout).unwrap();
    assert!(!table.status.success() && said.contains("would not be brought in"), "{said}");
    let json = scene.appliance.try_cli(&[&["--output", "json"], args(scene, folder, &more).as_slice()].concat()).await;
    let told: Value = serde_json::from_slice(&json.stdout).unwrap();
    let refused = told["refused"].as_str().unwrap_or_default().to_owned();
    assert!(!json.status.success() && !refused.is_empty() && said.contains(&refused), "{said} {told}");
    refused
}

#[tokio::test]
async fn a_dry_run_gives_the_imports_own_verdict() {
    let scene = scene().await;
    let folder = folder(&scene);
    let before = everything(&scene.appliance);
    let revision = scene.appliance.json(&["revision", "list"]).await[0]["revision"].clone();
    let fine = scene.appliance.cli(&args(&scene, &folder, &["--dry-run"])).await;
    assert!(fine.contains("would be brought in"), "{fine}");
    assert_eq!(scene.appliance.json(&["revision", "list"]).await[0]["revision"], revision, "a trial is no change");
    scene.appliance.cli(&["machine", "add", "other", "--mac", "52:54:00:77:01:02"]).await;
    assert!(refused_dry(&scene, &folder, &[]).await.contains("52:54:00:77:01:02"));
    scene.appliance.cli(&["machine", "remove", "other"]).await;
    tree(&scene.appliance.config.files, &[("distros/alma9/kernel", b"another one")]);
    let told = refused_dry(&scene, &folder, &[]).await;
    assert!(told.contains("is another file than") && told.contains("--replace"), "{told}");
    scene.appliance.cli(&args(&scene, &folder, &["--replace", "--dry-run"])).await;
    fs::remove_dir_all(scene.appliance.config.files.join("distros")).unwrap();

    let initrd = folder.join("srv/www/cobbler/distro_mirror/alma9/initrd.img");
    fs::rename(&initrd, scene.path("initrd")).unwrap();
    let told = refused_dry(&scene, &folder, &[]).await;
    assert!(told.contains("files that boot are not here") && told.contains("--partial"), "{told}");
    scene.appliance.cli(&args(&scene, &folder, &["--partial", "--dry-run"])).await;
    fs::rename(scene.path("initrd"), &initrd).unwrap();
    assert_eq!(everything(&scene.appliance), before, "nothing was changed");

    scene.appliance.cli(&args(&scene, &folder, &["--dry-run"])).await;
    scene.appliance.cli(&args(&scene, &folder, &[])).await;
    assert!(refused_dry(&scene, &folder, &[]).await.contains("is there already"));
}

#[tokio::test]
async fn another_folder_than_the_servers_is_not_made() {
    let scene = scene().await;
    let (folder, other, settings) = (folder(&scene), scene.path("other"), scene.path("other.toml"));
    fs::write(&settings, format!("[server]\nfiles = {other:?}\n")).unwrap();
    for more in [&["--dry-run"] as &[&str], &[]] {
        let command = ["import", "cobbler", "--config", settings.to_str().unwrap(), folder.to_str().unwrap()];
        let ended = scene.appliance.try_cli(&[&command, more].concat()).await;
        let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        let files = scene.appliance.config.files.to_str().unwrap();
        assert!(!ended.status.success() && said.contains("--config"), "{said}");
        assert!(said.contains(files) && said.contains(other.to_str().unwrap()), "{said}");
        assert!(!other.exists(), "{more:?}");
    }
}

/// Answers what is asked, and hangs up where records come in.
fn hangs_up(files: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (now, about) = ("2026-01-01T00:00:00Z", fs::metadata(files).unwrap());
    let files = json!({"path": files, "id": format!("{}:{}", about.dev(), about.ino())});
    let status = json!({"version": "", "started_at": now, "now": now, "addresses": [], "files": files, "networks": 0, "machines": {}});
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut asked) = (stream.unwrap(), [0; 2048]);
            let length = stream.read(&mut asked).unwrap();
            if asked[..length].starts_with(b"GET") {
                let told = if asked.starts_with(b"GET /api/v1/status") { status.to_string() } else { "[]".into() };
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{told}", told.len()).unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn an_answer_that_never_comes_takes_no_files_away() {
    let scene = scene().await;
    let folder = folder(&scene);
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kickstand"));
    command.arg("--server").arg(format!("http://{}", hangs_up(&scene.appliance.config.files))).args(args(
        &scene,
        &folder,
        &[],
    ));
    let output = command.output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("it is not known whether it was brought in"), "{said}");
    let kernel = scene.appliance.config.files.join("distros/alma9/kernel");
    assert_eq!(fs::read(kernel).unwrap(), pattern(3000), "the server may have taken it");
}

#[tokio::test]
async fn the_layout_of_2_8_is_read_as_well() {
    let scene = scene().await;
    let data = scene.path("cobbler");
    tree(
        &data,
        &[("kickstarts/sample.ks", b"# $name $ks\n%post\n$SNIPPET('kickstart_done')\n%end\n"), ("snippets/a", b"b\n")],
    );
    put(
        &data,
        "config/distros.d/old.json",
        &json!({"name": "old", "breed": "redhat", "os_version": "rhel6", "kernel": "/x/k", "initrd": "/x/i", "ks_meta": {}, "arch": "x86_64"}),
    );
    put(
        &data,
        "config/profiles.d/p.json",
        &json!({"name": "p", "distro": "old", "parent": "", "kickstart": "/var/lib/cobbler/kickstarts/sample.ks", "ks_meta": {"ks": "old"}, "enable_gpxe": 1, "template_remote_kickstarts": 0}),
    );
    put(
        &data,
        "config/systems.d/s.json",
        &json!({"name": "s", "profile": "p", "interfaces": {"eth0": {"mac_address": "52:54:00:77:09:01", "subnet": "255.255.255.0", "bonding": ""}}, "ldap_enabled": false}),
    );
    let said = scene.appliance.cli(&args(&scene, &data, &["--partial"])).await;
    assert!(said.contains("its kernel /x/k or initrd /x/i is not here"), "{said}");
    let profile = scene.appliance.json(&["profile", "show", "p"]).await;
    assert_eq!((&profile["template"], &profile["variables"]["ks"]), (&json!("cobbler/sample.ks"), &json!("old")));
    assert_eq!(scene.appliance.json(&["machine", "show", "s"]).await["profile"], "p");
}

#[tokio::test]
async fn a_thousand_systems_come_in_at_once() {
    let scene = scene().await;
    let folder = folder(&scene);
    let systems = folder.join("var/lib/cobbler/collections/systems");
    fs::remove_dir_all(&systems).unwrap();
    for number in 0..1000_u32 {
        let name = format!("node{number}");
        let card = nic(
            &format!("52:54:01:00:{:02x}:{:02x}", number / 256, number % 256),
            json!({"ip_address": format!("10.9.{}.{}", number / 200, number % 200 + 10), "netmask": "255.255.0.0", "static": true}),
        );
        put(&systems, &format!("{name}.json"), &system(&name, json!({"eth0": card}), json!({})));
    }
    let began = Instant::now();
    let said = scene.appliance.cli(&args(&scene, &folder, &[])).await;
    println!("1000 systems in {:?}", began.elapsed());
    assert!(said.contains("1000 machines"), "{}", said.lines().last().unwrap());
    assert_eq!(count(&scene, "machine").await, 1000);
}
