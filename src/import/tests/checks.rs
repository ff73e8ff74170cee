//! Checksum files as distros write them.

use crate::import::Error;
use crate::import::checks::{self, Claims, Line};
use crate::import::folder::Folder;
use crate::import::hashes::{Algorithm, Hashes};
use crate::import::openpgp::Keyring;
use std::collections::BTreeSet;
use std::fs;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn line(path: &str) -> Line {
    Line { path: path.into(), algorithm: Algorithm::Sha256, digits: EMPTY.into() }
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
    assert_eq!(checks::release(&release), [line("main/a"), line("main/b")]);
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
    claims.add("SHA256SUMS", vec![line("../outside"), line("/etc/passwd"), line("a/../b")], false);
    assert!(claims.by.is_empty());
    claims.add("a/SHA256SUMS", vec![line("./b")], false);
    assert!(claims.compare("a/b", &Hashes::of(b"")).unwrap() && !claims.compare("b", &Hashes::of(b"")).unwrap());
}
