//! Repositories of packages: from what a tree says of its lists, over these, to each package's size and sum.
//!
//! `repomd.xml` names the lists of an rpm repository ([`rpm`]), `Release` those of a Debian archive ([`debian`]). A list is unpacked
//! ([`unpack`]) and read ([`xml`]) while its own sum is taken, and counts only when that is right. What it says of packages
//! joins the other [`Claims`]: they are compared while they are copied, so each is read once.

pub mod debian;
pub mod rpm;
pub mod unpack;
pub mod xml;

use super::Error;
use super::checks::{Claims, Line, MOST_LINES, algorithm};
use super::hashes::{Algorithm, Hashes};
use super::openpgp::Keyring;
use super::tree::{Listing, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use unpack::{Bounded, unpacked};

/// All lists of a tree together, unpacked: those of all of Fedora have 300 MB.
const MOST_UNPACKED: u64 = 1 << 30;
pub const REPOMD: &str = "repodata/repomd.xml";
/// In this order they are looked for; what takes the least memory comes first.
pub const PACKED: &[&str] = &["", ".gz", ".zst", ".xz"];

/// A file that a list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    pub path: String,
    pub size: Option<u64>,
    /// None: by SHA-1 only, or not at all.
    pub sum: Option<(Algorithm, String)>,
}

impl Package {
    pub fn new(path: String, digits: &str, size: Option<u64>) -> Package {
        Package { path, size, sum: algorithm(digits).map(|algorithm| (algorithm, digits.to_owned())) }
    }

    fn line(self) -> Option<Line> {
        let Package { path, size, sum } = self;
        let (algorithm, digits) = sum?;
        Some(Line { path, algorithm, digits, size })
    }
}

/// Reads a list: its name, its bytes, and who hears of each package.
type Reader = fn(&str, &mut dyn Read, &mut dyn FnMut(Option<Package>) -> Result<(), Error>) -> Result<(), Error>;

/// What the lists name and the tree does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    pub count: usize,
    /// The first one, and who names it.
    pub path: String,
    pub by: String,
}

/// One pass over the lists of a tree.
pub struct Chain<'a> {
    tree: &'a dyn Tree,
    keyring: &'a Keyring,
    claims: &'a mut Claims,
    /// What may still be unpacked.
    pub left: u64,
    pub lacking: Option<Lacking>,
    /// A sentence for each list that is not read here.
    pub notes: Vec<String>,
}

impl<'a> Chain<'a> {
    pub fn new(tree: &'a dyn Tree, claims: &'a mut Claims, keyring: &'a Keyring) -> Chain<'a> {
        Chain { tree, keyring, claims, left: MOST_UNPACKED, lacking: None, notes: Vec::new() }
    }

    /// All repositories of a tree whose files are known.
    pub fn all(&mut self, listing: &Listing) -> Result<(), Error> {
        let repomds = listing.files.keys().filter_map(|path| path.strip_suffix(REPOMD));
        for folder in repomds.filter(|folder| folder.is_empty() || folder.ends_with('/')) {
            self.rpm(folder.trim_end_matches('/'))?;
        }
        for list in debian_lists(listing.files.keys(), self.claims) {
            self.list(&list, "", debian::packages)?;
        }
        Ok(())
    }

    /// The repository of a folder. False: there is none.
    pub fn rpm(&mut self, folder: &str) -> Result<bool, Error> {
        let by = if folder.is_empty() { REPOMD.to_owned() } else { format!("{folder}/{REPOMD}") };
        let Some((text, is_sealed)) = self.claims.hear(self.tree, &by, self.keyring)? else { return Ok(false) };
        let (mut lines, mut primaries) = (Vec::new(), BTreeSet::new());
        for data in rpm::repomd(&text).map_err(|error| of(&by, error))? {
            let Some(line) = self.there(folder, &by, data.file)? else { continue };
            if data.kind == "primary" {
                primaries.insert(line.path.clone());
            }
            lines.extend(line.line());
        }
        self.claims.add_placed(&by, lines, is_sealed, self.tree.listing())?;
        for primary in primaries {
            self.list(&primary, folder, rpm::primary)?;
        }
        Ok(true)
    }

    /// A list of packages; their paths count from this folder.
    pub fn list(&mut self, path: &str, folder: &str, read: Reader) -> Result<(), Error> {
        let is_sealed = self.claims.is_sealed(path);
        let mut packed = Hashing { inner: self.tree.open(path)?, hashes: Hashes::new(self.claims.algorithms(path)) };
        let Some(list) = unpacked(path, &mut packed) else {
            self.notes
                .push(format!("packages are not compared with {path}: it is packed in a way that is not read here"));
            return Ok(());
        };
        let mut list = Bounded::new(list, self.left);
        let mut lines = Vec::new();
        read(path, &mut list, &mut |package| {
            lines.extend(self.there(folder, path, package)?.and_then(Package::line));
            // Before they take memory, not when they are counted among all others.
            if lines.len() > MOST_LINES {
                return Err(Error::unfit(path, format!("names more than {MOST_LINES} files")));
            }
            Ok(())
        })?;
        self.left = list.left;
        drop(list);
        io::copy(&mut packed, &mut io::sink()).map_err(Error::reading(path))?;
        self.claims.compare(path, &packed.hashes.done())?;
        self.claims.add_placed(path, lines, is_sealed, self.tree.listing())
    }

    /// What is named, where it lies in the tree. None: it is not there, which was written down.
    fn there(&mut self, folder: &str, by: &str, named: Option<Package>) -> Result<Option<Package>, Error> {
        let named = named.unwrap_or_else(|| Package::new(String::new(), "", None));
        let Some(path) = rpm::resolved(folder, &named.path) else {
            return self.lacks(if named.path.is_empty() { "one elsewhere" } else { &named.path }, by);
        };
        let Some(listing) = self.tree.listing() else { return Ok(Some(Package { path, ..named })) };
        let Some(found) = listing.files.get(&path) else { return self.lacks(&path, by) };
        match named.size.filter(|size| *size != found.size) {
            Some(expected) => Err(Error::Size { path, by: by.to_owned(), expected, found: found.size }),
            None => Ok(Some(Package { path, ..named })),
        }
    }

    /// What is to be said of it. A tree that does not have what it names is none, unless an operator wants it so.
    pub fn told(self, is_partial: bool) -> Result<Vec<String>, Error> {
        let mut notes = self.notes;
        match self.lacking {
            Some(Lacking { count, path, by }) if !is_partial => return Err(Error::Lacking { count, path, by }),
            Some(Lacking { count, path, by }) => {
                notes.push(format!("{count} of the files that {by} and others name are not in it, {path} first"));
            }
            None => {}
        }
        Ok(notes)
    }

    fn lacks(&mut self, path: &str, by: &str) -> Result<Option<Package>, Error> {
        let first = || Lacking { count: 0, path: path.to_owned(), by: by.to_owned() };
        let lacking = self.lacking.get_or_insert_with(first);
        lacking.count = lacking.count.saturating_add(1);
        Ok(None)
    }
}

/// The lists of Debian's archives among these paths. Of several that differ in how they are packed it is one alone: one that
/// something is said of, if there is such a one.
pub fn debian_lists<'a>(paths: impl Iterator<Item = &'a String>, claims: &Claims) -> Vec<String> {
    let mut lists = BTreeMap::new();
    for path in paths.filter(|path| path.starts_with("dists/")) {
        let Some((folder, ending)) = path.rsplit_once("/Packages") else { continue };
        let Some(rank) = PACKED.iter().position(|known| *known == ending) else { continue };
        let rank = (!claims.is_strong(path), rank, path);
        let first = lists.entry(folder).or_insert(rank);
        *first = rank.min(*first);
    }
    lists.into_values().map(|(_, _, path)| path.clone()).collect()
}

fn of(by: &str, error: Error) -> Error {
    match error {
        Error::Unfit { why, .. } => Error::unfit(by, why),
        other => other,
    }
}

/// Takes the sums of what is read through it.
struct Hashing<'a> {
    inner: Box<dyn Read + 'a>,
    hashes: Hashes,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hashes.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
