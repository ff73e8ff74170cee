//! `kickstand loader` as operators type it: on this host, from unpacked packages, without a server.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn loader(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kickstand"));
    command.current_dir(folder).arg("loader").args(args).args(["--config", "kickstand.toml"]);
    command.output().unwrap()
}

fn said(output: Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn setting() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    let settings = format!("[server]\nloaders = [\"{at}/var/loaders\"]\ntemplates = \"{at}/etc\"\n");
    std::fs::write(folder.path().join("kickstand.toml"), settings).unwrap();
    let packages = folder.path().join("root/usr/lib/ipxe");
    std::fs::create_dir_all(&packages).unwrap();
    std::fs::write(packages.join("undionly.kpxe"), "a BIOS program").unwrap();
    folder
}

fn state(folder: &Path, name: &str) -> String {
    let shown: Value = serde_json::from_str(&said(loader(folder, &["show", name, "--output", "json"]))).unwrap();
    shown["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_loader_is_imported_listed_shown_and_removed() {
    let folder = setting();
    let folder = folder.path();
    let text = said(loader(folder, &["import", "ipxe-bios", "--root", "root"]));
    assert!(text.contains("ipxe-bios/undionly.kpxe") && text.contains("no EFI program"), "{text}");
    let text = said(loader(folder, &["list"]));
    let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(row("ipxe-bios ").ends_with("  imported"), "{text}");
    assert!(row("ipxe-x64 ").ends_with("  not imported"), "{text}");
    assert!(said(loader(folder, &["show", "ipxe-bios"])).contains("14 bytes"));
    std::fs::write(folder.join("var/loaders/ipxe-bios/undionly.kpxe"), "another program").unwrap();
    assert_eq!(state(folder, "ipxe-bios"), "undionly.kpxe changed since");
    assert_eq!(said(loader(folder, &["remove", "ipxe-bios"])), "loader ipxe-bios removed\n");
    assert_eq!(state(folder, "ipxe-bios"), "not imported");
    assert!(!folder.join("var/loaders/ipxe-bios").exists());
}

#[test]
fn what_can_not_be_imported_is_said_and_the_exit_code_too() {
    let folder = setting();
    let refused = |args: &[&str], words: &str| {
        let output = loader(folder.path(), args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(words), "{args:?}: {text}");
    };
    refused(&["import"], "required");
    refused(&["import", "ipxe-bios", "--all"], "cannot be used with");
    refused(&["import", "ipxe-x64", "--root", "root"], "install the package ipxe");
    refused(&["import", "--file", "nowhere", "--into", "ipxe-x64", "--as", "snponly.efi"], "can not be read");
    refused(&["import", "--file", "kickstand.toml", "--into", "ipxe-x64", "--as", "snponly.efi"], "not an EFI program");
    refused(&["show", "nonsense"], "there is no loader nonsense");
    std::fs::create_dir_all(folder.path().join("etc/pxe")).unwrap();
    std::fs::write(folder.path().join("etc/pxe/loaders.toml"), "\n[[loader]]\nnam = 'x'\n").unwrap();
    refused(&["list"], "etc/pxe/loaders.toml:3: unknown field `nam`");
}
