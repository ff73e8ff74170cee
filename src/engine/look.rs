//! The operator's files of templates, taken over as they change: those that changed together all of them, or none.
//!
//! What is broken stays out, and what was last good of it stays in use: in memory, and over a restart in the store.

use super::follow::Watch;
use super::texts::{From, Own, stored};
use super::{Engine, stopped};
use crate::assets;
use crate::boot::{Effect, Tale};
use crate::model::*;
use crate::render;
use crate::store::{Change, Edit};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, sleep};

/// How often the files are looked at, where the kernel does not tell of them: a folder of another host, say.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What changed so lately, and of which nobody said that it is whole, may still be written.
const SETTLED: Duration = Duration::from_millis(500);
/// What an operator saves together comes within that.
const TOGETHER: Duration = Duration::from_millis(20);
/// How deep folders are looked into.
const DEPTH: usize = 8;

/// What is known of the operator's files.
#[derive(Default)]
pub struct Files {
    seen: BTreeMap<String, Seen>,
    /// In use: of each file its last text that was good.
    good: BTreeMap<String, Arc<str>>,
    /// What could not be taken over, as it was then: not looked at again before it changes.
    held: BTreeMap<String, Option<Read>>,
    /// What the store does not know yet.
    unwritten: BTreeSet<String>,
    begun: bool,
}

#[derive(Clone, PartialEq)]
struct Seen {
    stamp: (SystemTime, u64),
    read: Read,
}

/// The text, or why it can not be read.
type Read = Result<Arc<str>, String>;

/// When a file counts as whole.
#[derive(Clone, Copy)]
enum Whole<'a> {
    /// Now: somebody asks for what is there.
    Now,
    /// When its writer has closed it, or has left it alone.
    Closed(&'a BTreeSet<PathBuf>),
}

impl Engine {
    /// Takes over what changed, at once.
    pub async fn look_at_templates(&self) {
        let mut files = self.texts.turn().await;
        self.look(&mut files, Whole::Now).await;
    }

    /// Follows the files, and what other nodes store, until told to stop.
    pub async fn watch_templates(self: Arc<Engine>, mut stop: watch::Receiver<bool>) {
        let mut changes = self.store.changes();
        let mut watch = Watch::new(self.assets.operator.as_deref());
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let closed = tokio::select! {
                () = stopped(&mut stop) => return,
                closed = watch.closed() => {
                    sleep(TOGETHER).await;
                    closed.into_iter().chain(watch.more()).collect()
                }
                change = changes.recv() => match change {
                    Ok(Change::Templates | Change::Everything) | Err(RecvError::Lagged(_)) => BTreeSet::new(),
                    Ok(_) => continue,
                    Err(RecvError::Closed) => return,
                },
                _ = every.tick() => BTreeSet::new(),
            };
            // Followed first, read second: what changes in between is heard.
            watch.renew(self.assets.operator.as_deref());
            let mut files = self.texts.turn().await;
            self.look(&mut files, Whole::Closed(&closed)).await;
        }
    }

    async fn look(&self, files: &mut Files, whole: Whole<'_>) {
        if !files.begun {
            files.good = self.last_good();
            files.begun = true;
        }
        let folder = self.assets.operator.clone();
        let (before, closed) =
            (files.seen.clone(), if let Whole::Closed(closed) = whole { Some(closed.clone()) } else { None });
        let read = move || folder.map_or_else(|| Ok(BTreeMap::new()), |folder| read(&folder, &before, closed.as_ref()));
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(seen)) => files.seen = seen,
            Ok(Err(error)) => {
                return tracing::error!(%error, "the folder of templates can not be read: what was read stays in use");
            }
            Err(error) => {
                return tracing::error!(%error, "the templates were not looked at: this is a bug, please report it");
            }
        }
        if let Some(text) = self.take_over(files) {
            tracing::error!("{text}");
            // Before anybody is told that it was looked: who asks next finds it.
            let _ = self.store.record(vec![Effect::Tell(Tale::new(self.now(), Kind::Alarm, text))]).await;
        }
        self.refresh(files);
        self.write_down(files).await;
    }

    /// What the store last had of this folder's files.
    fn last_good(&self) -> BTreeMap<String, Arc<str>> {
        let Some(here) = self.folder() else { return BTreeMap::new() };
        let world = self.store.world();
        let mut good = BTreeMap::new();
        for version in world.templates() {
            let Whence::File(place) = &version.whence else { continue };
            let (Some(text), true) = (&version.text, place.folder == here.folder) else { continue };
            // A host may have another name by now; this host's own file counts before that of another.
            if place.host == here.host || !good.contains_key(&version.name) {
                good.insert(version.name.clone(), Arc::from(text.as_str()));
            }
        }
        good
    }

    pub(super) fn folder(&self) -> Option<Place> {
        let folder = self.assets.operator.as_ref()?.display().to_string();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Some(Place { host: host.trim().to_owned(), folder })
    }

    /// All that changed together, if all of it compiles; else what is wrong with it.
    fn take_over(&self, files: &mut Files) -> Option<String> {
        let mut batch = files.changed();
        if batch.is_empty() {
            return None;
        }
        if batch.keys().any(|name| files.held.contains_key(name)) {
            let now = |name: &String| (name.clone(), files.seen.get(name).map(|seen| seen.read.clone()));
            let held: Vec<_> = files.held.keys().map(now).collect();
            batch.extend(held);
        }
        let errors = self.broken(&batch);
        let told = errors.join("; ");
        for (name, read) in batch {
            match (errors.is_empty(), read) {
                (true, Some(Ok(text))) => drop(files.good.insert(name.clone(), text)),
                (true, _) => drop(files.good.remove(&name)),
                (false, read) => {
                    files.held.insert(name, read);
                    continue;
                }
            }
            files.held.remove(&name);
            files.unwritten.insert(name);
        }
        (!errors.is_empty()).then(|| format!("template not taken over, what was in use stays in use: {told}"))
    }

    /// What is wrong with these files, each with its line.
    fn broken(&self, batch: &BTreeMap<String, Option<Read>>) -> Vec<String> {
        let place = |name: &str| {
            self.assets.operator.as_ref().map_or_else(|| name.into(), |dir| dir.join(name).display().to_string())
        };
        let mut errors = Vec::new();
        let mut texts = Vec::new();
        for (name, read) in batch {
            match read {
                Some(Ok(text)) => texts.push((name.clone(), Some(text.to_string()))),
                Some(Err(why)) => errors.push(format!("{}: {why}", place(name))),
                None => {}
            }
        }
        let wrong = self.book().templates.with(texts).map(drop).err().unwrap_or_default();
        let wrong = wrong.into_iter().map(|error| render::Error { place: place(&error.place), ..error }.to_string());
        errors.extend(wrong);
        errors
    }

    /// Puts a new book in place where anything of it is another.
    pub(super) fn refresh(&self, files: &Files) {
        let mut own = stored(&self.store.world());
        own.extend(files.good.iter().map(|(name, text)| {
            let same = files.seen.get(name).is_some_and(|seen| seen.read.as_ref().is_ok_and(|read| read == text));
            (name.clone(), Own { text: text.clone(), from: if same { From::File } else { From::LastGood } })
        }));
        let old = self.book();
        while own != old.own {
            match old.with(own.clone()) {
                Ok(book) => return self.texts.put(book),
                // Written by another version of the server, say.
                Err(errors) => errors.iter().for_each(|error| {
                    tracing::error!(%error, "a stored template is broken, and is not in use");
                    own.remove(&error.place);
                }),
            }
        }
    }

    async fn write_down(&self, files: &mut Files) {
        let Some(place) = self.folder() else { return };
        let whence = Whence::File(place.clone());
        for name in files.unwritten.clone() {
            let text = files.good.get(&name).map(ToString::to_string);
            let known = {
                let world = self.store.world();
                let versions = world.templates_named(&name).iter();
                let mut same = versions.filter(|version| match (&version.whence, &text) {
                    (Whence::File(other), Some(_)) => other.folder == place.folder && version.text == text,
                    (other, None) => *other == whence,
                    (Whence::Api, _) => false,
                });
                same.next().is_some() == text.is_some()
            };
            let edit = Edit::SetTemplate { name: name.clone(), text, whence: whence.clone() };
            let by = format!("the file {}/{name}", place.folder);
            if !known && let Err(error) = self.store.edit(edit, &by, self.now()).await {
                tracing::warn!(%error, template = name, "the version is not written yet: it is tried again");
                continue;
            }
            files.unwritten.remove(&name);
        }
    }

    /// The operator's file of a template, if there is one: good or not, it is what counts.
    pub(super) fn file_of(&self, name: &str) -> Option<PathBuf> {
        let path = self.assets.operator.as_ref()?.join(name);
        path.try_exists().unwrap_or(true).then_some(path)
    }
}

impl Files {
    /// What is not as it is in use, and not as it was when it could not be taken over.
    fn changed(&self) -> BTreeMap<String, Option<Read>> {
        let new = self.seen.iter().filter(|(name, seen)| {
            let in_use = self.good.get(*name);
            seen.read.as_ref().ok() != in_use || (seen.read.is_err())
        });
        let new = new.map(|(name, seen)| (name.clone(), Some(seen.read.clone())));
        let gone = self.good.keys().filter(|name| !self.seen.contains_key(*name)).map(|name| (name.clone(), None));
        // Whoever takes a broken file back to what is in use has nothing held any more.
        let mended = self.held.keys().filter(|name| match (self.seen.get(*name), self.good.get(*name)) {
            (Some(seen), Some(good)) => seen.read.as_ref() == Ok(good),
            (None, None) => true,
            _ => false,
        });
        let mended = mended.map(|name| (name.clone(), self.seen.get(name).map(|seen| seen.read.clone())));
        new.chain(gone).chain(mended).filter(|(name, read)| self.held.get(name) != Some(read)).collect()
    }
}

/// Every template below the folder. What did not change since is not read again.
fn read(
    folder: &Path,
    before: &BTreeMap<String, Seen>,
    closed: Option<&BTreeSet<PathBuf>>,
) -> std::io::Result<BTreeMap<String, Seen>> {
    let mut seen = BTreeMap::new();
    for top in ["templates", "pxe"] {
        walk(&folder.join(top), top, DEPTH, &mut |path, name| {
            let Ok(meta) = std::fs::metadata(path) else { return };
            let stamp = (meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len());
            let old = before.get(name).cloned();
            let is_closed = closed.is_none_or(|closed| closed.contains(path));
            let settled = stamp.0.elapsed().is_ok_and(|age| age >= SETTLED);
            match old {
                Some(old) if old.stamp == stamp && !is_closed => drop(seen.insert(name.to_owned(), old)),
                old if !is_closed && !settled => drop(old.map(|old| seen.insert(name.to_owned(), old))),
                _ => drop(seen.insert(name.to_owned(), Seen { stamp, read: text_of(path, meta.len()) })),
            }
        })?;
    }
    Ok(seen)
}

fn text_of(path: &Path, bytes: u64) -> Read {
    if bytes > render::TEXT_BYTES as u64 {
        return Err(format!("has {bytes} bytes, and {} are allowed", render::TEXT_BYTES));
    }
    std::fs::read_to_string(path).map(Arc::from).map_err(|error| format!("can not be read: {error}"))
}

/// Every file below a folder whose name is that of a template.
fn walk(folder: &Path, name: &str, depth: usize, found: &mut impl FnMut(&Path, &str)) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(|own| format!("{name}/{own}")) else { continue };
        let path = entry.path();
        // A link may lead elsewhere: whoever may write here may say so.
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_dir() && depth > 0 => walk(&path, &name, depth.saturating_sub(1), found)?,
            Ok(meta) if meta.is_file() && assets::is_template(&name) => found(&path, &name),
            _ => {}
        }
    }
    Ok(())
}
