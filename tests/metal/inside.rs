//! A running system installs itself anew, by each way, and falls back where what it started never reports.

use crate::power::{Firmware, Order};
use crate::rig::Lab;
use crate::{BOOT_SECS, INSTALL_SECS, ONE, assert_registered};
use serde_json::Value;
use std::process::{Command, Output};

const IP: &str = "10.77.0.10";

impl Lab {
    /// Root's key for what is installed from now on.
    pub fn let_in(&self) {
        let key = self.folder.join("id");
        let _ = std::fs::remove_file(&key);
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
        assert!(made.success(), "ssh-keygen makes a key");
        let public = std::fs::read_to_string(self.folder.join("id.pub")).unwrap();
        let variable = format!("ssh_authorized_keys=[\"{}\"]", public.trim());
        self.cli(&["profile", "set", "web", "--var", &variable]);
    }

    fn try_ssh(&self, command: &str) -> Output {
        let mut ssh = Command::new("ip");
        ssh.args(["netns", "exec", &self.name, "ssh", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"]);
        ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR", "-i"]);
        ssh.arg(self.folder.join("id")).args([&format!("root@{IP}"), command]).output().unwrap()
    }

    fn said_by_ssh(&self, command: &str) -> String {
        let output = self.try_ssh(command);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    fn until_up(&self) {
        self.until("its old system is up", BOOT_SECS, |lab| lab.try_ssh("true").status.success());
    }
}

/// It comes back as the same system, and the history has each step in its order, from the newest arming on.
fn assert_anew(lab: &Lab, before: &Value, way: &str) {
    lab.until_state("web-1", "registered", INSTALL_SECS);
    lab.assert_order(&[
        ("script", "installer of profile web, boot 1 of at most 3, for its running system"),
        ("state", &format!("its running system starts the installer by {way}")),
        ("answer", "which carries a single-use key of web"),
        ("state", "the installer runs"),
        ("state", "installed"),
        ("registered", "now spent"),
    ]);
    let after = assert_registered(lab, "web-1", ONE, IP);
    assert_eq!((&before["id"], &before["name"]), (&after["id"], &after["name"]), "the same system");
    assert_eq!(after["install"]["way"], way);
}

/// The system on the disk has booted under this firmware, and `machine reinstall` waits for its next check-in.
pub fn wished_for_it_reinstalls_by_kexec(lab: &mut Lab) {
    let before = lab.machine("web-1");
    lab.until_up();
    lab.cli(&["machine", "reinstall", "web-1"]);
    let network = lab.count("script", "installer of profile web");
    let said = lab.said_by_ssh("kickstand-agent check-in");
    lab.say(&format!("it said: {}", said.trim().replace('\n', " / ")));
    assert_anew(lab, &before, "kexec");
    assert_eq!(lab.count("script", "installer of profile web"), network + 1, "and the network installed nothing");
}

/// What is started never reports: the next power cycle is the old system's, though the network comes first.
pub fn falls_back_where_the_new_kernel_never_reports(lab: &mut Lab, firmware: Firmware) {
    lab.until_up();
    lab.cli(&["machine", "set", "web-1", "--arguments", "rdinit=/nothing root=/dev/nothing panic=0"]);
    lab.cli(&["machine", "reinstall", "web-1"]);
    let said = lab.said_by_ssh("kickstand-agent reinstall --now --way grub");
    lab.say(&format!("it said: {}", said.trim().replace('\n', " / ")));
    lab.until("its kernel hangs", BOOT_SECS, |lab| lab.console("one").contains("end Kernel panic"));
    assert_eq!(lab.machine("web-1")["state"], "armed");
    lab.power_off("one");
    lab.power_on("one", ONE, firmware, Order::NetworkFirst);
    lab.until("the old system says that it is back", BOOT_SECS, |lab| {
        lab.count("state", "the new kernel never reported: it was started by grub, web-1 is back on its old system")
            == 1
    });
    let machine = lab.machine("web-1");
    assert_eq!((machine["state"].as_str(), machine["install"].is_null()), (Some("registered"), true));
    assert!(lab.count("local", "its running system started the installer by grub") > 0, "the network led to the disk");
    lab.until_up();
    let left = "ls -d /boot/kickstand /boot/grub/custom.cfg /var/lib/kickstand/reinstall.json 2>/dev/null";
    assert_eq!(lab.said_by_ssh(left).trim(), "", "what it prepared is taken away");
    let chosen = lab.said_by_ssh("grub-editenv - list | grep '^next_entry=.'");
    assert_eq!(chosen.trim(), "", "and GRUB has forgotten its choice");
    lab.cli(&["machine", "set", "web-1", "--arguments", ""]);
}

fn by_way(lab: &mut Lab, way: &str) {
    let before = lab.machine("web-1");
    lab.until_up();
    lab.cli(&["machine", "arm", "web-1"]);
    let said = lab.said_by_ssh(&format!("kickstand-agent reinstall --now --way {way}"));
    lab.say(&format!("it said: {}", said.trim().replace('\n', " / ")));
    assert_anew(lab, &before, way);
}

#[test]
#[ignore = "long: make metal"]
fn long_a_running_system_reinstalls_by_each_way() {
    let mut lab = Lab::new("inside");
    lab.let_in();
    lab.cli(&["network", "set", "lab", "--advertise", "true"]);
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", IP]);
    lab.cli(&["machine", "arm", "web-1"]);
    lab.power_on("one", ONE, Firmware::Bios, Order::NetworkFirst);
    lab.until_state("web-1", "registered", INSTALL_SECS);
    for (firmware, way) in
        [(Firmware::Uefi, "bootnext"), (Firmware::Uefi, "grub"), (Firmware::Bios, "kexec"), (Firmware::Secure, "kexec")]
    {
        lab.until_up();
        lab.power_off("one");
        lab.power_on("one", ONE, firmware, Order::DiskFirst);
        by_way(&mut lab, way);
    }
}
