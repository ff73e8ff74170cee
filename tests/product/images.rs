//! Imports of images that real tools make, of servers, and of what was ended in the middle.

use crate::imports::{Scene, alma, everything, sha256, tree};
use crate::rig::pattern;
use kickstand::config::Https;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs a tool that makes something; it must succeed.
fn made(tool: &str, args: &[&str], out: &Path, from: &Path) {
    let mut command = Command::new(tool);
    command.args(args).arg(out).arg(from);
    let output = command.output().unwrap_or_else(|error| panic!("{tool}: {error}: see lab/packages.sh"));
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn images_of_real_tools_hold_what_was_put_in() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    std::os::unix::fs::symlink("install.img", folder.join("images/link.img")).unwrap();
    // Deeper than eight folders: Rock Ridge has them moved.
    tree(&folder, &[("a/b/c/d/e/f/g/h/i/j/deep-file.rpm", b"deep"), ("a/b/c/d/e/f/g/h/i/k/l", b"")]);
    let image = scene.path("a.iso");
    for (tool, args, links) in [
        ("xorriso", &["-as", "mkisofs", "-quiet", "-R", "-J", "-o"][..], true),
        ("genisoimage", &["-quiet", "-R", "-o"], true),
        ("genisoimage", &["-quiet", "-D", "-J", "-joliet-long", "-o"], false),
    ] {
        made(tool, args, &image, &folder);
        let text = scene.import(&[image.to_str().unwrap(), "--name", "alma", "--replace"]).await;
        assert!(text.contains("2 of ") && text.contains("by .treeinfo (sha256)"), "{tool}: {text}");
        assert_eq!(text.contains("passed over 1 link"), links, "{tool}: {text}");
        let place = scene.appliance.config.files.join("distros/alma");
        for name in [
            "images/install.img",
            "BaseOS/Packages/bash-5.rpm",
            "a/b/c/d/e/f/g/h/i/j/deep-file.rpm",
            "a/b/c/d/e/f/g/h/i/k/l",
        ] {
            assert_eq!(fs::read(place.join(name)).unwrap(), fs::read(folder.join(name)).unwrap(), "{tool}: {name}");
        }
        assert!(!place.join("images/link.img").exists());
    }
}

#[tokio::test]
async fn an_image_with_plain_names_or_with_udf_alone_is_read() {
    let scene = Scene::new().await;
    let config = "build=8.0.2-1\nkernel=/b.b00\nmodules=/a.b00\n";
    let esxi = tree(
        &scene.path("esxi"),
        &[("BOOT.CFG", config.as_bytes()), ("EFI/BOOT/BOOTX64.EFI", b"MZ"), ("A.B00", &pattern(9000))],
    );
    let image = scene.path("esxi.iso");
    made("genisoimage", &["-quiet", "-o"], &image, &esxi);
    // Of a family that is named here, whether the server installs its own or not.
    let text = scene.import(&[image.to_str().unwrap(), "--family", "image"]).await;
    assert!(text.contains("distro esxi-8.0.2-x86_64 added"), "{text}");
    let place = scene.appliance.config.files.join("distros/esxi-8.0.2-x86_64");
    assert_eq!(fs::read(place.join("a.b00")).unwrap(), pattern(9000));

    let folder = alma(&scene.path("alma"));
    let image = scene.path("udf.iso");
    made("genisoimage", &["-quiet", "-udf", "-o"], &image, &folder);
    let mut bytes = fs::read(&image).unwrap();
    // Without the descriptors of ISO 9660.
    for sector in 16..24 {
        if &bytes[sector * 2048 + 1..sector * 2048 + 6] == b"CD001" {
            bytes[sector * 2048..(sector + 1) * 2048].fill(0);
        }
    }
    fs::write(&image, bytes).unwrap();
    scene.import(&[image.to_str().unwrap()]).await;
    let place = scene.appliance.config.files.join("distros/almalinux-9.4-x86_64");
    assert_eq!(fs::read(place.join("BaseOS/Packages/bash-5.rpm")).unwrap(), pattern(70_000));
}

#[tokio::test]
async fn what_lies_beside_an_image_speaks_for_all_of_it() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    fs::remove_file(folder.join(".treeinfo")).unwrap();
    fs::write(folder.join(".discinfo"), "1\nAlmaLinux 9.4\nx86_64\n").unwrap();
    let image = scene.path("iso/alma.iso");
    fs::create_dir_all(image.parent().unwrap()).unwrap();
    made("xorriso", &["-as", "mkisofs", "-quiet", "-R", "-o"], &image, &folder);
    let at = image.to_str().unwrap();
    let text = scene.import(&[at]).await;
    assert!(text.contains("not verified: the tree says nothing of these files"), "{text}");
    let mut bytes = fs::read(&image).unwrap();
    let sums = format!("{}  other.iso\nSHA256 (alma.iso) = {}\n", sha256(b"x"), sha256(&bytes));
    fs::write(scene.path("iso/CHECKSUM"), sums).unwrap();
    let text = scene.import(&[at, "--name", "again"]).await;
    assert!(text.contains("the whole image by CHECKSUM (sha256); nothing is signed"), "{text}");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&image, bytes).unwrap();
    let refused = scene.refused(&[at, "--name", "third"]).await;
    assert!(refused.contains("alma.iso is not what CHECKSUM says (sha256)"), "{refused}");
}

#[tokio::test]
async fn netboot_comes_as_it_is_shipped_and_a_root_archive_with_the_live_system_of_another() {
    let scene = Scene::new().await;
    let netboot = tree(
        &scene.path("netboot"),
        &[("debian-installer/amd64/linux", &pattern(5000)), ("debian-installer/amd64/initrd.gz", &pattern(7000))],
    );
    let archive = scene.path("netboot.tar.gz");
    let inside = format!("--directory={}", netboot.display());
    made("tar", &[&inside, "-czf"], &archive, Path::new("."));
    let text = scene.import(&[archive.to_str().unwrap(), "--name", "d", "--var", "mirror_host=mirror.example"]).await;
    assert!(text.contains("family debian"), "{text}");
    let root = scene.path("web.tar.zst");
    fs::write(&root, pattern(3000)).unwrap();
    let refused = scene.refused(&[root.to_str().unwrap()]).await;
    assert!(refused.contains("--live DISTRO"), "{refused}");
    let live = ["distro", "add", "live", "--family", "image", "--kernel", "d/vmlinuz", "--initrd", "d/initrd.img"];
    scene
        .appliance
        .cli(&[&live[..], &["--var", "live=d/live.squashfs", "--var", "image=d/root.tar.zst"]].concat())
        .await;
    scene.import(&[root.to_str().unwrap(), "--live", "live"]).await;
    let distro = scene.appliance.json(&["distro", "show", "web"]).await;
    assert_eq!(distro["kernel"], "d/vmlinuz");
    assert_eq!(distro["variables"], serde_json::json!({"image": "distros/web/web.tar.zst", "live": "d/live.squashfs"}));
}

#[tokio::test]
async fn a_raw_disk_comes_from_here_or_from_a_server_and_is_compared_with_what_lies_beside_it() {
    let scene = Scene::new().await;
    let live = ["distro", "add", "live", "--family", "image", "--kernel", "d/vmlinuz", "--initrd", "d/initrd.img"];
    let variables = ["--var", "live=d/live.squashfs", "--var", "image=d/root.tar.zst"];
    scene.appliance.cli(&[&live[..], &variables].concat()).await;
    let mirror = scene.appliance.config.files.join("mirror");
    fs::create_dir_all(&mirror).unwrap();
    fs::write(mirror.join("cloud.raw.xz"), pattern(5000)).unwrap();
    fs::write(mirror.join("SHA256SUMS"), format!("{}  cloud.raw.xz\n", sha256(&pattern(5000)))).unwrap();
    let (url, path) = (scene.appliance.url("/files/mirror/cloud.raw.xz"), mirror.join("cloud.raw.xz"));
    for (name, from) in [("far", url.as_str()), ("near", path.to_str().unwrap())] {
        let text = scene.import(&[from, "--name", name, "--live", "live"]).await;
        assert!(text.contains("family image") && text.contains("by SHA256SUMS (sha256)"), "{text}");
        let distro = scene.appliance.json(&["distro", "show", name]).await;
        assert_eq!(distro["variables"]["image"], format!("distros/{name}/cloud.raw.xz"));
        let taken = fs::read(scene.appliance.config.files.join(format!("distros/{name}/cloud.raw.xz"))).unwrap();
        assert_eq!(taken, pattern(5000));
    }
    fs::write(mirror.join("cloud.raw.xz"), pattern(5001)).unwrap();
    let refused = scene.refused(&[&url, "--name", "other", "--live", "live"]).await;
    assert!(refused.contains("cloud.raw.xz is not what SHA256SUMS says"), "{refused}");
}

#[tokio::test]
async fn a_tree_on_a_server_gives_what_boots_and_stays_where_it_is() {
    let scene = Scene::new().await;
    alma(&scene.appliance.config.files.join("mirror/alma"));
    let url = scene.appliance.url("/files/mirror/alma/");
    let text = scene.import(&[&url]).await;
    assert!(text.contains("2 of 2 files by .treeinfo (sha256)"), "{text}");
    let distro = scene.appliance.json(&["distro", "show", "almalinux-9.4-x86_64"]).await;
    assert_eq!(distro["variables"]["tree"], url.trim_end_matches('/'));
    let again = scene.import(&[&url]).await;
    assert!(again.contains("holds this tree already"), "{again}");
    let kernel = scene.appliance.config.files.join("mirror/alma/images/pxeboot/vmlinuz");
    fs::write(&kernel, pattern(299_999)).unwrap();
    let refused = scene.refused(&[&url, "--name", "other"]).await;
    assert!(refused.contains("is not what .treeinfo says"), "{refused}");
    let refused = scene.refused(&[&scene.appliance.url("/files/mirror/none/")]).await;
    assert!(refused.contains("nothing here knows what"), "{refused}");
    let refused = scene.refused(&["http://127.0.0.1:1/x/"]).await;
    assert!(refused.contains("cannot reach http://127.0.0.1:1/x"), "{refused}");
}

#[tokio::test]
async fn an_image_on_a_server_is_fetched_and_read() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let mirror = scene.appliance.config.files.join("mirror");
    fs::create_dir_all(&mirror).unwrap();
    made("xorriso", &["-as", "mkisofs", "-quiet", "-R", "-o"], &mirror.join("alma.iso"), &folder);
    let sums = format!("{}  alma.iso\n", sha256(&fs::read(mirror.join("alma.iso")).unwrap()));
    fs::write(mirror.join("SHA256SUMS"), sums).unwrap();
    let text = scene.import(&[&scene.appliance.url("/files/mirror/alma.iso")]).await;
    assert!(text.contains("the whole image by SHA256SUMS (sha256)"), "{text}");
    let refused =
        scene.refused(&[&scene.appliance.url("/files/mirror/alma.iso"), "--max-size", "100K", "--name", "x"]).await;
    assert!(refused.contains("102400 are allowed (--max-size)"), "{refused}");
}

#[tokio::test]
async fn https_is_spoken_with_those_whom_the_host_trusts() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let addresses = (1..=254).map(|number| format!("127.77.{number}.1")).collect::<Vec<_>>();
    let made = rcgen::CertificateParams::new(addresses).unwrap().self_signed(&key).unwrap();
    let path = |ending: &str| folder.path().join("s").with_extension(ending);
    fs::write(path("key"), key.serialize_pem()).unwrap();
    fs::write(path("crt"), made.pem()).unwrap();
    let https =
        Https { serve: true, port: 0, certificate: Some(path("crt")), key: Some(path("key")), ..Https::default() };
    let scene = Scene::with(|config| config.https = https).await;
    alma(&scene.appliance.config.files.join("mirror"));
    let url = format!("https://{}/files/mirror", scene.appliance.running().https[0]);
    let refused = scene.refused(&[&url]).await;
    assert!(refused.contains("cannot reach https://") && refused.contains("certificate"), "{refused}");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kickstand"));
    command
        .arg("--socket")
        .arg(&scene.appliance.config.socket)
        .args(scene.args(&[&url]))
        .env("SSL_CERT_FILE", path("crt"));
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_at_any_moment_leaves_nothing_to_be_seen() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let many: Vec<(String, Vec<u8>)> =
        (0..200).map(|at| (format!("BaseOS/Packages/p{at}.rpm"), pattern(60_000))).collect();
    tree(&folder, &many.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect::<Vec<_>>());
    let at = folder.to_str().unwrap();
    let start = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kickstand"));
        command.arg("--socket").arg(&scene.appliance.config.socket).args(scene.args(&[at, "--name", name]));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let began = Instant::now();
    assert!(start("whole").wait().unwrap().success());
    let takes = began.elapsed();
    let distros = scene.appliance.config.files.join("distros");
    let (mut ended, mut killed) = (0, 0);
    for round in 0..20_u32 {
        let mut child = start("web");
        // Spread over the whole of it, and a little further.
        tokio::time::sleep(takes.mul_f64(f64::from(round * 7 % 20) / 18.0)).await;
        child.kill().unwrap();
        match child.wait().unwrap().success() {
            true => ended += 1,
            false => killed += 1,
        }
        let known = scene.appliance.try_cli(&["distro", "show", "web"]).await.status.success();
        let is_there = distros.join("web").exists();
        // Between the move and the server's word the next import settles it.
        assert!(
            known == is_there || distros.join(".import/pending.json").exists(),
            "round {round}: {known} {is_there}"
        );
        if known {
            let count = fs::read_dir(distros.join("web/BaseOS/Packages")).unwrap().count();
            assert_eq!(count, 201, "round {round}");
            scene.appliance.cli(&["distro", "remove", "web"]).await;
            fs::remove_dir_all(distros.join("web")).unwrap();
        }
    }
    assert!(killed > 5, "{killed} killed, {ended} ended");
    let text = scene.import(&[at, "--name", "web"]).await;
    assert!(text.contains("distro web added"), "{text}");
    let left: Vec<_> = fs::read_dir(distros.join(".import")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
}

#[tokio::test]
async fn what_was_moved_and_never_written_down_goes_away_with_the_next_import() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    scene.import(&[folder.to_str().unwrap(), "--name", "web"]).await;
    let distros = scene.appliance.config.files.join("distros");
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(distros.join("web/.kickstand.json")).unwrap()).unwrap();
    let kernel = "distros/web/images/pxeboot/vmlinuz";
    let pending = serde_json::json!({"name": "web", "new": record["id"], "old": null, "kernel": kernel, "initrd": "distros/web/images/pxeboot/initrd.img",
        "family": "redhat", "variables": {"tree": "distros/web"}});
    fs::write(distros.join(".import/pending.json"), pending.to_string()).unwrap();
    // The server knows of it: it stays.
    scene.refused(&["/nowhere"]).await;
    assert!(distros.join("web").exists() && !distros.join(".import/pending.json").exists());
    scene.appliance.cli(&["distro", "remove", "web"]).await;
    fs::write(distros.join(".import/pending.json"), pending.to_string()).unwrap();
    scene.refused(&["/nowhere"]).await;
    assert!(everything(&scene.appliance).is_empty(), "{:?}", everything(&scene.appliance).keys());
}

#[tokio::test]
async fn one_import_at_a_time() {
    let scene = Scene::new().await;
    let folder = alma(&scene.path("alma"));
    let room = scene.appliance.config.files.join("distros/.import");
    fs::create_dir_all(&room).unwrap();
    let lock = fs::File::create(room.join("lock")).unwrap();
    lock.lock().unwrap();
    let refused = scene.refused(&[folder.to_str().unwrap()]).await;
    assert!(refused.contains("another import is under way"), "{refused}");
    drop(lock);
    tokio::time::timeout(Duration::from_secs(20), scene.import(&[folder.to_str().unwrap()])).await.unwrap();
}

/// A key of GnuPG's in a folder of its own.
fn gpg(home: &Path, args: &[&str]) -> Vec<u8> {
    let mut command = Command::new("gpg");
    command.arg("--homedir").arg(home).args(["--batch", "--quiet", "--yes", "--passphrase", ""]);
    let output = command.args(args).output().expect("gpg is installed: see lab/packages.sh");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn keys_that_are_named_must_have_signed_what_boots() {
    let scene = Scene::new().await;
    let boot: [(&str, &[u8]); 3] = [
        ("boot/x86_64/loader/linux", &pattern(9000)),
        ("boot/x86_64/loader/initrd", &pattern(8000)),
        ("content", b"NAME openSUSE\nVERSION 15.5\n"),
    ];
    let folder = tree(&scene.path("suse"), &boot);
    let sums: String = boot.iter().take(2).map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes))).collect();
    fs::write(folder.join("CHECKSUMS"), sums).unwrap();
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for home in [own.path(), other.path()] {
        gpg(home, &["--quick-generate-key", "Build <b@example.org>", "ed25519", "sign", "never"]);
        fs::write(home.join("ring.gpg"), gpg(home, &["--export"])).unwrap();
    }
    let checksums = folder.join("CHECKSUMS");
    gpg(own.path(), &["--detach-sign", "--armor", checksums.to_str().unwrap()]);
    let told = [folder.to_str().unwrap(), "--family", "redhat"];
    let ring = |home: &Path| home.join("ring.gpg").display().to_string();
    let refused = scene.refused(&[&told[..], &["--keyring", &ring(other.path())]].concat()).await;
    assert!(
        refused.contains("signed by no key of the keyrings that were named; the signature of CHECKSUMS"),
        "{refused}"
    );
    let text = scene.import(&[&told[..], &["--keyring", &ring(own.path())]].concat()).await;
    assert!(text.contains("CHECKSUMS is signed by Build <b@example.org>"), "{text}");
    fs::write(&checksums, fs::read_to_string(&checksums).unwrap() + "\n").unwrap();
    let refused = scene.refused(&[&told[..], &["--name", "x", "--keyring", &ring(own.path())]].concat()).await;
    assert!(refused.contains("CHECKSUMS is not what Build <b@example.org>"), "{refused}");
    for home in [own.path(), other.path()] {
        let _ = Command::new("gpgconf").arg("--homedir").arg(home).args(["--kill", "all"]).status();
    }
}
