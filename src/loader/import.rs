//! Takes the files of loaders into the catalogue, after a look at each; and lets them go again.

use super::dbx;
use super::inspect::{self, Trust, facts, objection};
use super::manifest::{self, Own};
use super::source::{Source, Wish, in_packages};
use super::staged::{self, Staged};
use crate::model::{Digest, Imported, Loader, Name, Time};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Catalogue(#[from] manifest::Error),
    #[error("there is no loader {name}: see `kickstand loader list`, or add a row to {}", manifest.display())]
    Unknown { name: Name, manifest: PathBuf },
    #[error("nothing was imported:{}", .0.iter().map(|line| format!("\n  {line}")).collect::<String>())]
    Refused(Vec<String>),
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} {source}", path.display())]
    Dbx { path: PathBuf, source: dbx::Error },
    #[error("{0}")]
    Unwritable(#[from] staged::Error),
    #[error("cannot write down what was imported: {0}")]
    Unwritten(#[from] toml::ser::Error),
    #[error("cannot remove {}: {source}", path.display())]
    Unremovable { path: PathBuf, source: io::Error },
}

/// Where loaders and their catalogue live on this host.
#[derive(Debug, Clone)]
pub struct Places {
    pub built_in: String,
    /// The operator's loaders.toml.
    pub manifest: PathBuf,
    /// The first of `folders`: import fills it.
    pub folder: PathBuf,
    /// All that the server looks in.
    pub folders: Vec<PathBuf>,
}

/// Which loaders are wanted.
#[derive(Debug, Clone)]
pub enum Wanted {
    Named(Vec<Name>),
    /// All whose packages are there.
    All,
    File {
        path: PathBuf,
        into: Name,
        name: String,
    },
}

/// How to import.
#[derive(Debug, Clone)]
pub struct How {
    /// Where packages were unpacked: `/`, or a folder.
    pub root: PathBuf,
    pub dbx: Option<PathBuf>,
    pub force: bool,
    pub now: Time,
}

/// A file that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    pub loader: Name,
    pub file: String,
    pub origin: String,
    pub trust: Trust,
    /// It was taken although…
    pub objection: Option<String>,
}

/// What an import did.
#[derive(Debug, Default)]
pub struct Report {
    pub taken: Vec<Taken>,
    /// Loaders of `--all` that were passed over, and why.
    pub passed: Vec<(Name, String)>,
}

/// Everything that is known: what is built in, and what the operator's file adds.
pub fn catalogue(places: &Places) -> Result<Vec<Loader>, Error> {
    let own = own_text(places)?;
    let place = places.manifest.display().to_string();
    Ok(manifest::catalogue(&[(manifest::NAME, &places.built_in), (&place, &own)])?)
}

fn own_text(places: &Places) -> Result<String, Error> {
    match std::fs::read_to_string(&places.manifest) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|source| Error::Unreadable { path: places.manifest.clone(), source }),
    }
}

/// Imports all that is wanted, or nothing.
pub fn import(places: &Places, wanted: &Wanted, how: &How) -> Result<Report, Error> {
    let _alone = alone(places)?;
    let loaders = catalogue(places)?;
    let dbx = how.dbx.as_deref().map(revoked_hashes).transpose()?.unwrap_or_default();
    let mut report = Report::default();
    let mut bad = Vec::new();
    let mut good = Vec::new();
    for Wish { loader, file, source } in sources(places, &loaders, wanted, how, &mut report)? {
        match look(loader, &file, &source, how, &dbx) {
            Ok(found) => good.push(found),
            Err(why) => bad.push(format!("{}: {} {why}", loader.name, source.shown(&how.root).display())),
        }
    }
    if !bad.is_empty() {
        return Err(Error::Refused(bad));
    }
    put(places, &good)?;
    report.taken = good.into_iter().map(|found| found.taken).collect();
    Ok(report)
}

/// One import at a time; the lock goes with the file.
fn alone(places: &Places) -> Result<File, Error> {
    let path = places.folder.join(".lock");
    let lock = || {
        std::fs::create_dir_all(&places.folder)?;
        let file = File::create(&path)?;
        file.lock()?;
        Ok(file)
    };
    lock().map_err(|source| staged::Error { path: path.clone(), source }.into())
}

fn revoked_hashes(path: &Path) -> Result<Vec<Digest>, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    dbx::hashes(&bytes).map_err(|source| Error::Dbx { path: path.to_owned(), source })
}

fn sources<'a>(
    places: &Places,
    loaders: &'a [Loader],
    wanted: &Wanted,
    how: &How,
    report: &mut Report,
) -> Result<Vec<Wish<'a>>, Error> {
    let find = |name: &Name| {
        let unknown = || Error::Unknown { name: name.clone(), manifest: places.manifest.clone() };
        loaders.iter().find(|loader| loader.name == *name).ok_or_else(unknown)
    };
    match wanted {
        Wanted::File { path, into, name } => {
            manifest::check_name(into, name).map_err(|why| Error::Refused(vec![why]))?;
            Ok(vec![Wish { loader: find(into)?, file: name.clone(), source: Source::File(path.clone()) }])
        }
        Wanted::Named(names) => {
            let chosen = names.iter().map(find).collect::<Result<Vec<_>, _>>()?;
            let (found, bad): (Vec<_>, Vec<_>) =
                chosen.into_iter().map(|loader| in_packages(loader, &how.root)).partition(Result::is_ok);
            match bad.is_empty() {
                true => Ok(found.into_iter().flatten().flatten().collect()),
                false => Err(Error::Refused(bad.into_iter().filter_map(Result::err).collect())),
            }
        }
        Wanted::All => {
            let mut all = Vec::new();
            for loader in loaders.iter().filter(|loader| loader.files.iter().any(|file| file.path.is_some())) {
                match in_packages(loader, &how.root) {
                    Ok(found) => all.extend(found),
                    Err(why) => report.passed.push((loader.name.clone(), why)),
                }
            }
            Ok(all)
        }
    }
}

/// A file that may be taken.
struct Found {
    bytes: Vec<u8>,
    facts: Imported,
    taken: Taken,
}

fn look(loader: &Loader, file: &str, source: &Source, how: &How, dbx: &[Digest]) -> Result<Found, String> {
    let bytes = source.read(&how.root).map_err(|e| format!("can not be read: {e}"))?;
    let seen = inspect::inspect(loader, file, &bytes, dbx)?;
    let objection = objection(loader, &seen);
    if let Some(why) = objection.as_ref().filter(|_| !how.force) {
        return Err(format!("{why} (--force takes it all the same)"));
    }
    let origin = source.origin(&how.root);
    let facts = facts(&bytes, &seen, origin.clone(), how.now);
    let taken = Taken { loader: loader.name.clone(), file: file.to_owned(), origin, trust: seen.trust, objection };
    Ok(Found { bytes, facts, taken })
}

fn put(places: &Places, good: &[Found]) -> Result<(), Error> {
    let place = places.manifest.display().to_string();
    let before = own_text(places)?;
    let mut own = Own::parse(&place, &before)?;
    let mut staged = Staged::default();
    for found in good {
        staged.add(&places.folder.join(found.taken.loader.as_str()).join(&found.taken.file), &found.bytes)?;
        own.remember(&found.taken.loader, &found.taken.file, found.facts.clone());
    }
    // Last, so that a power cut leaves files without a row, which are not served, and no row without its file.
    staged.add_over(&places.manifest, &before, own.text()?.as_bytes())?;
    Ok(staged.commit()?)
}

/// Forgets what was imported of these loaders, and removes their files. The rows that operators wrote stay.
pub fn remove(places: &Places, names: &[Name]) -> Result<(), Error> {
    let _alone = alone(places)?;
    let loaders = catalogue(places)?;
    let unknown = |name: &Name| Error::Unknown { name: name.clone(), manifest: places.manifest.clone() };
    let find = |name: &Name| loaders.iter().find(|loader| loader.name == *name).ok_or_else(|| unknown(name));
    let chosen = names.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let place = places.manifest.display().to_string();
    let before = own_text(places)?;
    let mut own = Own::parse(&place, &before)?;
    names.iter().for_each(|name| own.forget(name));
    let mut staged = Staged::default();
    staged.add_over(&places.manifest, &before, own.text()?.as_bytes())?;
    // The rows go last: a file that could not be removed is still compared with its row.
    chosen.into_iter().try_for_each(|loader| remove_files(places, loader))?;
    Ok(staged.commit()?)
}

fn remove_files(places: &Places, loader: &Loader) -> Result<(), Error> {
    let folder = places.folder.join(loader.name.as_str());
    for file in loader.files.iter().filter(|file| file.imported.is_some()) {
        let path = folder.join(&file.name);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(Error::Unremovable { path, source }),
            _ => {}
        }
    }
    // What the operator put there besides keeps the folder.
    let _ = std::fs::remove_dir(folder);
    Ok(())
}
