//! Files in memory once, however many ask, and never more of them than there is room for.

use super::content;
use crate::tftp::Content;
use crate::tftp::cache::Cache;
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::task::JoinSet;

const KIB: u64 = 1024;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &'static str, bytes: &[u8]) -> (PathBuf, &'static str) {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
        (self.0.path().to_owned(), name)
    }
}

async fn bytes(cache: &Cache, path: &(PathBuf, &str)) -> Option<Bytes> {
    match cache.file(&path.0, path.1).await.unwrap() {
        Content::Memory(bytes) => Some(bytes),
        Content::File(..) => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_who_ask_at_once_share_one_reading() {
    let (folder, cache) = (Folder::new(), Arc::new(Cache::default()));
    let path = folder.write("kernel", &content(3_000_000));
    let mut asking = JoinSet::new();
    for _ in 0..512 {
        let (cache, path) = (cache.clone(), path.clone());
        asking.spawn(async move { bytes(&cache, &path).await.unwrap() });
    }
    let all = asking.join_all().await;
    assert!(all.iter().all(|bytes| bytes.as_ptr() == all[0].as_ptr()), "the same memory");
    assert!(all[0] == content(3_000_000));
}

#[tokio::test]
async fn a_file_that_is_too_large_stays_a_file() {
    let (folder, cache) = (Folder::new(), Cache::new(100 * KIB));
    let path = folder.write("image", &content(100_000));
    assert!(matches!(cache.file(&path.0, path.1).await.unwrap(), Content::File(_, 100_000)));
}

#[tokio::test]
async fn a_file_that_was_changed_is_read_again() {
    let (folder, cache) = (Folder::new(), Cache::default());
    let path = folder.write("kernel", b"old");
    assert_eq!(bytes(&cache, &path).await.unwrap(), "old");
    folder.write("kernel", b"newer");
    assert_eq!(bytes(&cache, &path).await.unwrap(), "newer");
}

/// The one that was not asked for the longest makes room; one that is being sent would give nothing back.
#[tokio::test]
async fn who_is_idle_makes_room_and_who_is_sent_does_not() {
    let (folder, cache) = (Folder::new(), Cache::new(100 * KIB));
    let [one, two, three] = ["one", "two", "three"].map(|name| folder.write(name, &content(40_000)));
    let sent = bytes(&cache, &one).await.unwrap();
    assert!(bytes(&cache, &two).await.is_some());
    assert!(bytes(&cache, &three).await.is_some(), "two made room");
    assert_eq!(bytes(&cache, &one).await.unwrap().as_ptr(), sent.as_ptr(), "one did not");
    let also_sent = bytes(&cache, &three).await.unwrap();
    assert!(bytes(&cache, &two).await.is_none(), "nobody makes room");
    drop((sent, also_sent));
    assert!(bytes(&cache, &two).await.is_some());
}

#[tokio::test]
async fn what_is_no_file_is_refused() {
    let (folder, cache) = (Folder::new(), Cache::default());
    folder.write("kernel", b"bytes");
    std::fs::create_dir(folder.0.path().join("sub")).unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.0.path().join(name)).unwrap();
    link("/etc/hostname", "out");
    link("../../../etc/hostname", "up");
    link("../kernel", "sub/in");
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.0.path().join("pipe"), rustix::fs::Mode::RUSR).unwrap();
    for name in ["sub", "missing", "out", "up", "pipe", "..", "/etc/hostname", "sub/../../x", "sub/../kernel", ""] {
        assert!(cache.file(folder.0.path(), name).await.is_err(), "{name}");
    }
    for name in ["kernel", "sub/in"] {
        assert!(cache.file(folder.0.path(), name).await.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn what_has_no_room_is_open_once_for_all() {
    let (folder, cache) = (Folder::new(), Cache::new(KIB));
    let large = folder.write("large", &content(3000));
    let open = async || match cache.file(&large.0, large.1).await.unwrap() {
        Content::File(file, 3000) => file,
        other => panic!("{other:?}"),
    };
    let (first, second) = (open().await, open().await);
    assert!(Arc::ptr_eq(&first, &second));
    folder.write("large", &content(3000));
    std::fs::File::open(large.0.join(large.1)).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(!Arc::ptr_eq(&first, &open().await), "one that was changed is another one");
    drop((first, second));
    open().await;
}
