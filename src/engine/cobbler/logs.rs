//! Logs that installers send: files of theirs below one folder, so large and so many, and no others.

use crate::boot::Tale;
use crate::engine::{Engine, Error};
use crate::model::*;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const EACH_FILE: u64 = 16 << 20;
const EACH_MACHINE: u64 = 64 << 20;
const FILES_OF_MACHINE: usize = 64;
const IN_ALL: u64 = 1 << 30;
const NAME_BYTES: usize = 100;

/// One at a time, so that what is counted is what is there.
#[derive(Debug, Default, Clone)]
pub(super) struct Kept(Arc<Mutex<()>>);

/// A part of a log.
#[derive(Debug, Clone)]
pub struct Piece {
    pub machine: String,
    pub file: String,
    /// Of the data; of the whole where the offset is -1.
    pub size: i64,
    /// -1: the last one.
    pub offset: i64,
    pub data: Vec<u8>,
}

/// What is not taken is no error: the client asks a few times and goes on.
enum Refused {
    No,
    Failed(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::Failed(error)
    }
}

impl From<Errno> for Refused {
    fn from(error: Errno) -> Refused {
        Refused::Failed(error.into())
    }
}

impl Engine {
    /// Whether it was taken: from the address of the machine's installer alone.
    pub async fn keep_log(&self, piece: Piece, from: Ipv4Addr) -> Result<bool, Error> {
        let Some(cobbler) = self.cobbler() else { return Ok(false) };
        let Some(folder) = cobbler.settings.logs.clone() else { return Ok(false) };
        let Ok(name) = piece.machine.parse::<Name>() else { return Ok(false) };
        let Some(id) = self.installs_at(&name, from).filter(|_| is_file_name(&piece.file)) else { return Ok(false) };
        let (kept, path) = (cobbler.kept.clone(), folder.join(name.as_str()));
        let (file, starts_or_ends) = (piece.file.clone(), piece.offset <= 0);
        let write = move || kept.write(&folder, name.as_str(), &piece);
        let written =
            tokio::task::spawn_blocking(write).await.map_err(|_| Error::Internal("a log was cut off".into()))?;
        match written {
            Ok(bytes) if starts_or_ends => {
                let text = format!("log {file}, {bytes} bytes so far, in {}", path.display());
                self.tell_of(from, Tale::new(self.now(), Kind::File, text).of(id));
                Ok(true)
            }
            Ok(_) => Ok(true),
            Err(Refused::No) => Ok(false),
            Err(Refused::Failed(source)) => Err(Error::File { path: path.display().to_string(), source }),
        }
    }
}

/// As anaconda's logs are called, and nothing that could lead elsewhere.
fn is_file_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.+".contains(c);
    !name.is_empty() && name.len() <= NAME_BYTES && !name.starts_with('.') && name.chars().all(fits)
}

impl Kept {
    /// How long the file is now.
    fn write(&self, folder: &Path, machine: &str, piece: &Piece) -> Result<u64, Refused> {
        let _alone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let data = piece.data.len() as u64;
        let own = folder.join(machine);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&own)?;
        let root = File::open(&own)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let (files, bytes) = used(&own)?;
        let is_there = fs::symlink_metadata(own.join(&piece.file)).is_ok_and(|meta| meta.is_file());
        if bytes.saturating_add(data) > EACH_MACHINE || (!is_there && files >= FILES_OF_MACHINE) {
            return Err(Refused::No);
        }
        if in_all(folder)?.saturating_add(data) > IN_ALL {
            return Err(Refused::No);
        }
        let mut file = match openat(&root, piece.file.as_str(), flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Err(Refused::No),
            Err(error) => return Err(error.into()),
        };
        let meta = file.metadata()?;
        if !meta.is_file() || meta.nlink() != 1 {
            return Err(Refused::No);
        }
        let at = place(piece, meta.len()).ok_or(Refused::No)?;
        if at == 0 {
            file.set_len(0)?;
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&piece.data)?;
        let end = at.saturating_add(data);
        match u64::try_from(piece.size) {
            // Whatever was left of an earlier one goes.
            Ok(size) if piece.offset == -1 && size < end => file.set_len(size)?,
            _ => {}
        }
        Ok(file.metadata()?.len())
    }
}

/// Where a part goes: without holes, and within what one file may have.
fn place(piece: &Piece, length: u64) -> Option<u64> {
    let data = piece.data.len() as u64;
    let size = u64::try_from(piece.size).ok()?;
    let at = match piece.offset {
        -1 if size == data => 0,
        -1 => length,
        offset => u64::try_from(offset).ok().filter(|at| *at <= length && size == data)?,
    };
    (at.saturating_add(data) <= EACH_FILE && size <= EACH_FILE).then_some(at)
}

fn used(folder: &Path) -> io::Result<(usize, u64)> {
    let mut sum = (0usize, 0u64);
    for entry in fs::read_dir(folder)? {
        let meta = entry?.metadata()?;
        sum = (sum.0.saturating_add(1), sum.1.saturating_add(meta.len()));
    }
    Ok(sum)
}

fn in_all(folder: &Path) -> io::Result<u64> {
    let mut sum = 0u64;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sum = sum.saturating_add(used(&entry.path())?.1);
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(file: &str, size: i64, offset: i64, data: &[u8]) -> Piece {
        Piece { machine: "web-1".into(), file: file.into(), size, offset, data: data.into() }
    }

    fn read(folder: &Path, file: &str) -> String {
        fs::read_to_string(folder.join("web-1").join(file)).unwrap()
    }

    #[test]
    fn parts_come_one_after_the_other_and_the_last_one_says_how_long_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::default();
        let write =
            |size, offset, data: &[u8]| kept.write(folder.path(), "web-1", &piece("a.log", size, offset, data)).ok();
        assert_eq!(write(3, 0, b"abc"), Some(3));
        assert_eq!(write(3, 3, b"def"), Some(6));
        assert_eq!(write(8, -1, b"gh"), Some(8));
        assert_eq!(read(folder.path(), "a.log"), "abcdefgh");
        assert_eq!(write(2, -1, b"xy"), Some(2), "one that is the whole");
        assert_eq!(read(folder.path(), "a.log"), "xy");
        for (size, offset) in [(3, 10), (2, 0), (3, -2), (-1, 0), (3, i64::MAX), (i64::MAX, -1)] {
            assert_eq!(write(size, offset, b"abc"), None, "{size} at {offset}");
        }
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for name in ["", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a\0", "a b", "ä", &"x".repeat(101)] {
            assert!(!is_file_name(name), "{name:?}");
        }
        assert!(["anaconda.log", "tmp+install.log", "lvm.log", "X.log"].iter().all(|name| is_file_name(name)));
    }

    #[test]
    fn what_is_no_file_of_its_own_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join("web-1").join(name);
        fs::create_dir_all(path("folder")).unwrap();
        fs::write(folder.path().join("else"), "kept").unwrap();
        std::os::unix::fs::symlink(folder.path().join("else"), path("link")).unwrap();
        fs::hard_link(folder.path().join("else"), path("hard")).unwrap();
        for name in ["link", "hard", "folder"] {
            assert!(
                matches!(Kept::default().write(folder.path(), "web-1", &piece(name, 1, 0, b"x")), Err(Refused::No)),
                "{name}"
            );
        }
        assert_eq!(fs::read_to_string(folder.path().join("else")).unwrap(), "kept");
    }

    #[test]
    fn there_are_limits_for_a_file_and_for_their_number() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::default();
        assert!(place(&piece("a", 1, EACH_FILE as i64 - 1, b"x"), EACH_FILE).is_some());
        assert!(place(&piece("a", 1, EACH_FILE as i64, b"x"), EACH_FILE).is_none());
        for n in 0..FILES_OF_MACHINE {
            assert!(kept.write(folder.path(), "web-1", &piece(&format!("{n}.log"), 1, 0, b"x")).is_ok());
        }
        assert!(kept.write(folder.path(), "web-1", &piece("more.log", 1, 0, b"x")).is_err());
        assert!(kept.write(folder.path(), "web-1", &piece("0.log", 1, 1, b"x")).is_ok(), "one that is there goes on");
    }
}
