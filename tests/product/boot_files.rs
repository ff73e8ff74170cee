//! Boot files by HTTP: whole, by range, with their length, and never a way out of the folder.

use crate::rig::{Appliance, get, pattern};

#[tokio::test]
async fn files_come_whole_or_by_range() {
    let appliance = Appliance::start().await;
    let (from, url) = (appliance.ip(66), appliance.url("/files/d/vmlinuz"));
    let whole = get(from, &url, "").await;
    assert_eq!((whole.status, whole.body.len()), (200, 70_000));
    assert!(
        whole.head.to_lowercase().contains("content-length: 70000") && !whole.head.contains("chunked"),
        "{}",
        whole.head
    );
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
