//! Imports into a place that is taken: what is replaced, what is undone, and what the server hears of it.

use crate::imports::{Scene, alma, tree};
use std::fs;
use std::path::Path;

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
    scene.import(&[alma.to_str().unwrap(), "--name", "web", "--replace", "--var", "tree=http://mirror.example"]).await;
    scene.import(&[flatcar.to_str().unwrap(), "--name", "web", "--replace"]).await;
    assert_eq!(known(&scene, "web").await.0["tree"], "http://mirror.example", "an operator's");
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
