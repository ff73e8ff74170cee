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

/// The variables and the arguments of a distro, as the server has them.
async fn known(scene: &Scene, name: &str) -> (serde_json::Value, serde_json::Value) {
    let distro = scene.appliance.json(&["distro", "show", name]).await;
    (distro["variables"].clone(), distro["arguments"].clone())
}

#[tokio::test]
async fn a_replacement_that_the_server_never_heard_of_is_undone_and_done_again() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let at = folder.to_str().unwrap();
    scene.import(&[at, "--name", "alma"]).await;
    let room = scene.appliance.config.files.join("distros/.import");
    let place = scene.appliance.config.files.join("distros/alma");
    let record = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path.join(".kickstand.json")).unwrap()).unwrap()
    };
    // As an import leaves it whose server went away before it was told of the new tree.
    let old = record(&place);
    let mut new = old.clone();
    new["id"] = "new".into();
    tree(&room.join("staged"), &[(".kickstand.json", &fs::read(place.join(".kickstand.json")).unwrap())]);
    tree(&place, &[(".kickstand.json", new.to_string().as_bytes()), ("half", b"")]);
    let pending = serde_json::json!({"name": "alma", "new": "new", "old": old["id"],
        "kernel": "distros/alma/images/pxeboot/vmlinuz", "initrd": "distros/alma/images/pxeboot/initrd.img",
        "family": "redhat", "variables": {"tree": "distros/alma", "disk": "/dev/vdb"}});
    fs::write(room.join("pending.json"), pending.to_string()).unwrap();
    scene.refused(&["/nowhere"]).await;
    assert_eq!(record(&place)["id"], old["id"], "the tree before is in its place again");
    scene.import(&[at, "--name", "alma", "--replace", "--var", "disk=/dev/vdb"]).await;
    assert_eq!(known(&scene, "alma").await.0["disk"], "/dev/vdb");
}

#[tokio::test]
async fn what_is_given_with_the_same_tree_is_written_down() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let at = folder.to_str().unwrap();
    scene.import(&[at, "--name", "alma", "--var", "disk=/dev/vda", "--var", "zone=a"]).await;
    let args = ["--arguments", "quiet", "--var", "disk=/dev/vdb", "--var", "zone="];
    let text = scene.import(&[&[at, "--name", "alma"], &args[..]].concat()).await;
    assert!(text.contains("holds this tree already: what was given is written down"), "{text}");
    let wanted = serde_json::json!({"disk": "/dev/vdb", "tree": "distros/alma"});
    assert_eq!(known(&scene, "alma").await, (wanted, "quiet".into()));
    let replaced = scene.import(&[at, "--name", "alma", "--replace"]).await;
    assert!(replaced.contains("distro alma replaced"), "{replaced}");
}

#[tokio::test]
async fn files_that_are_no_longer_as_they_were_imported_are_told_of() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let at = folder.to_str().unwrap();
    scene.import(&[at, "--name", "alma"]).await;
    let kernel = scene.appliance.config.files.join("distros/alma/images/pxeboot/vmlinuz");
    let whole = fs::read(&kernel).unwrap();
    let mut changed = whole.clone();
    changed[7] ^= 1;
    fs::write(&kernel, changed).unwrap();
    let refused = scene.refused(&[at, "--name", "alma"]).await;
    assert!(refused.contains("no longer as they were") && refused.contains("--replace"), "{refused}");
    fs::remove_file(&kernel).unwrap();
    let refused = scene.refused(&[at, "--name", "alma"]).await;
    assert!(refused.contains("no longer as they were"), "{refused}");
    scene.import(&[at, "--name", "alma", "--replace"]).await;
    assert_eq!(fs::read(&kernel).unwrap(), whole);
}

#[tokio::test]
async fn variables_of_the_tree_before_go_with_it_and_those_of_operators_stay() {
    let scene = Scene::new().await;
    let files: &[(&str, &[u8])] =
        &[("flatcar_production_pxe.vmlinuz", b"kernel"), ("flatcar_production_pxe_image.cpio.gz", b"i")];
    let flatcar = tree(&scene.path("flatcar"), files);
    let alma = alma(&scene.path("alma"));
    scene.import(&[alma.to_str().unwrap(), "--name", "web", "--var", "zone=a"]).await;
    scene.import(&[flatcar.to_str().unwrap(), "--name", "web", "--replace"]).await;
    let variables = known(&scene, "web").await.0;
    assert_eq!((&variables["tree"], &variables["zone"]), (&serde_json::Value::Null, &"a".into()), "{variables}");
}

#[tokio::test]
async fn files_that_another_distro_boots_from_are_replaced_when_that_is_meant() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let at = folder.to_str().unwrap();
    scene.import(&[at, "--name", "alma"]).await;
    let paths = ["distros/alma/images/pxeboot/vmlinuz", "distros/alma/images/pxeboot/initrd.img"];
    let other = ["distro", "add", "other", "--family", "redhat", "--kernel", paths[0], "--initrd", paths[1]];
    scene.appliance.cli(&other).await;
    scene.appliance.cli(&["distro", "remove", "alma"]).await;
    fs::write(folder.join("more"), "x").unwrap();
    let refused = scene.refused(&[at, "--name", "alma"]).await;
    assert!(refused.contains("distro other needs distros/alma/images") && refused.contains("--replace"), "{refused}");
    scene.import(&[at, "--name", "alma", "--replace"]).await;
    assert!(scene.appliance.config.files.join("distros/alma/more").exists());
}
