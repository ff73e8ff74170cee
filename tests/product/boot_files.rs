//! Boot files by HTTP: whole, by range, with their length, and never a way out of the folder.

use crate::rig::{Appliance, get, pattern, request};
use std::os::unix::fs::FileExt;

#[tokio::test]
async fn files_come_whole_or_by_range() {
    let appliance = Appliance::start().await;
    let (from, url) = (appliance.ip(66), appliance.url("/files/d/vmlinuz"));
    let whole = get(from, &url, "").await;
    assert_eq!((whole.status, whole.body.len()), (200, 70_000));
    assert!(
        // GRUB 2.06 looks at the case of the name.
        whole.head.contains("\r\nContent-Length: 70000\r\n") && !whole.head.contains("chunked"),
        "{}",
        whole.head
    );
    let loader = get(from, &appliance.url("/boot/52-54-00-00-00-01/script.ipxe"), "").await;
    assert!(loader.head.contains("\r\nContent-Length: "), "by hyper too: {}", loader.head);
    let part = get(from, &url, "Range: bytes=1000-1999\r\n").await;
    assert_eq!((part.status, part.body.as_slice()), (206, &pattern(70_000)[1000..2000]));
    assert!(part.head.to_lowercase().contains("content-range: bytes 1000-1999/70000"), "{}", part.head);
    assert_eq!(get(from, &url, "Range: bytes=70000-\r\n").await.status, 416);
}

#[tokio::test]
async fn double_slashes_are_collapsed_without_a_redirect() {
    let appliance = Appliance::start().await;
    for path in ["//files/d/vmlinuz", "/files//d///vmlinuz", "/loader//snponly.efi"] {
        assert_eq!(get(appliance.ip(66), &appliance.url(path), "").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn no_name_leads_out_of_the_folder() {
    let appliance = Appliance::start().await;
    std::fs::write(appliance.folder.path().join("outside"), "secret").unwrap();
    std::os::unix::fs::symlink(appliance.folder.path().join("outside"), appliance.config.files.join("d/link")).unwrap();
    for path in
        ["../outside", "d/../../outside", "%2e%2e/outside", "..%2foutside", "d/link", "/etc/passwd", "", "d", "%00"]
    {
        let answer = get(appliance.ip(66), &appliance.url(&format!("/files/{path}")), "").await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_missing_loader_is_an_event_with_a_remedy() {
    let appliance = Appliance::start().await;
    std::fs::remove_file(appliance.config.loaders[0].join("snponly.efi")).unwrap();
    assert_eq!(get(appliance.ip(66), &appliance.url("/loader/snponly.efi"), "").await.status, 500);
    assert!(appliance.told("appliance", "the file snponly.efi of loader ipxe-x64 is in none of").await);
}

#[tokio::test]
async fn a_head_tells_the_length_and_sends_nothing() {
    let appliance = Appliance::start().await;
    for (path, length) in [("/files/d/vmlinuz", 70_000), ("/loader/snponly.efi", 131_072)] {
        let answer = request(appliance.ip(66), "HEAD", &appliance.url(path), "Range: bytes=1-2\r\n", b"").await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
        assert!(answer.head.contains(&format!("Content-Length: {length}")), "{}", answer.head);
    }
    assert_eq!(request(appliance.ip(66), "HEAD", &appliance.url("/files/none"), "", b"").await.status, 404);
}

#[tokio::test]
async fn what_a_client_has_already_is_not_sent_again() {
    let appliance = Appliance::start().await;
    let (from, url) = (appliance.ip(66), appliance.url("/files/d/vmlinuz"));
    let whole = get(from, &url, "").await;
    let line = |name: &str| whole.head.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let (tag, date) = (line("ETag:"), line("Last-Modified:"));
    for (lines, status) in [
        (format!("If-None-Match: {tag}\r\n"), 304),
        (format!("If-Modified-Since: {date}\r\n"), 304),
        (format!("If-Range: {tag}\r\nRange: bytes=0-9\r\n"), 206),
        ("If-Range: \"other\"\r\nRange: bytes=0-9\r\n".to_owned(), 200),
    ] {
        assert_eq!(get(from, &url, &lines).await.status, status, "{lines}");
    }
    // Another file in its place, of the same size and age, is another file.
    let path = appliance.config.files.join("d/vmlinuz");
    let age = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(path.with_extension("new"), pattern(70_000)).unwrap();
    std::fs::File::options().append(true).open(path.with_extension("new")).unwrap().set_modified(age).unwrap();
    std::fs::rename(path.with_extension("new"), &path).unwrap();
    assert_eq!(get(from, &url, &format!("If-None-Match: {tag}\r\n")).await.status, 200);
}

#[tokio::test]
async fn a_file_of_five_gibibytes_comes_from_any_place() {
    let appliance = Appliance::start().await;
    const GIB: u64 = 1 << 30;
    let file = std::fs::File::create(appliance.config.files.join("big.img")).unwrap();
    file.set_len(5 * GIB).unwrap();
    file.write_all_at(b"in the middle", 4 * GIB - 3).unwrap();
    file.write_all_at(b"the end", 5 * GIB - 7).unwrap();
    let (from, url) = (appliance.ip(66), appliance.url("/files/big.img"));
    for (range, text) in [
        (format!("{}-{}", 4 * GIB - 3, 4 * GIB + 9), "in the middle"),
        ("-7".to_owned(), "the end"),
        (format!("{}-", 5 * GIB - 3), "end"),
    ] {
        let part = get(from, &url, &format!("Range: bytes={range}\r\n")).await;
        assert_eq!((part.status, part.text().as_str()), (206, text), "{range}");
    }
    let long = get(from, &url, &format!("Range: bytes={}-{}\r\n", 4 * GIB - 20_000_000, 4 * GIB + 9)).await;
    assert_eq!(long.body.len(), 20_000_010);
    assert!(long.body.ends_with(b"in the middle"));
    let head = request(from, "HEAD", &url, "", b"").await;
    assert!(head.head.contains("Content-Length: 5368709120\r\n"), "{}", head.head);
}

#[tokio::test]
async fn a_stranger_fills_no_timeline_and_a_machine_does() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    let acked = machine.system_address().await.unwrap();
    assert_eq!(get(appliance.ip(66), &appliance.url("/files/d/root.tar.zst"), "").await.status, 200);
    assert_eq!(get(acked.ip, &appliance.url("/files/d/live.squashfs"), "").await.status, 200);
    assert!(appliance.told("file", "d/live.squashfs by HTTP, 10 B").await);
    assert!(!appliance.told("file", "root.tar.zst").await);
}
