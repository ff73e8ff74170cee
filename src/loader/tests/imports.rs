//! Import from a root that the test fills: all or nothing, and what is left afterwards.

use super::image::*;
use super::{BUILT_IN, digest};
use crate::loader::import::{Error, How, Places, Report, Wanted, catalogue, import, remove};
use crate::loader::inspect::Trust;
use crate::loader::place;
use crate::loader::staged::Staged;
use crate::loader::state::{State, state, summary};
use crate::model::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    /// With the packages of debian-12-secure below `root`.
    fn new() -> Host {
        let host = Host { dir: tempfile::tempdir().unwrap() };
        host.package("usr/lib/shim/shimx64.efi.signed", &signed(X64));
        let grub = image(X64, Some("sbat,1\ngrub,5\n"), b"signature");
        host.package("usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed", &grub);
        host
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn package(&self, path: &str, bytes: &[u8]) {
        write(&self.path("root").join(path), bytes);
    }

    fn places(&self) -> Places {
        Places {
            built_in: BUILT_IN.into(),
            manifest: self.path("etc/pxe/loaders.toml"),
            folder: self.path("var/loaders"),
            folders: vec![self.path("var/loaders"), self.path("usr/lib/ipxe")],
        }
    }

    fn how(&self) -> How {
        How { root: self.path("root"), dbx: None, force: false, now: Time::from_secs(1_700_000_000) }
    }

    fn import(&self, names: &[&str]) -> Result<Report, Error> {
        import(&self.places(), &named(names), &self.how())
    }

    fn loader(&self, name: &str) -> Loader {
        let all = catalogue(&self.places()).unwrap();
        all.into_iter().find(|loader| loader.name.as_str() == name).unwrap()
    }

    /// Every file of the catalogue and the loaders, but for the lock.
    fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path("var"), self.path("etc")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false if entry.file_name() == ".lock" => {}
                    false => drop(found.insert(entry.path(), fs::read(entry.path()).unwrap())),
                }
            }
        }
        found
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn named(names: &[&str]) -> Wanted {
    Wanted::Named(names.iter().map(|name| name.parse().unwrap()).collect())
}

const SHIM: &str = "usr/lib/shim/shimx64.efi.signed";

#[test]
fn a_loader_comes_out_of_its_packages_with_their_versions() {
    let host = Host::new();
    let status = "Package: shim-signed\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1.51+16.0\n\n\
        Package: shim-signed\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.51+16.1\n\n\
        Package: grub-efi-amd64-signed\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n";
    host.package("var/lib/dpkg/status", status.as_bytes());
    host.package("var/lib/dpkg/info/shim-signed:arm64.list", b"/.\n/usr/lib/shim/shimaa64.efi.signed\n");
    host.package("var/lib/dpkg/info/shim-signed:amd64.list", format!("/.\n/{SHIM}\n").as_bytes());
    let grub = b"/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed\n";
    host.package("var/lib/dpkg/info/grub-efi-amd64-signed.list", grub);
    let report = host.import(&["debian-12-secure"]).unwrap();
    let told: Vec<_> = report.taken.iter().map(|taken| (taken.file.as_str(), &taken.trust)).collect();
    assert_eq!(told, [("shimx64.efi", &Trust::Signed), ("grubx64.efi", &Trust::Signed)]);
    let loader = host.loader("debian-12-secure");
    let shim = loader.file("shimx64.efi").unwrap().imported.clone().unwrap();
    assert_eq!((shim.origin.as_str(), shim.sha256), ("shim-signed 1.51+16.1", Digest::of(&signed(X64))));
    assert_eq!(shim.sbat, ["shim,4", "shim.debian,1"]);
    let grub = loader.file("grubx64.efi").unwrap().imported.clone().unwrap();
    assert!(grub.origin.ends_with("root/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed"), "{}", grub.origin);
    assert_eq!(fs::read(host.path("var/loaders/debian-12-secure/shimx64.efi")).unwrap(), signed(X64));
    assert_eq!(summary(&host.places().folders, &loader), "imported");
}

#[test]
fn a_file_that_was_changed_or_removed_afterwards_is_known() {
    let host = Host::new();
    host.import(&["debian-12-secure"]).unwrap();
    let (folder, loader) = (host.places().folder, host.loader("debian-12-secure"));
    fs::write(folder.join("debian-12-secure/grubx64.efi"), "other").unwrap();
    fs::remove_file(folder.join("debian-12-secure/shimx64.efi")).unwrap();
    let of = |name: &str| state(&host.places().folders, &loader, loader.file(name).unwrap());
    assert_eq!(["grubx64.efi", "shimx64.efi", "mmx64.efi"].map(of), [State::Changed, State::Gone, State::NotImported]);
    assert_eq!(summary(&host.places().folders, &loader), "shimx64.efi gone, grubx64.efi changed since");
}

#[test]
fn one_bad_file_and_nothing_is_imported() {
    let host = Host::new();
    host.import(&["debian-12-secure"]).unwrap();
    let before = host.everything();
    host.package(SHIM, &image(X64, Some("sbat,1\nshim,4\n"), b"another signature"));
    host.package("usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed", &signed(ARM64));
    let error = host.import(&["debian-12-secure"]).unwrap_err().to_string();
    assert!(error.starts_with("nothing was imported:\n  debian-12-secure: "), "{error}");
    assert!(error.contains("is for arm64, and debian-12-secure is for x64"), "{error}");
    assert_eq!(host.everything(), before);
}

#[test]
fn a_place_that_can_not_be_written_and_nothing_is_imported() {
    let host = Host::new();
    host.import(&["debian-12-secure"]).unwrap();
    host.package(SHIM, &image(X64, Some("sbat,1\nshim,4\n"), b"another signature"));
    host.package("usr/lib/shim/mmx64.efi.signed", &signed(X64));
    // A folder where a file is to be: found out only when the others are in place.
    fs::create_dir_all(host.path("var/loaders/debian-12-secure/mmx64.efi/in-the-way")).unwrap();
    let before = host.everything();
    let error = host.import(&["debian-12-secure"]).unwrap_err().to_string();
    assert!(error.starts_with("cannot write ") && error.contains("debian-12-secure/mmx64.efi"), "{error}");
    assert_eq!(host.everything(), before);
}

#[test]
fn a_first_import_that_fails_leaves_no_folder_either() {
    let host = Host::new();
    fs::create_dir_all(host.path("etc/pxe/loaders.toml")).unwrap();
    let error = host.import(&["debian-12-secure"]).unwrap_err().to_string();
    assert!(error.contains("loaders.toml"), "{error}");
    fs::remove_dir(host.path("etc/pxe/loaders.toml")).unwrap();
    fs::create_dir_all(host.path("var/loaders/debian-12-secure/grubx64.efi/in-the-way")).unwrap();
    host.import(&["debian-12-secure"]).unwrap_err();
    assert!(host.everything().is_empty() && !host.path("var/loaders/debian-12-secure/shimx64.efi").exists());
}

#[test]
fn what_secure_boot_refuses_comes_by_force_only() {
    let host = Host::new();
    host.package(SHIM, &image(X64, Some("sbat,1\nshim,3\n"), b"signature"));
    let error = host.import(&["debian-12-secure"]).unwrap_err().to_string();
    assert!(error.contains("is revoked: below level 2024010900 (shim 3, needs 4)"), "{error}");
    assert!(error.contains("--force"), "{error}");
    assert!(host.everything().is_empty());
    let report = import(&host.places(), &named(&["debian-12-secure"]), &How { force: true, ..host.how() }).unwrap();
    let objections: Vec<bool> = report.taken.iter().map(|taken| taken.objection.is_some()).collect();
    assert_eq!(objections, [true, false]);
}

#[test]
fn a_dbx_is_compared_and_must_be_one() {
    let host = Host::new();
    let list = host.path("dbx");
    let with_dbx = How { dbx: Some(list.clone()), ..host.how() };
    let go = || import(&host.places(), &named(&["debian-12-secure"]), &with_dbx);
    assert!(go().unwrap_err().to_string().starts_with("cannot read "));
    fs::write(&list, "not a dbx").unwrap();
    assert!(go().unwrap_err().to_string().contains("is not a dbx"));
    let bytes = signed(X64);
    let hash = crate::loader::authenticode::digest(&bytes, &crate::loader::pe::Pe::parse(&bytes).unwrap());
    let mut dbx = hex::decode("2616c4c14c509240aca941f9369343284c0000000000000030000000").unwrap();
    dbx.extend([0; 16]);
    dbx.extend(hash.0);
    fs::write(&list, &dbx).unwrap();
    assert!(go().unwrap_err().to_string().contains("its hash is in the dbx"));
    dbx[44..].copy_from_slice(&digest(1).0);
    fs::write(&list, &dbx).unwrap();
    go().unwrap();
}

#[test]
fn all_takes_what_is_there_and_says_what_is_not() {
    let host = Host::new();
    let report = import(&host.places(), &Wanted::All, &host.how()).unwrap();
    assert!(report.taken.iter().all(|taken| taken.loader.as_str() == "debian-12-secure"));
    let passed: Vec<&str> = report.passed.iter().map(|(name, _)| name.as_str()).collect();
    assert!(passed.contains(&"pxelinux") && passed.contains(&"ipxe-bios"), "{passed:?}");
    assert!(!passed.contains(&"rhel-9-secure") && !passed.contains(&"extlinux"), "{passed:?}");
    let why = &report.passed.iter().find(|(name, _)| name.as_str() == "pxelinux").unwrap().1;
    assert!(why.contains("install the package pxelinux"), "{why}");
    let error = host.import(&["pxelinux"]).unwrap_err().to_string();
    assert!(error.contains("install the package pxelinux"), "{error}");
    let error = host.import(&["rhel-9-secure"]).unwrap_err().to_string();
    assert!(error.contains("--into rhel-9-secure --as shimx64.efi"), "{error}");
    let error = host.import(&["nonsense"]).unwrap_err().to_string();
    assert!(error.starts_with("there is no loader nonsense"), "{error}");
}

#[test]
fn a_single_file_joins_its_loader() {
    let host = Host::new();
    let path = host.path("BOOTX64.EFI");
    fs::write(&path, signed(X64)).unwrap();
    let wanted =
        |name: &str| Wanted::File { path: path.clone(), into: "rhel-9-secure".parse().unwrap(), name: name.into() };
    import(&host.places(), &wanted("shimx64.efi"), &host.how()).unwrap();
    assert_eq!(summary(&host.places().folders, &host.loader("rhel-9-secure")), "lacks grubx64.efi");
    import(&host.places(), &wanted("grubx64.efi"), &host.how()).unwrap();
    let loader = host.loader("rhel-9-secure");
    assert_eq!(summary(&host.places().folders, &loader), "imported");
    assert_eq!(loader.file("grubx64.efi").unwrap().imported.as_ref().unwrap().origin, path.display().to_string());
    for bad in ["../shimx64.efi", "", ".hidden", "a/b", "a b"] {
        let error = import(&host.places(), &wanted(bad), &host.how()).unwrap_err().to_string();
        assert!(error.contains("is not the name of a loader's file"), "{bad}: {error}");
    }
}

#[test]
fn links_of_a_foreign_root_stay_in_it() {
    let host = Host::new();
    fs::remove_file(host.path("root").join(SHIM)).unwrap();
    host.package("etc/shim", &signed(X64));
    symlink("/etc/shim", host.path("root").join(SHIM)).unwrap();
    host.import(&["debian-12-secure"]).unwrap();
    fs::remove_file(host.path("root/etc/shim")).unwrap();
    write(&host.path("outside"), &signed(X64));
    symlink("../../../../outside", host.path("root/etc/shim")).unwrap();
    host.import(&["debian-12-secure"]).unwrap_err();
}

#[test]
fn removing_takes_files_and_facts_and_nothing_else() {
    let host = Host::new();
    host.import(&["debian-12-secure"]).unwrap();
    let note = host.path("var/loaders/debian-12-secure/note");
    fs::write(&note, "mine").unwrap();
    remove(&host.places(), &["debian-12-secure".parse().unwrap()]).unwrap();
    assert_eq!(host.loader("debian-12-secure"), super::loader("debian-12-secure"));
    let left: Vec<PathBuf> = host.everything().into_keys().collect();
    assert_eq!(left, [host.places().manifest, note]);
    assert!(remove(&host.places(), &["nonsense".parse().unwrap()]).is_err());
}

#[test]
fn what_lies_flat_is_served_of_ipxe_and_pxelinux_and_of_no_shim() {
    let host = Host::new();
    let folders = host.places().folders;
    let says = |name: &str| summary(&folders, &host.loader(name));
    for file in ["undionly.kpxe", "shimx64.efi", "grubx64.efi"] {
        write(&host.path("usr/lib/ipxe").join(file), b"a program");
    }
    assert_eq!(says("ipxe-bios"), "served, not compared");
    let (loader, row) = (host.loader("ipxe-bios"), host.loader("ipxe-bios").files[0].clone());
    assert_eq!(place::of(&folders, &loader, &row), Some(host.path("usr/lib/ipxe/undionly.kpxe")));
    for name in ["debian-12-secure", "rhel-9-secure", "grub-http-x64"] {
        assert_eq!(says(name), "not imported");
        assert!(!place::is_there(&folders, &host.loader(name)), "{name}");
    }
}

#[test]
fn what_lies_in_a_loaders_own_folder_is_served_once_it_is_imported() {
    let host = Host::new();
    let folders = host.places().folders;
    write(&host.path("var/loaders/ipxe-bios/undionly.kpxe"), b"from nowhere");
    write(&host.path("var/loaders/debian-12-secure/mmx64.efi"), b"from nowhere");
    assert!(!place::is_there(&folders, &host.loader("ipxe-bios")));
    host.import(&["debian-12-secure"]).unwrap();
    let loader = host.loader("debian-12-secure");
    let is_there = |name: &str| place::of(&folders, &loader, loader.file(name).unwrap()).is_some();
    assert_eq!(["shimx64.efi", "grubx64.efi", "mmx64.efi"].map(is_there), [true, true, false]);
    write(&host.path("usr/lib/ipxe/ipxe-bios/undionly.kpxe"), b"from nowhere");
    assert_eq!(summary(&folders, &host.loader("ipxe-bios")), "not imported");
}

#[test]
fn a_catalogue_behind_a_link_is_written_where_it_lies() {
    let host = Host::new();
    let (link, real) = (host.places().manifest, host.path("repository/loaders.toml"));
    write(&real, b"");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink("../../repository/loaders.toml", &link).unwrap();
    for is_there in [true, false] {
        if !is_there {
            fs::remove_file(&real).unwrap();
        }
        host.import(&["debian-12-secure"]).unwrap();
        assert!(link.is_symlink() && fs::read_to_string(&real).unwrap().contains("shimx64.efi"), "{is_there}");
    }
}

#[test]
fn an_edit_that_was_saved_meanwhile_is_not_lost() {
    let host = Host::new();
    let (text, other) = (host.path("etc/loaders.toml"), host.path("var/loaders/a.efi"));
    let stage = |before: &str| {
        let mut staged = Staged::default();
        staged.add(&other, b"new").unwrap();
        staged.add_over(&text, before, b"ours").unwrap();
        staged
    };
    let staged = stage("");
    write(&text, b"theirs");
    assert!(staged.commit().unwrap_err().to_string().ends_with("it was edited meanwhile: do it again"));
    assert_eq!(host.everything(), BTreeMap::from([(text.clone(), b"theirs".to_vec())]));
    let staged = stage("theirs");
    fs::remove_file(&text).unwrap();
    staged.commit().unwrap_err();
    assert!(host.everything().is_empty());
    stage("").commit().unwrap();
    assert_eq!(fs::read(&text).unwrap(), b"ours");
}

#[test]
fn a_file_that_cannot_be_removed_keeps_its_row() {
    let host = Host::new();
    host.import(&["debian-12-secure"]).unwrap();
    let shim = host.path("var/loaders/debian-12-secure/shimx64.efi");
    fs::remove_file(&shim).unwrap();
    fs::create_dir_all(shim.join("in-the-way")).unwrap();
    remove(&host.places(), &["debian-12-secure".parse().unwrap()]).unwrap_err();
    assert!(host.loader("debian-12-secure").file("shimx64.efi").unwrap().imported.is_some());
}
