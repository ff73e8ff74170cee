//! By which way the installer is started, what each leaves as it was, and what is refused before anything has changed.

use super::*;

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

const EFIBOOTMGR: &str = r#"
case "$*" in
*--create-only*) echo "Boot0006* Reinstall once by Kickstand" >>"$here/entries" ;;
*--delete-bootnum) sed -i "/^Boot$2/d" "$here/entries" ;;
esac
cat "$here/entries"
"#;

/// As Red Hat's own: a kernel that is none of this system's is refused unless it is said to be meant, and where /boot is a file
/// system of its own an entry is not found by its kernel's path.
const GRUBBY: &str = r#"
entry=$here/entry
case "$*" in
*--add-kernel=*--bad-image-okay*) printf '%s\n' "$@" >"$entry" ;;
*--add-kernel=*) echo "The vmlinuz kernel isn't installed in the machine" >&2; exit 1 ;;
--info=TITLE=* | --remove-kernel=TITLE=*)
    grep -qx -- "--title=${1#*TITLE=}" "$entry" 2>/dev/null || { echo "The param ${1#*=} is incorrect" >&2; exit 1; }
    case $1 in --info*) echo index=0; cat "$entry" ;; *) rm "$entry" ;; esac ;;
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
    running.program("efibootmgr", &format!("{PROGRAM}{EFIBOOTMGR}"));
    running.write("entries", "Boot0000* UiApp\nBoot0005* Reinstall once by Kickstand\n");
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    running.reinstalls(by(Way::Bootnext)).await.unwrap();
    let log = running.log();
    assert!(log.contains(r"--disk /dev/vda --part 2 --label Reinstall once by Kickstand --loader \EFI\kickstand\vmlinuz --unicode initrd=\EFI\kickstand\initrd.img boot=kickstand"), "{log}");
    let calls: Vec<_> = log.lines().filter(|line| line.starts_with("efibootmgr")).collect();
    let gone = calls.iter().position(|call| call.ends_with("--bootnum 0005 --delete-bootnum"));
    let made = calls.iter().position(|call| call.contains("--create-only"));
    assert!(gone.is_some() && gone < made, "one of an earlier install is not left: {calls:?}");
    assert!(log.contains("efibootmgr --bootnext 0006") && log.trim().ends_with("systemctl reboot"), "{log}");
    assert_eq!(running.text("boot/efi/EFI/kickstand/vmlinuz"), "MZ kernel");

    running.write("proc/sys/kernel/random/boot_id", SECOND);
    running.checks_in().await.unwrap();
    assert_eq!(running.text("entries"), "Boot0000* UiApp\n");
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
