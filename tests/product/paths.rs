//! Names that try to get out: ten thousand made from a seed, and links that change while they are followed.

use crate::rig::{Appliance, Conversation, pattern};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;

const NAMES: usize = 10_000;
const SECRET: &str = "what nobody may read";

/// The pieces of which hostile names are made. `@` stands for the appliance's own folder.
const PIECES: &[&str] = &[
    "..",
    "..",
    "..",
    "/",
    "/",
    "/",
    "//",
    ".",
    "./",
    "../",
    "..//",
    "...",
    "%2e",
    "%2E%2e",
    "%2e%2e%2f",
    "..%2f",
    "%2f",
    "%5c",
    "\\",
    "..\\",
    "..;/",
    "%00",
    "%00.efi",
    "%0a",
    "%ff",
    "%c0%ae%c0%ae",
    "%c0%af",
    "%252e%252e%252f",
    "%u002e",
    "%",
    "%2",
    "d",
    "d/",
    "out",
    "out/",
    "up/",
    "absolute",
    "magic",
    "magic/",
    "outside",
    "private/",
    "private/outside",
    "vmlinuz",
    "etc/passwd",
    "proc/self/environ",
    "proc/self/fd/",
    "proc/self/root",
    "dev/zero",
    "kickstand.db",
    "kickstand.sock",
    "loaders/",
    "files/",
    "@",
    "@/outside",
    "~root",
    "~",
    "*",
    "?",
    "x=/../",
    "#",
    "a%20b",
    "snponly.efi",
    "undionly.kpxe",
    "own-disk",
    "C:",
    "CON",
    "file:",
    "http://127.0.0.1/",
];

/// xorshift: the same names in each run.
struct Names {
    state: u64,
    own: String,
}

impl Iterator for Names {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut name = String::new();
        for _ in 0..=self.below(7) {
            let piece = PIECES[self.below(PIECES.len())];
            name.push_str(&piece.replace('@', &self.own));
        }
        if self.below(50) == 0 {
            name = name.repeat(40);
        }
        Some(name)
    }
}

impl Names {
    fn of(appliance: &Appliance) -> Names {
        Names { state: 0x9e37_79b9_7f4a_7c15, own: appliance.folder.path().display().to_string() }
    }

    fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % end as u64) as usize
    }
}

/// What must not be read lies beside what may, and links lead there.
async fn scene() -> Appliance {
    let appliance = Appliance::start().await;
    let path = |name: &str| appliance.folder.path().join(name);
    std::fs::create_dir(path("private")).unwrap();
    for name in ["outside", "private/outside", "private/vmlinuz"] {
        std::fs::write(path(name), SECRET).unwrap();
    }
    for (to, name) in [
        ("../outside", "files/out"),
        ("../private", "files/up"),
        ("/proc/self/root", "files/magic"),
        ("/", "files/d/out"),
    ] {
        symlink(to, path(name)).unwrap();
    }
    symlink(path("outside"), path("files/absolute")).unwrap();
    symlink(path("outside"), path("loaders/absolute")).unwrap();
    appliance
}

/// Only what lies in the folders, all of whose files begin alike.
fn check(name: &str, status: u16, body: &[u8]) {
    match status {
        200 => assert!(body.starts_with(&pattern(10)), "{name}: {:?}", &body[..body.len().min(80)]),
        _ => assert!([400, 404, 414].contains(&status) && body.len() < 100, "{name}: {status}"),
    }
}

#[tokio::test]
async fn ten_thousand_hostile_names_get_nothing_by_http() {
    let appliance = scene().await;
    let mut talk = Conversation::open(appliance.ip(66), &appliance.url("/"), None).await;
    let mut found = 0;
    for (number, name) in Names::of(&appliance).take(NAMES).enumerate() {
        let room = if number % 4 == 0 { "loader" } else { "files" };
        talk.say(&format!("GET /{room}/{name} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let answer = talk.hear(false).await;
        check(&name, answer.status, &answer.body);
        found += usize::from(answer.status == 200);
        // Once hyper has a connection it keeps it: every other hundred names is for hyper.
        let is_hypers = number / 100 % 2 == 1;
        if number % 100 == 99 || answer.head.to_lowercase().contains("connection: close") {
            talk = Conversation::open(appliance.ip(66), &appliance.url("/"), None).await;
            if !is_hypers {
                talk.say("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n").await;
                assert_eq!(talk.hear(false).await.status, 404);
            }
        }
    }
    assert!((1..NAMES / 20).contains(&found), "some names are good ones: {found}");
}

#[tokio::test]
async fn ten_thousand_hostile_names_get_nothing_by_tftp() {
    let appliance = scene().await;
    let socket = UdpSocket::bind((appliance.ip(66), 0)).await.unwrap();
    let tftp = appliance.running().tftp[0];
    let mut refused = 0;
    for name in Names::of(&appliance).take(NAMES) {
        if name.len() > 400 {
            continue;
        }
        let request = [b"\0\x01", name.as_bytes(), b"\0octet\0"].concat();
        let mut answer = [0; 600];
        let (mut size, mut from) = (0, tftp);
        for _ in 0..5 {
            socket.send_to(&request, tftp).await.unwrap();
            if let Ok(got) = tokio::time::timeout(Duration::from_secs(2), socket.recv_from(&mut answer)).await {
                (size, from) = got.unwrap();
                break;
            }
        }
        match answer[1] {
            5 if size > 4 => refused += 1,
            // Firmware adds slashes: what is left of such a name is a loader's own.
            3 if name.trim_matches('/').ends_with("pxe") || name.trim_matches('/').ends_with(".efi") => {
                check(&name, 200, &answer[4..size]);
                socket.send_to(b"\0\x05\0\0enough\0", from).await.unwrap();
                while tokio::time::timeout(Duration::from_millis(50), socket.recv(&mut answer)).await.is_ok() {}
            }
            _ => panic!("{name}: {:?}", &answer[..size.min(60)]),
        }
    }
    assert!(refused > NAMES * 9 / 10, "{refused}");
}

/// Puts now this link, now that one in the same place, until told to stop.
fn swap(link: &Path, one: &'static str, other: &'static str, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let link = link.to_owned();
    std::thread::spawn(move || {
        let new = link.with_extension("new");
        while !stop.load(Ordering::Relaxed) {
            for to in [one, other] {
                symlink(to, &new).unwrap();
                std::fs::rename(&new, &link).unwrap();
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_that_change_while_they_are_followed_lead_nowhere_else() {
    let appliance = scene().await;
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = [
        swap(&appliance.config.files.join("file"), "d/vmlinuz", "../outside", stop.clone()),
        swap(&appliance.config.files.join("folder"), "d", "../private", stop.clone()),
    ];
    let mut talk = Conversation::open(appliance.ip(66), &appliance.url("/"), None).await;
    let mut statuses = [0; 2];
    for _ in 0..2000 {
        for path in ["file", "folder/vmlinuz"] {
            talk.say(&format!("GET /files/{path} HTTP/1.1\r\n\r\n")).await;
            let answer = talk.hear(false).await;
            check(path, answer.status, &answer.body);
            statuses[usize::from(answer.status == 200)] += 1;
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapping.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(statuses.iter().all(|count| *count > 0), "both were seen: {statuses:?}");
}
