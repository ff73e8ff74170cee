//! Checksum files as distros write them.

use crate::import::Error;
use crate::import::checks::{self, Claims, Line};
use crate::import::folder::Folder;
use crate::import::hashes::{Algorithm, Hashes};
use crate::import::openpgp::Keyring;
use crate::import::take::Taken;
use crate::import::verdict::Verdict;
use std::collections::BTreeSet;
use std::fs;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn line(path: &str) -> Line {
    Line { path: path.into(), algorithm: Algorithm::Sha256, digits: EMPTY.into(), size: None }
}

#[test]
fn each_form_is_read() {
    let forms = format!(
        "{EMPTY}  ./a/b\n{EMPTY} *c d\nSHA256 (e (1).iso) = {EMPTY}\n# {EMPTY} no\n-----BEGIN PGP SIGNATURE-----\n\nnonsense\n"
    );
    assert_eq!(checks::sums(&forms), [line("./a/b"), line("c d"), line("e (1).iso")]);
    let md5 = "d41d8cd98f00b204e9800998ecf8427e  ./install.amd/vmlinuz\n";
    assert_eq!(checks::sums(md5)[0].algorithm, Algorithm::Md5);
    assert_eq!(checks::sums("da39a3ee5e6b4b0d3255bfef95601890afd80709  sha1"), []);
    let info = format!(
        "[general]\nx = sha256:{EMPTY}\n[checksums]\nimages/k = sha256:{EMPTY}\nimages/l = md5:{EMPTY}\n[other]\n"
    );
    assert_eq!(checks::treeinfo(&info), [line("images/k")]);
    let content = format!(
        "META SHA256 {EMPTY}  packages\nHASH SHA256 {EMPTY}  boot/x86_64/loader/linux\nKEY SHA256 {EMPTY}  k.asc\n"
    );
    assert_eq!(checks::content(&content), [line("boot/x86_64/loader/linux")]);
    let release = format!(
        "Suite: stable\nMD5Sum:\n {EMPTY} 0 wrong\nSHA256:\n {EMPTY} 0 main/a\n {EMPTY} 12 main/b\nSigned-By: x\n"
    );
    assert_eq!(
        checks::release(&release),
        [Line { size: Some(0), ..line("main/a") }, Line { size: Some(12), ..line("main/b") }]
    );
}

/// A mirror with an installer, and a chain of sums down to its kernel.
fn mirror() -> tempfile::TempDir {
    let scene = tempfile::tempdir().unwrap();
    let images = "dists/bookworm/main/installer-amd64/current/images";
    let kernel = "netboot/debian-installer/amd64/linux";
    let put = |path: &str, text: &str| {
        let path = scene.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let sum = |text: &str| Hashes::of(text.as_bytes()).sha256;
    let sums = format!("{}  ./{kernel}\n", sum("kernel"));
    put(&format!("{images}/{kernel}"), "kernel");
    put(&format!("{images}/SHA256SUMS"), &sums);
    put(
        "dists/bookworm/Release",
        &format!("SHA256:\n {} {} main/installer-amd64/current/images/SHA256SUMS\n", sum(&sums), sums.len()),
    );
    scene
}

#[test]
fn a_release_speaks_for_sums_and_they_for_the_kernel() {
    let scene = mirror();
    let claims = Claims::gather(&Folder::read(scene.path()).unwrap(), &BTreeSet::new(), &Keyring::default()).unwrap();
    let kernel = "dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux";
    assert!(claims.compare(kernel, &Hashes::of(b"kernel")).unwrap());
    assert!(matches!(claims.compare(kernel, &Hashes::of(b"other")), Err(Error::Mismatch { .. })));
    let sums = scene.path().join("dists/bookworm/main/installer-amd64/current/images/SHA256SUMS");
    fs::write(&sums, fs::read_to_string(&sums).unwrap() + "\n").unwrap();
    let error = Claims::gather(&Folder::read(scene.path()).unwrap(), &BTreeSet::new(), &Keyring::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("SHA256SUMS is not what dists/bookworm/Release says"), "{error}");
}

#[test]
fn sums_of_files_elsewhere_mean_nothing() {
    let mut claims = Claims::default();
    claims.add("SHA256SUMS", vec![line("../outside"), line("/etc/passwd"), line("a/../b")], false, None).unwrap();
    assert!(claims.by.is_empty());
    claims.add("a/SHA256SUMS", vec![line("./b")], false, None).unwrap();
    assert!(claims.compare("a/b", &Hashes::of(b"")).unwrap() && !claims.compare("b", &Hashes::of(b"")).unwrap());
}

#[test]
fn what_is_said_of_no_file_takes_no_memory() {
    let scene = tempfile::tempdir().unwrap();
    fs::write(scene.path().join("k"), "").unwrap();
    fs::write(scene.path().join("SHA256SUMS"), format!("{EMPTY}  k\n{EMPTY}  l\n")).unwrap();
    let claims = Claims::gather(&Folder::read(scene.path()).unwrap(), &BTreeSet::new(), &Keyring::default()).unwrap();
    assert_eq!((claims.algorithms("k").count(), claims.algorithms("l").count()), (1, 0));
}

#[test]
fn checksum_files_are_bounded_all_together() {
    let scene = tempfile::tempdir().unwrap();
    let lines = "d41d8cd98f00b204e9800998ecf8427e k\n".repeat(350_000);
    for (text, names, error) in [(lines, 3, "300000 lines"), ("x".repeat(14 << 20), 5, "67108864 bytes")] {
        for name in ["a", "b", "c", "d", "e"].iter().take(names) {
            fs::create_dir_all(scene.path().join(name)).unwrap();
            fs::write(scene.path().join(name).join("MD5SUMS"), &text).unwrap();
        }
        let tree = Folder::read(scene.path()).unwrap();
        let refused = Claims::gather(&tree, &BTreeSet::new(), &Keyring::default()).unwrap_err().to_string();
        assert!(refused.contains(error), "{refused}");
    }
}

#[test]
fn md5_alone_verifies_nothing_and_is_told_in_words() {
    let md5 = Line { algorithm: Algorithm::Md5, digits: "d41d8cd98f00b204e9800998ecf8427e".into(), ..line("k") };
    let mut claims = Claims::default();
    claims.add("MD5SUMS", vec![md5], true, None).unwrap();
    assert!(!claims.is_sealed("k"));
    let taken = Taken { id: String::new(), files: 1, bytes: 0, compared: vec!["k".into()] };
    let verdict = Verdict::new(&taken, &["k".into()], &claims, None);
    let words = verdict.to_string();
    assert!(!verdict.boot && words.starts_with("not verified: md5 only") && words.contains("MD5SUMS (md5)"), "{words}");
    claims.add("SHA256SUMS", vec![line("k")], true, None).unwrap();
    let verdict = Verdict::new(&taken, &["k".into()], &claims, None);
    assert!(claims.is_sealed("k") && verdict.boot && !verdict.to_string().contains("md5 only"), "{verdict}");
}
