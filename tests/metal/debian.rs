//! Debian's own installer: taken in by `distro import`, it fetches its preseed file with its token and runs the first command.

use crate::power::{Firmware, Order};
use crate::rig::Lab;
use crate::{BOOT_SECS, ONE};
use std::process::Command;

const DEBIAN: &[(&str, &str)] = &[
    ("script", "installer of profile debian, boot 1"),
    ("kernel", "debian-installer/debian-installer/amd64/linux by HTTP"),
    ("file", "debian-installer/debian-installer/amd64/initrd.gz by HTTP"),
    ("answer", "which carries a single-use key of web"),
    ("state", "the installer runs"),
];

/// What a host of the network gets for an address: the status, and the text.
fn fetch(lab: &Lab, from: &str, url: &str) -> (String, String) {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &lab.name, "curl", "-s", "--interface", from, "-w", "\n%{http_code}", url]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[test]
#[ignore = "virtual metal: make metal"]
fn debians_installer_fetches_its_preseed_file_and_reports() {
    let mut lab = Lab::new("debian");
    // A network with neither router nor name server: it must not ask for them.
    let tree = crate::rig::lab("debian.sh", &[], &[]);
    let settings = lab.folder.join("kickstand.toml").display().to_string();
    let import = ["distro", "import", &tree, "--config", &settings, "--name", "debian-installer"];
    // No mirror here has the installer's components: this is as far as it comes, and it asks for them where it is told to.
    let told =
        ["--arguments", "console=ttyS0", "--var", "mirror_host=10.77.0.1", "--var", "mirror_folder=/files/mirror"];
    lab.cli(&[&import[..], &told].concat());
    for suite in ["oldstable", "stable", "testing", "unstable", "bookworm"] {
        let folder = lab.folder.join("files/mirror/dists").join(suite);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("Release"), "Suite: oldstable\nCodename: bookworm\n").unwrap();
    }
    lab.cli(&["profile", "add", "debian", "--from", "debian", "--key", "web"]);
    lab.cli(&["network", "set", "lab", "--advertise", "true", "--dns", ""]);
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10", "--profile", "debian"]);
    lab.cli(&["machine", "arm", "web-1"]);
    lab.power_on("one", ONE, Firmware::Bios, Order::NetworkFirst);
    lab.until("its first command reported", BOOT_SECS, |lab| lab.count("state", "the installer runs") > 0);
    lab.assert_order(DEBIAN);
    nobody_else_gets_it(&lab);
    // The rest of the file is believed, too: the mirror is asked for that it names.
    lab.until("it asks its mirror", BOOT_SECS, |lab| lab.count("file", "mirror/dists/") > 0);
}

/// What its kernel shows of its command line is worth nothing to others, and tells them nothing.
fn nobody_else_gets_it(lab: &Lab) {
    let console = lab.console("one");
    let url =
        console.split_whitespace().find_map(|word| word.strip_prefix("url=")).expect("its kernel shows its words");
    let (place, token) = url.rsplit_once('/').unwrap();
    assert_eq!((place, token.len()), ("http://10.77.0.1/answer", 64));
    crate::rig::lab("net.sh", &["run", &lab.name, "ip", "address", "add", "10.77.0.3/24", "dev", "br0"], &[]);
    let refused = fetch(lab, "10.77.0.3", url);
    assert_eq!(refused, fetch(lab, "10.77.0.3", &format!("{place}/{}", "0".repeat(64))));
    assert_eq!(refused.0, "404");
    assert_eq!(lab.count("alarm", "is used up, and came from 10.77.0.3"), 1);
    assert_eq!(lab.machine("web-1")["state"], "installing");
    lab.say("another address gets what an unknown token gets: 404");
}
