//! What this machine is made of, as its kernel tells in /proc and /sys.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::wire::{Disk, Interface, Inventory};

/// Reads the inventory under `root` (`/`, another folder in tests). What cannot be read stays empty.
pub fn gather(root: &Path) -> Inventory {
    // `ip` is in every system that has a network; reading the addresses ourselves takes unsafe code.
    let addresses = Command::new("ip")
        .args(["-oneline", "address", "show"])
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    gather_with(root, &addresses)
}

fn gather_with(root: &Path, addresses: &str) -> Inventory {
    let line = |path: &str| first_line(&root.join(path));
    let dmi = |name: &str| line(&format!("sys/class/dmi/id/{name}"));
    let (cpu_model, cpus) = processors(&text(&root.join("proc/cpuinfo")));
    let firmware = match root.join("sys/firmware/efi").exists() {
        true => "uefi",
        false => "bios",
    };
    Inventory {
        hostname: line("proc/sys/kernel/hostname"),
        os: pretty_name(&text(&root.join("etc/os-release"))),
        kernel: line("proc/sys/kernel/osrelease"),
        architecture: std::env::consts::ARCH.to_owned(),
        firmware: firmware.to_owned(),
        vendor: dmi("sys_vendor"),
        product: dmi("product_name"),
        serial: dmi("product_serial"),
        uuid: dmi("product_uuid"),
        cpu_model,
        cpus,
        memory_bytes: memory_bytes(&text(&root.join("proc/meminfo"))),
        disks: disks(&root.join("sys/block")),
        interfaces: interfaces(&root.join("sys/class/net"), addresses),
        packages: None,
    }
}

/// PRETTY_NAME of an os-release file, without its quotes.
fn pretty_name(os_release: &str) -> String {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default().trim();
    let quoted = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    quoted('"').or(quoted('\'')).unwrap_or(value).to_owned()
}

fn processors(cpuinfo: &str) -> (String, u32) {
    let of =
        |name| cpuinfo.lines().filter_map(|line| line.split_once(':')).filter(move |(field, _)| field.trim() == name);
    let model = of("model name").next().map(|(_, model)| model.trim());
    (model.unwrap_or_default().to_owned(), of("processor").count() as u32)
}

fn memory_bytes(meminfo: &str) -> u64 {
    meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))
        .and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes * 1024)
}

/// Block devices that are no disks: made of other things, made of memory, or trays and drives.
const NOT_DISKS: &[&str] = &["loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd"];

fn disks(folder: &Path) -> Vec<Disk> {
    names(folder)
        .into_iter()
        .filter(|name| !NOT_DISKS.iter().any(|prefix| name.starts_with(prefix)))
        .map(|name| {
            let block = folder.join(&name);
            let sectors: u64 = first_line(&block.join("size")).parse().unwrap_or(0);
            Disk {
                model: first_line(&block.join("device/model")),
                serial: disk_serial(&block),
                // The kernel counts 512-byte sectors here whatever the disk's own are.
                size_bytes: sectors * 512,
                name,
            }
        })
        .filter(|disk| disk.size_bytes > 0)
        .collect()
}

/// virtio puts it beside the disk, NVMe under the device, SCSI and SATA in a page whose first four bytes are its head.
fn disk_serial(block: &Path) -> String {
    for place in ["serial", "device/serial"] {
        let serial = first_line(&block.join(place));
        if !serial.is_empty() {
            return serial;
        }
    }
    let page = fs::read(block.join("device/vpd_pg80")).unwrap_or_default();
    let serial = String::from_utf8_lossy(page.get(4..).unwrap_or_default()).into_owned();
    serial.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_owned()
}

/// Cards, and whatever else carries an address (a bond, a bridge); never the loopback.
fn interfaces(folder: &Path, addresses: &str) -> Vec<Interface> {
    names(folder)
        .into_iter()
        .filter(|name| name != "lo")
        .map(|name| Interface {
            mac: own_mac(&folder.join(&name)),
            addresses: addresses_of(&name, addresses),
            physical: is_physical(&folder.join(&name)),
            name,
        })
        .filter(|card| !card.addresses.is_empty() || folder.join(&card.name).join("device").exists())
        .collect()
}

/// A card in a bond shows the bond's: its own is told apart.
fn own_mac(card: &Path) -> String {
    let own = first_line(&card.join("bonding_slave/perm_hwaddr"));
    if own.is_empty() { first_line(&card.join("address")) } else { own }
}

/// A bridge, a bond, a tunnel or one half of a pair has no device; a virtual function is a part of one.
fn is_physical(card: &Path) -> bool {
    card.join("device").exists() && !card.join("device/physfn").exists()
}

/// Picks the addresses of `name` out of lines like `2: eth0    inet 10.0.0.7/24 brd …`.
fn addresses_of(name: &str, lines: &str) -> Vec<String> {
    lines
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let of = words.next()?;
            let family = words.next()?;
            (of == name && family.starts_with("inet")).then(|| words.next())?
        })
        .map(str::to_owned)
        .collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn first_line(path: &Path) -> String {
    text(path).lines().next().unwrap_or_default().trim().to_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn a_machine_is_described_by_its_kernel() {
        let root = machine(&[
            ("proc/sys/kernel/hostname", "node1\n"),
            ("proc/sys/kernel/osrelease", "6.1.0-40-cloud-amd64\n"),
            ("proc/cpuinfo", "processor\t: 0\nmodel name\t: QEMU\n\nprocessor\t: 1\nmodel name\t: QEMU\n"),
            ("proc/meminfo", "MemTotal:        1500000 kB\nMemFree: 1 kB\n"),
            ("etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
            ("sys/firmware/efi/systab", ""),
            ("sys/class/dmi/id/product_name", "Bench\n"),
            ("sys/block/vda/size", "4096\n"),
            ("sys/block/vda/serial", "disk-1"),
            ("sys/block/sda/size", "8\n"),
            ("sys/block/sda/device/model", "BIG DISK   \n"),
            ("sys/block/sda/device/vpd_pg80", "\u{0}\u{0}\u{0}\u{4} WD-1"),
            ("sys/block/nvme0n1/size", "8\n"),
            ("sys/block/nvme0n1/device/serial", "nv-1  \n"),
            ("sys/block/loop0/size", "8\n"),
            ("sys/block/sr0/size", "8\n"),
            ("sys/block/sdb/size", "0\n"),
            ("sys/class/net/lo/address", "00:00:00:00:00:00\n"),
            ("sys/class/net/eth0/address", "52:54:00:00:00:01\n"),
            ("sys/class/net/eth1/address", "52:54:00:00:00:02\n"),
            ("sys/class/net/eth1/device/vendor", "0x1\n"),
            ("sys/class/net/eth1/bonding_slave/perm_hwaddr", "52:54:00:00:00:0b\n"),
            ("sys/class/net/eth2/address", "52:54:00:00:00:03\n"),
            ("sys/class/net/eth2/device/physfn/vendor", "0x1\n"),
            ("sys/class/net/docker0/address", "02:42:00:00:00:00\n"),
        ]);
        let addresses = "1: lo    inet 127.0.0.1/8 scope host lo\n\
            2: eth0    inet 10.77.0.9/24 brd 10.77.0.255 scope global eth0\\ valid_lft 1sec\n\
            2: eth0    inet6 fe80::1/64 scope link\n";
        let inventory = gather_with(root.path(), addresses);

        assert_eq!(inventory.hostname, "node1");
        assert_eq!(inventory.os, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(inventory.kernel, "6.1.0-40-cloud-amd64");
        assert_eq!((inventory.firmware.as_str(), inventory.product.as_str()), ("uefi", "Bench"));
        assert_eq!((inventory.cpu_model.as_str(), inventory.cpus), ("QEMU", 2));
        assert_eq!(inventory.memory_bytes, 1_536_000_000);
        let disks: Vec<_> = inventory.disks.iter().map(|disk| (&*disk.name, &*disk.serial, disk.size_bytes)).collect();
        assert_eq!(disks, [("nvme0n1", "nv-1", 4096), ("sda", "WD-1", 4096), ("vda", "disk-1", 2_097_152)]);
        assert_eq!(inventory.disks[1].model, "BIG DISK");
        let cards: Vec<_> = inventory.interfaces.iter().map(|card| (&*card.name, card.addresses.len())).collect();
        assert_eq!(cards, [("eth0", 2), ("eth1", 0), ("eth2", 0)]);
        let physical: Vec<_> = inventory.interfaces.iter().map(|card| (&*card.mac, card.physical)).collect();
        // The first one has an address and no device: a container's, or a bridge.
        assert_eq!(physical, [("52:54:00:00:00:01", false), ("52:54:00:00:00:0b", true), ("52:54:00:00:00:03", false)]);
        assert_eq!(inventory.interfaces[0].addresses, ["10.77.0.9/24", "fe80::1/64"]);
    }

    #[test]
    fn a_machine_that_tells_nothing_is_an_empty_inventory_and_no_error() {
        let root = machine(&[]);
        let inventory = gather_with(root.path(), "");
        assert_eq!((inventory.cpus, inventory.memory_bytes), (0, 0));
        assert_eq!(inventory.firmware, "bios");
        assert!(inventory.disks.is_empty() && inventory.interfaces.is_empty());
    }

    #[test]
    fn names_of_systems_come_with_and_without_quotes() {
        for (os_release, expected) in [
            ("PRETTY_NAME=\"Rocky Linux 9\"", "Rocky Linux 9"),
            ("PRETTY_NAME='Arch Linux'", "Arch Linux"),
            ("ID=x\nPRETTY_NAME=Void", "Void"),
            ("ID=x", ""),
        ] {
            assert_eq!(pretty_name(os_release), expected);
        }
    }
}
