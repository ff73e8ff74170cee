//! One tree for each mark, with the files that the real one has, and what is made of it.

use crate::import::folder::Folder;
use crate::import::marks::{Extent, MARKS, Recognised, Value, looked_for, recognise, slug};
use std::fs;

fn recognised(files: &[(&str, &str)]) -> Option<Recognised> {
    let scene = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = scene.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    recognise(&Folder::read(scene.path()).unwrap()).unwrap()
}

/// Family, name, kernel and initrd in one line.
fn line(found: &Recognised) -> String {
    format!("{} {} {} {}", found.family, found.name(), found.kernel, found.initrd)
}

const PXE: &[(&str, &str)] = &[("images/pxeboot/vmlinuz", ""), ("images/pxeboot/initrd.img", "")];

fn with(more: &[(&'static str, &'static str)], files: &[(&'static str, &'static str)]) -> Option<Recognised> {
    recognised(&[more, files].concat())
}

#[test]
fn anaconda_by_treeinfo_and_by_discinfo() {
    let treeinfo = |text| with(&[(".treeinfo", text)], PXE).unwrap();
    let boot = "images/pxeboot/vmlinuz images/pxeboot/initrd.img";
    for (text, name) in [
        ("[general]\nfamily = AlmaLinux\nversion = 9.4\narch = x86_64\n", "almalinux-9.4-x86_64"),
        (
            "[general]\nfamily = Red Hat Enterprise Linux\nversion = 7.9\narch = x86_64\n[images-x86_64]\nkernel = images/pxeboot/vmlinuz\n",
            "rhel-7.9-x86_64",
        ),
        ("[general]\nfamily = Rocky Linux\nversion = 9.3\narch = aarch64\n", "rocky-9.3-aarch64"),
        ("[general]\nfamily = Oracle Linux Server\nversion = 8.9\narch = x86_64\n", "oracle-8.9-x86_64"),
        ("[general]\nfamily = CentOS Stream\nversion = 10-stream\narch = x86_64\n", "centos-stream-10-stream-x86_64"),
        ("[release]\nname = Fedora\nversion = 41\n[tree]\narch = x86_64\n", "fedora-41-x86_64"),
    ] {
        assert_eq!(line(&treeinfo(text)), format!("redhat {name} {boot}"));
    }
    let disc = with(&[(".discinfo", "1386857206.2\nRed Hat Enterprise Linux 6.5\nx86_64\n1,2\n")], PXE).unwrap();
    assert_eq!(line(&disc), format!("redhat rhel-6.5-x86_64 {boot}"));
    assert_eq!((disc.variables, disc.extent), (vec![("tree", Value::Tree)], Extent::Whole));
}

#[test]
fn debian_by_its_installer_wherever_it_lies() {
    let boot = [("debian-installer/amd64/linux", ""), ("debian-installer/amd64/initrd.gz", "")];
    let netboot = recognised(&boot).unwrap();
    assert_eq!(line(&netboot), "debian debian-amd64 debian-installer/amd64/linux debian-installer/amd64/initrd.gz");
    assert_eq!(netboot.variables, [], "its packages come from a mirror");
    let folder = "dists/bookworm/main/installer-arm64/current/images/netboot/debian-installer/arm64";
    let (kernel, initrd) = (format!("{folder}/linux"), format!("{folder}/initrd.gz"));
    let mirror = recognised(&[(&kernel, ""), (&initrd, ""), ("pool/main/b/bash.deb", "")]).unwrap();
    assert_eq!(line(&mirror), format!("debian debian-bookworm-arm64 {kernel} {initrd}"));
    assert_eq!(mirror.variables, [("tree", Value::Tree), ("suite", Value::Text("bookworm".into()))]);
    let info = "Debian GNU/Linux 12.5.0 \"Bookworm\" - Official amd64 DVD Binary-1 with firmware 20240210-11:28";
    let dvd = [
        (".disk/info", info),
        ("install.amd/vmlinuz", ""),
        ("install.amd/initrd.gz", ""),
        ("pool/main/b/bash.deb", ""),
        ("dists/bookworm/Release", ""),
    ];
    let dvd = recognised(&dvd).unwrap();
    assert_eq!(line(&dvd), "debian debian-12.5.0-amd64 install.amd/vmlinuz install.amd/initrd.gz");
    assert!(dvd.notes[0].contains("looks for the disc"), "{:?}", dvd.notes);
}

#[test]
fn ubuntu_by_casper_and_the_older_one_by_its_netboot() {
    let info = "Ubuntu-Server 24.04.1 LTS \"Noble Numbat\" - Release amd64 (20240827)";
    let live = recognised(&[(".disk/info", info), ("casper/vmlinuz", ""), ("casper/initrd", "")]).unwrap();
    assert_eq!(line(&live), "ubuntu ubuntu-server-24.04.1-amd64 casper/vmlinuz casper/initrd");
    assert_eq!((live.variables, live.extent), (vec![("iso", Value::Image)], Extent::Boot));
    let info = "Ubuntu-Server 18.04.6 LTS \"Bionic Beaver\" - Release amd64 (20210915)";
    let folder = "install/netboot/ubuntu-installer/amd64";
    let (kernel, initrd) = (format!("{folder}/linux"), format!("{folder}/initrd.gz"));
    let older =
        recognised(&[(".disk/info", info), (&kernel, ""), (&initrd, ""), ("pool/main/b/bash.deb", "")]).unwrap();
    assert_eq!(line(&older), format!("debian ubuntu-server-18.04.6-amd64 {kernel} {initrd}"));
}

#[test]
fn suse_by_its_media_or_content_and_agama_by_its_live_system() {
    let boot = [("boot/x86_64/loader/linux", ""), ("boot/x86_64/loader/initrd", "")];
    let paths = "boot/x86_64/loader/linux boot/x86_64/loader/initrd";
    for (name, text, told) in [
        (
            "media.1/media",
            "openSUSE - openSUSE-Leap-15.5-x86_64-Build491.1-Media\nopenSUSE-Leap-15.5-x86_64-Build491.1\n1\n",
            "opensuse-leap-15.5-x86_64",
        ),
        ("media.1/media", "SUSE - SLE-15-SP5\nSLE-15-SP5-Full-x86_64-GM-Media1\n3\n", "sle-15-sp5-x86_64"),
        (
            "content",
            "CONTENTSTYLE 11\nDISTRO cpe:/o:suse:sles:12:sp5,SUSE Linux Enterprise Server 12 SP5\n",
            "sles-12-sp5-x86_64",
        ),
    ] {
        let found =
            recognised(&[&boot[..], &[(name, text), (".treeinfo", "[general]\nfamily = SUSE\n")]].concat()).unwrap();
        assert_eq!(line(&found), format!("suse {told} {paths}"));
    }
    let agama = recognised(&[&boot[..], &[("LiveOS/squashfs.img", "")]].concat()).unwrap();
    assert_eq!(line(&agama), format!("agama agama-x86_64 {paths}"));
    assert_eq!(agama.variables[1], ("live", Value::File("LiveOS/squashfs.img".into())));
}

#[test]
fn flatcar_and_fedora_coreos_by_the_names_of_their_files() {
    let version = "FLATCAR_BUILD=3815\nFLATCAR_VERSION=3815.2.0\nFLATCAR_BOARD=amd64-usr\n";
    let files = [
        ("flatcar_production_pxe.vmlinuz", ""),
        ("flatcar_production_pxe_image.cpio.gz", ""),
        ("version.txt", version),
    ];
    let found = recognised(&files).unwrap();
    assert_eq!(
        line(&found),
        "ignition flatcar-3815.2.0-amd64 flatcar_production_pxe.vmlinuz flatcar_production_pxe_image.cpio.gz"
    );
    for (dash, release) in [("-", "40.20240416.3.1"), (".", "42.20250512.3.0")] {
        let head = format!("fedora-coreos-{release}-live");
        let kernel = format!("{head}-kernel{dash}x86_64");
        let (initrd, rootfs) = (format!("{head}-initramfs.x86_64.img"), format!("{head}-rootfs.x86_64.img"));
        let signature = format!("{kernel}.sig");
        let found = recognised(&[(&kernel, ""), (&signature, ""), (&initrd, ""), (&rootfs, "")]).unwrap();
        assert_eq!(line(&found), format!("ignition fedora-coreos-{release}-x86_64 {kernel} {initrd}"));
        assert_eq!(found.variables, [("rootfs", Value::File(rootfs))]);
    }
    let image = recognised(&[PXE, &[("images/pxeboot/rootfs.img", "")]].concat()).unwrap();
    assert_eq!(line(&image), "ignition fedora-coreos images/pxeboot/vmlinuz images/pxeboot/initrd.img");
}

#[test]
fn esxi_by_its_boot_cfg() {
    let config = "bootstate=0\ntitle=Loading ESXi installer\nkernel=/b.b00\nmodules=/jumpstrt.gz --- /useropts.gz\nbuild=8.0.2-0.0.22380479\n";
    let found = recognised(&[("boot.cfg", config), ("efi/boot/bootx64.efi", "MZ"), ("b.b00", "")]).unwrap();
    assert_eq!(line(&found), "esxi esxi-8.0.2-x86_64 efi/boot/bootx64.efi boot.cfg");
    assert_eq!(recognised(&[("boot.cfg", "x=1\n"), ("efi/boot/bootx64.efi", "MZ")]), None);
}

#[test]
fn an_image_with_our_live_system_or_alone() {
    let files = [("vmlinuz", ""), ("initrd.img", ""), ("live.squashfs", ""), ("root.tar.zst", "")];
    let found = recognised(&files).unwrap();
    assert_eq!(line(&found), "image root vmlinuz initrd.img");
    let file = |path: &str| Value::File(path.into());
    assert_eq!(found.variables, [("image", file("root.tar.zst")), ("live", file("live.squashfs"))]);
    let alone = recognised(&[("debian-12-web.tar.zst", "")]).unwrap();
    assert_eq!((alone.family.as_str(), alone.kernel.as_str()), ("image", ""));
    let two = [&files[..], &[("b.tar.zst", "")]].concat();
    assert_eq!((recognised(&two), recognised(&two[3..])), (None, None), "which one?");
    assert_eq!(recognised(&[("a.tar.zst", ""), ("readme", "")]), None, "a folder with an archive in it");
    for (name, called) in
        [("disk.raw.zst", "disk"), ("cloud-12.img", "cloud-12"), ("root.tar.gz", "root"), ("a.b.img.xz", "a.b")]
    {
        let found = recognised(&[(name, "")]).unwrap_or_else(|| panic!("{name}"));
        assert_eq!((found.name().as_str(), &found.variables), (called, &vec![("image", file(name))]));
    }
    for name in ["disk.qcow2", "root.tar.bz2", "initrd.img", "vmlinuz"] {
        assert_eq!(
            recognised(&[(name, "")]),
            None,
            "{name}: the live system would wipe the disk and then not write it"
        );
    }
}

#[test]
fn what_is_nothing_is_nothing_and_every_mark_is_told() {
    assert_eq!(recognised(&[("readme", "")]), None);
    assert_eq!(recognised(&[(".treeinfo", "nonsense")]), None);
    assert_eq!(looked_for().lines().count(), MARKS.len());
    assert_eq!(slug("  Ünïx  --- 1.0!"), "n-x-1.0");
}
