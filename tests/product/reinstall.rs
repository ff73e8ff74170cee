//! A running system checks in and installs itself anew: the true agent, with programs that only note what they are told.

use crate::program::program;
use crate::rig::{Answer, Appliance, Booted, CREDENTIAL, FakeMachine, get, key, pattern, post};
use kickstand_agent::kit::Kit;
use kickstand_agent::register::Places;
use kickstand_agent::reinstall::{Error, Options, Way};
use kickstand_agent::retry::Patience;
use kickstand_agent::system::System;
use kickstand_agent::{check_in, kit, reinstall, timer};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const BRIEF: Patience = Patience {
    total: Duration::from_millis(300),
    first_pause: Duration::from_millis(20),
    longest_pause: Duration::from_millis(50),
};
const MAC: &str = "52:54:00:77:00:0a";
const FIRST: &str = "11111111-2222-4333-8444-000000000001";
const SECOND: &str = "11111111-2222-4333-8444-000000000002";
/// The agent has no address of its own choice on loopback.
const AGENT: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A program that notes how it was called, and fails where somebody wrote down what it says then.
const PROGRAM: &str = r#"#!/bin/sh
name=${0##*/}
here=${0%/*}/..
printf '%s\n' "$name $*" >>"$here/log"
if [ -e "$here/$name.fails" ]; then cat "$here/$name.fails" >&2; exit 1; fi
[ ! -e "$here/$name.says" ] || cat "$here/$name.says"
"#;

/// A system that runs: its files, its programs, and what they were told.
struct Running {
    folder: TempDir,
}

impl Running {
    fn registered(server: &str) -> Running {
        let running = Running { folder: tempfile::tempdir().unwrap() };
        let credential = CREDENTIAL.repeat(32);
        for (path, text) in [
            ("etc/kickstand/agent.json", format!(r#"{{"server":"{server}"}}"#)),
            (
                "var/lib/kickstand/identity.json",
                json!({"system_id": "s", "name": "web-1", "credential": credential}).to_string(),
            ),
            ("proc/sys/kernel/random/boot_id", FIRST.into()),
            ("proc/uptime", "90061.5 100.0".into()),
            ("proc/meminfo", "MemTotal: 2000000 kB\nMemAvailable: 1000000 kB\n".into()),
            ("proc/mounts", "/dev/vda3 / ext4 rw 0 0\n/dev/vda2 /boot/efi vfat rw 0 0\n".into()),
            ("proc/cmdline", "root=UUID=1 console=ttyS0".into()),
            ("proc/sys/kernel/kexec_load_disabled", "0".into()),
            ("sys/kernel/kexec_loaded", "0".into()),
            ("sys/class/net/eth0/address", MAC.into()),
            ("run/systemd/system/there", String::new()),
            ("boot/grub/grub.cfg", "next_entry … custom.cfg".into()),
            ("ip.says", format!("1: eth0    inet {AGENT}/24 brd 127.0.0.255 scope global eth0\n")),
            ("df.says", "Filesystem 1K Used Available\n/dev/vda3 1 1 900000 1% /\n".into()),
            ("grub-mkrelpath.says", "/boot/kickstand/file\n".into()),
        ] {
            running.write(path, &text);
        }
        for name in [
            "ip",
            "df",
            "kexec",
            "systemctl",
            "grub-reboot",
            "grub-probe",
            "grub-mkrelpath",
            "grub-editenv",
            "efibootmgr",
        ] {
            running.program(name, PROGRAM);
        }
        // One program is asked two things.
        running.program(
            "grub-probe",
            &format!("{PROGRAM}case $1 in --target=fs) echo ext2 ;; --target=fs_uuid) echo abcd ;; esac\n"),
        );
        running
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn program(&self, name: &str, text: &str) {
        program(&self.path(&format!("bin/{name}")), text);
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// What the programs were told since the last time.
    fn log(&self) -> String {
        let log = self.text("log");
        let _ = std::fs::remove_file(self.path("log"));
        log.replace(&self.folder.path().display().to_string(), "")
    }

    fn system(&self) -> System {
        let places = Places {
            settings: self.path("etc/kickstand/agent.json"),
            identity: self.path("var/lib/kickstand/identity.json"),
            ..Places::below(self.folder.path())
        };
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        System { root: self.folder.path().to_owned(), path: path.into(), is_root: true, places }
    }

    async fn reinstalls(&self, options: Options) -> Result<String, Error> {
        let system = self.system();
        tokio::task::spawn_blocking(move || reinstall::run(BRIEF, &system, &options)).await.unwrap()
    }

    async fn checks_in(&self) -> Result<String, check_in::Error> {
        let system = self.system();
        tokio::task::spawn_blocking(move || check_in::run(BRIEF, &system)).await.unwrap()
    }

    /// Nothing of ours is there.
    fn is_untouched(&self) -> bool {
        let left = [
            "var/lib/kickstand/reinstall",
            "var/lib/kickstand/reinstall.json",
            "boot/kickstand",
            "boot/grub/custom.cfg",
        ];
        left.iter().all(|path| !self.path(path).exists())
    }
}

fn now() -> Options {
    Options { now: true, ..Options::default() }
}

fn by(way: Way) -> Options {
    Options { way: Some(way), ..now() }
}

/// An appliance whose machine web-1 is installed and registered, and its running system.
async fn scene() -> (Appliance, FakeMachine, Running) {
    let appliance = Appliance::start().await;
    appliance.cli(&["network", "add", "loopback", "--cidr", "127.0.0.0/24", "--dhcp", "off"]).await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    let key = installer.install().await;
    assert_eq!(machine.register(&installer, &key).await.status, 200);
    let running = Running::registered(&appliance.url(""));
    (appliance, machine, running)
}

async fn ask(appliance: &Appliance, path: &str, body: Value) -> Answer {
    let bearer = format!("Authorization: Bearer {}\r\n", CREDENTIAL.repeat(32));
    post(AGENT, &appliance.url(path), &bearer, &body).await
}

fn wanted() -> Value {
    json!({"boot_id": FIRST, "mac": MAC})
}

#[tokio::test]
async fn a_wish_is_found_at_a_check_in_and_leads_to_the_same_system() {
    let (appliance, _machine, running) = scene().await;
    let before = appliance.json(&["machine", "show", "web-1"]).await;
    assert!(running.checks_in().await.unwrap().contains("nothing to do"));

    let said = appliance.cli(&["machine", "reinstall", "web-1"]).await;
    assert!(said.contains("its next check-in") && said.contains("it was last heard"), "{said}");
    assert!(running.checks_in().await.unwrap().contains("started by kexec"));
    let log = running.log();
    assert!(log.contains("kexec -s -l /var/lib/kickstand/reinstall/vmlinuz --initrd=/var/lib/kickstand/reinstall/initrd.img --command-line=boot=kickstand ip=dhcp"), "{log}");
    assert!(log.trim().ends_with("systemctl kexec"), "{log}");
    assert_eq!(std::fs::read(running.path("var/lib/kickstand/reinstall/vmlinuz")).unwrap(), pattern(70_000));
    for (kind, text) in [
        ("state", "for its running system: the agent starts the installer at its next check-in"),
        ("script", "installer of profile web, boot 1 of at most 3, for its running system"),
        ("state", "its running system starts the installer by kexec"),
    ] {
        assert!(appliance.told(kind, text).await, "{text}");
    }

    // The installer that it started, with the address that its card has.
    let line = log.split("--command-line=").nth(1).unwrap().lines().next().unwrap().to_owned();
    let url = line.split_whitespace().find_map(|word| word.strip_prefix("kickstand.answer=")).unwrap().to_owned();
    let answer = get(appliance.ip(10), &url, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (answer, report) = (answer.text(), |answer: &str| {
        let line = answer.lines().find(|line| line.contains("KICKSTAND_REPORT=")).unwrap().to_owned();
        line.split('=').nth(1).unwrap().trim_matches('\'').to_owned()
    });
    assert_eq!(post(appliance.ip(10), &report(&answer), "", &json!({"stage": "done"})).await.status, 204);
    let registration = json!({"key": key(&answer), "credential": "ab".repeat(32), "inventory": {}});
    let told = post(appliance.ip(10), &appliance.url("/agent/register"), "", &registration).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let after = appliance.json(&["machine", "show", "web-1"]).await;
    assert_eq!((&before["id"], &after["state"]), (&after["id"], &json!("registered")));
    assert_eq!(after["install"]["way"], "kexec");
    let refused = running.checks_in().await.unwrap_err();
    assert!(matches!(refused, check_in::Error::Refused(_)), "the old credential opens nothing: {refused}");
}

#[tokio::test]
async fn what_others_have_in_grubs_own_file_stays_as_it_was() {
    let (appliance, _machine, running) = scene().await;
    running.write("boot/grub/custom.cfg", "set timeout=5");
    let file = running.path("boot/grub/custom.cfg");
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    appliance.cli(&["machine", "arm", "web-1"]).await;
    running.reinstalls(by(Way::Grub)).await.unwrap();
    let text = running.text("boot/grub/custom.cfg");
    assert!(text.starts_with("set timeout=5\n###") && text.contains("menuentry"), "{text}");
    assert_eq!(mode(), 0o600, "the token is for root alone");
    running.write("proc/sys/kernel/random/boot_id", SECOND);
    running.checks_in().await.unwrap();
    assert_eq!((running.text("boot/grub/custom.cfg").trim(), mode()), ("set timeout=5", 0o640));
}

#[tokio::test]
async fn a_kernel_that_never_reports_falls_back_and_the_network_never_installs_meanwhile() {
    let (appliance, mut machine, running) = scene().await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    running.reinstalls(by(Way::Grub)).await.unwrap();
    let log = running.log();
    assert!(log.contains("grub-reboot kickstand-reinstall") && log.trim().ends_with("systemctl reboot"), "{log}");
    let entry = running.text("boot/grub/custom.cfg");
    assert!(entry.contains(" --unrestricted "), "a GRUB with a password asks nobody: {entry}");
    assert!(
        entry.contains("--fs-uuid --set=root abcd\n    linux /boot/kickstand/file 'boot=kickstand' 'ip=dhcp'"),
        "{entry}"
    );
    assert!(matches!(machine.power_on().await, Booted::OwnDisk), "a network boot meanwhile leads to the disk");

    running.write("proc/sys/kernel/random/boot_id", SECOND);
    assert!(running.checks_in().await.unwrap().contains("nothing to do"));
    let text = "the new kernel never reported: it was started by grub, web-1 is back on its old system; it is registered again, and no longer armed";
    assert!(appliance.told("state", text).await);
    assert_eq!(appliance.state("web-1").await, "registered");
    assert!(running.is_untouched(), "what it prepared is taken away");
    assert!(matches!(machine.power_on().await, Booted::OwnDisk));
    running.checks_in().await.unwrap();
    assert_eq!(appliance.state("web-1").await, "registered", "and it stays so");
}

#[tokio::test]
async fn an_installer_that_fetched_its_answer_file_and_fell_back_is_said_otherwise() {
    let (appliance, _machine, running) = scene().await;
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    running.checks_in().await.unwrap();
    let url = running.log().split("kickstand.answer=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!(get(appliance.ip(10), &url, "").await.status, 200);
    assert_eq!(appliance.state("web-1").await, "installing");
    running.write("proc/sys/kernel/random/boot_id", SECOND);
    running.checks_in().await.unwrap();
    assert!(
        appliance.told("state", "fetched the answer file and did not finish: web-1 is back on its old system").await
    );
    assert_eq!(get(appliance.ip(10), &url, "").await.status, 404, "its token is over");
}

#[tokio::test]
async fn nobody_who_was_not_allowed_gets_an_installer() {
    let (appliance, _machine, running) = scene().await;
    let refused = running.reinstalls(now()).await.unwrap_err().to_string();
    assert!(refused.contains("web-1 is registered, not armed: `kickstand machine reinstall web-1`"), "{refused}");
    assert!(appliance.told("refused", "its running system may not be installed anew").await);

    let nobody = post(AGENT, &appliance.url("/agent/reinstall"), "Authorization: Bearer x\r\n", &wanted()).await;
    assert_eq!(
        (nobody.status, post(AGENT, &appliance.url("/agent/reinstall"), "", &wanted()).await.status),
        (401, 401)
    );
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    let stranger = json!({"boot_id": FIRST, "mac": "52:54:00:77:00:0b"});
    let told = ask(&appliance, "/agent/reinstall", stranger).await;
    assert!(told.status == 403 && told.text().contains("is no card of web-1"), "{}", told.text());
    let profile = running.reinstalls(Options { profile: Some("db".into()), ..now() }).await.unwrap_err().to_string();
    assert!(profile.contains("there is no profile db"), "{profile}");
    appliance.cli(&["machine", "disarm", "web-1"]).await;
    assert_eq!(ask(&appliance, "/agent/reinstall", wanted()).await.status, 403, "an operator took it back");
    assert!(running.is_untouched() && !running.log().contains("kexec"));
}

/// The next check-in would only meet the same again.
#[tokio::test]
async fn a_wish_that_its_system_can_not_carry_out_is_over_and_says_why() {
    let (appliance, _machine, running) = scene().await;
    let hindrances: [(&[(&str, &str)], &str); 3] = [
        (&[("proc/cmdline", "boot=kickstand")], "changed nothing: this is a live system"),
        (
            &[("proc/sys/kernel/kexec_load_disabled", "1"), ("boot/grub/grub.cfg", "nothing of the sort")],
            "changed nothing: no way leads to the installer: kexec: kexec is switched off",
        ),
        (&[("sys/class/net/eth0/address", "52:54:00:77:00:0b")], "52:54:00:77:00:0b is no card of web-1"),
    ];
    for (files, why) in hindrances {
        appliance.cli(&["machine", "reinstall", "web-1"]).await;
        let before: Vec<_> = files.iter().map(|(path, _)| (path, running.text(path))).collect();
        files.iter().for_each(|(path, text)| running.write(path, text));
        let error = running.checks_in().await.unwrap_err();
        assert!(matches!(error, check_in::Error::Reinstall(_)), "{why}: {error}");
        assert_eq!(appliance.state("web-1").await, "registered", "{why}: {error}");
        assert!(appliance.told("state", why).await, "{why}: {error}");
        assert!(running.checks_in().await.unwrap().contains("nothing to do"), "{why}");
        before.iter().for_each(|(path, text)| running.write(path, text));
    }
    assert!(running.is_untouched() && !running.log().contains("kexec"));
}

#[tokio::test]
async fn a_key_that_permits_it_arms_and_wipes_no_disk_for_a_system_that_could_not_register() {
    let (appliance, _machine, running) = scene().await;
    appliance.cli(&["key", "set", "web", "--reinstalls", "true"]).await;
    appliance.cli(&["key", "add", "shut", "--enabled", "false"]).await;
    appliance.cli(&["profile", "set", "web", "--key", "shut", "--yes"]).await;
    let refused = running.reinstalls(now()).await.unwrap_err().to_string();
    assert!(refused.contains("activation key shut is disabled"), "{refused}");
    assert!(running.is_untouched() && !running.log().contains("kexec -s"));
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["state"], "registered");
    appliance.cli(&["profile", "set", "web", "--key", "web", "--yes"]).await;
    appliance.cli(&["key", "set", "web", "--from", "10.9.9.0/24"]).await;
    let elsewhere = running.reinstalls(now()).await.unwrap_err().to_string();
    assert!(elsewhere.contains("web-1 is registered, not armed"), "the key is not for its address: {elsewhere}");
    appliance.cli(&["key", "set", "web", "--from", ""]).await;
    assert!(running.reinstalls(now()).await.unwrap().contains("started by kexec"));
    assert!(appliance.told("state", "armed by its own system: activation key web permits it").await);
}

#[tokio::test]
async fn an_arming_that_is_taken_back_while_the_kernel_is_fetched_starts_nothing() {
    let (appliance, _machine, _running) = scene().await;
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    let given = ask(&appliance, "/agent/reinstall", wanted()).await;
    let kit: Kit = serde_json::from_str(&given.text()).unwrap();
    assert_eq!((kit.kernel.size_bytes, kit.kernel.sha256), (70_000, kit::sha256(&pattern(70_000))));
    appliance.cli(&["machine", "disarm", "web-1"]).await;
    let told = ask(&appliance, "/agent/reinstall/way", json!({"boot_id": FIRST, "way": "kexec"})).await;
    assert_eq!(told.status, 409, "{}", told.text());
}

#[tokio::test]
async fn a_file_that_changed_has_another_digest() {
    let (appliance, _machine, _running) = scene().await;
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    let kernel = appliance.config.files.join("d/vmlinuz");
    for text in ["one", "two", "and another"] {
        std::fs::write(&kernel, text).unwrap();
        let given = ask(&appliance, "/agent/reinstall", wanted()).await;
        let kit: Kit = serde_json::from_str(&given.text()).unwrap();
        assert_eq!(kit.kernel.sha256, kit::sha256(text.as_bytes()));
    }
}

/// Before anything was changed: each of these says why, and the server hears it where it gave something away.
#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_was_changed() {
    let (appliance, _machine, running) = scene().await;
    let unfit = [
        ("proc/cmdline", "boot=kickstand kickstand.answer=http://x", "this is a live system"),
        ("proc/mounts", "overlay / overlay rw 0 0", "its root is a overlay"),
        ("run/systemd/container", "lxc", "this is a container"),
        ("sys/class/net/eth0/address", "", "has no MAC"),
        ("ip.says", "1: eth0 inet 10.9.9.9/24\n", "no card has 127.0.0.1"),
    ];
    for (path, text, why) in unfit {
        let before = running.path(path).exists().then(|| running.text(path));
        running.write(path, text);
        let error = running.reinstalls(now()).await.unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
        match before {
            Some(before) => running.write(path, &before),
            None => std::fs::remove_file(running.path(path)).unwrap(),
        }
    }
    let not_root = System { is_root: false, ..running.system() };
    let told = tokio::task::spawn_blocking(move || reinstall::run(BRIEF, &not_root, &now())).await.unwrap();
    assert!(told.unwrap_err().to_string().contains("only root may do this"));
    assert!(
        matches!(running.reinstalls(Options::default()).await, Err(Error::NotConfirmed)),
        "a pipe says yes to anything"
    );

    let given = [
        (
            "proc/meminfo",
            "MemTotal: 500000 kB\nMemAvailable: 400000 kB",
            now(),
            "the installer needs 1024 MB of memory, this machine has 488",
        ),
        ("proc/meminfo", "MemTotal: 2000000 kB\nMemAvailable: 20000 kB", by(Way::Kexec), "19 MB of memory are free"),
        ("df.says", "Filesystem 1K Used Available\n/dev/vda3 1 1 2000 1% /\n", now(), "1 MB are free for"),
        (
            "kexec.fails",
            "kexec_file_load failed: Permission denied",
            by(Way::Kexec),
            "kexec_file_load failed: Permission denied",
        ),
        ("grub-reboot.fails", "no grubenv", by(Way::Grub), "no grubenv"),
        ("systemctl.fails", "no", by(Way::Kexec), "could not be started"),
    ];
    for (path, text, options, why) in given {
        appliance.cli(&["machine", "reinstall", "web-1"]).await;
        let before = running.path(path).exists().then(|| running.text(path));
        running.write(path, text);
        let error = running.reinstalls(options).await.unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
        match before {
            Some(before) => running.write(path, &before),
            None => std::fs::remove_file(running.path(path)).unwrap(),
        }
        assert!(running.is_untouched(), "{why}: all is as it was");
        assert_eq!(appliance.state("web-1").await, "registered", "{why}: and the server knows");
    }
    assert!(appliance.told("state", "did not start the installer, and changed nothing: ").await);
}

#[tokio::test]
async fn where_one_way_is_locked_the_next_is_taken_and_where_none_is_left_nothing_is_asked_for() {
    let (appliance, _machine, running) = scene().await;
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    running.write("sys/kernel/security/lockdown", "none [integrity] confidentiality");
    running.write("kexec.fails", "kexec_file_load failed: No data available");
    running.reinstalls(now()).await.unwrap();
    let log = running.log();
    assert!(!log.contains("kexec -c"), "what is locked down is not asked twice: {log}");
    assert!(log.contains("grub-reboot kickstand-reinstall"), "{log}");
    assert!(!running.path("var/lib/kickstand/reinstall").exists(), "what kexec had is taken away");
    assert!(appliance.told("state", "its running system starts the installer by grub").await);

    std::fs::remove_file(running.path("bin/kexec")).unwrap();
    running.write("boot/grub/grub.cfg", "nothing of the sort");
    let error = running.reinstalls(now()).await.unwrap_err().to_string();
    for why in [
        "kexec: kexec-tools is not installed",
        "grubby: there is no grubby",
        "grub: /boot/grub/grub.cfg reads no custom.cfg",
        "bootnext: the firmware is not UEFI",
    ] {
        assert!(error.contains(why), "{why}: {error}");
    }
    running.write("boot/grub/grub.cfg", "next_entry custom.cfg");
    running.program("grub-probe", "#!/bin/sh\n[ $1 = --target=fs ] && echo btrfs || true\n");
    let error = running.reinstalls(now()).await.unwrap_err().to_string();
    assert!(error.contains("GRUB writes to no btrfs: it could not forget an entry for one boot"), "{error}");
}

/// As Red Hat's own: a kernel that is none of this system's is refused unless it is said to be meant, and where /boot is a file
/// system of its own an entry is not found by its kernel's path.
const GRUBBY: &str = r#"
entry=$here/entry
case "$*" in
*--add-kernel=*--bad-image-okay*) printf '%s\n' "$@" >"$entry" ;;
*--add-kernel=*) echo "The vmlinuz kernel isn't installed in the machine" >&2; exit 1 ;;
--info=TITLE=* | --remove-kernel=TITLE=*)
    grep -qx -- "--title=${1#*TITLE=}" "$entry" 2>/dev/null || { echo "The param ${1#*=} is incorrect" >&2; exit 1; }
    case $1 in --info*) echo index=0 ;; *) rm "$entry" ;; esac ;;
*) echo "The param $1 is incorrect" >&2; exit 1 ;;
esac
"#;

#[tokio::test]
async fn grubby_writes_an_entry_for_one_boot_and_takes_it_away_again() {
    let (appliance, _machine, running) = scene().await;
    running.program("grubby", &format!("{PROGRAM}{GRUBBY}"));
    appliance.cli(&["machine", "set", "web-1", "--arguments", "a=1&b"]).await;
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    let error = running.reinstalls(by(Way::Grubby)).await.unwrap_err().to_string();
    assert!(error.contains("grubby does not hand on & as it is"), "{error}");
    assert!(running.is_untouched() && running.text("entry").is_empty());

    appliance.cli(&["machine", "set", "web-1", "--arguments", ""]).await;
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    running.reinstalls(by(Way::Grubby)).await.unwrap();
    let (log, entry) = (running.log(), running.text("entry"));
    assert!(
        log.contains("grub-reboot Reinstall once by Kickstand") && log.trim().ends_with("systemctl reboot"),
        "{log}"
    );
    assert!(
        entry.contains("/boot/kickstand/vmlinuz\n") && entry.contains("\n--args=boot=kickstand ip=dhcp"),
        "{entry}"
    );

    running.write("proc/sys/kernel/random/boot_id", SECOND);
    running.checks_in().await.unwrap();
    assert!(running.is_untouched() && running.text("entry").is_empty(), "what it prepared is taken away");
    assert!(appliance.told("state", "it was started by grubby, web-1 is back on its old system").await);
}

#[tokio::test]
async fn the_firmware_is_told_of_the_kernel_once_and_forgets_it_again() {
    let (appliance, _machine, running) = scene().await;
    std::fs::write(appliance.config.files.join("d/vmlinuz"), b"MZ kernel").unwrap();
    running.write("sys/firmware/efi/there", "");
    running.write("sys/devices/vda/vda2/partition", "2");
    std::fs::create_dir_all(running.path("sys/class/block")).unwrap();
    std::os::unix::fs::symlink("../../devices/vda/vda2", running.path("sys/class/block/vda2")).unwrap();
    running.write("efibootmgr.says", "BootOrder: 0000\nBoot0000* UiApp\nBoot0005* Reinstall once by Kickstand\n");
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    running.reinstalls(by(Way::Bootnext)).await.unwrap();
    let log = running.log();
    assert!(log.contains(r"--disk /dev/vda --part 2 --label Reinstall once by Kickstand --loader \EFI\kickstand\vmlinuz --unicode initrd=\EFI\kickstand\initrd.img boot=kickstand"), "{log}");
    let calls: Vec<_> = log.lines().filter(|line| line.starts_with("efibootmgr")).collect();
    let gone = calls.iter().position(|call| call.ends_with("--bootnum 0005 --delete-bootnum"));
    let made = calls.iter().position(|call| call.contains("--create-only"));
    assert!(gone.is_some() && gone < made, "one of an earlier install is not left: {calls:?}");
    assert!(log.contains("efibootmgr --bootnext 0005") && log.trim().ends_with("systemctl reboot"), "{log}");
    assert_eq!(running.text("boot/efi/EFI/kickstand/vmlinuz"), "MZ kernel");

    running.write("proc/sys/kernel/random/boot_id", SECOND);
    running.checks_in().await.unwrap();
    assert!(running.log().contains("efibootmgr --bootnum 0005 --delete-bootnum"));
    assert!(!running.path("boot/efi/EFI/kickstand").exists());

    running.write("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\u{6}\0\0\0\u{1}");
    let error = running.reinstalls(by(Way::Bootnext)).await.unwrap_err().to_string();
    assert!(error.contains("Secure Boot is on"), "{error}");
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    let error = running.reinstalls(by(Way::Grub)).await.unwrap_err().to_string();
    assert!(error.contains("the kernel has no signature"), "{error}");
}

#[tokio::test]
async fn its_network_is_taken_along_in_the_installers_own_words() {
    let (appliance, _machine, running) = scene().await;
    appliance.cli(&["machine", "set", "web-1", "--ip", ""]).await;
    appliance.cli(&["network", "set", "loopback", "--profile", "web"]).await;
    running.program("ip", &format!("{PROGRAM}case \"$*\" in *route*) echo 'default via 127.0.0.254 dev eth0 proto static' ;; *) echo '1: eth0 inet {AGENT}/24 scope global' ;; esac\n"));
    std::fs::remove_file(running.path("ip.says")).unwrap();
    running.write("run/systemd/resolve/resolv.conf", "# of resolved\nnameserver 9.9.9.9\nnameserver fd00::1\n");
    running.write("etc/resolv.conf", "nameserver 127.0.0.53\n");
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    running.reinstalls(Options { keep_network: true, ..now() }).await.unwrap();
    let log = running.log();
    assert!(log.contains("ip=127.0.0.1::127.0.0.254:255.255.255.0:web-1::none:9.9.9.9"), "{log}");
    let url = log.split("kickstand.answer=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let answer = get(AGENT, &url, "").await.text();
    // So does the system that it installs: networkd's file of its card.
    let address = base64_of("Address=127.0.0.1/24");
    assert!(address.iter().any(|part| answer.contains(part)), "{answer}");
}

/// Text in the middle of base64, as it looks at each of three places.
fn base64_of(text: &str) -> Vec<String> {
    use base64::Engine as _;
    (0..3usize)
        .map(|skip| {
            let padded = format!("{}{text}", "x".repeat(skip));
            let whole = base64::engine::general_purpose::STANDARD_NO_PAD.encode(padded);
            let (first, last) = (if skip == 0 { 0 } else { skip + 1 }, whole.len().saturating_sub(2));
            whole[first..last].to_owned()
        })
        .collect()
}

#[tokio::test]
async fn what_renders_not_arms_nothing_and_a_machine_without_a_system_is_armed_for_the_network() {
    let (appliance, _machine, running) = scene().await;
    let template = appliance.template("image/install.sh");
    std::fs::write(&template, "#!/bin/sh\n\necho {{ no_such_thing }}\n").unwrap();
    let text = appliance.refused(&["machine", "reinstall", "web-1"]).await;
    assert!(text.contains("no_such_thing") && appliance.state("web-1").await == "registered", "{text}");
    std::fs::remove_file(&template).unwrap();
    let text = appliance.refused(&["machine", "reinstall", "web-1", "--profile", "db"]).await;
    assert!(text.contains("db"), "{text}");
    appliance.cli(&["profile", "add", "db", "--distro", "debian-12", "--key", "web"]).await;
    appliance.cli(&["machine", "reinstall", "web-1", "--profile", "db"]).await;
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["profile"], "db");
    running.checks_in().await.unwrap();
    assert!(appliance.told("script", "installer of profile db").await);

    appliance.add_machine("web-2", 11).await;
    let text = appliance.refused(&["machine", "reinstall", "web-2"]).await;
    assert!(text.contains("`kickstand machine arm web-2`"), "{text}");
}

#[tokio::test]
async fn who_checked_in_is_known_after_a_restart_and_its_inventory_is_sent_once() {
    let (mut appliance, _machine, running) = scene().await;
    running.write("proc/cpuinfo", "processor: 0\nmodel name: An older one\n");
    running.checks_in().await.unwrap();
    let shown = appliance.json(&["machine", "show", "web-1"]).await;
    assert_eq!(shown["inventory"]["cpu_model"], "An older one");
    assert_eq!(shown["heard"]["ip"], "127.0.0.1");
    let orders = |inventory_sha256: &str| json!({"boot_id": FIRST, "up_secs": 5, "inventory_sha256": inventory_sha256});
    let told: Value = serde_json::from_str(
        &ask(&appliance, "/agent/check-in", orders(&kit::digest(&shown["inventory"]))).await.text(),
    )
    .unwrap();
    assert_eq!(told, json!({"wish": "nothing", "inventory": false, "again_secs": 900}));
    let told = ask(&appliance, "/agent/check-in", orders("another")).await;
    assert!(told.text().contains(r#""inventory":true"#));
    let before = appliance.json(&["machine", "show", "web-1"]).await["heard"]["at"].clone();
    appliance.restart().await;
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["heard"]["at"], before, "it was written down");
    assert_eq!(
        ask(&appliance, "/agent/check-in", json!({"boot_id": "x", "up_secs": 5, "inventory_sha256": ""})).await.status,
        422
    );
}

#[tokio::test]
async fn the_timer_is_a_unit_of_systemds_and_follows_the_server() {
    let (_appliance, _machine, running) = scene().await;
    timer::install(&running.system(), "/usr/local/sbin/kickstand-agent").unwrap();
    let unit = "etc/systemd/system/kickstand-agent.timer";
    assert!(running.text(unit).contains("OnUnitActiveSec=900s"));
    assert!(
        running
            .text("etc/systemd/system/kickstand-check-in.service")
            .contains("ExecStart=/usr/local/sbin/kickstand-agent check-in")
    );
    assert!(running.log().contains("systemctl enable kickstand-check-in.service kickstand-agent.timer"));
    timer::follow(&running.system(), 300);
    assert!(running.text(unit).contains("OnUnitActiveSec=300s"));
    running.log();
    timer::follow(&running.system(), 300);
    timer::follow(&running.system(), 1);
    assert_eq!(running.log(), "", "what it knows already, and what is no pace, changes nothing");
    timer::remove(&running.system()).unwrap();
    assert!(!running.path(unit).exists());
    std::fs::remove_file(running.path("bin/systemctl")).unwrap();
    let system = System { path: running.path("bin").into(), ..running.system() };
    let told = timer::install(&system, "x").unwrap_err();
    assert!(told.to_string().contains("`kickstand-agent check-in` every 15 minutes"), "{told}");
}
