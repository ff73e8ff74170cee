//! What a DHCPv4 server owes its clients, message by message: scripts in `*.toml`, one file for each chapter.

mod hostile;
mod packet;
mod quirks;
mod rig;
mod script;
mod setup;
mod words;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chapter {
    /// Before each script, in place of the usual network.
    before: Option<String>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    says: String,
    play: String,
}

/// Plays each script of a chapter, and names all that came out otherwise.
fn chapter(name: &str) {
    let path = format!("{}/tests/conformance/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let chapter: Chapter = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(!chapter.case.is_empty(), "{name} has cases");
    let before = chapter.before.as_deref().unwrap_or(script::LAB);
    let runtime = script::runtime();
    let wrong: Vec<String> = chapter
        .case
        .iter()
        .filter_map(|case| {
            let error = runtime.block_on(script::run(before, &case.play)).err()?;
            Some(format!("{name}: {}\n  {error}", case.says))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), chapter.case.len(), wrong.join("\n\n"));
}

/// A chapter that is not played would pass.
macro_rules! chapters {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            chapter(stringify!($name));
        })*

        #[test]
        fn every_chapter_is_played() {
            let folder = format!("{}/tests/conformance", env!("CARGO_MANIFEST_DIR"));
            let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut found: Vec<String> = files.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect();
            let mut played = vec![$(stringify!($name).to_owned()),*];
            found.sort();
            played.sort();
            assert_eq!(found, played);
        }
    };
}

chapters!(
    discover,
    select,
    reboot,
    renew,
    decline,
    release,
    inform,
    refusal,
    header,
    reading,
    options,
    size,
    echoes,
    relay,
    selection,
    wire,
    placement,
    proxy,
    identity,
    pools,
    reservations,
    levels,
    classes,
    holds,
    boot,
    firmware,
);
