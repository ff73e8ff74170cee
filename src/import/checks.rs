//! What a tree says of its own bytes: the sums in `.treeinfo`, `md5sum.txt`, `SHA256SUMS`, `CHECKSUMS`, `content` and `Release`.

use super::Error;
use super::hashes::{Algorithm, Hashes, Sums};
use super::marks::ini;
use super::openpgp::Keyring;
use super::seals;
use super::tree::{self, Listing, Tree, plain};
use std::collections::{BTreeMap, BTreeSet};

/// Names of checksum files, in the order in which they are read: what a `Release` says of others comes first.
const FILES: &[(&str, Reader)] = &[
    ("InRelease", release),
    ("Release", release),
    (".treeinfo", treeinfo),
    ("content", content),
    ("CHECKSUMS", sums),
    ("CHECKSUM", sums),
    ("SHA512SUMS", sums),
    ("SHA256SUMS", sums),
    ("sha256sum.txt", sums),
    ("MD5SUMS", sums),
    ("md5sum.txt", sums),
];

/// All checksum files of a tree together: those of all of Debian have some 300,000 lines.
pub(super) const MOST_LINES: usize = 300_000;
const MOST_BYTES: usize = 64 << 20;

/// Reads a text: path, algorithm and digits of each line that has them.
type Reader = fn(&str) -> Vec<Line>;

/// One line of a checksum file; the path counts from the file's own folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub path: String,
    pub algorithm: Algorithm,
    pub digits: String,
    /// Not every file says it.
    pub size: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    algorithm: Algorithm,
    digits: String,
    size: Option<u64>,
    /// The index of the file that says so.
    by: usize,
}

/// Everything that is said of files.
#[derive(Debug, Default)]
pub struct Claims {
    /// The checksum files.
    pub by: Vec<String>,
    claims: BTreeMap<String, Vec<Claim>>,
    /// What is to be said of signatures, a sentence each.
    pub signatures: Vec<String>,
    /// Those of `by` that are signed by a known key, or that one of these speaks for.
    sealed: BTreeSet<usize>,
    /// What was read so far.
    lines: usize,
    bytes: usize,
}

impl Claims {
    /// Reads the checksum files of a tree: all of them, or where that can not be known those in these folders.
    pub fn gather(tree: &dyn Tree, folders: &BTreeSet<String>, keyring: &Keyring) -> Result<Claims, Error> {
        Claims::read(tree, places(tree, folders), keyring)
    }

    /// What lies beside an image and speaks of it, under these names and in the usual files.
    pub fn beside(tree: &dyn Tree, image: &str, keyring: &Keyring) -> Result<Claims, Error> {
        let own = ["sha256", "sha512", "CHECKSUM"].map(|ending| (format!("{image}.{ending}"), sums as Reader));
        let usual = FILES.iter().filter(|(name, _)| name.contains("SUM") || name.contains("sum"));
        let usual = usual.map(|(name, reader)| ((*name).to_owned(), *reader));
        Claims::read(tree, own.into_iter().chain(usual).collect(), keyring)
    }

    fn read(tree: &dyn Tree, places: Vec<(String, Reader)>, keyring: &Keyring) -> Result<Claims, Error> {
        let mut claims = Claims::default();
        for (path, reader) in places {
            if let Some((text, is_sealed)) = claims.hear(tree, &path, keyring)? {
                claims.add(&path, reader(&text), is_sealed, tree.listing())?;
            }
        }
        Ok(claims)
    }

    /// The text of a file that speaks of others, compared with what is said of itself, and whether a known key speaks for it.
    pub fn hear(&mut self, tree: &dyn Tree, path: &str, keyring: &Keyring) -> Result<Option<(String, bool)>, Error> {
        let Some(bytes) = tree::bytes(tree, path)? else { return Ok(None) };
        self.bytes = self.bytes.saturating_add(bytes.len());
        bounded(self.bytes, MOST_BYTES, "bytes")?;
        if self.algorithms(path).next().is_some() {
            self.compare(path, &Hashes::of(&bytes))?;
        }
        let seal = seals::seal(tree, path, &bytes, keyring)?;
        let is_sealed = seal.is_good || self.is_sealed(path);
        self.signatures.extend(seal.sentence);
        Ok(Some((seal.text, is_sealed)))
    }

    /// Whether a known key signed what is said of a file, and nobody else can make a file of which the same is true.
    pub fn is_sealed(&self, path: &str) -> bool {
        let mut claims = self.claims.get(path).into_iter().flatten();
        claims.any(|claim| claim.algorithm.is_strong() && self.sealed.contains(&claim.by))
    }

    /// Whether more is said of a file than MD5 can say.
    pub fn is_strong(&self, path: &str) -> bool {
        self.algorithms(path).any(Algorithm::is_strong)
    }

    /// Their paths count from the folder of the file that says so.
    pub fn add(&mut self, by: &str, lines: Vec<Line>, is_sealed: bool, listing: Option<&Listing>) -> Result<(), Error> {
        let folder = by.rsplit_once('/').map_or("", |(folder, _)| folder);
        let place = |path: &str| -> Option<String> {
            // Of what lies elsewhere nothing is believed and nothing is asked.
            let path = plain(path)?;
            Some(if folder.is_empty() { path } else { format!("{folder}/{path}") })
        };
        let placed = lines.into_iter().filter_map(|line| Some(Line { path: place(&line.path)?, ..line }));
        self.add_placed(by, placed, is_sealed, listing)
    }

    /// Their paths count from the top. What is said of no file of the listing is dropped: it would only take memory.
    pub fn add_placed(
        &mut self,
        by: &str,
        lines: impl IntoIterator<Item = Line>,
        is_sealed: bool,
        listing: Option<&Listing>,
    ) -> Result<(), Error> {
        let index = self.by.len();
        let mut said = false;
        for Line { path, algorithm, digits, size } in lines {
            self.lines = self.lines.saturating_add(1);
            bounded(self.lines, MOST_LINES, "lines")?;
            if listing.is_some_and(|listing| !listing.files.contains_key(&path)) {
                continue;
            }
            let claim = Claim { algorithm, digits: digits.to_ascii_lowercase(), size, by: index };
            self.claims.entry(path).or_default().push(claim);
            said = true;
        }
        if said {
            self.by.push(by.to_owned());
            self.sealed.extend(is_sealed.then_some(index));
        }
        Ok(())
    }

    /// Everything that these say something of, with its size where they say that, too.
    pub fn named_by<'a>(&'a self, by: &'a dyn Fn(&str) -> bool) -> impl Iterator<Item = (&'a String, Option<u64>)> {
        self.claims.iter().filter_map(move |(path, claims)| {
            let mut own = claims.iter().filter(|claim| self.by.get(claim.by).is_some_and(|name| by(name))).peekable();
            own.peek()?;
            Some((path, own.find_map(|claim| claim.size)))
        })
    }

    pub fn algorithms(&self, path: &str) -> impl Iterator<Item = Algorithm> {
        self.claims.get(path).into_iter().flatten().map(|claim| claim.algorithm)
    }

    /// Whether something is said of a file, and true; what is not true is an error.
    pub fn compare(&self, path: &str, sums: &Sums) -> Result<bool, Error> {
        let mut compared = false;
        for claim in self.claims.get(path).into_iter().flatten() {
            let by = || self.by.get(claim.by).cloned().unwrap_or_default();
            if let Some(expected) = claim.size.filter(|size| *size != sums.size) {
                return Err(Error::Size { path: path.to_owned(), by: by(), expected, found: sums.size });
            }
            let Some(found) = sums.get(claim.algorithm) else { continue };
            if found != claim.digits {
                return Err(Error::Mismatch {
                    path: path.to_owned(),
                    by: by(),
                    algorithm: claim.algorithm.word(),
                    expected: claim.digits.clone(),
                    found: found.to_owned(),
                });
            }
            compared = true;
        }
        Ok(compared)
    }

    /// The checksum files that spoke of these, with their algorithms: `md5sum.txt (md5)`.
    pub fn told_by<'a>(&self, paths: impl IntoIterator<Item = &'a String>) -> Vec<String> {
        let mut told = BTreeSet::new();
        for claim in paths.into_iter().filter_map(|path| self.claims.get(path)).flatten() {
            let by = self.by.get(claim.by).cloned().unwrap_or_default();
            told.insert(format!("{by} ({})", claim.algorithm.word()));
        }
        told.into_iter().collect()
    }
}

fn bounded(count: usize, most: usize, what: &str) -> Result<(), Error> {
    match count > most {
        true => Err(Error::unfit("the tree", format!("has checksum files of more than {most} {what}: no distro does"))),
        false => Ok(()),
    }
}

fn places(tree: &dyn Tree, folders: &BTreeSet<String>) -> Vec<(String, Reader)> {
    let mut places = Vec::new();
    for (name, reader) in FILES {
        match tree.listing() {
            Some(listing) => {
                let own = |path: &&String| path.rsplit('/').next() == Some(*name) && is_checksum_file(path);
                places.extend(listing.files.keys().filter(own).map(|path| (path.clone(), *reader)));
            }
            None => {
                let all = folders
                    .iter()
                    .map(|folder| if folder.is_empty() { (*name).into() } else { format!("{folder}/{name}") });
                places.extend(all.filter(|path: &String| is_checksum_file(path)).map(|path| (path, *reader)));
            }
        }
    }
    places
}

/// `content` means this at the top alone, `Release` in the folder of a suite alone.
fn is_checksum_file(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["content"] => true,
        [.., "content"] => false,
        ["dists", _, "Release" | "InRelease"] => true,
        [.., "Release" | "InRelease"] => false,
        _ => true,
    }
}

/// `hex  path`, `hex *path` and `SHA256 (path) = hex`. Other lines mean nothing.
pub fn sums(text: &str) -> Vec<Line> {
    text.lines().filter_map(|line| coreutils(line).or_else(|| bsd(line))).collect()
}

fn coreutils(line: &str) -> Option<Line> {
    let (digits, path) = line.split_once([' ', '\t'])?;
    let path = path.trim_start().trim_start_matches('*').trim_end();
    let algorithm = algorithm(digits)?;
    (!path.is_empty()).then(|| Line { path: path.to_owned(), algorithm, digits: digits.to_owned(), size: None })
}

fn bsd(line: &str) -> Option<Line> {
    let (name, rest) = line.split_once(" (")?;
    let (path, digits) = rest.rsplit_once(") = ")?;
    let (path, digits) = (path.to_owned(), digits.trim().to_owned());
    let algorithm = algorithm(&digits)?;
    name.eq_ignore_ascii_case(algorithm.word()).then_some(Line { path, algorithm, digits, size: None })
}

/// The one that these are digits of.
pub fn algorithm(digits: &str) -> Option<Algorithm> {
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| Algorithm::of_digits(digits.len())).flatten()
}

/// `path = sha256:hex` below `[checksums]`.
pub fn treeinfo(text: &str) -> Vec<Line> {
    let line = |(path, value): (&str, &str)| {
        let (name, digits) = value.split_once(':')?;
        let algorithm = algorithm(digits)?;
        let (path, digits) = (path.to_owned(), digits.to_owned());
        (name == algorithm.word()).then_some(Line { path, algorithm, digits, size: None })
    };
    ini::section(text, "checksums").filter_map(line).collect()
}

/// SUSE's, until CHECKSUMS took its place: `HASH SHA256 hex  path`.
pub fn content(text: &str) -> Vec<Line> {
    let line = |line: &str| coreutils(line.strip_prefix("HASH SHA")?.split_once(' ')?.1.trim_start());
    text.lines().filter_map(line).collect()
}

/// Debian's `Release`: below `SHA256:` each line is a sum, a size and a path.
pub fn release(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if !line.starts_with(' ') {
            inside = line.trim_end() == "SHA256:";
            continue;
        }
        let mut words = line.split_whitespace();
        if let (true, Some(digits), Some(size), Some(path), None) =
            (inside, words.next(), words.next(), words.next(), words.next())
            && let Some(algorithm) = algorithm(digits)
        {
            let size = size.parse().ok();
            lines.push(Line { path: path.to_owned(), algorithm, digits: digits.to_owned(), size });
        }
    }
    lines
}
