//! The place beside: what may be written there, and by whom it can be read.

use crate::import::journal::Words;
use crate::import::record::{NAME, Record};
use crate::import::stage::Room;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

#[test]
fn nothing_is_written_outside_and_everybody_reads_what_is_inside() {
    let scene = tempfile::tempdir().unwrap();
    let room = Room::open(scene.path()).unwrap();
    let stage = room.stage().unwrap();
    for path in ["../x", "/tmp/x", "a/../b", "a//b", "./a", "", ".", "a/", NAME] {
        assert!(stage.file(path).is_err(), "{path:?}");
    }
    stage.file("a/b/c").unwrap();
    assert!(stage.file("a/b/c").is_err(), "twice");
    let staged = scene.path().join("distros/.import/staged");
    for (path, mode) in [("a/b/c", 0o644), ("a/b", 0o755), ("a", 0o755)] {
        assert_eq!(staged.join(path).metadata().unwrap().permissions().mode() & 0o777, mode, "{path}");
    }
    drop(stage);
    assert!(!staged.exists());
}

fn refusal(files: &Path) -> String {
    Room::open(files).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn a_link_in_the_room_leads_nowhere() {
    let scene = tempfile::tempdir().unwrap();
    let precious = scene.path().join("precious");
    fs::write(&precious, "kept").unwrap();
    fs::create_dir_all(scene.path().join("distros/.import")).unwrap();
    symlink(&precious, scene.path().join("distros/.import/lock")).unwrap();
    assert!(refusal(scene.path()).contains("lock is a link"), "{}", refusal(scene.path()));
    fs::remove_file(scene.path().join("distros/.import/lock")).unwrap();
    for name in ["scratch", "pending.new", "staged"] {
        symlink(&precious, scene.path().join("distros/.import").join(name)).unwrap();
    }
    let room = Room::open(scene.path()).unwrap();
    assert!(room.scratch().is_err(), "what is there was not made here");
    room.stage().unwrap();
    assert_eq!(fs::read(&precious).unwrap(), b"kept");
}

#[test]
fn a_room_that_is_a_link_is_refused() {
    let scene = tempfile::tempdir().unwrap();
    fs::create_dir_all(scene.path().join("distros")).unwrap();
    fs::create_dir_all(scene.path().join("elsewhere/inside")).unwrap();
    symlink("../elsewhere", scene.path().join("distros/.import")).unwrap();
    assert!(refusal(scene.path()).contains(".import is a link"), "{}", refusal(scene.path()));
    fs::remove_file(scene.path().join("distros/.import")).unwrap();
    fs::remove_dir(scene.path().join("distros")).unwrap();
    symlink("elsewhere", scene.path().join("distros")).unwrap();
    assert!(refusal(scene.path()).contains("distros is a link"), "{}", refusal(scene.path()));
    assert!(scene.path().join("elsewhere/inside").exists());
}

#[test]
fn a_room_that_was_swapped_for_a_link_is_worked_in_no_more() {
    let scene = tempfile::tempdir().unwrap();
    let (import, victim) = (scene.path().join("distros/.import"), scene.path().join("victim"));
    fs::create_dir_all(victim.join("staged")).unwrap();
    let room = Room::open(scene.path()).unwrap();
    let stage = room.stage().unwrap();
    fs::rename(&import, scene.path().join("distros/away")).unwrap();
    symlink(&victim, &import).unwrap();
    stage.file("a/b").unwrap();
    drop(room.scratch().unwrap());
    drop(stage);
    room.clean().unwrap();
    let left: Vec<_> = fs::read_dir(&victim).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["staged"]);
    assert_eq!(fs::read_dir(victim.join("staged")).unwrap().count(), 0);
}

/// Only root can play the service's account.
#[test]
fn the_room_stays_with_whoever_imports_and_the_tree_goes_to_the_service() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scene = tempfile::tempdir().unwrap();
    let ids = |path: &str| scene.path().join(path).symlink_metadata().map(|meta| (meta.uid(), meta.gid())).unwrap();
    chown(scene.path(), Some(4242), Some(4343)).unwrap();
    let room = Room::open(scene.path()).unwrap();
    let stage = room.stage().unwrap();
    stage.file("a/b/c").unwrap();
    for path in ["distros/.import", "distros/.import/staged", "distros/.import/staged/a/b/c"] {
        assert_eq!(ids(path).0, 0, "{path}");
    }
    // As a tree never can have it: what is given away is the link, not what it leads to.
    fs::write(scene.path().join("precious"), "").unwrap();
    symlink("../../precious", scene.path().join("distros/.import/staged/link")).unwrap();
    let record = Record {
        id: "1".into(),
        source: String::new(),
        files: 1,
        bytes: 0,
        verified: String::new(),
        variables: Vec::new(),
    };
    room.put(stage, &"alma".parse().unwrap(), &record, Words::default()).unwrap();
    for path in ["", "/a", "/a/b", "/a/b/c", "/link", "/.kickstand.json"] {
        assert_eq!(ids(&format!("distros/alma{path}")), (4242, 4343), "{path}");
    }
    assert_eq!((ids("distros"), ids("distros/.import").0, ids("precious").0), ((4242, 4343), 0, 0));
    drop(room);
    chown(scene.path().join("distros/.import"), Some(4242), Some(4343)).unwrap();
    assert!(refusal(scene.path()).contains("belongs to the user with id 4242"), "{}", refusal(scene.path()));
}

#[test]
fn a_full_disk_is_told_of_as_such() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let error = std::io::Write::write_all(&mut &full, b"x").unwrap_err();
    let told = crate::import::Error::writing("images/install.img".as_ref())(error).to_string();
    assert!(told.starts_with("there is no room left for images/install.img: make some"), "{told}");
}
