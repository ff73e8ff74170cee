//! Imports with packages: from a folder, where the tree's own lists speak for them, and from a server, where they say what to fetch.

use crate::imports::{Scene, everything, sha256, tree};
use crate::rig::pattern;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// `repodata` for these packages, as createrepo writes it: name and bytes of each file.
fn repodata(packages: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    let one = |(path, bytes): &(&str, &[u8])| {
        format!(
            "<package type=\"rpm\"><checksum type=\"sha256\" pkgid=\"YES\">{}</checksum>\
             <size package=\"{}\"/><location href=\"{path}\"/></package>",
            sha256(bytes),
            bytes.len()
        )
    };
    let primary = gzip(format!("<metadata>{}</metadata>", packages.iter().map(one).collect::<String>()).as_bytes());
    let group = b"<comps/>".to_vec();
    let data = |kind: &str, name: &str, bytes: &[u8]| {
        format!(
            "<data type=\"{kind}\"><checksum type=\"sha256\">{}</checksum><location href=\"{name}\"/><size>{}</size></data>",
            sha256(bytes),
            bytes.len()
        )
    };
    let (list, comps) = ("repodata/1-primary.xml.gz", "repodata/2-comps.xml");
    let repomd = format!("<repomd>{}{}</repomd>", data("primary", list, &primary), data("group", comps, &group));
    vec![("repodata/repomd.xml".into(), repomd.into_bytes()), (list.into(), primary), (comps.into(), group)]
}

/// As Rocky's `BaseOS/x86_64/os`, with `repomd.xml` in its `.treeinfo` and something that no list names.
fn rocky(folder: &Path, packages: &[(&str, &[u8])]) -> PathBuf {
    let (kernel, initrd) = (pattern(300_000), pattern(400_000));
    let repodata = repodata(packages);
    let info = format!(
        "[checksums]\nimages/pxeboot/initrd.img = sha256:{}\nimages/pxeboot/vmlinuz = sha256:{}\n\
         repodata/repomd.xml = sha256:{}\n[general]\narch = x86_64\nfamily = Rocky Linux\nversion = 9.4\n\
         [images-x86_64]\ninitrd = images/pxeboot/initrd.img\nkernel = images/pxeboot/vmlinuz\n\
         [stage2]\nmainimage = images/install.img\n[variant-BaseOS]\nrepository = .\n",
        sha256(&initrd),
        sha256(&kernel),
        sha256(&repodata[0].1)
    );
    let install = pattern(90_000);
    let mut files: Vec<(&str, &[u8])> = vec![
        (".treeinfo", info.as_bytes()),
        ("images/pxeboot/vmlinuz", &kernel),
        ("images/pxeboot/initrd.img", &initrd),
        ("images/install.img", &install),
        ("named-by-nobody", b"x"),
    ];
    files.extend(repodata.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())));
    files.extend(packages.iter().filter(|(path, _)| !path.contains("..")));
    tree(folder, &files)
}

const PACKAGES: &[(&str, &[u8])] = &[("Packages/b/bash-5.rpm", b"bash"), ("Packages/z/zsh+1 a.rpm", b"zsh")];

#[tokio::test]
async fn packages_are_compared_with_the_trees_own_lists() {
    let scene = Scene::new().await;
    let folder = rocky(&scene.path("rocky"), PACKAGES);
    let at = folder.to_str().unwrap();
    let text = scene.import(&[at]).await;
    let by = "by .treeinfo (sha256), repodata/1-primary.xml.gz (sha256), repodata/repomd.xml (sha256)";
    assert!(text.contains(&format!("7 of 10 files {by}")), "{text}");
    fs::write(folder.join("Packages/b/bash-5.rpm"), "bush").unwrap();
    let before = everything(&scene.appliance);
    for args in [&[at, "--name", "other"][..], &[at, "--replace"], &[at, "--replace", "--partial"]] {
        let refused = scene.refused(args).await;
        let told = "Packages/b/bash-5.rpm is not what repodata/1-primary.xml.gz says (sha256)";
        assert!(refused.contains(told) && refused.contains(&sha256(b"bash")) && refused.contains(&sha256(b"bush")));
        assert_eq!(everything(&scene.appliance), before);
    }
}

#[tokio::test]
async fn a_tree_without_some_of_its_packages_must_be_meant() {
    let scene = Scene::new().await;
    let folder = rocky(&scene.path("rocky"), PACKAGES);
    fs::remove_file(folder.join(PACKAGES[0].0)).unwrap();
    let at = folder.to_str().unwrap();
    let refused = scene.refused(&[at]).await;
    assert!(
        refused.contains("1 file that repodata/1-primary.xml.gz names is not in the tree, Packages/b/bash-5.rpm first")
            && refused.contains("--partial"),
        "{refused}"
    );
    assert!(everything(&scene.appliance).is_empty());
    let text = scene.import(&[at, "--partial"]).await;
    assert!(text.contains("Packages/b/bash-5.rpm") && text.contains("rocky-9.4-x86_64 added"), "{text}");
}

/// What is done to an answer.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// The first time half of it comes.
    CutOnce,
    /// One byte of it is another.
    Changed,
    Missing,
}

/// A server of a folder, with a page for each of its folders; it remembers what was asked for.
struct Mirror {
    address: SocketAddr,
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

impl Mirror {
    fn new(folder: &Path, faults: &[(&str, Fault)]) -> Mirror {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mirror = Mirror { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let faults: HashMap<String, Fault> = faults.iter().map(|(path, fault)| ((*path).to_owned(), *fault)).collect();
        let (folder, asked, faults) = (folder.to_owned(), mirror.asked.clone(), Arc::new(faults));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, asked, faults) = (folder.clone(), asked.clone(), faults.clone());
                std::thread::spawn(move || answer(&stream, &folder, &asked, &faults));
            }
        });
        mirror
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How often the bytes of a file were asked for.
    fn fetched(&self, path: &str) -> usize {
        self.asked.lock().unwrap().get(path).copied().unwrap_or_default()
    }
}

fn answer(
    mut stream: &TcpStream,
    folder: &Path,
    asked: &Mutex<HashMap<String, usize>>,
    faults: &HashMap<String, Fault>,
) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head = lines.next().unwrap_or_default();
    lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
    let target = head.split(' ').nth(1).unwrap_or_default().replace("%20", " ");
    let path = target.trim_matches('/').to_owned();
    let mut times = 0;
    if head.starts_with("GET") {
        let mut asked = asked.lock().unwrap();
        times = *asked.entry(path.clone()).and_modify(|times| *times += 1).or_insert(1);
    }
    let (place, fault) = (folder.join(&path), faults.get(&path));
    let mut bytes = match fs::read_dir(&place) {
        Ok(entries) => {
            let names = entries.flatten().map(|entry| {
                let slash = if entry.path().is_dir() { "/" } else { "" };
                format!("<a href=\"{}{slash}\">", entry.file_name().to_string_lossy())
            });
            Some(names.collect::<String>().into_bytes())
        }
        Err(_) => fs::read(&place).ok(),
    };
    bytes = bytes.filter(|_| fault != Some(&Fault::Missing));
    let status = if bytes.is_some() { "200 OK" } else { "404 Not Found" };
    let mut bytes = bytes.unwrap_or_default();
    let length = bytes.len();
    match fault {
        Some(Fault::CutOnce) if times == 1 => bytes.truncate(length / 2),
        Some(Fault::Changed) => bytes[0] ^= 1,
        _ => {}
    }
    let shown = if head.starts_with("HEAD") { &[][..] } else { &bytes };
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(shown);
}

#[tokio::test]
async fn a_tree_on_a_server_is_mirrored_by_its_own_lists() {
    let scene = Scene::new().await;
    let folder = rocky(&scene.path("rocky"), PACKAGES);
    let mirror = Mirror::new(&folder, &[("Packages/b/bash-5.rpm", Fault::CutOnce)]);
    let text = scene.import(&[&mirror.url(), "--mirror"]).await;
    assert!(text.contains("7 of 9 files by .treeinfo (sha256)"), "{text}");
    let distro = scene.appliance.json(&["distro", "show", "rocky-9.4-x86_64"]).await;
    assert_eq!(distro["variables"], serde_json::json!({"tree": "distros/rocky-9.4-x86_64"}));
    let place = scene.appliance.config.files.join("distros/rocky-9.4-x86_64");
    for (path, bytes) in PACKAGES {
        assert_eq!(fs::read(place.join(path)).unwrap(), *bytes, "{path}");
    }
    assert!(place.join("images/install.img").exists() && place.join("repodata/2-comps.xml").exists());
    assert!(!place.join("named-by-nobody").exists());
    let once = ["repodata/repomd.xml", "repodata/1-primary.xml.gz", PACKAGES[1].0, "images/install.img"];
    assert_eq!(once.map(|path| mirror.fetched(path)), [1; 4]);
    assert_eq!(mirror.fetched(".treeinfo"), 2, "to find the top, and then once for all that is asked of it");
    assert_eq!(
        (mirror.fetched(PACKAGES[0].0), mirror.fetched("named-by-nobody"), mirror.fetched("Packages")),
        (2, 0, 0)
    );
}

#[tokio::test]
async fn a_mirror_that_is_not_whole_leaves_nothing_behind() {
    let scene = Scene::new().await;
    let folder = rocky(&scene.path("rocky"), PACKAGES);
    for (path, fault, told) in [
        (PACKAGES[0].0, Fault::Changed, "is not what repodata/1-primary.xml.gz says (sha256)"),
        (PACKAGES[1].0, Fault::Missing, "answered 404"),
        ("repodata/1-primary.xml.gz", Fault::Changed, "repodata/1-primary.xml.gz"),
        ("repodata/repomd.xml", Fault::Changed, "repodata/repomd.xml is not what .treeinfo says (sha256)"),
    ] {
        let mirror = Mirror::new(&folder, &[(path, fault)]);
        let refused = scene.refused(&[&mirror.url(), "--mirror"]).await;
        assert!(refused.contains(told), "{refused}");
        assert!(everything(&scene.appliance).is_empty(), "{told}");
    }
    let mirror = Mirror::new(&folder, &[]);
    let refused = scene.refused(&[&mirror.url(), "--mirror", "--max-size", "500K"]).await;
    assert!(refused.contains("are allowed (--max-size)") && mirror.fetched(PACKAGES[0].0) == 0, "{refused}");
    let refused = scene.refused(&[folder.to_str().unwrap(), "--mirror"]).await;
    assert!(refused.contains("--mirror is for the address of a folder"), "{refused}");
    assert!(everything(&scene.appliance).is_empty());
}

#[tokio::test]
async fn a_list_that_leads_out_of_its_tree_fetches_nothing_there() {
    let scene = Scene::new().await;
    let packages = [PACKAGES[0], ("../../outside.rpm", &b"o"[..]), ("/etc/passwd", b"p")];
    let folder = rocky(&scene.path("mirror/a/rocky"), &[packages[0], packages[1]]);
    fs::write(scene.path("mirror/outside.rpm"), "o").unwrap();
    let mirror = Mirror::new(&scene.path("mirror"), &[]);
    let url = format!("{}a/rocky", mirror.url());
    let refused = scene.refused(&[&url, "--mirror"]).await;
    assert!(refused.contains("../../outside.rpm first"), "{refused}");
    assert!(everything(&scene.appliance).is_empty());
    assert_eq!(mirror.fetched("a/rocky/Packages/b/bash-5.rpm"), 0, "{}", folder.display());
    scene.import(&[&url, "--mirror", "--partial"]).await;
    assert_eq!((mirror.fetched("outside.rpm"), mirror.fetched("a/rocky/Packages/b/bash-5.rpm")), (0, 1));
}

#[tokio::test]
async fn a_repository_beside_the_tree_comes_with_it_in_its_own_place() {
    let scene = Scene::new().await;
    let os = rocky(&scene.path("pub/9/BaseOS/x86_64/os"), PACKAGES);
    let info = fs::read_to_string(os.join(".treeinfo")).unwrap();
    let beside =
        "[variant-AppStream]\nrepository = ../../../AppStream/x86_64/os/\n[variant-All]\nrepository = ../../..\n";
    fs::write(os.join(".treeinfo"), format!("{info}{beside}")).unwrap();
    let vim: &[(&str, &[u8])] = &[("Packages/vim.rpm", b"vim")];
    let streams = repodata(vim);
    let streams = streams.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).chain(vim.iter().copied());
    tree(&scene.path("pub/9/AppStream/x86_64/os"), &streams.collect::<Vec<_>>());
    let all = repodata(&[]);
    tree(&scene.path("pub/9"), &all.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect::<Vec<_>>());
    let mirror = Mirror::new(&scene.path("pub"), &[]);
    let url = format!("{}9/BaseOS/x86_64/os/", mirror.url());
    let text = scene.import(&[&url, "--mirror", "--name", "rocky"]).await;
    assert!(text.contains("AppStream/x86_64/os/repodata/1-primary.xml.gz (sha256)"), "{text}");
    let place = scene.appliance.config.files.join("distros/rocky");
    assert_eq!(fs::read(place.join("AppStream/x86_64/os/Packages/vim.rpm")).unwrap(), b"vim");
    assert!(place.join("repodata/repomd.xml").exists(), "that of the top is one of them");
    let distro = scene.appliance.json(&["distro", "show", "rocky"]).await;
    assert_eq!(distro["variables"]["tree"], "distros/rocky/BaseOS/x86_64/os");
    assert_eq!(distro["kernel"], "distros/rocky/BaseOS/x86_64/os/images/pxeboot/vmlinuz");
    let again = scene.import(&[&url, "--mirror", "--name", "rocky"]).await;
    assert!(again.contains("distro rocky holds this tree already"), "{again}");
    let fetched = ["BaseOS/x86_64/os/Packages/b/bash-5.rpm", "AppStream/x86_64/os/Packages/vim.rpm"];
    assert_eq!(fetched.map(|path| mirror.fetched(&format!("9/{path}"))), [1, 1]);
    fs::write(place.join("AppStream/x86_64/os/Packages/vim.rpm"), "emacs").unwrap();
    let refused = scene.refused(&[&url, "--mirror", "--name", "rocky"]).await;
    assert!(refused.contains("are no longer as they were"), "{refused}");
}

#[tokio::test]
async fn a_mirror_is_refused_whose_lists_are_too_many_too_far_above_or_not_there() {
    let scene = Scene::new().await;
    let folder = rocky(&scene.path("pub/a/b/c/d/os"), PACKAGES);
    let info = fs::read_to_string(folder.join(".treeinfo")).unwrap();
    let empty = repodata(&[]);
    let empty: Vec<(&str, &[u8])> = empty.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    tree(&scene.path("pub/far"), &empty);
    let mirror = Mirror::new(&scene.path("pub"), &[]);
    let url = format!("{}a/b/c/d/os/", mirror.url());
    for (place, told) in [
        ("../../../../../far", "names the repository ../../../../../far, too far above it"),
        ("gone", "names the repository gone, which has no repodata/repomd.xml"),
    ] {
        fs::write(folder.join(".treeinfo"), format!("{info}[variant-Far]\nrepository = {place}\n")).unwrap();
        let refused = scene.refused(&[&url, "--mirror", "--name", "rocky"]).await;
        assert!(refused.contains(told) && mirror.fetched("far/repodata/repomd.xml") == 0, "{refused}");
    }
    let many: String = (0..150).map(|at| format!("[variant-{at}]\nrepository = {at}\n")).collect();
    fs::write(folder.join(".treeinfo"), format!("{info}{many}")).unwrap();
    (0..150).for_each(|at| drop(tree(&folder.join(at.to_string()), &empty)));
    let refused = scene.refused(&[&url, "--mirror", "--name", "other"]).await;
    assert!(refused.contains("has more than 300 lists"), "{refused}");
    let none = info.lines().filter(|line| !line.starts_with("repo")).collect::<Vec<_>>().join("\n");
    fs::write(folder.join(".treeinfo"), none).unwrap();
    fs::remove_dir_all(folder.join("repodata")).unwrap();
    let refused = scene.refused(&[&url, "--mirror", "--name", "other"]).await;
    assert!(refused.contains("has no list of packages"), "{refused}");
}

/// A mirror of Debian with an installer and packages for two architectures.
fn debian(folder: &Path) -> PathBuf {
    let images = "main/installer-amd64/current/images";
    let boot = "netboot/debian-installer/amd64";
    let (kernel, initrd) = (pattern(200_000), pattern(300_000));
    let sums = format!("{}  ./{boot}/linux\n{}  ./{boot}/initrd.gz\n", sha256(&kernel), sha256(&initrd));
    let list = |path: &str, bytes: &[u8]| {
        format!("Package: p\nFilename: {path}\nSize: {}\nSHA256: {}\n\n", bytes.len(), sha256(bytes)).into_bytes()
    };
    let mut files: Vec<(String, Vec<u8>)> = vec![
        (format!("{images}/{boot}/linux"), kernel),
        (format!("{images}/{boot}/initrd.gz"), initrd),
        (format!("{images}/SHA256SUMS"), sums.into_bytes()),
        ("main/binary-amd64/Packages".into(), list("pool/main/b/bash_amd64.deb", b"bash")),
        ("main/binary-amd64/Packages.gz".into(), gzip(&list("pool/main/b/bash_amd64.deb", b"bash"))),
        ("main/binary-arm64/Packages.gz".into(), gzip(&list("pool/main/b/bash_arm64.deb", b"bash"))),
        ("main/debian-installer/binary-amd64/Packages".into(), list("pool/main/a/anna_amd64.udeb", b"anna")),
    ];
    let own = |(path, _): &&(String, Vec<u8>)| path.ends_with("SHA256SUMS") || path.contains("Packages");
    let line = |(path, bytes): &(String, Vec<u8>)| format!(" {} {} {path}\n", sha256(bytes), bytes.len());
    let mut release = "Suite: stable\nSHA256:\n".to_owned();
    release.extend(files.iter().filter(own).map(line));
    // Named, and not there: archives keep the form alone that they want to have fetched.
    release += &format!(" {} 9 main/debian-installer/binary-amd64/Packages.gz\n", sha256(b"nowhere"));
    files.push(("Release".into(), release.into_bytes()));
    let files = files.into_iter().map(|(path, bytes)| (format!("dists/bookworm/{path}"), bytes));
    let pool = [("bash_amd64.deb", "b", "bash"), ("bash_arm64.deb", "b", "bash"), ("anna_amd64.udeb", "a", "anna")];
    let pool = pool.map(|(name, letter, bytes)| (format!("pool/main/{letter}/{name}"), bytes.as_bytes().to_vec()));
    let all: Vec<(String, Vec<u8>)> = files.chain(pool).collect();
    tree(folder, &all.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect::<Vec<_>>())
}

#[tokio::test]
async fn of_debian_one_suite_and_architecture_is_mirrored() {
    let scene = Scene::new().await;
    let folder = debian(&scene.path("debian"));
    let text = scene.import(&[folder.to_str().unwrap(), "--name", "folder"]).await;
    assert!(text.contains("main/binary-arm64/Packages.gz (sha256)"), "{text}");
    let mirror = Mirror::new(&folder, &[]);
    let text = scene.import(&[&mirror.url(), "--mirror", "--name", "debian"]).await;
    assert!(text.contains("main/binary-amd64/Packages.gz (sha256)") && !text.contains("arm64"), "{text}");
    let place = scene.appliance.config.files.join("distros/debian");
    for path in ["pool/main/b/bash_amd64.deb", "pool/main/a/anna_amd64.udeb", "dists/bookworm/Release"] {
        assert_eq!(fs::read(place.join(path)).unwrap(), fs::read(folder.join(path)).unwrap(), "{path}");
    }
    assert!(!place.join("pool/main/b/bash_arm64.deb").exists() && mirror.fetched("pool/main/b") == 0);
    let list = "dists/bookworm/main/binary-amd64/Packages";
    assert_eq!([mirror.fetched(list), mirror.fetched(&format!("{list}.gz"))], [0, 1]);
    let distro = scene.appliance.json(&["distro", "show", "debian"]).await;
    assert_eq!(distro["variables"], serde_json::json!({"suite": "bookworm", "tree": "distros/debian"}));
}
