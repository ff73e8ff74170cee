//! Several files at once: all of them take their places, or none does.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Written beside their places, and not there yet. What is not committed goes away.
#[derive(Debug, Default)]
pub struct Staged {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    /// What a file must still hold when its turn comes.
    before: Option<(PathBuf, Vec<u8>)>,
}

/// Which file it was.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct Error {
    pub path: PathBuf,
    pub source: io::Error,
}

impl Staged {
    /// Writes the bytes beside `path`, for everybody to read, owned as its folder is.
    pub fn add(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let failed = |source| Error { path: path.to_owned(), source };
        self.folders_above(path).map_err(failed)?;
        self.files.push(path.to_owned());
        write(path, bytes).map_err(failed)
    }

    /// The same for a text that people edit: what a link leads to is replaced and not the link, and nothing at all where it no
    /// longer holds `before`. What is not there holds nothing.
    pub fn add_over(&mut self, path: &Path, before: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = behind_links(path).map_err(|source| Error { path: path.to_owned(), source })?;
        self.add(&path, bytes)?;
        self.before = Some((path, before.as_bytes().to_vec()));
        Ok(())
    }

    fn is_edited(&self, path: &Path) -> io::Result<bool> {
        let Some((_, before)) = self.before.as_ref().filter(|(of, _)| of == path) else { return Ok(false) };
        match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(!before.is_empty()),
            read => Ok(read? != *before),
        }
    }

    fn replace(&self, path: &Path) -> io::Result<()> {
        match self.is_edited(path)? {
            true => Err(io::Error::other("it was edited meanwhile: do it again")),
            false => replace(path),
        }
    }

    fn folders_above(&mut self, path: &Path) -> io::Result<()> {
        let above: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
        for folder in above.into_iter().rev() {
            fs::create_dir(folder)?;
            self.folders.push(folder.to_owned());
            if let Some(parent) = folder.parent() {
                own_as(folder, parent);
            }
        }
        Ok(())
    }

    /// Puts all into place. After an error each place holds what it held before.
    pub fn commit(mut self) -> Result<(), Error> {
        for (at, path) in self.files.iter().enumerate() {
            if let Err(source) = self.replace(path) {
                self.files.iter().take(at).rev().for_each(|done| restore(done));
                let _ = fs::remove_file(beside(path, "old"));
                return Err(Error { path: path.clone(), source });
            }
        }
        self.folders.clear();
        for path in &self.files {
            let _ = fs::remove_file(beside(path, "old"));
            // So that the new name survives a power cut, too.
            let _ = path.parent().map(|folder| File::open(folder).and_then(|folder| folder.sync_all()));
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for path in &self.files {
            let _ = fs::remove_file(beside(path, "new"));
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path, "new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    if let Some(folder) = path.parent() {
        own_as(&new, folder);
    }
    file.sync_all()
}

/// A link whose file is not there yet counts, too.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        _ if !path.is_symlink() => Ok(path.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let leads_to = fs::read_link(path)?;
            Ok(path.parent().map_or(leads_to.clone(), |folder| folder.join(leads_to)))
        }
        real => real,
    }
}

/// Whoever does not own the folder and is not root can not give a file away: everybody reads it all the same.
fn own_as(path: &Path, folder: &Path) {
    if let Ok(folder) = fs::metadata(folder) {
        let _ = chown(path, Some(folder.uid()), Some(folder.gid()));
    }
}

/// The old file keeps a second name until all are done; a reader sees the old or the new one, never none.
fn replace(path: &Path) -> io::Result<()> {
    let old = beside(path, "old");
    let _ = fs::remove_file(&old);
    match fs::hard_link(path, &old) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => fs::rename(beside(path, "new"), path),
    }
}

fn restore(path: &Path) {
    let old = beside(path, "old");
    let _ = match old.exists() {
        true => fs::rename(old, path),
        false => fs::remove_file(path),
    };
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{what}"))
}
