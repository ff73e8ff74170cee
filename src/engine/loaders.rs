//! Boot loaders, each in memory once: the bytes that were looked at are the bytes that are sent.

use super::{Engine, Error};
use crate::boot::file::{FileAsk, FileFacts, FileReply};
use crate::boot::{Ask, Tale};
use crate::model::*;
use bytes::Bytes;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A boot loader's content, and a tag that tells it from what the file held before.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub bytes: Bytes,
    /// For HTTP's ETag, without quotes.
    pub tag: String,
}

/// Which state of a file was read: inode, modification and change in nanoseconds, size.
type Stamp = (u64, i64, i64, u64);

/// As many as there are boot loaders. A file that changed is read again.
#[derive(Default)]
pub struct Loaders(Mutex<HashMap<PathBuf, (Stamp, Loaded)>>);

impl Engine {
    /// The boot loader of this name; none if no loader has that name.
    pub async fn loader(&self, name: &str) -> Result<Option<Loaded>, Error> {
        let decision = FileAsk { name: name.to_owned() }.decide(FileFacts, self.now());
        let FileReply::Loader(file) = decision.reply else { return Ok(None) };
        if let Some(path) = self.folders.iter().map(|dir| dir.join(file)).find(|path| path.is_file()) {
            return self.loaders.read(&path).await.map(Some);
        }
        let folders: Vec<_> = self.folders.iter().map(|dir| dir.display().to_string()).collect();
        let text = format!(
            "the boot loader {file} is in none of {}: install the package `ipxe`, or copy it there",
            folders.join(", ")
        );
        self.tell(Tale::new(self.now(), Kind::Appliance, text.clone()));
        Err(Error::Missing(text))
    }
}

impl Loaders {
    async fn read(&self, path: &Path) -> Result<Loaded, Error> {
        let unreadable = |source| Error::File { path: path.display().to_string(), source };
        let meta = tokio::fs::metadata(path).await.map_err(unreadable)?;
        let stamp = stamp(&meta);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some((_, loaded)) = known.filter(|(of, _)| *of == stamp) {
            return Ok(loaded);
        }
        let bytes = Bytes::from(tokio::fs::read(path).await.map_err(unreadable)?);
        let loaded = Loaded { bytes, tag: format!("{:x}-{:x}-{:x}", stamp.1, stamp.3, stamp.0) };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(path.to_owned(), (stamp, loaded.clone()));
        Ok(loaded)
    }
}

fn stamp(meta: &std::fs::Metadata) -> Stamp {
    let nanos = |secs: i64, nanos: i64| secs.saturating_mul(1_000_000_000).saturating_add(nanos);
    let modified = nanos(meta.mtime(), meta.mtime_nsec());
    (meta.ino(), modified, nanos(meta.ctime(), meta.ctime_nsec()), meta.size())
}
