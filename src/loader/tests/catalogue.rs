//! loaders.toml: what is built in, what the operator adds, and how errors name their line.

use super::{BUILT_IN, digest, loader};
use crate::loader::manifest::{Own, catalogue};
use crate::model::*;

fn facts(byte: u8) -> Imported {
    Imported {
        sha256: digest(byte),
        size: 9,
        origin: "shim-signed 1.44".into(),
        imported_at: Time::from_secs(1_700_000_000),
        sbat: vec!["shim,4".into()],
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn what_is_built_in_can_be_read_and_says_nothing_of_imports() {
    let all = catalogue(&[("built in", BUILT_IN)]).unwrap();
    assert!(all.len() >= 12);
    assert!(all.iter().flat_map(|loader| &loader.files).all(|file| file.imported.is_none()));
    for loader in &all {
        assert_eq!(
            loader.files.iter().any(|file| file.package.is_some()),
            loader.files.iter().any(|f| f.path.is_some())
        );
    }
    let secure = loader("debian-12-secure");
    assert!(secure.runs_on(Arch(7)) && secure.runs_on(Arch(0x10)) && !secure.runs_on(Arch(0)));
    assert_eq!(secure.first.as_deref(), Some("shimx64.efi"));
}

#[test]
fn the_operators_row_speaks_field_by_field() {
    let own = "[[loader]]\nname = 'debian-12-secure'\nsecure = ''\n\
        [[loader.file]]\nname = 'grubx64.efi'\npath = '/opt/grub.efi'\n\
        [[loader]]\nname = 'mine'\nlanguage = 'efi'\narch = ['x64']\nby = ['http']\nfirst = 'a.efi'\n\
        [[loader.file]]\nname = 'a.efi'\n";
    let all = catalogue(&[("built in", BUILT_IN), ("own", own)]).unwrap();
    let debian = all.iter().find(|loader| loader.name == name("debian-12-secure")).unwrap();
    assert_eq!((debian.language, &debian.secure, debian.files.len()), (Language::Grub, &None, 4));
    let grub = debian.file("grubx64.efi").unwrap();
    assert_eq!((grub.path.as_deref(), grub.package.as_deref()), (Some("/opt/grub.efi"), Some("grub-efi-amd64-signed")));
    assert_eq!(all.last().unwrap().name, name("mine"));
}

#[test]
fn an_error_names_file_and_line() {
    let good = "[[loader]]\nname = 'a'\nlanguage = 'efi'\narch = ['x64']\nby = ['tftp']\nfirst = 'a.efi'\n";
    let file = "[[loader.file]]\nname = 'a.efi'\n";
    let cases = [
        ("[[loader]]\nname = 'a'\nlanguag = 'grub'\n", "own:3: unknown field `languag`"),
        ("[[loader]]\nname = 'A'\n", "own:2: \"A\" is not a name"),
        ("\n\n[[loader]]\nname = 'a'\n", "own:3: loader a has no language, and none of that name is built in"),
        (good, "own:1: loader a has no [[loader.file]] of the name \"a.efi\""),
        (&format!("{good}{file}{good}"), "own:9: there is a loader a already"),
        (&format!("{good}{file}{file}"), "own:1: loader a has the file a.efi twice"),
        (
            "[[loader]]\nname = 'ipxe-x64'\n[[loader.file]]\nname = 'x'\n[[loader.file]]\nname = 'x'\n",
            "own:1: loader ipxe-x64 has the file x twice",
        ),
        (&format!("{good}{file}sha256 = '{}'\n", digest(1)), "own:1: file a.efi has one of sha256"),
        (&format!("{good}{file}path = 'usr/lib/a'\n"), "own:1: file a.efi: \"usr/lib/a\" is not the whole path"),
        (&format!("{good}[[loader.file]]\nname = '../a.efi'\n"), "own:1: \"../a.efi\" is not the name"),
        (&format!("{good}[[loader.file]]\nname = '{}'\n", "a".repeat(126)), "a DHCP header holds 127"),
        ("loader = 3", "own:1: "),
    ];
    for (text, wanted) in cases {
        let error = catalogue(&[("built in", BUILT_IN), ("own", text)]).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}\n{error}\n{wanted}");
    }
}

#[test]
fn what_was_imported_is_written_and_read_again() {
    let mut own = Own::parse("own", "").unwrap();
    own.remember(&name("debian-12-secure"), "shimx64.efi", facts(1));
    own.remember(&name("debian-12-secure"), "shimx64.efi", facts(2));
    own.remember(&name("debian-12-secure"), "extra.efi", facts(3));
    let text = own.text().unwrap();
    let all = catalogue(&[("built in", BUILT_IN), ("own", &text)]).unwrap();
    let loader = all.iter().find(|loader| loader.name == name("debian-12-secure")).unwrap();
    assert_eq!(loader.file("shimx64.efi").unwrap().imported, Some(facts(2)));
    assert_eq!(loader.file("shimx64.efi").unwrap().package.as_deref(), Some("shim-signed"));
    assert_eq!(loader.file("extra.efi").unwrap().imported, Some(facts(3)));
    let mut again = Own::parse("own", &text).unwrap();
    again.forget(&name("debian-12-secure"));
    assert_eq!(again, Own::parse("own", "").unwrap());
}

#[test]
fn forgetting_keeps_what_the_operator_wrote() {
    let written = "[[loader]]\nname = 'mine'\nlanguage = 'efi'\narch = ['x64']\nby = ['tftp']\nfirst = 'a.efi'\n\
        [[loader.file]]\nname = 'a.efi'\n\
        [[loader]]\nname = 'ipxe-x64'\n[[loader.file]]\nname = 'snponly.efi'\npath = '/opt/snponly.efi'\n";
    let before = Own::parse("own", written).unwrap();
    let mut own = before.clone();
    own.remember(&name("mine"), "a.efi", facts(1));
    own.remember(&name("ipxe-x64"), "snponly.efi", facts(2));
    assert_ne!(own, before);
    own.forget(&name("mine"));
    own.forget(&name("ipxe-x64"));
    assert_eq!(own, before);
}

#[test]
fn forgetting_keeps_rows_that_say_no_more_than_a_name() {
    let written = "[[loader]]\nname = 'debian-12-secure'\n[[loader.file]]\nname = 'more.efi'\n[[loader.file]]\nname = 'never.efi'\n";
    let before = Own::parse("own", written).unwrap();
    let mut own = before.clone();
    for file in ["more.efi", "shimx64.efi", "more.efi"] {
        own.remember(&name("debian-12-secure"), file, facts(1));
    }
    let mut own = Own::parse("own", &own.text().unwrap()).unwrap();
    own.forget(&name("debian-12-secure"));
    assert_eq!(own, before);
}
