//! Repositories as createrepo and dak write them, whole, damaged and hostile.

use crate::import::Error;
use crate::import::checks::Claims;
use crate::import::folder::Folder;
use crate::import::hashes::Hashes;
use crate::import::openpgp::Keyring;
use crate::import::repository::{Chain, Lacking, Package, debian, rpm, unpack};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

fn sha256(bytes: &[u8]) -> String {
    Hashes::of(bytes).sha256
}

pub fn put(top: &Path, path: &str, bytes: &[u8]) {
    let path = top.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub fn packed(ending: &str, bytes: &[u8]) -> Vec<u8> {
    match ending {
        "" => bytes.to_vec(),
        ".gz" => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(bytes).unwrap();
            gzip.finish().unwrap()
        }
        ".zst" => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
        ".xz" => {
            let mut xz = Command::new("xz").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            xz.stdin.take().unwrap().write_all(bytes).unwrap();
            xz.wait_with_output().unwrap().stdout
        }
        other => panic!("{other}"),
    }
}

pub fn package(path: &str, bytes: &[u8]) -> String {
    format!(
        "<package type=\"rpm\"><name>a &amp; b</name><!-- <package> > --><checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>\
         <description>{}</description><size package=\"{}\" installed=\"1\" archive=\"2\"/>\n<location href=\"{path}\"/>\
         <format><rpm:provides><rpm:entry name='x' flags=\"EQ\"/></rpm:provides></format></package>\n",
        sha256(bytes),
        "long ".repeat(3000),
        bytes.len()
    )
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A repository below a folder of a tree, with these packages in its list.
pub fn repository(top: &Path, folder: &str, ending: &str, packages: &[String]) {
    let all = packages.concat();
    let primary = format!("{XML}<metadata xmlns=\"urn:common\" packages=\"{}\">\n{all}</metadata>", packages.len());
    let primary = packed(ending, primary.as_bytes());
    let name = format!("repodata/abc-primary.xml{ending}");
    put(top, &format!("{folder}{name}"), &primary);
    let repomd = format!(
        "{XML}<repomd xmlns=\"urn:repo\" xmlns:rpm=\"urn:rpm\"><revision>1</revision>\n<data type=\"primary\">\
         <checksum type=\"sha256\">{}</checksum><open-checksum type=\"sha256\">{}</open-checksum>\
         <location href=\"{name}\"/><timestamp>1</timestamp><size>{}</size></data></repomd>\n",
        sha256(&primary),
        "0".repeat(64),
        primary.len()
    );
    put(top, &format!("{folder}repodata/repomd.xml"), repomd.as_bytes());
}

fn chained(top: &Path) -> Result<(Claims, Option<Lacking>, Vec<String>), Error> {
    let (tree, keyring) = (Folder::read(top).unwrap(), Keyring::default());
    let mut claims = Claims::gather(&tree, &BTreeSet::new(), &keyring)?;
    let mut chain = Chain::new(&tree, &mut claims, &keyring);
    chain.all(crate::import::tree::Tree::listing(&tree).unwrap())?;
    let (lacking, notes) = (chain.lacking, chain.notes);
    Ok((claims, lacking, notes))
}

#[test]
fn a_repository_speaks_for_its_packages_however_its_list_is_packed() {
    for ending in ["", ".gz", ".zst", ".xz"] {
        let scene = tempfile::tempdir().unwrap();
        put(scene.path(), "BaseOS/Packages/b/bash.rpm", b"bash");
        put(scene.path(), "Shared/c&d.rpm", b"shared");
        let packages = [package("Packages/b/bash.rpm", b"bash"), package("../Shared/c&amp;d.rpm", b"shared")];
        repository(scene.path(), "BaseOS/", ending, &packages);
        let (claims, lacking, notes) = chained(scene.path()).unwrap();
        assert_eq!((lacking, notes), (None, vec![]), "{ending}");
        for (path, bytes) in [("BaseOS/Packages/b/bash.rpm", &b"bash"[..]), ("Shared/c&d.rpm", b"shared")] {
            assert!(claims.compare(path, &Hashes::of(bytes)).unwrap(), "{path} {ending}");
        }
        let error = claims.compare("BaseOS/Packages/b/bash.rpm", &Hashes::of(b"BASH")).unwrap_err().to_string();
        let by = format!("is not what BaseOS/repodata/abc-primary.xml{ending} says (sha256): {}", sha256(b"bash"));
        assert!(error.contains(&by) && error.contains(&sha256(b"BASH")), "{error}");
        let longer = claims.compare("Shared/c&d.rpm", &Hashes::of(b"shared too"));
        assert!(matches!(longer, Err(Error::Size { expected: 6, found: 10, .. })), "{longer:?}");
    }
}

#[test]
fn a_list_that_is_not_what_repomd_says_counts_for_nothing() {
    let scene = tempfile::tempdir().unwrap();
    put(scene.path(), "a.rpm", b"a");
    repository(scene.path(), "", "", &[package("a.rpm", b"a")]);
    let list = scene.path().join("repodata/abc-primary.xml");
    let changed = fs::read_to_string(&list).unwrap().replace(&sha256(b"a"), &sha256(b"b"));
    fs::write(&list, changed).unwrap();
    let error = chained(scene.path()).unwrap_err().to_string();
    assert!(error.contains("repodata/abc-primary.xml is not what repodata/repomd.xml says (sha256)"), "{error}");
}

#[test]
fn what_a_list_names_and_the_tree_lacks_is_counted_and_a_wrong_size_refused() {
    let scene = tempfile::tempdir().unwrap();
    put(scene.path(), "a.rpm", b"a");
    let elsewhere = package("b.rpm\" xml:base=\"http://elsewhere.example/", b"b");
    let disk = package("c.rpm\" xml:base=\"media://1#1", b"c");
    let all = [package("a.rpm", b"a"), package("../out.rpm", b"o"), elsewhere, package("/etc/passwd", b"p"), disk];
    // They are there, and nevertheless not what the list means.
    put(scene.path(), "etc/passwd", b"p");
    put(scene.path(), "b.rpm", b"b");
    put(scene.path(), "c.rpm", b"c");
    repository(scene.path(), "", "", &all);
    let (_, lacking, _) = chained(scene.path()).unwrap();
    let lacking = lacking.unwrap();
    assert_eq!((lacking.count, lacking.path.as_str()), (3, "../out.rpm"));
    put(scene.path(), "a.rpm", b"longer");
    let error = chained(scene.path()).unwrap_err().to_string();
    assert!(error.contains("a.rpm is not what repodata/abc-primary.xml says: 1 bytes are expected, 6 are"), "{error}");
}

#[test]
fn a_list_that_is_not_read_here_is_told_of() {
    let scene = tempfile::tempdir().unwrap();
    repository(scene.path(), "", "", &[]);
    let (old, new) = ("abc-primary.xml", "abc-primary.xml.bz2");
    fs::rename(scene.path().join("repodata").join(old), scene.path().join("repodata").join(new)).unwrap();
    let repomd = scene.path().join("repodata/repomd.xml");
    fs::write(&repomd, fs::read_to_string(&repomd).unwrap().replace(old, new)).unwrap();
    let (_, lacking, notes) = chained(scene.path()).unwrap();
    assert!(lacking.is_none() && notes[0].contains("not compared with repodata/abc-primary.xml.bz2"), "{notes:?}");
}

/// An archive of Debian with one package, and its lists packed in these ways, with this behind their last line.
fn archive(top: &Path, endings: &[&str], last: &str) {
    put(top, "pool/main/b/bash_5_amd64.deb", b"bash");
    let list = format!(
        "Package: bash\nDescription: a shell\n Filename: ./no\nFilename: pool/main/b/bash_5_amd64.deb\nSize: 4\n\
         MD5sum: {}\nSHA256: {}{last}",
        "0".repeat(32),
        sha256(b"bash")
    );
    let mut release = "Suite: stable\nSHA256:\n".to_owned();
    for ending in endings {
        let list = packed(ending, list.as_bytes());
        let name = format!("main/binary-amd64/Packages{ending}");
        put(top, &format!("dists/bookworm/{name}"), &list);
        release += &format!(" {} {} {name}\n", sha256(&list), list.len());
    }
    put(top, "dists/bookworm/Release", release.as_bytes());
}

#[test]
fn a_release_speaks_for_lists_and_they_for_packages() {
    let package = "pool/main/b/bash_5_amd64.deb";
    for (at, endings) in [&[""][..], &[".gz"], &[".xz"], &[".zst"], &[".xz", ".gz"]].into_iter().enumerate() {
        let scene = tempfile::tempdir().unwrap();
        archive(scene.path(), endings, ["", "\n", "\n\n"][at % 3]);
        let (claims, lacking, _) = chained(scene.path()).unwrap();
        assert!(lacking.is_none() && claims.compare(package, &Hashes::of(b"bash")).unwrap(), "{endings:?}");
        assert!(matches!(claims.compare(package, &Hashes::of(b"BASH")), Err(Error::Mismatch { .. })));
        put(scene.path(), package, b"longer");
        assert!(matches!(chained(scene.path()), Err(Error::Size { expected: 4, found: 6, .. })), "{endings:?}");
        fs::remove_file(scene.path().join(package)).unwrap();
        assert_eq!(chained(scene.path()).unwrap().1.map(|lacking| lacking.count), Some(1), "{endings:?}");
    }
}

#[test]
fn of_several_lists_the_one_counts_that_the_release_names() {
    let scene = tempfile::tempdir().unwrap();
    archive(scene.path(), &[".gz"], "\n");
    put(scene.path(), "dists/bookworm/main/binary-amd64/Packages", b"Filename: pool/none\nSize: 1\n");
    assert_eq!(chained(scene.path()).unwrap().1, None);
}

#[test]
fn whoever_signed_the_top_of_a_chain_speaks_for_its_end() {
    let signer = &*super::seals::ED25519;
    let scene = tempfile::tempdir().unwrap();
    put(scene.path(), "a.rpm", b"a");
    repository(scene.path(), "", ".gz", &[package("a.rpm", b"a")]);
    let repomd = fs::read(scene.path().join("repodata/repomd.xml")).unwrap();
    put(scene.path(), "repodata/repomd.xml.asc", &signer.sign(&["--detach-sign", "--armor"], &repomd));
    archive(scene.path(), &[".gz"], "\n");
    let release = fs::read(scene.path().join("dists/bookworm/Release")).unwrap();
    put(scene.path(), "dists/bookworm/Release.gpg", &signer.sign(&["--detach-sign"], &release));
    let sealed = |keyring: &Keyring| -> Result<[bool; 2], Error> {
        let tree = Folder::read(scene.path()).unwrap();
        let mut claims = Claims::gather(&tree, &BTreeSet::new(), keyring)?;
        Chain::new(&tree, &mut claims, keyring).all(crate::import::tree::Tree::listing(&tree).unwrap())?;
        Ok(["a.rpm", "pool/main/b/bash_5_amd64.deb"].map(|path| claims.is_sealed(path)))
    };
    assert_eq!(sealed(&signer.keyring()).unwrap(), [true, true]);
    assert_eq!(sealed(&Keyring::default()).unwrap(), [false, false]);
    put(scene.path(), "repodata/repomd.xml", &[&repomd[..], b"\n"].concat());
    assert!(matches!(sealed(&signer.keyring()), Err(Error::Signature { file, .. }) if file == "repodata/repomd.xml"));
}

fn primary(text: &str) -> Result<Vec<Option<Package>>, Error> {
    let mut all = Vec::new();
    rpm::primary("it", &mut text.as_bytes(), &mut |package| {
        all.push(package);
        Ok(())
    })?;
    Ok(all)
}

#[test]
fn hostile_xml_is_refused_and_costs_no_memory() {
    for (text, why) in [
        ("<!DOCTYPE a [<!ENTITY b \"cc\">]><metadata/>".to_owned(), "declares types"),
        ("<a>".repeat(40), "lie deeper"),
        (format!("<a {}>", "b".repeat(1 << 20)), "longer than any"),
        ("<a><b></a>".to_owned(), "that did not begin"),
        ("</a>".to_owned(), "that did not begin"),
        ("<a><b/>".to_owned(), "ends in the middle"),
        ("<a/".to_owned(), "ends in the middle"),
        ("<a><!-- > -".to_owned(), "ends in the middle"),
        ("< a/>".to_owned(), "have no name"),
    ] {
        let error = primary(&text).unwrap_err().to_string();
        assert!(error.contains(why), "{why:?} is not in {error}");
    }
    let entity = format!("<metadata>{}</metadata>", package("&b;.rpm", b"a"));
    assert_eq!(primary(&entity).unwrap(), [None], "a name of an entity is no name");
    assert_eq!(primary("<metadata><!----><!-- > -- ></a> --><!--></a>--></metadata> \n").unwrap(), []);
}

#[test]
fn several_frames_of_zstandard_are_one_list() {
    let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let frames = [packed(".zst", b"Filename: a\n"), skipped, packed(".zst", b"Size: 7\n")].concat();
    let (mut bytes, mut text) = (frames.as_slice(), String::new());
    unpack::unpacked("a.zst", &mut bytes).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "Filename: a\nSize: 7\n");
}

proptest! {
    #[test]
    fn no_list_panics(
        text in "(<(/?(metadata|package|location|checksum|size)|!--|\\?)?|>|/>| (href|package|type)=['\"]|&(amp|#x?41|lt);|-->|[ab./\n:]|Filename:|Size: 9){0,60}",
        ending in "(\\.gz|\\.zst|\\.xz)?",
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let _ = (primary(&text), rpm::repomd(&text));
        debian::packages("it", &mut text.as_bytes(), &mut |_| Ok(())).unwrap();
        let whole = packed(if ending == ".xz" { "" } else { &ending }, text.as_bytes());
        for bytes in [&bytes, &[&whole[..], &bytes].concat(), &whole[..whole.len() / 2].to_vec()] {
            let mut bytes = bytes.as_slice();
            let mut out = Vec::new();
            let _ = unpack::unpacked(&format!("a{ending}"), &mut bytes).unwrap().take(1 << 20).read_to_end(&mut out);
        }
    }

    #[test]
    fn no_path_of_a_list_leads_out(folder in "([ab.]{1,2}/?){0,3}", path in "(\\.{1,3}|/|[ab]|\0){0,12}") {
        if let Some(path) = rpm::resolved(&folder, &path) {
            prop_assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains('\0'), "{path:?}");
        }
    }
}
