//! A program that stands in for another: it can be started as soon as it is there.

use std::path::Path;
use std::process::Command;

/// Another process writes it. Were it us, then a child that another thread starts at that moment would hold the file open for
/// writing, and nobody may start such a file: "Text file busy".
pub fn program(path: &Path, text: &str) {
    let written = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(written.path(), text).unwrap();
    let status = Command::new("install").args(["-D", "--mode=755"]).args([written.path(), path]).status().unwrap();
    assert!(status.success(), "{}", path.display());
}
