//! Where import reads a file: in a package below a root, or where the operator says.

use super::package;
use crate::model::{Loader, LoaderFile};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A loader is a few hundred kilobytes; GRUB with everything in it is 4 MiB.
const MOST_BYTES: u64 = 64 << 20;

/// What is to become this file of this loader.
pub struct Wish<'a> {
    pub loader: &'a Loader,
    pub file: String,
    pub source: Source,
}

/// Where a file is to be read.
pub enum Source {
    /// In a package, below the root.
    Package {
        package: Option<String>,
        path: String,
    },
    File(PathBuf),
}

impl Source {
    /// As people name it.
    pub fn shown(&self, root: &Path) -> PathBuf {
        match self {
            Source::Package { path, .. } => root.join(path.trim_start_matches('/')),
            Source::File(path) => path.clone(),
        }
    }

    /// `package version` where dpkg knows it, else the path.
    pub fn origin(&self, root: &Path) -> String {
        let known = match self {
            Source::Package { package: Some(package), path } => package::origin(root, package, path),
            _ => None,
        };
        known.unwrap_or_else(|| {
            let path = self.shown(root);
            std::path::absolute(&path).unwrap_or(path).display().to_string()
        })
    }

    pub fn read(&self, root: &Path) -> io::Result<Vec<u8>> {
        let file = match self {
            Source::Package { path, .. } => open_below(root, path)?,
            Source::File(path) => regular(File::open(path)?)?,
        };
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(io::Error::other("it is larger than 64 MiB: no boot loader is"));
        }
        Ok(bytes)
    }
}

/// The files of a loader that comes in packages; the error says which is not there.
pub fn in_packages<'a>(loader: &'a Loader, root: &Path) -> Result<Vec<Wish<'a>>, String> {
    let name = &loader.name;
    if loader.files.is_empty() {
        return Err(format!("{name} needs no files"));
    }
    let mut found = Vec::new();
    for file in &loader.files {
        let there = file.path.as_ref().filter(|path| open_below(root, path).is_ok());
        match (&file.path, there) {
            (_, Some(path)) => {
                let source = Source::Package { package: file.package.clone(), path: path.clone() };
                found.push(Wish { loader, file: file.name.clone(), source });
            }
            _ if file.optional => {}
            (Some(path), None) => return Err(not_there(loader, file, root, path)),
            (None, _) => {
                let file = &file.name;
                return Err(format!(
                    "{name} is in no package: `kickstand loader import --file PATH --into {name} --as {file}`"
                ));
            }
        }
    }
    Ok(found)
}

fn not_there(loader: &Loader, file: &LoaderFile, root: &Path, path: &str) -> String {
    let path = root.join(path.trim_start_matches('/'));
    let package = file.package.as_ref().map_or("it".into(), |package| format!("the package {package}"));
    format!("{}: there is no {}: install {package}, or name another place with --root", loader.name, path.display())
}

/// Links count from `root`: Ubuntu's shim is one into /etc/alternatives.
fn open_below(root: &Path, path: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let root = openat(CWD, root, flags | OFlags::DIRECTORY, Mode::empty())?;
    regular(File::from(openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?))
}

fn regular(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a plain file")),
    }
}
