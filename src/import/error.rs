//! Why a tree was not taken in.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {what}: {source}")]
    Unreadable { what: String, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    /// The bytes are not what their format allows, or are meant to do harm.
    #[error("{what} {why}")]
    Unfit { what: String, why: String },
    #[error(
        "nothing here knows what {origin} is. It was looked for:\n{looked}\nname --family, --kernel and --initrd to take it in all the same"
    )]
    Unknown { origin: String, looked: String },
    #[error("{origin} does not say its name: give it one with --name")]
    Nameless { origin: String },
    #[error(
        "{origin} has no kernel of its own: name a distro of the image family whose live system installs it, with --live DISTRO"
    )]
    NoKernel { origin: String },
    #[error("{path} is not in {origin}: name a file of it, from its top")]
    NotThere { path: String, origin: String },
    #[error(
        "{path} is not what {by} says ({algorithm}): {expected} is expected, {found} was read; fetch it again, nothing was imported"
    )]
    Mismatch { path: String, by: String, algorithm: &'static str, expected: String, found: String },
    #[error(
        "{path} is not what {by} says: {expected} bytes are expected, {found} are there; fetch it again, nothing was imported"
    )]
    Size { path: String, by: String, expected: u64, found: u64 },
    /// A list of packages names what is not there.
    #[error(
        "{count} {files} that {by} names {are} not in the tree, {path} first: it did not arrive whole, or was thinned out; --partial takes it in as it is",
        files = if *count == 1 { "file" } else { "files" },
        are = if *count == 1 { "is" } else { "are" }
    )]
    Lacking { count: usize, path: String, by: String },
    #[error("{file} is not what {by} signed: it, or its signature, was changed; nothing was imported")]
    Signature { file: String, by: String },
    #[error("what boots is signed by no key of the keyrings that were named{said}; nothing was imported")]
    Unsigned { said: String },
    #[error("there is no room left for {}: make some, or serve the files from another disk; nothing was imported", .0.display())]
    Full(PathBuf),
    #[error("{needed} bytes are needed and {limit} are allowed ({why})")]
    TooLarge { needed: u64, limit: u64, why: &'static str },
    #[error("another import is under way: wait for it, or end it")]
    Busy,
    #[error("{} is there, and no import made it: move it away, or choose another name with --name", .0.display())]
    Foreign(PathBuf),
    #[error("cannot reach {url}: {why}")]
    Unreachable { url: String, why: String },
    #[error("{url} answered {status}")]
    Refused { url: String, status: u16 },
}

impl Error {
    /// Whether it may be gone when it is tried again.
    pub fn is_passing(&self) -> bool {
        match self {
            Error::Unreadable { .. } | Error::Unreachable { .. } => true,
            // Too many at once, or too slow: servers say so of a mirror's many requests.
            Error::Refused { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            _ => false,
        }
    }

    pub fn unfit(what: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Unfit { what: what.into(), why: why.into() }
    }

    /// For `map_err` where a file of the tree is read.
    pub fn reading(what: &str) -> impl Fn(io::Error) -> Error + '_ {
        move |source| Error::Unreadable { what: what.to_owned(), source }
    }

    pub fn writing(path: &std::path::Path) -> impl Fn(io::Error) -> Error + '_ {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full(path.to_owned()),
            _ => Error::Unwritable { path: path.to_owned(), source },
        }
    }
}
