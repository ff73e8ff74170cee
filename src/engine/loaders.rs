//! What a name stands for, as bytes: loaders out of memory, each read and compared with its import once.

use super::{Engine, Error};
use crate::boot::file::{FileAsk, FileFacts, FileReply};
use crate::boot::said::{self, Said};
use crate::boot::{Ask, Tale};
use crate::loader::place;
use crate::model::*;
use bytes::Bytes;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A boot loader's content, and a tag that tells it from what the file held before.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub bytes: Bytes,
    /// For HTTP's ETag, without quotes.
    pub tag: String,
}

/// What a machine is given for a name. Not to be printed: a script carries a token.
#[derive(Clone)]
pub enum BootFile {
    Loader(Loaded),
    /// Below the folder of files.
    File(String),
    Script(String),
    NotFound,
}

/// Which state of a file was read: inode, modification and change in nanoseconds, size.
type Stamp = (u64, i64, i64, u64);

/// One file as it was read: the bytes that were looked at are the bytes that are sent.
#[derive(Clone)]
struct Read {
    stamp: Stamp,
    /// When the last look at the file began that found it in this state.
    looked_at: Instant,
    sha256: Digest,
    loaded: Loaded,
}

/// A loader's file beside what was imported as it.
enum Found {
    As(Loaded),
    /// There, and not what was imported.
    Other(PathBuf, Read),
    Nothing,
}

/// As many as there are files of loaders. A file that changed is read again.
#[derive(Default)]
pub struct Loaders {
    read: Mutex<HashMap<PathBuf, Read>>,
    /// Held by who looks at a file, or reads it: a rack that starts at once asks for one five hundred times. One for each,
    /// so that a slow disk holds up nobody who wants another.
    looking: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
    /// Of which states an alarm was raised already.
    told: Mutex<HashMap<PathBuf, Stamp>>,
}

impl Engine {
    /// The bytes of this name, for who asks from there.
    pub async fn boot_file(&self, name: &str, from: Option<Ipv4Addr>, by: By) -> Result<BootFile, Error> {
        let ask = FileAsk { name: name.to_owned(), from, by };
        let shelf = self.shelf();
        let reply = {
            let world = self.store.world();
            let lease = from.and_then(|ip| world.lease_at(&world.network_of(ip)?.name, ip));
            ask.decide(FileFacts { shelf: &shelf, lease }, self.now()).reply
        };
        match (reply, from) {
            (FileReply::Loader { loader, file }, _) => self.loader_file(&shelf, &loader, &file).await,
            (FileReply::File(path), _) => Ok(BootFile::File(path)),
            // Each may write a line of history, and UDP proves nobody's address.
            (FileReply::Script { .. }, Some(from)) if !self.pace.allows(from) => Ok(BootFile::NotFound),
            (FileReply::Script { mac, language, by }, Some(from)) => {
                let text = self.script_again(mac, from, language, by).await?;
                Ok(text.map_or(BootFile::NotFound, BootFile::Script))
            }
            (FileReply::Autoexec { mac }, Some(from)) => {
                let text = self.autoexec(mac, from).await?;
                Ok(text.map_or(BootFile::NotFound, BootFile::Script))
            }
            _ => Ok(BootFile::NotFound),
        }
    }

    /// The largest window and block of TFTP that quirks allow who leases this address.
    pub fn transfer_caps(&self, from: Ipv4Addr) -> (Option<u16>, Option<u16>) {
        let shelf = self.shelf();
        let world = self.store.world();
        let lease = world.network_of(from).and_then(|network| world.lease_at(&network.name, from));
        let mac = lease.and_then(|lease| lease.holder.mac());
        let machine = mac.and_then(|mac| world.machine_with_mac(mac));
        said::transfer_caps(&Said::quirks(&shelf, None, mac, machine))
    }

    async fn loader_file(&self, shelf: &Shelf, name: &Name, file: &str) -> Result<BootFile, Error> {
        let mut found = self.compared(shelf, name, file).await?;
        if matches!(&found, Found::Other(path, read) if self.loaders.told_of(path) != Some(read.stamp)) {
            // An import of a moment ago is not on the shelf yet: that is no reason for an alarm.
            self.read_shelf_now();
            found = self.compared(&self.shelf(), name, file).await?;
        }
        match found {
            Found::As(loaded) => Ok(BootFile::Loader(loaded)),
            Found::Nothing => Ok(BootFile::NotFound),
            Found::Other(path, read) => Err(self.changed(&path, &read, name, file)),
        }
    }

    async fn compared(&self, shelf: &Shelf, name: &Name, file: &str) -> Result<Found, Error> {
        let loader = shelf.loader(name.as_str()).map(|row| &row.loader);
        let Some((loader, row)) = loader.and_then(|loader| Some((loader, loader.file(file)?))) else {
            return Ok(Found::Nothing);
        };
        let Some(path) = place::of(&self.folders, loader, row) else {
            return if row.optional { Ok(Found::Nothing) } else { Err(self.missing(loader, row)) };
        };
        let read = self.loaders.read(&path).await?;
        match &row.imported {
            Some(imported) if imported.sha256 != read.sha256 => Ok(Found::Other(path, read)),
            _ => Ok(Found::As(read.loaded)),
        }
    }

    fn missing(&self, loader: &Loader, file: &LoaderFile) -> Error {
        let folders: Vec<_> = self.folders.iter().map(|dir| dir.display().to_string()).collect();
        let package =
            file.package.as_ref().map(|name| format!("install the package `{name}`, then ")).unwrap_or_default();
        let text = format!(
            "the file {} of loader {} is in none of {}: {package}`kickstand loader import {}`",
            file.name,
            loader.name,
            folders.join(", "),
            loader.name
        );
        self.tell(Tale::new(self.now(), Kind::Appliance, text.clone()));
        Error::Missing(text)
    }

    /// One alarm for each state of the file.
    fn changed(&self, path: &Path, read: &Read, name: &Name, file: &str) -> Error {
        let text = format!(
            "{} of loader {name} is not what was imported (its SHA-256 is {} now), and is not served: \
             `kickstand loader import {name}` if that is meant, else find out who changed {}",
            file,
            read.sha256,
            path.display()
        );
        let told = self.loaders.told.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), read.stamp);
        if told != Some(read.stamp) {
            self.tell(Tale::new(self.now(), Kind::Alarm, text.clone()));
        }
        Error::Missing(text)
    }
}

impl Loaders {
    async fn read(&self, path: &Path) -> Result<Read, Error> {
        let unreadable = |source| Error::File { path: path.display().to_string(), source };
        let asked_at = Instant::now();
        let looking =
            self.looking.lock().unwrap_or_else(PoisonError::into_inner).entry(path.into()).or_default().clone();
        let _looking = looking.lock().await;
        // A look takes a thread: who waited shares one that began after he asked.
        if let Some(read) = self.looked_since(path, asked_at) {
            return Ok(read);
        }
        let looked_at = Instant::now();
        let stamp = stamp(&tokio::fs::metadata(path).await.map_err(unreadable)?);
        if let Some(read) = self.unchanged(path, stamp, looked_at) {
            return Ok(read);
        }
        let bytes = Bytes::from(tokio::fs::read(path).await.map_err(unreadable)?);
        let sha256 = Digest::of(&bytes);
        let tag = sha256.to_string().chars().take(32).collect();
        let read = Read { stamp, looked_at, sha256, loaded: Loaded { bytes, tag } };
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), read.clone());
        Ok(read)
    }

    /// The state of the file that an alarm was raised of.
    fn told_of(&self, path: &Path) -> Option<Stamp> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied()
    }

    fn looked_since(&self, path: &Path, moment: Instant) -> Option<Read> {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(path).filter(|read| read.looked_at >= moment).cloned()
    }

    /// What was read before, if the file is still in that state.
    fn unchanged(&self, path: &Path, stamp: Stamp, looked_at: Instant) -> Option<Read> {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let read = known.get_mut(path).filter(|read| read.stamp == stamp)?;
        read.looked_at = looked_at;
        Some(read.clone())
    }
}

fn stamp(meta: &std::fs::Metadata) -> Stamp {
    let nanos = |secs: i64, nanos: i64| secs.saturating_mul(1_000_000_000).saturating_add(nanos);
    let modified = nanos(meta.mtime(), meta.mtime_nsec());
    (meta.ino(), modified, nanos(meta.ctime(), meta.ctime_nsec()), meta.size())
}
