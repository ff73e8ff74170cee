//! Files that many machines read at once, each in memory once: read by the first who asks, while the others wait.

use super::content::Content;
use crate::engine::folder;
use bytes::Bytes;
use rustix::fs::{Advice, fadvise};
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

/// All files together.
pub const MAX_BYTES: u64 = 128 << 20;
/// What a file costs besides its bytes, so that a million small ones do not fill the memory.
const FILE_COST: u64 = 4096;

pub struct Cache {
    max_bytes: u64,
    shelf: Mutex<Shelf>,
}

/// A file as it is now: one that was changed is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
}

#[derive(Default)]
struct Shelf {
    places: HashMap<Key, Place>,
    /// What there is no room for, opened once for all who are sent it.
    open: HashMap<Key, Weak<File>>,
    /// What all places may hold, whether they have been read or not.
    bytes: u64,
    /// Counts what was asked for, to know what was not for the longest time.
    asked: u64,
}

struct Place {
    cell: Arc<OnceCell<Bytes>>,
    asked: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Cache::new(MAX_BYTES)
    }
}

impl Cache {
    pub fn new(max_bytes: u64) -> Cache {
        Cache { max_bytes, shelf: Mutex::default() }
    }

    /// What lies below a folder under this name; no link leads out of it.
    pub async fn file(&self, folder: &Path, name: &str) -> io::Result<Content> {
        let Some((file, meta)) = folder::open(folder, name).await? else { return Err(io::ErrorKind::NotFound.into()) };
        let key = Key::of(&meta)?;
        let file = Arc::new(file);
        let Some(cell) = self.place(key) else {
            let file = self.opened(key, file);
            let _ = fadvise(&*file, 0, None, Advice::WillNeed);
            return Ok(Content::File(file, key.size));
        };
        let read = cell.get_or_try_init(|| async move {
            spawn_blocking(move || read(&file, key)).await.map_err(io::Error::other)?
        });
        let bytes = read.await.cloned();
        if bytes.is_err() {
            self.forget(key);
        }
        bytes.map(Content::Memory)
    }

    /// None when there is no room for it beside the files that are being sent.
    fn place(&self, key: Key) -> Option<Arc<OnceCell<Bytes>>> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.asked = shelf.asked.saturating_add(1);
        let asked = shelf.asked;
        if let Some(place) = shelf.places.get_mut(&key) {
            place.asked = asked;
            return Some(place.cell.clone());
        }
        if key.cost() > self.max_bytes {
            return None;
        }
        while shelf.bytes.saturating_add(key.cost()) > self.max_bytes {
            let oldest = shelf.places.iter().filter(|(_, place)| place.is_idle()).min_by_key(|(_, place)| place.asked);
            let oldest = *oldest?.0;
            shelf.remove(oldest);
        }
        shelf.bytes = shelf.bytes.saturating_add(key.cost());
        let cell = Arc::new(OnceCell::new());
        shelf.places.insert(key, Place { cell: cell.clone(), asked });
        Some(cell)
    }

    /// The file that is open for others, if there is one: thousands of transfers need one descriptor.
    fn opened(&self, key: Key, file: Arc<File>) -> Arc<File> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = shelf.open.get(&key).and_then(Weak::upgrade) {
            return open;
        }
        shelf.open.retain(|_, open| open.strong_count() > 0);
        shelf.open.insert(key, Arc::downgrade(&file));
        file
    }

    fn forget(&self, key: Key) {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl Shelf {
    fn remove(&mut self, key: Key) {
        if self.places.remove(&key).is_some() {
            self.bytes = self.bytes.saturating_sub(key.cost());
        }
    }
}

impl Place {
    /// Nobody reads it, sends it or waits for it: only then does its end give memory back.
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.cell) == 1 && self.cell.get().is_none_or(Bytes::is_unique)
    }
}

impl Key {
    fn of(file: &Metadata) -> io::Result<Key> {
        if !file.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
        }
        Ok(Key {
            device: file.dev(),
            inode: file.ino(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
            size: file.size(),
        })
    }

    fn cost(&self) -> u64 {
        self.size.saturating_add(FILE_COST)
    }
}

/// The whole file, provided that nobody wrote to it meanwhile.
fn read(file: &File, key: Key) -> io::Result<Bytes> {
    let mut bytes = vec![0; usize::try_from(key.size).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    if Key::of(&file.metadata()?)? == key {
        Ok(bytes.into())
    } else {
        Err(io::Error::other("it was changed while it was read"))
    }
}
