//! The place beside: what may be written there, and by whom it can be read.

use crate::import::record::NAME;
use crate::import::stage::Room;
use std::os::unix::fs::PermissionsExt;

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
