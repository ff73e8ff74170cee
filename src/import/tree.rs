//! A tree of files, wherever it lies: what it holds, and the bounds that it must keep.

use super::Error;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

/// A DVD of Debian has some 5,000 files, all of Debian 80,000.
const MOST_FILES: usize = 200_000;
const MOST_FOLDERS: usize = 100_000;
/// All paths together, in bytes.
const MOST_NAMES: usize = 16 << 20;
const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 1024;
pub const DEEPEST: usize = 64;
/// The largest text that is read as one: md5sum.txt of a DVD has half a megabyte.
const LARGEST_TEXT: u64 = 16 << 20;

pub trait Tree {
    /// What people call it: its path or its address.
    fn origin(&self) -> &str;
    /// Every file, where that can be known; a server does not say.
    fn listing(&self) -> Option<&Listing>;
    fn find(&self, path: &str) -> Result<Option<Found>, Error>;
    /// The names right below a folder (`""` is the top), folders with a slash behind them.
    fn names(&self, folder: &str) -> Result<Vec<String>, Error>;
    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, Error>;
    /// The same tree for other threads, where several readers at once are quicker than one.
    fn readers(&self) -> Option<Box<Readers>> {
        None
    }
}

/// Makes a tree for the thread that asks.
pub type Readers = dyn Fn() -> Result<Box<dyn Tree>, Error> + Send + Sync;

/// A file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// A server need not say it.
    pub size: Option<u64>,
}

/// A folder of a tree as a tree of its own: what is looked for is looked for there.
pub struct Under<'a> {
    pub tree: &'a dyn Tree,
    /// Empty: the whole tree.
    pub folder: &'a str,
}

impl Under<'_> {
    /// Counted from the top of the whole.
    pub fn place(&self, path: &str) -> String {
        match (self.folder, path) {
            ("", path) => path.to_owned(),
            (folder, "") => folder.to_owned(),
            (folder, path) => format!("{folder}/{path}"),
        }
    }
}

impl Tree for Under<'_> {
    fn origin(&self) -> &str {
        self.tree.origin()
    }

    fn listing(&self) -> Option<&Listing> {
        self.tree.listing().filter(|_| self.folder.is_empty())
    }

    fn find(&self, path: &str) -> Result<Option<Found>, Error> {
        self.tree.find(&self.place(path))
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        self.tree.names(&self.place(folder))
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, Error> {
        self.tree.open(&self.place(path))
    }
}

/// Where bytes of a file lie in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub at: u64,
    pub length: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub size: u64,
    /// Of an image's file: where it lies, in order.
    pub spans: Vec<Span>,
}

/// All files of a tree, with what was passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    pub files: BTreeMap<String, Entry>,
    pub links: usize,
    /// Devices, pipes, sockets.
    pub devices: usize,
    folders: BTreeSet<String>,
    names: usize,
}

impl Listing {
    pub fn bytes(&self) -> u64 {
        self.files.values().fold(0, |sum, entry| sum.saturating_add(entry.size))
    }

    pub fn add(&mut self, path: String, entry: Entry) -> Result<(), Error> {
        self.room(&path, self.files.len(), MOST_FILES)?;
        if self.folders.contains(&path) || self.files.contains_key(&path) {
            return Err(Error::unfit(path, "is there twice"));
        }
        self.files.insert(path, entry);
        Ok(())
    }

    pub fn add_folder(&mut self, path: String) -> Result<(), Error> {
        self.room(&path, self.folders.len(), MOST_FOLDERS)?;
        if self.files.contains_key(&path) || !self.folders.insert(path.clone()) {
            return Err(Error::unfit(path, "is there twice"));
        }
        Ok(())
    }

    /// For trees that name files without their folders before them.
    pub fn add_folders_above(&mut self, path: &str) -> Result<(), Error> {
        for folder in folders_above(path) {
            if !self.folders.contains(folder) {
                self.add_folder(folder.to_owned())?;
            }
        }
        Ok(())
    }

    fn room(&mut self, path: &str, count: usize, most: usize) -> Result<(), Error> {
        self.names = self.names.saturating_add(path.len());
        match count < most && self.names <= MOST_NAMES {
            true => Ok(()),
            false => Err(Error::unfit("the tree", format!("has more than {most} files or folders: no distro does"))),
        }
    }

    /// As `Tree::names` wants them.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let below = |path: &str| -> Option<String> {
            let rest = if folder.is_empty() { path } else { path.strip_prefix(folder)?.strip_prefix('/')? };
            (!rest.is_empty() && !rest.contains('/')).then(|| rest.to_owned())
        };
        let folders = self.folders.iter().filter_map(|path| below(path)).map(|name| format!("{name}/"));
        self.files.keys().filter_map(|path| below(path)).chain(folders).collect()
    }
}

/// A name below a folder, if it is one that a file can have here.
pub fn joined(folder: &str, name: &str) -> Result<String, Error> {
    let shown = || format!("the name {:?}", format!("{folder}/{name}").chars().take(300).collect::<String>());
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(Error::unfit(shown(), "leads out of its folder: this tree is not to be trusted"));
    }
    if name.len() > LONGEST_NAME {
        return Err(Error::unfit(shown(), format!("is longer than {LONGEST_NAME} bytes")));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::unfit(shown(), "has control characters"));
    }
    let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    if path.len() > LONGEST_PATH || path.matches('/').count() >= DEEPEST {
        return Err(Error::unfit(shown(), format!("lies more than {DEEPEST} folders or {LONGEST_PATH} bytes deep")));
    }
    Ok(path)
}

/// A path of several names, as checksum files and operators write them: `./a/b` is `a/b`. None: it leads elsewhere.
pub fn plain(path: &str) -> Option<String> {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let mut whole = String::new();
    for part in parts {
        whole = joined(&whole, part).ok()?;
    }
    (!whole.is_empty() && !path.starts_with('/')).then_some(whole)
}

/// The folders that a path goes through, the outermost first.
pub fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(move |(at, _)| path.get(..at))
}

/// A small text of the tree; what is no UTF-8 is read as far as it is.
pub fn text(tree: &dyn Tree, path: &str) -> Result<Option<String>, Error> {
    Ok(bytes(tree, path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

pub fn bytes(tree: &dyn Tree, path: &str) -> Result<Option<Vec<u8>>, Error> {
    if tree.find(path)?.is_none() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    tree.open(path)?.take(LARGEST_TEXT + 1).read_to_end(&mut bytes).map_err(Error::reading(path))?;
    match bytes.len() as u64 > LARGEST_TEXT {
        true => Err(Error::unfit(path, "is larger than 16 MiB: it should be a small text")),
        false => Ok(Some(bytes)),
    }
}

pub fn has(tree: &dyn Tree, path: &str) -> Result<bool, Error> {
    Ok(tree.find(path)?.is_some())
}

/// Why a file that was asked for can not be had: a server may forbid it.
pub fn missing(tree: &dyn Tree, path: &str) -> Error {
    match tree.open(path).err() {
        Some(error @ Error::Refused { status: 403, .. }) => error,
        _ => Error::NotThere { path: path.to_owned(), origin: tree.origin().to_owned() },
    }
}
