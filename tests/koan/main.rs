//! The koan that others use, unmodified, against the true server: each of its verbs, on a host whose files are a copy.
//!
//! As root, with what lab/packages.sh installs: `make koan`. No virtual machine is started; tests/metal has one.

mod rig;

use rig::{IP, OWN, SERVER, Stage};

const EL9: &str = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\nNAME=\"Rocky Linux\"\n";
const FEDORA: &str = "ID=fedora\nVERSION_ID=40\nNAME=Fedora\n";

/// The value that koan shows behind a name.
fn shown<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.split_once("  : ").filter(|(word, _)| word.trim() == name).map(|(_, value)| value))
}

/// The command line that grubby is given.
fn arguments(stage: &Stage) -> String {
    let asked = stage.asked("grubby");
    let words = asked.iter().find(|words| words[0] == "--add-kernel").unwrap_or_else(|| panic!("{asked:?}"));
    words[words.iter().position(|word| word == "--args").unwrap() + 1].clone()
}

#[test]
#[ignore = "the real koan, and network namespaces: make koan"]
fn list_shows_each_kind() {
    let stage = Stage::new("list");
    for (kind, names) in [
        ("systems", &["web-1", "web-2"][..]),
        ("profiles", &["bookworm", "leap", "rocky", "web"]),
        ("distros", &["bookworm", "debian-12", "leap-15", "rocky-9"]),
        ("images", &[]),
        ("repos", &[]),
    ] {
        let said = stage.koan(&[&format!("--list={kind}")]);
        // It takes an empty list for an answer, and an empty record for none.
        let listed: Vec<_> = said.text.lines().filter(|line| !line.starts_with('-') && !line.is_empty()).collect();
        let listed: Vec<_> = listed.into_iter().filter(|line| names.contains(line)).collect();
        assert!(said.ok && listed == names, "{kind}: {}", said.text);
    }
}

#[test]
#[ignore = "the real koan, and network namespaces: make koan"]
fn display_shows_a_machine_a_profile_and_the_machine_that_it_runs_on() {
    let stage = Stage::new("display");
    let said = stage.koan(&["--display", "--system=web-2"]);
    assert!(said.ok, "{}", said.text);
    assert_eq!(shown(&said.text, "name"), Some("web-2"));
    assert_eq!(shown(&said.text, "netboot_enabled"), Some("False"));
    assert_eq!(shown(&said.text, "autoinst"), None, "koan would add ks= for it");

    let said = stage.koan(&["--display"]);
    assert!(said.text.contains("- Auto detected: web-1"), "{}", said.text);
    let line = shown(&said.text, "kernel_options").unwrap();
    let answer = "/cblr/svc/op/autoinstall/system/web-1";
    for word in ["boot=kickstand ", "ip=dhcp ", "kickstand.live=http://", answer, "kickstand.ca=sha256:"] {
        assert!(line.contains(word), "{word} in {line}");
    }

    let said = stage.koan(&["--display", "--profile=rocky"]);
    assert!(said.ok && said.text.contains(&format!("install_tree: http://{SERVER}/files/d/tree")), "{}", said.text);
    stage.cli(&["machine", "remove", "web-1"]);
    stage.cli(&["machine", "add", "web-7", "--mac", OWN, "--profile", "web"]);
    let said = stage.koan(&["--display"]);
    assert!(said.ok && said.text.contains("- Auto detected: web-7"), "by its card alone: {}", said.text);
    let said = stage.koan(&["--display", "--system=nobody"]);
    assert!(said.text.contains("No entry/entries found"), "{}", said.text);
}

#[test]
#[ignore = "the real koan, and network namespaces: make koan"]
fn replace_self_writes_an_entry_of_grub() {
    let stage = Stage::new("grub");
    stage.cli(&["machine", "set", "web-1", "--profile", "bookworm"]);
    stage.cli(&["machine", "arm", "web-1"]);
    let said = stage.koan(&["--replace-self"]);
    assert!(said.ok && said.text.contains("- reboot to apply changes"), "{}", said.text);
    assert_eq!(stage.written("boot/vmlinuz_koan").len(), 70_000);
    assert_eq!(stage.written("boot/initrd.img_koan").len(), 90_000);
    let entry = String::from_utf8(stage.written("etc/grub.d/42_koan")).unwrap();
    let url = format!("url=http://{SERVER}/cblr/svc/op/autoinstall/system/web-1 ");
    assert!(entry.contains("menuentry \"web-1\"") && entry.contains("auto-install/enable=true"), "{entry}");
    assert_eq!(entry.matches("url=").count(), 1, "said once: {entry}");
    assert!(entry.contains(&url), "{entry}");
    assert_eq!(stage.written("etc/default/grub"), b"GRUB_DEFAULT=\"web-1\"\n");
    assert_eq!(stage.asked("update-grub").len(), 1);
    assert_eq!(stage.state("web-1"), "armed", "koan itself spends nothing");
}

#[test]
#[ignore = "the real koan, and network namespaces: make koan"]
fn replace_self_gives_grubby_a_kickstart_that_the_installer_gets() {
    let stage = Stage::new("grubby");
    stage.cli(&["machine", "set", "web-1", "--profile", "rocky"]);
    stage.is(EL9);
    let said = stage.koan(&["--replace-self"]);
    assert!(said.ok, "{}", said.text);
    assert!(stage.told("it will be refused its answer file"), "nobody armed it");
    assert!(said.text.contains(&format!("install_tree: http://{SERVER}/files/d/tree")), "{}", said.text);
    let line = arguments(&stage);
    let url = format!("http://{SERVER}/cblr/svc/op/autoinstall/system/web-1");
    for word in [&format!("ks={url} "), &format!("inst.ks={url} "), "BOOTIF=01-52-54-00-77-02-01"] {
        assert!(line.contains(word), "{word} in {line}");
    }
    let path = url.trim_start_matches("http://").trim_start_matches(SERVER);
    assert_eq!(stage.get(path).0, 404, "not armed");
    stage.cli(&["machine", "arm", "web-1"]);
    let (status, kickstart) = stage.get(path);
    assert!(status == 200 && kickstart.contains("url --url="), "{status}: {kickstart}");
    assert_eq!(stage.get(path).1, kickstart, "Anaconda reads it twice");
    assert_eq!(stage.state("web-1"), "installing");
}

#[test]
#[ignore = "the real koan, and network namespaces: make koan"]
fn replace_self_with_a_static_interface_takes_it_along() {
    let stage = Stage::new("static");
    stage.cli(&["machine", "set", "web-1", "--profile", "rocky"]);
    stage.is(FEDORA);
    let said = stage.koan(&["--replace-self", "--static-interface=eth0"]);
    assert!(said.ok, "{}", said.text);
    let line = arguments(&stage);
    let ip = format!("ip={IP}::{SERVER}:24:web-1:eth0:none:{SERVER}");
    assert!(line.contains(&ip), "{ip} in {line}");
}

#[test]
#[ignore = "the real koan, and network namespaces: make koan"]
fn replace_self_with_kexec_loads_what_installs_an_image() {
    let stage = Stage::new("kexec");
    stage.cli(&["machine", "arm", "web-1"]);
    let said = stage.koan(&["--replace-self", "--kexec"]);
    assert!(said.ok && said.text.contains("Kernel loaded"), "{}", said.text);
    let asked = stage.asked("kexec");
    assert_eq!((asked.len(), asked[0][0].as_str()), (1, "--load"));
    assert_eq!(asked[0].last().map(String::as_str), Some("/boot/vmlinuz_koan"));
    let line = asked[0].iter().find_map(|word| word.strip_prefix("--command-line=")).unwrap();
    let answer = line.split(' ').find_map(|word| word.strip_prefix("kickstand.answer=")).unwrap();
    assert_eq!(answer, format!("https://{SERVER}/cblr/svc/op/autoinstall/system/web-1"), "by its CA");
    let (status, script) = stage.get(answer.trim_start_matches("https://").trim_start_matches(SERVER));
    assert!(status == 200 && script.contains("# kickstand-report:"), "{status}");
}

#[test]
#[ignore = "the real koan, and network namespaces: make koan"]
fn replace_self_knows_suse() {
    let stage = Stage::new("suse");
    stage.cli(&["machine", "set", "web-1", "--profile", "leap"]);
    let said = stage.koan(&["--display"]);
    let line = shown(&said.text, "kernel_options").unwrap();
    let url = format!("autoyast=http://{SERVER}/cblr/svc/op/autoinstall/system/web-1");
    assert!(line.contains(&url) && line.matches("autoyast=").count() == 1, "{line}");
    assert!(line.contains(&format!("install=http://{SERVER}/files/d/tree")), "{line}");
    assert_eq!(shown(&said.text, "install_tree"), Some(format!("http://{SERVER}/files/d/tree").as_str()));
}

#[test]
#[ignore = "the real koan, and network namespaces: make koan"]
fn update_files_writes_what_templates_say() {
    let stage = Stage::new("files");
    stage.cli(&["profile", "set", "web", "--var", r#"template_files={"motd.txt":"/etc/kickstand-test/my_motd"}"#]);
    let said = stage.koan(&["--update-files"]);
    assert!(said.ok && said.text.contains("- file: /etc/kickstand-test/my_motd"), "{}", said.text);
    assert_eq!(stage.written("etc/kickstand-test/my_motd"), b"I am web-1\n");
    assert!(stage.told("/etc/kickstand-test/my_motd of web-1, from templates/motd.txt"));
}

#[test]
#[ignore = "the real koan, and network namespaces: make koan"]
fn virt_with_qemu_is_given_a_tree_a_command_line_and_a_guest() {
    let stage = Stage::new("virt");
    stage.cli(&["machine", "set", "web-2", "--profile", "rocky", "--var", "virt_ram=1024", "--var", "virt_bridge=br7"]);
    let said = stage.koan(&["--virt", "--system=web-2", "--virt-type=qemu"]);
    assert!(said.ok, "{}", said.text);
    let asked = stage.asked("virt-install");
    let words = asked.iter().find(|words| words.contains(&"--name".to_owned())).unwrap_or_else(|| panic!("{asked:?}"));
    let after = |name: &str| words.iter().position(|word| word == name).map(|at| words[at + 1].as_str());
    assert_eq!((after("--name"), after("--ram"), after("--virt-type")), (Some("web-2"), Some("1024"), Some("kvm")));
    assert_eq!(after("--location"), Some(format!("http://{SERVER}/files/d/tree/").as_str()));
    assert_eq!(after("--network"), Some("bridge=br7,mac=52:54:00:77:02:02"));
    let extra = words.iter().find_map(|word| word.strip_prefix("--extra-args=")).unwrap();
    assert!(extra.contains(&format!("ks=http://{SERVER}/cblr/svc/op/autoinstall/system/web-2")), "{extra}");

    let said = stage.koan(&["--virt", "--profile=web", "--virt-type=qemu", "--virt-name=guest"]);
    assert!(said.ok, "{}", said.text);
    let asked = stage.asked("virt-install");
    let words = asked.iter().find(|words| words.contains(&"guest".to_owned())).unwrap_or_else(|| panic!("{asked:?}"));
    assert!(words.contains(&"--pxe".to_owned()), "an image comes by the network: {words:?}");
}

#[test]
#[ignore = "the real koan, and network namespaces: make koan"]
fn cobbler_register_makes_a_record_that_boots_nothing() {
    let stage = Stage::new("register");
    let said = stage.register(&["--profile=web", "--fqdn=web-9.example.org"]);
    assert!(said.text.contains("mac conflict: 52:54:00:77:02:01"), "{}", said.text);
    stage.cli(&["machine", "remove", "web-1"]);
    let said = stage.register(&["--profile=nobody", "--fqdn=web-9.example.org"]);
    assert!(said.text.contains("no such remote profile"), "{}", said.text);
    let said = stage.register(&["--profile=web", "--fqdn=web-9.example.org"]);
    assert!(
        said.ok && said.text.contains("- registration successful, new system name: web-9.example.org"),
        "{}",
        said.text
    );
    let record = stage.json(&["machine", "show", "web-9.example.org"]);
    assert_eq!((&record["state"], &record["profile"]), (&"discovered".into(), &"web".into()));
    assert_eq!((&record["interfaces"][0]["mac"], &record["interfaces"][0]["ip"]), (&OWN.into(), &IP.into()));
    let said = stage.koan(&["--display"]);
    assert!(said.text.contains("- Auto detected: web-9.example.org"), "{}", said.text);
}
