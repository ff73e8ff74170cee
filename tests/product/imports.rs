//! `kickstand distro import` as operators type it: from a tree to a distro that a server knows.

use crate::rig::{Appliance, pattern};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A folder with these files.
pub fn tree(folder: &Path, files: &[(&str, &[u8])]) -> PathBuf {
    for (name, bytes) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder.to_owned()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// As Alma ships it, but for the packages.
pub fn alma(folder: &Path) -> PathBuf {
    let (kernel, initrd) = (pattern(300_000), pattern(500_000));
    let info = format!(
        "[checksums]\nimages/pxeboot/initrd.img = sha256:{}\nimages/pxeboot/vmlinuz = sha256:{}\n\n\
         [general]\narch = x86_64\nfamily = AlmaLinux\nname = AlmaLinux 9.4\nversion = 9.4\n\n\
         [images-x86_64]\ninitrd = images/pxeboot/initrd.img\nkernel = images/pxeboot/vmlinuz\n\n\
         [stage2]\nmainimage = images/install.img\n",
        sha256(&initrd),
        sha256(&kernel)
    );
    tree(
        folder,
        &[
            (".treeinfo", info.as_bytes()),
            ("images/pxeboot/vmlinuz", &kernel),
            ("images/pxeboot/initrd.img", &initrd),
            ("images/install.img", &pattern(90_000)),
            ("BaseOS/repodata/repomd.xml", b"<repomd/>"),
            ("BaseOS/Packages/bash-5.rpm", &pattern(70_000)),
        ],
    )
}

/// Everything below the server's folder of distros, but for the lock.
pub fn everything(appliance: &Appliance) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![appliance.config.files.join("distros")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true if entry.file_name() == ".import" => folders.push(entry.path()),
                true => {
                    found.insert(entry.path(), Vec::new());
                    folders.push(entry.path());
                }
                false if entry.file_name() == "lock" => {}
                false => drop(found.insert(entry.path(), fs::read(entry.path()).unwrap())),
            }
        }
    }
    found
}

pub struct Scene {
    pub appliance: Appliance,
    pub config: String,
}

impl Scene {
    pub async fn new() -> Scene {
        Scene::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut kickstand::config::Config)) -> Scene {
        let appliance = Appliance::with(change).await;
        let path = appliance.folder.path().join("kickstand.toml");
        fs::write(&path, format!("[server]\nfiles = {:?}\n", appliance.config.files)).unwrap();
        Scene { config: path.display().to_string(), appliance }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.appliance.folder.path().join(name)
    }

    pub fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [&["distro", "import", "--config", &self.config], args].concat()
    }

    pub async fn import(&self, args: &[&str]) -> String {
        self.appliance.cli(&self.args(args)).await
    }

    pub async fn refused(&self, args: &[&str]) -> String {
        self.appliance.refused(&self.args(args)).await
    }
}

#[tokio::test]
async fn a_folder_becomes_a_distro_with_its_files_and_its_tree() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    symlink("../../../../etc/passwd", folder.join("BaseOS/passwd")).unwrap();
    symlink("images", folder.join("linked")).unwrap();
    let text = scene.import(&[folder.to_str().unwrap()]).await;
    for part in [
        "almalinux 9.4 x86_64, family redhat",
        "6 with 960.4 kB",
        "2 of 6 files by .treeinfo (sha256); nothing is signed",
        "passed over 2 links",
        "distro almalinux-9.4-x86_64 added",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let distro = scene.appliance.json(&["distro", "show", "almalinux-9.4-x86_64"]).await;
    assert_eq!(distro["family"], "redhat");
    assert_eq!(distro["kernel"], "distros/almalinux-9.4-x86_64/images/pxeboot/vmlinuz");
    assert_eq!(distro["variables"], serde_json::json!({"tree": "distros/almalinux-9.4-x86_64"}));
    let url = scene.appliance.url("/files/distros/almalinux-9.4-x86_64/BaseOS/Packages/bash-5.rpm");
    assert_eq!(crate::rig::get(scene.appliance.ip(9), &url, "").await.body, pattern(70_000));
    let place = scene.appliance.config.files.join("distros/almalinux-9.4-x86_64");
    assert!(!place.join("BaseOS/passwd").is_symlink() && !place.join("linked").exists());
}

#[tokio::test]
async fn the_same_tree_again_changes_nothing_and_another_must_be_meant() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let at = folder.to_str().unwrap();
    scene.import(&[at, "--name", "alma"]).await;
    let before = everything(&scene.appliance);
    let again = scene.import(&[at, "--name", "alma"]).await;
    assert!(again.contains("distro alma holds this tree already: nothing was changed"), "{again}");
    fs::remove_file(folder.join("BaseOS/Packages/bash-5.rpm")).unwrap();
    fs::write(folder.join("BaseOS/Packages/bash-6.rpm"), "newer").unwrap();
    let refused = scene.refused(&[at, "--name", "alma"]).await;
    assert!(refused.contains("holds another tree") && refused.contains("--replace"), "{refused}");
    assert_eq!(everything(&scene.appliance), before);
    let replaced = scene.import(&[at, "--name", "alma", "--replace", "--arguments", "quiet"]).await;
    assert!(replaced.contains("distro alma replaced"), "{replaced}");
    let after = everything(&scene.appliance);
    assert!(
        after.keys().any(|path| path.ends_with("bash-6.rpm")) && !after.keys().any(|path| path.ends_with("bash-5.rpm"))
    );
    assert_eq!(scene.appliance.json(&["distro", "show", "alma"]).await["arguments"], "quiet");
}

#[tokio::test]
async fn what_the_server_refuses_leaves_no_files_behind() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let at = folder.to_str().unwrap();
    let refused = scene.refused(&[at, "--loader", "no-such-loader"]).await;
    assert!(refused.contains("no-such-loader"), "{refused}");
    assert!(everything(&scene.appliance).is_empty());
    scene.import(&[at]).await;
    let before = everything(&scene.appliance);
    fs::write(folder.join("more"), "x").unwrap();
    scene.refused(&[at, "--replace", "--loader", "no-such-loader"]).await;
    assert_eq!(everything(&scene.appliance), before, "the tree before is in its place again");
}

#[tokio::test]
async fn another_folder_than_the_servers_is_filled_by_no_import() {
    let scene = Scene::new().await;
    let other = scene.path("other");
    fs::create_dir(&other).unwrap();
    fs::write(scene.path("other.toml"), format!("[server]\nfiles = {other:?}\n")).unwrap();
    let (folder, settings) = (alma(&scene.path("alma")), scene.path("other.toml"));
    let args = ["distro", "import", "--config", settings.to_str().unwrap(), folder.to_str().unwrap(), "--replace"];
    let refused = scene.appliance.refused(&args).await;
    assert!(refused.contains(other.to_str().unwrap()) && refused.contains("--config"), "{refused}");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0, "nothing is left there");
    // The same folder by another path is the server's.
    std::os::unix::fs::symlink(&scene.appliance.config.files, scene.path("link")).unwrap();
    fs::write(&settings, format!("[server]\nfiles = {:?}\n", scene.path("link"))).unwrap();
    scene.appliance.cli(&args).await;
}

#[tokio::test]
async fn one_wrong_byte_in_the_kernel_refuses_everything() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let kernel = folder.join("images/pxeboot/vmlinuz");
    let mut bytes = fs::read(&kernel).unwrap();
    bytes[200_000] ^= 1;
    fs::write(&kernel, bytes).unwrap();
    let refused = scene.refused(&[folder.to_str().unwrap()]).await;
    assert!(refused.contains("images/pxeboot/vmlinuz is not what .treeinfo says (sha256)"), "{refused}");
    assert!(everything(&scene.appliance).is_empty());
    assert_eq!(scene.appliance.json(&["distro", "list"]).await, serde_json::json!([]));
}

#[tokio::test]
async fn what_is_not_recognised_is_refused_with_all_that_was_looked_for_unless_an_operator_knows() {
    let scene = Scene::new().await;
    let folder = tree(&scene.path("odd"), &[("k", b"kernel"), ("i", b"initrd"), ("readme", b"x")]);
    let at = folder.to_str().unwrap();
    let refused = scene.refused(&[at]).await;
    for part in [".treeinfo", "debian-installer/ARCH/linux", "flatcar_production_pxe.vmlinuz", "boot.cfg", "--family"] {
        assert!(refused.contains(part), "{part:?} is not in {refused}");
    }
    let told = ["--family", "debian", "--kernel", "k", "--initrd", "i"];
    let nameless = scene.refused(&[&[at], &told[..]].concat()).await;
    assert!(nameless.contains("--name"), "{nameless}");
    let text = scene.import(&[&[at, "--name", "odd"], &told[..]].concat()).await;
    assert!(text.contains("not verified: the tree says nothing of these files"), "{text}");
    let outside = ["--family", "debian", "--kernel", "../alma/k", "--initrd", "i", "--name", "out"];
    let refused = scene.refused(&[&[at], &outside[..]].concat()).await;
    assert!(refused.contains("../alma/k is not in"), "{refused}");
}

#[tokio::test]
async fn what_is_too_large_or_not_ours_is_left_alone() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let at = folder.to_str().unwrap();
    let refused = scene.refused(&[at, "--max-size", "900K"]).await;
    assert!(refused.contains("bytes are needed and 921600 are allowed (--max-size)"), "{refused}");
    assert!(everything(&scene.appliance).is_empty());
    let own = scene.appliance.config.files.join("distros/alma");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("mine"), "precious").unwrap();
    let refused = scene.refused(&[at, "--name", "alma", "--replace"]).await;
    assert!(refused.contains("no import made it"), "{refused}");
    assert_eq!(fs::read(own.join("mine")).unwrap(), b"precious");
}
