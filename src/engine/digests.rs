//! Digests of files that systems are given: each file is read once for each of its states.

use super::folder;
use crate::model::Digest;
use sha2::Digest as _;
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Which state of a file was read: inode, modification and change in nanoseconds, size.
type Stamp = (u64, i64, i64, u64);

type Known = Mutex<HashMap<PathBuf, (Stamp, Digest)>>;

#[derive(Default)]
pub(super) struct Digests {
    known: Arc<Known>,
    /// One file at a time: a rack that reinstalls asks for the same.
    reading: tokio::sync::Mutex<()>,
}

impl Digests {
    /// None where there is no such file. Reads files of some megabytes: not for the runtime's threads.
    pub fn of(&self, path: &Path) -> Option<Digest> {
        // A pipe would be waited for.
        std::fs::metadata(path).ok().filter(Metadata::is_file)?;
        let file = File::open(path).ok()?;
        let meta = file.metadata().ok()?;
        read(&self.known, path, file, &meta).ok()
    }

    /// Of a file below a folder, with its size; read by a thread of its own.
    pub async fn below(&self, folder: &Path, name: &str) -> io::Result<Option<(Digest, u64)>> {
        let _turn = self.reading.lock().await;
        let Some((file, meta)) = folder::open(folder, name).await? else { return Ok(None) };
        let (known, path, size) = (self.known.clone(), folder.join(name), meta.len());
        let done = tokio::task::spawn_blocking(move || read(&known, &path, file, &meta)).await;
        done.map_err(io::Error::other)?.map(|digest| Some((digest, size)))
    }
}

fn read(known: &Known, path: &Path, file: File, meta: &Metadata) -> io::Result<Digest> {
    let stamp = stamp(meta);
    let known = || known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, digest)) = known().get(path).filter(|(read, _)| *read == stamp) {
        return Ok(*digest);
    }
    let digest = digest(file)?;
    known().insert(path.to_owned(), (stamp, digest));
    Ok(digest)
}

fn stamp(meta: &Metadata) -> Stamp {
    let nanos = |secs: i64, nanos: i64| secs.wrapping_mul(1_000_000_000).wrapping_add(nanos);
    let (modified, changed) = (nanos(meta.mtime(), meta.mtime_nsec()), nanos(meta.ctime(), meta.ctime_nsec()));
    (meta.ino(), modified, changed, meta.len())
}

fn digest(mut file: File) -> io::Result<Digest> {
    let (mut sha, mut buffer) = (sha2::Sha256::new(), vec![0; 256 * 1024]);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Digest(sha.finalize().into())),
            Ok(count) => sha.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a copy that keeps the times does.
    fn put(path: &Path, text: &str, modified: std::time::SystemTime) {
        let next = path.with_extension("new");
        std::fs::write(&next, text).unwrap();
        File::options().write(true).open(&next).unwrap().set_modified(modified).unwrap();
        std::fs::rename(next, path).unwrap();
    }

    #[tokio::test]
    async fn a_digest_is_that_of_the_file_as_it_is_now() {
        let (folder, digests) = (tempfile::tempdir().unwrap(), Digests::default());
        let path = folder.path().join("agent");
        assert_eq!(digests.of(&path), None);
        assert_eq!(digests.below(folder.path(), "agent").await.unwrap(), None);
        // The third has the size and the time of the second.
        let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        for text in ["one", "three", "seven"] {
            put(&path, text, at);
            let own = Digest::of(text.as_bytes());
            assert_eq!(digests.of(&path), Some(own), "{text}");
            let below = digests.below(folder.path(), "agent").await.unwrap();
            assert_eq!(below, Some((own, text.len() as u64)), "{text}");
        }
    }
}
