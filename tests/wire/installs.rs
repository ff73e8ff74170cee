//! Answer files as a real server renders them, and their scripts as installers run them: they report, and the system registers.

use crate::house::{Client, House, Kind};
use crate::rig::{Space, cable};
use crate::steps::{Place, lab, steps};
use kickstand::model::Family;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// What each family needs that has scripts to run on a host such as this.
fn needs(family: Family) -> Value {
    match family {
        Family::Redhat | Family::Suse => json!({"tree": "http://mirror.example/tree"}),
        Family::Debian => json!({"mirror_host": "mirror.example"}),
        Family::Ubuntu => json!({"iso": "kernel"}),
        Family::Agama => json!({"live": "kernel", "product": "SLES"}),
        Family::Ignition => json!({"rootfs": "kernel", "disk": "/srv/disk"}),
        Family::Fai => json!({"live": "kernel", "config_space": "kernel"}),
        Family::Esxi => json!({"tree": "distro", "modules": "a.b00", "root_password_hash": "$6$salt$hash"}),
        Family::Image => panic!("it has none"),
    }
}

/// The root filesystem of Debian's installer itself, unpacked: its shell, its wget, its in-target. Older ones had no base64.
static DEBIANS: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let initrd = lab("debian.sh").join("debian-installer/amd64/initrd.gz");
    let folder = tempfile::tempdir().unwrap();
    let unpack = format!("zcat '{}' | busybox cpio -id 2>/dev/null", initrd.display());
    assert!(Command::new("sh").args(["-c", &unpack]).current_dir(&folder).status().unwrap().success());
    std::fs::remove_file(folder.path().join("bin/base64")).unwrap();
    folder
});

pub fn furnished(space: &Space) -> House {
    let house = House::open(space, "interfaces = [\"eth0\"]");
    house.add_network("lan", "10.9.0", json!({}));
    std::fs::copy(lab("agent.sh"), house.server.folder.join("files/agent/kickstand-agent")).unwrap();
    std::fs::create_dir_all(house.server.folder.join("files/distro")).unwrap();
    house.server.add("keys", json!({"name": "web"}));
    house
}

/// A machine that this family installs, armed, and asked for by its firmware: the address of its answer file.
fn armed(house: &House, space: &Space, family: Family) -> String {
    let word = family.word();
    let files =
        json!({"name": word, "family": word, "kernel": "kernel", "initrd": "kernel", "variables": needs(family)});
    house.server.add("distros", files);
    let told = json!({"kernel_arguments": "quiet", "ssh_authorized_keys": ["ssh-ed25519 AAAA it's me"]});
    house.server.add("profiles", json!({"name": word, "distro": word, "key": "web", "variables": told}));
    house.server.api("PATCH", "machines/web-1", json!({"profile": word}));
    house.server.api("POST", "machines/web-1/arm", Value::Null);
    let mac = space.mac("eth0").dashed();
    let script = fetch(space, &format!("http://10.9.0.1/boot/{mac}/script.ipxe"));
    let token = script.split("/answer/").nth(1).unwrap().get(..64).unwrap();
    format!("http://10.9.0.1/answer/{token}")
}

pub fn fetch(space: &Space, url: &str) -> String {
    String::from_utf8(space.run("curl -fsS", &[url]).stdout).unwrap()
}

/// Runs them all in a room of their own on the machine's network. What they said.
fn run(space: &Space, family: Family, answer: &str, url: &str) -> String {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let room = folder.path().join("steps");
    std::fs::create_dir(&room).unwrap();
    for (number, step) in steps(family, answer, url, folder.path()).into_iter().enumerate() {
        let place = if step.place == Place::System { "system" } else { "installer" };
        std::fs::write(room.join(format!("{number}.{place}")), step.text).unwrap();
        std::fs::write(room.join(format!("{number}.with")), step.with).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/room.sh");
    let tree: Option<PathBuf> = (family == Family::Debian).then(|| DEBIANS.path().to_owned());
    let mut command = space.command("unshare --mount --propagation private sh");
    let output = command.arg(script).arg(&room).args(tree).env("LC_ALL", "C").output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{family}: {said}\n{answer}");
    said
}

/// What the server wrote down of the machine, oldest first.
pub fn told(house: &House) -> Vec<String> {
    let all = house.server.api("GET", "events?limit=1000", Value::Null);
    let word = |event: &Value| format!("{}: {}", event["kind"].as_str().unwrap(), event["text"].as_str().unwrap());
    all.as_array().unwrap().iter().map(word).collect()
}

#[test]
#[ignore = "network namespaces: make wire"]
fn the_scripts_of_every_answer_file_report_and_the_system_registers() {
    let (server, space) = cable();
    server.ip("address add 10.9.0.1/24 dev eth0");
    let house = furnished(&server);
    let here = "10.9.0.10".parse().unwrap();
    house.server.add_machines([("web-1".to_owned(), space.mac("eth0"), Some(here))].into_iter());
    let client = Client::start(Kind::Udhcpc, &space);
    assert_eq!(client.address(), Some(here));
    let mut registered = 0;
    for family in Family::ALL.iter().copied().filter(|family| *family != Family::Image) {
        let before = told(&house).len();
        let url = armed(&house, &space, family);
        let at = if family == Family::Esxi { format!("{url}/ks.cfg") } else { url.clone() };
        let said = run(&space, family, &fetch(&space, &at), &url);
        println!("{family}: {said}");
        let events = told(&house);
        let mut rest = events[before..].iter();
        // The agent is a program for Linux: an ESXi stays without.
        let registers = family != Family::Esxi;
        registered += usize::from(registers);
        let wanted = ["state: the installer runs", "state: installed", "registered: "];
        for mark in &wanted[..2 + usize::from(registers)] {
            assert!(rest.any(|text| text.starts_with(mark)), "{family}: no {mark:?} in {:#?}", &events[before..]);
        }
        let machine = house.server.api("GET", "machines/web-1", Value::Null);
        assert_eq!(machine["state"], if registers { "registered" } else { "installed" }, "{family}");
        let key = house.server.api("GET", "keys/web", Value::Null);
        assert_eq!(key["used"], 1, "{family}: systems are counted, not installs");
        let spent = events.iter().filter(|text| text.starts_with("registered: ") && text.ends_with("now spent"));
        assert_eq!(spent.count(), registered, "{family}: each install's key is spent once");
    }
    assert_eq!(registered, 7);
}
