//! Signatures that GnuPG makes, and what becomes of them when a byte changes.

use crate::import::Error;
use crate::import::checks::Claims;
use crate::import::folder::Folder;
use crate::import::hashes::Hashes;
use crate::import::openpgp::{Keyring, Seal, armor, key};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

pub struct Signer {
    home: tempfile::TempDir,
    user: &'static str,
}

impl Signer {
    fn new(user: &'static str, algorithm: &str) -> Signer {
        let signer = Signer { home: tempfile::tempdir().unwrap(), user };
        signer.gpg(&["--quick-generate-key", user, algorithm, "sign", "never"]);
        signer
    }

    /// As Debian does: the key itself only vouches for the one that signs.
    fn with_subkey(user: &'static str) -> Signer {
        let signer = Signer { home: tempfile::tempdir().unwrap(), user };
        signer.gpg(&["--quick-generate-key", user, "rsa2048", "cert", "never"]);
        let listed = signer.gpg(&["--list-keys", "--with-colons"]);
        let listed = String::from_utf8(listed).unwrap();
        let fingerprint =
            listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap().trim_end_matches(':').to_owned();
        signer.gpg(&["--quick-add-key", &fingerprint, "rsa2048", "sign", "never"]);
        signer
    }

    fn gpg(&self, args: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.home.path()).args([
            "--batch",
            "--quiet",
            "--yes",
            "--passphrase",
            "",
            "--pinentry-mode",
            "loopback",
        ]);
        let output = command.args(args).stdin(Stdio::null()).output().expect("gpg is installed: see lab/packages.sh");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn public(&self) -> Vec<u8> {
        self.gpg(&["--export", self.user])
    }

    pub fn keyring(&self) -> Keyring {
        let mut keyring = Keyring::default();
        keyring.add(&self.public());
        keyring
    }

    /// Signs a file; what gpg writes beside it is read.
    pub fn sign(&self, how: &[&str], bytes: &[u8]) -> Vec<u8> {
        let file = self.home.path().join("text");
        fs::write(&file, bytes).unwrap();
        self.gpg(&[how, &["--output", "-", file.to_str().unwrap()]].concat())
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).status();
    }
}

const TEXT: &[u8] = b"- a line with a dash  \nSHA256:\n\n and blanks \t\nend\n";

pub static ED25519: LazyLock<Signer> = LazyLock::new(|| Signer::new("Eddy <e@example.org>", "ed25519"));

fn is_good(seal: &Seal, user: &str) -> bool {
    matches!(seal, Seal::Good { by } if by.starts_with(user))
}

#[test]
fn signatures_of_gnupg_are_good_and_of_one_byte_less_they_are_not() {
    let signers = [Signer::new("Rosa <r@example.org>", "rsa3072"), Signer::with_subkey("Subo <s@example.org>")];
    for signer in signers.iter().chain([&*ED25519]) {
        let keyring = signer.keyring();
        for how in [&["--detach-sign"][..], &["--detach-sign", "--armor"], &["--detach-sign", "--textmode"]] {
            let signature = signer.sign(how, TEXT);
            assert!(is_good(&keyring.detached(TEXT, &signature), signer.user), "{} {how:?}", signer.user);
            let changed = [&TEXT[..5], b"X", &TEXT[6..]].concat();
            assert!(matches!(keyring.detached(&changed, &signature), Seal::Bad { .. }), "{} {how:?}", signer.user);
        }
        let clear = signer.sign(&["--clear-sign"], TEXT);
        let read = armor::clear(&clear).unwrap();
        assert_eq!(read.text.lines().next(), Some("- a line with a dash  "));
        assert!(is_good(&keyring.clear(&read), signer.user), "{}", signer.user);
        let changed = armor::Clear { text: read.text.replace("end", "END"), ..read };
        assert!(matches!(keyring.clear(&changed), Seal::Bad { .. }));
    }
}

#[test]
fn a_key_that_nobody_knows_says_nothing_and_a_revoked_one_no_more() {
    let signature = ED25519.sign(&["--detach-sign"], TEXT);
    assert!(matches!(Keyring::default().detached(TEXT, &signature), Seal::Unknown { ids } if ids.len() == 1));
    let signer = Signer::new("Rick <r@example.org>", "rsa2048");
    let signature = signer.sign(&["--detach-sign"], TEXT);
    let certificates = fs::read_dir(signer.home.path().join("openpgp-revocs.d")).unwrap();
    let path = certificates.flatten().next().unwrap().path();
    // Kept with a colon before its first line, so that nobody imports it in error.
    let revocation = fs::read_to_string(&path).unwrap().replace(":-----BEGIN", "-----BEGIN");
    fs::write(&path, revocation).unwrap();
    signer.gpg(&["--import", path.to_str().unwrap()]);
    assert!(matches!(signer.keyring().detached(TEXT, &signature), Seal::Unknown { .. }));
}

#[test]
fn a_subkey_that_its_certificate_does_not_vouch_for_signs_nothing() {
    let (owner, thief) = (Signer::new("Otto <o@example.org>", "rsa2048"), Signer::with_subkey("Thea <t@example.org>"));
    let signature = thief.sign(&["--detach-sign"], TEXT);
    let theirs = thief.public();
    // The thief's subkey, with what binds it, behind the owner's certificate.
    let from = crate::import::openpgp::packet::all(&theirs);
    let subkey = from.iter().position(|packet| packet.tag == 14).unwrap();
    let start = from[subkey].body.as_ptr() as usize - theirs.as_ptr() as usize;
    let head = (1..=6)
        .find(|head| crate::import::openpgp::packet::all(&theirs[start - head..]).first().is_some_and(|p| p.tag == 14))
        .unwrap();
    let mut keyring = Keyring::default();
    keyring.add(&[owner.public(), theirs[start - head..].to_vec()].concat());
    assert!(matches!(keyring.detached(TEXT, &signature), Seal::Unknown { .. }));
    assert!(is_good(&thief.keyring().detached(TEXT, &signature), thief.user));
}

#[test]
fn keyrings_are_read_from_files_with_and_without_armor() {
    let scene = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = scene.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let signature = ED25519.sign(&["--detach-sign"], TEXT);
    for path in [put("a.gpg", &ED25519.public()), put("a.asc", &ED25519.gpg(&["--export", "--armor"]))] {
        let keyring = Keyring::read(&[path]).unwrap();
        assert!(keyring.is_demanded && is_good(&keyring.detached(TEXT, &signature), ED25519.user));
    }
    let error = Keyring::read(&[put("empty.gpg", b"nothing")]).unwrap_err().to_string();
    assert!(error.contains("holds no key"), "{error}");
}

#[test]
fn keys_of_debian_are_read_where_their_package_is_installed() {
    let path = Path::new("/usr/share/keyrings/debian-archive-keyring.gpg");
    if let Ok(bytes) = fs::read(path) {
        let keys = key::keys(&bytes);
        assert!(keys.iter().any(|key| key.user.contains("Debian")), "{} keys", keys.len());
    }
}

#[test]
fn a_signed_release_speaks_for_the_kernel_and_a_changed_one_is_refused() {
    let scene = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = scene.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let images = "main/installer-amd64/current/images";
    let kernel = format!("dists/trixie/{images}/netboot/debian-installer/amd64/linux");
    let sum = |bytes: &[u8]| Hashes::of(bytes).sha256;
    let sums = format!("{}  ./netboot/debian-installer/amd64/linux\n", sum(b"kernel"));
    put(&kernel, b"kernel");
    put(&format!("dists/trixie/{images}/SHA256SUMS"), sums.as_bytes());
    let release = format!("Suite: trixie\nSHA256:\n {} {} {images}/SHA256SUMS\n", sum(sums.as_bytes()), sums.len());
    put("dists/trixie/InRelease", &ED25519.sign(&["--clear-sign"], release.as_bytes()));
    put("dists/trixie/Release", release.as_bytes());
    put("dists/trixie/Release.gpg", &ED25519.sign(&["--detach-sign", "--armor"], release.as_bytes()));
    let gather = |keyring: &Keyring| Claims::gather(&Folder::read(scene.path()).unwrap(), &BTreeSet::new(), keyring);
    let claims = gather(&ED25519.keyring()).unwrap();
    assert!(claims.is_sealed(&kernel) && claims.compare(&kernel, &Hashes::of(b"kernel")).unwrap());
    assert!(claims.signatures[0].starts_with("dists/trixie/InRelease is signed by Eddy"), "{:?}", claims.signatures);
    let unknown = gather(&Keyring::default()).unwrap();
    assert!(!unknown.is_sealed(&kernel) && unknown.signatures[0].contains("was not checked: no keyring has the key"));
    put("dists/trixie/Release", (release.clone() + " ").as_bytes());
    assert!(matches!(gather(&ED25519.keyring()), Err(Error::Signature { file, .. }) if file == "dists/trixie/Release"));
}

proptest! {
    #[test]
    fn no_keyring_and_no_signature_panics(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..12), cut in any::<usize>()) {
        static KEY: LazyLock<Vec<u8>> = LazyLock::new(|| ED25519.public());
        static SIGNATURE: LazyLock<Vec<u8>> = LazyLock::new(|| ED25519.sign(&["--detach-sign"], TEXT));
        let changed = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            changes.iter().for_each(|(at, byte)| { let at = at % bytes.len(); bytes[at] = *byte; });
            bytes.truncate(cut % (bytes.len() * 2) + 1);
            bytes
        };
        let mut keyring = Keyring::default();
        keyring.add(&changed(&KEY));
        keyring.add(&KEY);
        let seal = keyring.detached(b"another text", &changed(&SIGNATURE));
        let is_good = matches!(seal, Seal::Good { .. });
        prop_assert!(!is_good);
    }
}
