//! The operator's catalogue and quirks while they are broken, cannot be read, or change.

use crate::rig::{Appliance, get};
use kickstand::model::Digest;
use std::fs;
use std::path::Path;

/// A loader of one file that was imported as these bytes.
fn imported(templates: &Path, bytes: &[u8]) {
    let digest = Digest::of(bytes);
    let catalogue = format!(
        "[[loader]]\nname = \"mine\"\nlanguage = \"efi\"\narch = [\"x64\"]\nby = [\"http\"]\nfirst = \"mine.efi\"\n\
         [[loader.file]]\nname = \"mine.efi\"\nsha256 = \"{digest}\"\nsize = {}\norigin = \"here\"\nimported_at = \"2026-01-01T00:00:00Z\"\n",
        bytes.len()
    );
    write(templates, "loaders.toml", catalogue.as_bytes());
}

fn write(templates: &Path, name: &str, bytes: &[u8]) {
    fs::create_dir_all(templates.join("pxe")).unwrap();
    fs::write(templates.join("pxe").join(name), bytes).unwrap();
}

#[tokio::test]
async fn with_broken_files_at_the_start_what_is_built_in_is_served_all_the_same() {
    let broken = |config: &mut kickstand::config::Config| {
        write(&config.templates, "loaders.toml", b"[[loader]]\nnam = 'x'\n");
        write(&config.templates, "quirks.toml", b"[[quirk]]\nnam = 'x'\n");
    };
    let appliance = Appliance::with(broken).await;
    assert_eq!(get(appliance.ip(66), &appliance.url("/loader/snponly.efi"), "").await.status, 200);
    assert!(appliance.told("appliance", "pxe/loaders.toml: the built-in rows count alone: ").await);
    assert!(appliance.told("appliance", "pxe/quirks.toml: the built-in rows count alone: ").await);
    assert!(!appliance.running().engine.shelf().quirks.is_empty());
    imported(&appliance.config.templates, b"MZ");
    appliance.running().engine.read_shelf();
    assert!(appliance.running().engine.shelf().loader("mine").is_some(), "once it is mended it counts");
}

#[tokio::test]
async fn a_catalogue_that_cannot_be_read_makes_no_changed_loader_good() {
    let appliance = Appliance::start().await;
    let (engine, templates) = (&appliance.running().engine, &appliance.config.templates);
    let folder = appliance.config.loaders[0].join("mine");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("mine.efi"), b"MZ as imported").unwrap();
    imported(templates, b"MZ as imported");
    engine.read_shelf();
    write(templates, "loaders.toml", b"not UTF-8: \xff");
    engine.read_shelf();
    assert!(appliance.told("appliance", "pxe/loaders.toml: the old rows stay: cannot read ").await);
    let url = appliance.url("/loader/mine/mine.efi");
    assert_eq!(get(appliance.ip(66), &url, "").await.body, b"MZ as imported");
    fs::write(folder.join("mine.efi"), b"MZ as changed since").unwrap();
    assert_ne!(get(appliance.ip(66), &url, "").await.status, 200);
}

#[tokio::test]
async fn an_import_of_a_moment_ago_raises_no_alarm() {
    let appliance = Appliance::start().await;
    let folder = appliance.config.loaders[0].join("mine");
    fs::create_dir_all(&folder).unwrap();
    let url = appliance.url("/loader/mine/mine.efi");
    for version in 0..5 {
        // Of another length each time: the clock of files is too coarse to tell two writes apart.
        let bytes = "MZ".repeat(version + 1);
        fs::write(folder.join("mine.efi"), &bytes).unwrap();
        imported(&appliance.config.templates, bytes.as_bytes());
        if version == 0 {
            appliance.running().engine.read_shelf();
        }
        assert_eq!(get(appliance.ip(66), &url, "").await.body, bytes.as_bytes());
    }
    let told = appliance.json(&["events"]).await;
    assert!(told.as_array().unwrap().iter().all(|event| event["kind"] != "alarm"), "{told}");
}
