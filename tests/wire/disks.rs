//! The image family's script as a real server rendered it, on disks that are files: what it writes, and what it refuses.

use crate::house::{Client, House, Kind};
use crate::installs::{fetch, furnished, told};
use crate::rig::{Space, cable};
use crate::steps::lab;
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const DISK_MIB: u64 = 64;

/// Of the file system on each image's first partition.
const OWN: &str = "7a6f6c6b-0000-4000-8000-6b69636b7374";

/// A raw disk with a root partition of this many MiB, of what lies in a folder.
struct Image<'a> {
    label: &'a str,
    root_mib: u64,
    system: &'a [(&'a str, &'a str)],
}

/// So little of a system that only a script's own doing is seen on it.
const SYSTEM: &[(&str, &str)] = &[
    ("etc/os-release", "ID=tiny\n"),
    ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    ("etc/ssh/ssh_host_rsa_key", "of the image\n"),
    ("usr/bin/ssh-keygen", "#!/bin/sh\necho \"in the system: ssh-keygen $*\"\n"),
    ("bin/systemctl", "#!/bin/sh\necho \"in the system: systemctl $*\"\n"),
];
const CLOUD: &[(&str, &str)] = &[
    ("usr/bin/cloud-init", "#!/bin/sh\n"),
    ("etc/cloud/cloud.cfg", "{}\n"),
    ("var/lib/cloud/data/instance-id", "golden\n"),
];

fn shell(script: &str, place: &Path) {
    let output = Command::new("sh").args(["-euc", script]).current_dir(place).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Image<'_> {
    fn make(&self, place: &Path) {
        let system = place.join("system");
        for (name, text) in self.system {
            std::fs::create_dir_all(system.join(name).parent().unwrap()).unwrap();
            std::fs::write(system.join(name), text).unwrap();
        }
        std::fs::create_dir_all(&system).unwrap();
        let (label, mib) = (self.label, self.root_mib);
        shell(
            &format!(
                "cd system
                mkdir -p bin proc sys dev root etc/systemd/system
                cp /bin/busybox bin/busybox
                ldd bin/busybox | grep -o '/lib[^ ]*' | xargs -I@ cp --parents @ .
                for name in sh mkdir chmod cat dirname; do ln bin/busybox bin/$name; done
                chmod -R 755 bin usr 2>/dev/null || true
                cd ..
                truncate -s $((({mib} + 10) << 20)) disk.raw
                printf 'label: {label}\\nstart=2048, size=16384\\nstart=18432, size={}, type=L\\n' | sfdisk --quiet disk.raw
                truncate -s {mib}M root
                mkfs.ext4 -q -d system root
                dd if=root of=disk.raw bs=1M seek=9 conv=notrunc status=none
                truncate -s 8M own
                mkfs.ext4 -q -U {OWN} own
                dd if=own of=disk.raw bs=1M seek=1 conv=notrunc status=none
                zstd -q disk.raw
                xz -k disk.raw
                gzip -c disk.raw >disk.img.gz",
                mib << 11
            ),
            place,
        );
    }
}

/// The server's side of it: one machine, whose profile is of the image family.
struct Scene {
    space: Space,
    house: House,
    _server: Space,
    agent: PathBuf,
}

impl Scene {
    fn new() -> Scene {
        let (server, space) = cable();
        server.ip("address add 10.9.0.1/24 dev eth0");
        let house = furnished(&server);
        let here = "10.9.0.10".parse().unwrap();
        house.server.add_machines([("web-1".to_owned(), space.mac("eth0"), Some(here))].into_iter());
        let variables = json!({"live": "kernel", "image": "distro/disk.raw.zst"});
        let distro =
            json!({"name": "image", "family": "image", "kernel": "kernel", "initrd": "kernel", "variables": variables});
        house.server.add("distros", distro);
        house.server.add("profiles", json!({"name": "image", "distro": "image", "key": "web"}));
        Scene { space, house, _server: server, agent: lab("agent.sh") }
    }

    fn give(&self, image: &Path) {
        let name = image.file_name().unwrap();
        std::fs::copy(image, self.house.server.folder.join("files/distro").join(name)).unwrap();
    }

    /// Arms the machine with these variables and runs its script on this disk.
    fn run(&self, variables: Value, disk: &Path) -> Output {
        self.run_among(&[], variables, disk)
    }

    /// With these programs, as shell scripts, before the system's own.
    fn run_among(&self, programs: &[(&str, &str)], variables: Value, disk: &Path) -> Output {
        // What the run before had set goes again.
        let mut own = json!({"disk": "/srv/disk0", "user_data": null, "image_sha256": null, "image": null, "vlan": null, "ssh_authorized_keys": ["ssh-ed25519 AAAA it's me"]});
        own.as_object_mut().unwrap().extend(variables.as_object().unwrap().clone());
        self.house.server.api("PATCH", "machines/web-1", json!({"profile": "image", "variables": own}));
        self.house.server.api("POST", "machines/web-1/arm", Value::Null);
        let mac = self.space.mac("eth0").dashed();
        let boot = fetch(&self.space, &format!("http://10.9.0.1/boot/{mac}/script.ipxe"));
        let token = boot.split("/answer/").nth(1).unwrap().get(..64).unwrap();
        let script = disk.with_file_name("install.sh");
        std::fs::write(&script, fetch(&self.space, &format!("http://10.9.0.1/answer/{token}"))).unwrap();
        let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/disk.sh");
        let mut command = self.space.command("unshare --mount --propagation private sh");
        command.arg(room).arg(script).arg(disk).arg(&self.agent).env("LC_ALL", "C");
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in programs {
            std::fs::write(folder.path().join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        }
        ended(command.arg(folder.path()))
    }
}

/// All that it says, to the end: as the agent reads it, what is left running holds that up.
fn ended(command: &mut Command) -> Output {
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let group = format!("-{}", child.id());
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    receiver.recv_timeout(Duration::from_secs(100)).map(Result::unwrap).unwrap_or_else(|_| {
        Command::new("kill").args(["-9", "--", &group]).status().unwrap();
        panic!("after 100 s something still holds its output open")
    })
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

/// An empty disk in a folder of its own.
fn disk(mib: u64) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = folder.path().join("disk");
    std::fs::File::create(&path).unwrap().set_len(mib << 20).unwrap();
    (folder, path)
}

#[test]
#[ignore = "network namespaces: make wire"]
fn a_raw_disk_is_written_grown_and_told_who_it_is() {
    let scene = Scene::new();
    let client = Client::start(Kind::Udhcpc, &scene.space);
    assert_eq!(client.address(), Some("10.9.0.10".parse().unwrap()));
    let user_data = "#cloud-config\npackages: [vim]\n";
    let seeded = [
        "-- var/lib/cloud/seed/nocloud/user-data 600\n#cloud-config\npackages: [vim]\n",
        "== seeding cloud-init",
        "\"dhcp4\": true",
    ];
    let filed = [
        "-- etc/hostname 644\nweb-1\n",
        "-- root/.ssh/authorized_keys 600\nssh-ed25519 AAAA it's me\n",
        "in the system: ssh-keygen -q -t ed25519",
    ];
    let tagged = [
        "-- etc/systemd/network/10-kickstand-nic0.12.network 644\n",
        "network: {config: disabled}\n",
        "== seeding cloud-init",
    ];
    for (label, name, system, variables, wanted) in [
        ("gpt", "disk.raw.zst", [SYSTEM, CLOUD].concat(), json!({"user_data": user_data}), &seeded),
        ("dos", "disk.raw.xz", SYSTEM.to_vec(), json!({"image": "distro/disk.raw.xz"}), &filed),
        // cloud-init makes no VLAN where networkd is alone.
        ("gpt", "disk.img.gz", [SYSTEM, CLOUD].concat(), json!({"image": "distro/disk.img.gz", "vlan": 12}), &tagged),
    ] {
        let (folder, disk) = disk(DISK_MIB);
        Image { label, root_mib: 24, system: &system }.make(folder.path());
        scene.give(&folder.path().join(name));
        let before = told(&scene.house).len();
        let output = scene.run(variables, &disk);
        let said = said(&output);
        println!("{label}: {said}");
        assert!(output.status.success(), "{label}");
        for text in wanted
            .iter()
            .chain(&["in the system: systemctl enable kickstand-agent.service", "systemctl reboot --force"])
        {
            assert!(said.contains(text), "{label}: no {text:?}");
        }
        for text in ["of the image", "golden", "0123456789abcdef\n"] {
            assert!(!said.contains(text) || label == "gpt" && text == "of the image", "{label}: {text:?} was kept");
        }
        let events = told(&scene.house);
        let is_there = |mark: &str| events[before..].iter().any(|text| text.starts_with(mark));
        assert!(["state: installed", "registered: "].into_iter().all(is_there), "{:#?}", &events[before..]);
        assert_grown(label, &disk);
    }
}

/// The table is sound and reaches to the end of the disk, and so does the last partition with what is on it.
fn assert_grown(label: &str, disk: &Path) {
    let place = disk.parent().unwrap();
    shell(
        "sfdisk --json disk >table; sfdisk --verify disk >verified; dd if=disk of=grown bs=1M skip=9 status=none; dumpe2fs -h grown >head 2>/dev/null",
        place,
    );
    let read = |name: &str| std::fs::read_to_string(place.join(name)).unwrap();
    let table: Value = serde_json::from_str(&read("table")).unwrap();
    let (table, sectors) = (&table["partitiontable"], DISK_MIB << 11);
    assert_eq!(table["label"], label);
    let root = &table["partitions"][1];
    let end = root["start"].as_u64().unwrap() + root["size"].as_u64().unwrap();
    let tail = if label == "gpt" { 33 } else { 0 };
    assert!(end <= sectors - tail && end + 2048 > sectors - tail, "{label}: it ends at {end} of {sectors}");
    assert!(read("verified").contains("No errors detected"), "{}", read("verified"));
    let number = |name: &str| -> u64 {
        read("head").lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap()
    };
    let mib = (number("Block count:") * number("Block size:")) >> 20;
    assert!(mib + 10 >= DISK_MIB - 2, "{label}: its file system has {mib} MiB");
}

#[test]
#[ignore = "network namespaces: make wire"]
fn what_is_no_disk_for_a_machine_is_refused_and_never_done() {
    let scene = Scene::new();
    let _client = Client::start(Kind::Udhcpc, &scene.space);
    let (folder, whole) = disk(DISK_MIB);
    Image { label: "gpt", root_mib: 24, system: SYSTEM }.make(folder.path());
    let file = |name: &str| folder.path().join(name);
    let bytes = std::fs::read(file("disk.raw.zst")).unwrap();
    std::fs::write(file("short.raw.zst"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::copy(file("root"), file("root.img")).unwrap();
    // As some boot code has it, but no table.
    shell(
        "cp root marked.img; printf '\\001' | dd of=marked.img bs=1 seek=446 conv=notrunc status=none
        printf '\\125\\252' | dd of=marked.img bs=1 seek=510 conv=notrunc status=none
        qemu-img convert -O qcow2 disk.raw qcow.img",
        folder.path(),
    );
    let hidden = [SYSTEM, &[("etc/fstab", "# ours\nLABEL=none /var ext4 defaults 0 2\n")]].concat();
    for (name, system) in [("bare.raw.zst", &[("etc/hostname", "x\n")][..]), ("hidden.raw.zst", &hidden)] {
        let (bare, _) = disk(DISK_MIB);
        Image { label: "gpt", root_mib: 24, system }.make(bare.path());
        std::fs::rename(bare.path().join("disk.raw.zst"), file(name)).unwrap();
    }
    let names = ["disk.raw", "disk.raw.zst", "short.raw.zst", "root.img", "marked.img", "qcow.img"];
    for name in names.into_iter().chain(["bare.raw.zst", "hidden.raw.zst"]) {
        scene.give(&file(name));
    }
    let (_folder, small) = disk(16);
    for (image, more, disk, why) in [
        ("short.raw.zst", json!({}), &whole, "the image did not arrive whole"),
        ("root.img", json!({}), &whole, "the image does not begin as a disk does"),
        ("marked.img", json!({}), &whole, "what is on /srv/disk0 now has no partitions"),
        ("qcow.img", json!({}), &whole, "the image is a qcow2 image, whatever its name says: convert it with qemu-img"),
        ("hidden.raw.zst", json!({}), &whole, "the image mounts LABEL=none on /var, which is no partition of its own"),
        ("bare.raw.zst", json!({}), &whole, "no partition of the image holds a system that can be set up"),
        ("disk.raw", json!({}), &small, "the image is not on /srv/disk0, which has 16777216 bytes"),
        (
            "disk.raw.zst",
            json!({"image_sha256": "0".repeat(64)}),
            &whole,
            "the image is another than the variable image_sha256 says",
        ),
        ("disk.raw.zst", json!({"user_data": "#!/bin/sh\n"}), &whole, "nobody would read the variable user_data"),
        ("disk.raw.zst", json!({"disk": "/srv/none"}), &whole, "/srv/none is not a disk of this machine"),
    ] {
        let mut variables = json!({"image": format!("distro/{image}")});
        variables.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let output = scene.run(variables, disk);
        let said = said(&output);
        assert!(!output.status.success() && said.contains(why), "{why}: {said}");
        assert!(!said.contains("reboot"), "{said}");
        assert_eq!(scene.house.server.api("GET", "machines/web-1", Value::Null)["state"], "installing", "{why}");
    }
}

const BROKEN: &str = "echo \"${0##*/} will not\" >&2; exit 1";

#[test]
#[ignore = "network namespaces: make wire"]
fn what_fails_before_the_image_comes_ends_the_script_and_the_disk_is_as_it_was() {
    let scene = Scene::new();
    let _client = Client::start(Kind::Udhcpc, &scene.space);
    let (folder, whole) = disk(DISK_MIB);
    Image { label: "gpt", root_mib: 24, system: SYSTEM }.make(folder.path());
    shell("cp --sparse=always disk.raw root.tar.zst; qemu-img convert -O qcow2 disk.raw qcow.img", folder.path());
    shell("printf 'label: gpt\\nsize=1M\\n' | sfdisk --quiet disk; cp --sparse=always disk before", folder.path());
    for name in ["disk.raw", "root.tar.zst", "qcow.img"] {
        scene.give(&folder.path().join(name));
    }
    let large = "case $* in *--getss*) echo 4096 ;; *) exit 1 ;; esac";
    for (image, program, why, is_as_before) in [
        ("disk.raw", ("wipefs", BROKEN), "/srv/disk0 can not be wiped: is it in use?", true),
        ("root.tar.zst", ("sfdisk", BROKEN), "sfdisk will not", false),
        ("disk.raw", ("blockdev", large), "/srv/disk0 has sectors of 4096 bytes", true),
        ("qcow.img", ("true", ""), "the image is a qcow2 image", true),
    ] {
        shell("cp --sparse=always before disk", folder.path());
        let variables = json!({"image": format!("distro/{image}"), "image_sha256": "0".repeat(64)});
        let output = scene.run_among(&[program], variables, &whole);
        let said = said(&output);
        assert!(!output.status.success() && said.contains(why), "{why}: {said}");
        let is_same = std::fs::read(&whole).unwrap() == std::fs::read(folder.path().join("before")).unwrap();
        assert!(is_same || !is_as_before, "{why}: the disk lost something");
    }
}

/// udev makes the nodes of partitions long after it said that it has, and keeps the disk busy before.
const LATE_UDEV: &str = "echo >>/run/asked; [ $(($(wc -l </run/asked) % 7)) = 1 ] || exit 0; exec true-udevadm";
const BUSY_BLOCKDEV: &str = "case $1 in --rereadpt) echo >>/run/reread; [ $(($(wc -l </run/reread) % 3)) = 0 ] || \
    { echo busy >&2; exit 1; }; rm -f /srv/disk0p*; esac; exec /usr/sbin/blockdev \"$@\"";

#[test]
#[ignore = "network namespaces: make wire"]
fn what_a_disk_had_is_gone_and_what_the_image_mounts_elsewhere_is_told_there() {
    let scene = Scene::new();
    let _client = Client::start(Kind::Udhcpc, &scene.space);
    let (folder, whole) = disk(DISK_MIB);
    let fstab = format!("UUID={OWN} /var ext4 defaults 0 2\nnone /home tmpfs defaults\n");
    let own = [
        ("etc/fstab", &*fstab),
        ("etc/cloud/cloud.cfg.d/90-installer-network.cfg", "network:\n  version: 2\n"),
        ("etc/cloud/cloud.cfg.d/subiquity-disable-cloudinit-networking.cfg", "network: {config: disabled}\n"),
        ("etc/cloud/cloud.cfg.d/95-mine.cfg", "system_info:\n  network: {}\n"),
        ("etc/netplan/00-installer-config.yaml", "network: {version: 2}\n"),
    ];
    Image { label: "gpt", root_mib: 24, system: &[SYSTEM, CLOUD, &own].concat() }.make(folder.path());
    scene.give(&folder.path().join("disk.raw.zst"));
    // Where the image writes nothing, a partition begins that it does not have.
    shell(
        "printf 'label: gpt\\nstart=2048, size=2048\\nstart=98304, size=8192\\n' | sfdisk --quiet disk
        truncate -s 4M swap; mkswap swap >/dev/null; dd if=swap of=disk bs=1M seek=48 conv=notrunc status=none",
        folder.path(),
    );
    let mark = |bytes: &[u8]| bytes[(48 << 20) + 4086..][..10] == *b"SWAPSPACE2";
    assert!(mark(&std::fs::read(&whole).unwrap()));
    let programs = [("udevadm", LATE_UDEV), ("blockdev", BUSY_BLOCKDEV)];
    let output = scene.run_among(&programs, json!({"image": "distro/disk.raw.zst"}), &whole);
    let said = said(&output);
    assert!(said.contains("systemctl reboot --force"), "{said}");
    assert!(!mark(&std::fs::read(&whole).unwrap()), "{said}");
    for name in [
        "cloud/cloud.cfg.d/90-installer-network.cfg",
        "cloud/cloud.cfg.d/subiquity-disable-cloudinit-networking.cfg",
        "netplan/00-installer-config.yaml",
    ] {
        assert!(said.contains(&format!("-- etc/{name}.before-kickstand 644")), "{name}: {said}");
        assert!(!said.contains(&format!("-- etc/{name} ")), "{name}: {said}");
    }
    assert!(said.contains("-- etc/cloud/cloud.cfg.d/95-mine.cfg 644"), "{said}");
    // The root file system holds nothing of it.
    assert!(!said.contains("-- var/lib/cloud/seed"), "{said}");
    let told = "dd if=disk of=var bs=1M skip=1 count=8 status=none; debugfs -R 'cat lib/cloud/seed/nocloud/meta-data' var 2>/dev/null >told; grep -q web-1 told";
    shell(told, folder.path());
}
