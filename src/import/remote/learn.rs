//! Which files a tree on a server has: what its own lists name, and no page of a folder, says so.

use super::Remote;
use super::address::Address;
use super::client::Client;
use super::mirror::{Mirror, Sizes, again};
use crate::import::Error;
use crate::import::checks::Claims;
use crate::import::marks::{self, Extent, Recognised, Value, ini};
use crate::import::openpgp::Keyring;
use crate::import::repository::{Chain, REPOMD, debian, rpm};
use crate::import::stage::Room;
use crate::import::take::Gauge;
use crate::import::tree::{Entry, Found, Listing, Tree, Under, folders_above, has, plain, text};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;

/// Lists, signatures and the like, all together: those of all of Fedora have 100 MB.
const MOST_KEPT: u64 = 1 << 30;
/// Each is an open file.
const MOST_LISTS: usize = 300;
const CHUNK: usize = 256 << 10;
/// So far above a tree its repositories may lie.
const HIGHEST: usize = 4;
/// As a server should pack a list: the smallest come first, but for those that take memory.
const PACKED: [&str; 4] = [".gz", ".zst", ".xz", ""];

/// Hears what is done, and how far it is.
type Tell<'a> = dyn FnMut(&'static str, &Gauge) + 'a;

/// What finding out needs.
pub struct Learning<'a> {
    pub room: &'a Room,
    pub keyring: &'a Keyring,
    pub tell: &'a mut Tell<'a>,
}

impl Learning<'_> {
    /// With the folder in which the tree itself lies.
    pub fn mirror(self, tree: &Address) -> Result<(Mirror, String), Error> {
        let client = Client::new()?;
        let (top, folder) = whole(client.clone(), &tree.as_folder())?;
        let learner = Learner {
            remote: Remote::new(client, top.clone()),
            room: self.room,
            kept: RefCell::default(),
            left: Cell::new(MOST_KEPT),
            tell: RefCell::new(self.tell),
        };
        let origin = || learner.remote.origin().to_owned();
        let under = Under { tree: &learner, folder: &folder };
        let found = marks::recognise(&under)?;
        let found = found.ok_or_else(|| Error::Unknown { origin: origin(), looked: marks::looked_for() })?;
        let found = found.placed(&under);
        let mut claims = Claims::gather(&learner, &folders(&found), self.keyring)?;
        if found.extent == Extent::Whole {
            learner.repositories(&found, &folder, &mut claims, self.keyring)?;
        }
        let sizes = learner.sizes(&found, &claims)?;
        let mut listing = Listing::default();
        for (path, size) in &sizes {
            listing.add_folders_above(path)?;
            listing.add(path.clone(), Entry { size: size.unwrap_or_default(), spans: Vec::new() })?;
        }
        let kept = Arc::new(learner.kept.into_inner());
        Ok((Mirror { remote: learner.remote, top, listing, sizes: Arc::new(sizes), kept }, folder))
    }
}

/// The folder that holds all repositories of a tree, and the tree's own in it: since RHEL 8 `.treeinfo` names one beside it,
/// `../../../AppStream/x86_64/os`.
fn whole(client: Client, tree: &Address) -> Result<(Address, String), Error> {
    let info = text(&Remote::new(client, tree.clone()), ".treeinfo")?.unwrap_or_default();
    let up = |place: &str| place.split('/').take_while(|part| *part == "..").count();
    let levels = variants(&info).map(up).filter(|levels| *levels <= HIGHEST).max().unwrap_or_default();
    Ok(tree.above(levels).unwrap_or_else(|| (tree.clone(), String::new())))
}

/// Those of what boots, those above them, and that of the suite.
fn folders(found: &Recognised) -> BTreeSet<String> {
    let suite = suite(found).map(|suite| format!("dists/{suite}"));
    let above = [&found.kernel, &found.initrd].into_iter().flat_map(|path| folders_above(path));
    suite.into_iter().chain([String::new()]).chain(above.map(str::to_owned)).collect()
}

fn suite(found: &Recognised) -> Option<&str> {
    found.variables.iter().find_map(|(name, value)| match value {
        Value::Text(suite) if *name == "suite" && !suite.is_empty() => Some(suite.as_str()),
        _ => None,
    })
}

/// The tree while it is found out what belongs to it: whatever is read of it is kept.
struct Learner<'a> {
    remote: Remote,
    room: &'a Room,
    kept: RefCell<BTreeMap<String, File>>,
    /// How many bytes more may be kept.
    left: Cell<u64>,
    tell: RefCell<&'a mut Tell<'a>>,
}

impl Learner<'_> {
    fn repositories(
        &self,
        found: &Recognised,
        folder: &str,
        claims: &mut Claims,
        keyring: &Keyring,
    ) -> Result<(), Error> {
        let under = Under { tree: self, folder };
        let unfit = |why: String| {
            Error::unfit(
                self.remote.origin(),
                format!("{why}; --mirror takes all or nothing: import it without, or a folder"),
            )
        };
        let mut promised = BTreeSet::new();
        let mut tops = BTreeSet::from([folder.to_owned()]);
        if let Some(info) = text(&under, ".treeinfo")? {
            for place in variants(&info) {
                let top = repository(folder, place);
                promised.insert(top.ok_or_else(|| unfit(format!("names the repository {place}, too far above it")))?);
            }
            tops.extend(promised.iter().cloned());
            // Without its second stage nothing boots, whether a sum is there or not.
            for name in ["mainimage", "instimage"] {
                let stage = ini::value(&info, "stage2", name).and_then(plain);
                stage.map_or(Ok(false), |path| has(&under, &path))?;
            }
        }
        let named = claims.named_by(&|_| true).filter_map(|(path, _)| path.strip_suffix(REPOMD));
        tops.extend(named.map(|top| top.trim_end_matches('/').to_owned()));
        let lists = match suite(found) {
            Some(suite) => self.lists(suite, &found.arch, claims)?,
            None => Vec::new(),
        };
        let mut chain = Chain::new(self, claims, keyring);
        let mut read = lists.len();
        for top in tops {
            let is_there = chain.rpm(&top)?;
            if !is_there && promised.contains(&top) {
                return Err(unfit(format!("names the repository {top}, which has no {REPOMD}")));
            }
            read = read.saturating_add(usize::from(is_there));
        }
        for list in lists {
            chain.list(&list, "", debian::packages)?;
        }
        // A mirror without its packages would look like one that has them.
        match (chain.notes.first(), read) {
            (Some(note), _) => Err(unfit(format!("has a list that cannot be followed: {note}"))),
            (None, 0) => Err(unfit("has no list of packages where its family has them".into())),
            _ => Ok(()),
        }
    }

    /// Of a suite the lists for one architecture, each in one packing.
    fn lists(&self, suite: &str, arch: &str, claims: &Claims) -> Result<Vec<String>, Error> {
        let (top, own) = (format!("dists/{suite}/"), format!("/binary-{arch}/Packages"));
        let mut stems = BTreeMap::<&str, Vec<&str>>::new();
        for (path, _) in claims.named_by(&|by| by.ends_with("Release")) {
            let at = path.find(&own).filter(|_| path.starts_with(&top) && !arch.is_empty());
            let split = at.and_then(|at| path.split_at_checked(at.saturating_add(own.len())));
            split.into_iter().for_each(|(stem, ending)| stems.entry(stem).or_default().push(ending));
        }
        let mut lists = Vec::new();
        for (stem, endings) in stems {
            for ending in PACKED.iter().filter(|ending| endings.contains(ending)) {
                let path = format!("{stem}{ending}");
                if has(self, &path)? {
                    lists.push(path);
                    break;
                }
            }
        }
        Ok(lists)
    }

    /// All files: what was asked for and is there, and what the lists name.
    fn sizes(&self, found: &Recognised, claims: &Claims) -> Result<Sizes, Error> {
        for path in [&found.kernel, &found.initrd] {
            has(self, path)?;
        }
        let mut sizes = Sizes::new();
        for (path, size) in claims.named_by(&is_inventory) {
            if size.is_some() {
                sizes.insert(path.clone(), size);
            } else if !self.kept.borrow().contains_key(path) {
                has(self, path)?;
            }
        }
        for (path, found) in self.remote.found.borrow().iter() {
            if let Some(found) = found {
                let size = sizes.entry(path.clone()).or_default();
                *size = found.size.or(*size);
            }
        }
        for (path, file) in self.kept.borrow().iter() {
            sizes.insert(path.clone(), Some(file.metadata().map_err(Error::reading(path))?.len()));
        }
        Ok(sizes)
    }

    fn keep(&self, path: &str) -> Result<File, Error> {
        if self.kept.borrow().len() >= MOST_LISTS {
            return Err(Error::unfit(self.origin(), format!("has more than {MOST_LISTS} lists: no distro does")));
        }
        let (mut reader, mut file) = (self.remote.open(path)?, self.room.scratch()?);
        let mut buffer = vec![0; CHUNK];
        let mut gauge = Gauge { all_files: 1, ..Gauge::default() };
        loop {
            let count = reader.read(&mut buffer).map_err(Error::reading(path))?;
            let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { return Ok(file) };
            let left = self.left.get().checked_sub(count as u64);
            self.left.set(left.ok_or_else(|| Error::unfit(path, "is larger than the lists of any distro"))?);
            file.write_all(part).map_err(Error::writing(path.as_ref()))?;
            gauge.bytes = gauge.bytes.saturating_add(count as u64);
            (self.tell.borrow_mut())("reading lists", &gauge);
        }
    }
}

impl Tree for Learner<'_> {
    fn origin(&self) -> &str {
        self.remote.origin()
    }

    fn listing(&self) -> Option<&Listing> {
        None
    }

    fn find(&self, path: &str) -> Result<Option<Found>, Error> {
        self.remote.find(path)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        self.remote.names(folder)
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, Error> {
        if !self.kept.borrow().contains_key(path) {
            let file = self.keep(path)?;
            self.kept.borrow_mut().insert(path.to_owned(), file);
        }
        match self.kept.borrow().get(path) {
            Some(file) => again(file).map_err(Error::reading(path)),
            None => Err(Error::NotThere { path: path.to_owned(), origin: self.origin().to_owned() }),
        }
    }
}

/// A place of `.treeinfo`, counted from the top, which may be the top itself. None: it lies above.
fn repository(folder: &str, place: &str) -> Option<String> {
    let repomd = rpm::resolved(folder, &format!("{place}/{REPOMD}"))?;
    Some(repomd.strip_suffix(REPOMD)?.trim_end_matches('/').to_owned())
}

/// Where `.treeinfo` has repositories of variants, counted from its own folder.
fn variants(info: &str) -> impl Iterator<Item = &str> {
    let sections = info.lines().map(str::trim).filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
    let variants = sections.filter(|name| name.starts_with("variant-"));
    variants.filter_map(|name| ini::value(info, name, "repository"))
}

/// Whether this says what belongs to a tree; a `Release` names all architectures, and the sums of an installer all its forms.
fn is_inventory(by: &str) -> bool {
    let name = by.rsplit('/').next().unwrap_or(by);
    matches!(name, ".treeinfo" | "CHECKSUMS" | "content")
        || by.ends_with(REPOMD)
        || by.contains("repodata/")
        || name.starts_with("Packages")
}
