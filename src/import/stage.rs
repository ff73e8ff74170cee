//! The place beside: a distro is written there, and moves to its own place in one step; what did not get so far goes away.

use super::Error;
use super::plan::Plan;
use super::record::{NAME, Record};
use super::tree::plain;
use crate::model::Name;
use rustix::fs::{CWD, RenameFlags, renameat_with, syncfs};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Below the folder of files. The server gives away nothing with this name in its path.
pub const FOLDER: &str = ".import";
/// Where distros have their folders.
pub const DISTROS: &str = "distros";
const PENDING: &str = "pending.json";
const STAGED: &str = "staged";

/// The folder of files while one import works in it.
pub struct Room {
    distros: PathBuf,
    room: PathBuf,
    /// One import at a time; the lock goes with the file.
    _lock: File,
}

/// Written down before folders move, taken away when the server knows of it: what lies between can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub name: Name,
    /// The id of the tree that moves in, and of the one that makes room.
    pub new: String,
    pub old: Option<String>,
    /// What the server is to be told, which says whether it was.
    pub kernel: String,
    pub initrd: String,
}

impl Room {
    pub fn open(files: &Path) -> Result<Room, Error> {
        let distros = files.join(DISTROS);
        let room = distros.join(FOLDER);
        for folder in [&distros, &room] {
            folder_for_all(folder, files).map_err(Error::writing(folder))?;
        }
        let path = room.join("lock");
        let lock = File::create(&path).map_err(Error::writing(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Room { distros, room, _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Busy),
            Err(fs::TryLockError::Error(source)) => Err(Error::Unwritable { path, source }),
        }
    }

    pub fn place(&self, name: &Name) -> PathBuf {
        self.distros.join(name.as_str())
    }

    /// What an import left unsettled that was ended in the middle.
    pub fn pending(&self) -> Option<Pending> {
        let text = fs::read_to_string(self.room.join(PENDING)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Ends what was begun: keeps the new tree, or gives the place back to the one before.
    pub fn settle(&self, pending: &Pending, keep: bool) -> Result<(), Error> {
        let place = self.place(&pending.name);
        let moved_in = Record::read(&place).is_some_and(|record| record.id == pending.new);
        if !keep && moved_in {
            self.leave(&place, pending.old.is_some())?;
        }
        self.forget()
    }

    fn leave(&self, place: &Path, has_old: bool) -> Result<(), Error> {
        let staged = self.room.join(STAGED);
        let moved = match has_old {
            true => renameat_with(CWD, &staged, CWD, place, RenameFlags::EXCHANGE),
            false => fs::rename(place, &staged).map_err(|_| rustix::io::Errno::IO),
        };
        moved.map_err(|error| Error::Unwritable { path: place.to_owned(), source: error.into() })
    }

    fn forget(&self) -> Result<(), Error> {
        let path = self.room.join(PENDING);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Unwritable { path, source }),
            _ => self.clean(),
        }
    }

    /// Removes what earlier imports left. What is pending must be settled before.
    pub fn clean(&self) -> Result<(), Error> {
        let entries = fs::read_dir(&self.room).map_err(Error::writing(&self.room))?;
        for entry in entries.flatten().filter(|entry| entry.file_name() != "lock" && entry.file_name() != PENDING) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(Error::writing(&path))?;
        }
        Ok(())
    }

    /// An empty folder to write in.
    pub fn stage(&self) -> Result<Stage, Error> {
        self.clean()?;
        let folder = self.room.join(STAGED);
        folder_for_all(&folder, &self.distros).map_err(Error::writing(&folder))?;
        Ok(Stage { folder, keep: false })
    }

    /// A file without a name: for what must lie on a disk for a while.
    pub fn scratch(&self) -> Result<File, Error> {
        let path = self.room.join("scratch");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = file.map_err(Error::writing(&path))?;
        fs::remove_file(&path).map_err(Error::writing(&path))?;
        Ok(file)
    }

    /// How much of its disk may be used: what is free, but for a tenth.
    pub fn free(&self) -> Result<u64, Error> {
        let at = rustix::fs::statvfs(&self.distros);
        let at =
            at.map_err(|error| Error::Unreadable { what: self.distros.display().to_string(), source: error.into() })?;
        Ok(at.f_bavail.saturating_mul(at.f_frsize) / 10 * 9)
    }

    /// Moves the staged tree to its place, at once, with all of its bytes on the disk.
    pub fn put(&self, mut stage: Stage, plan: &Plan, record: &Record) -> Result<Pending, Error> {
        let place = self.place(&plan.name);
        record.write(&stage.folder)?;
        let old = match (place.exists(), Record::read(&place)) {
            (true, None) => return Err(Error::Foreign(place)),
            (_, old) => old.map(|old| old.id),
        };
        let (name, new) = (plan.name.clone(), record.id.clone());
        let pending = Pending { name, new, old, kernel: plan.kernel.clone(), initrd: plan.initrd.clone() };
        self.write_down(&pending)?;
        let flags = if pending.old.is_some() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        let moved = renameat_with(CWD, &stage.folder, CWD, &place, flags);
        moved.map_err(|error| Error::Unwritable { path: place.clone(), source: error.into() })?;
        stage.keep = true;
        sync_folder(&self.distros).map_err(Error::writing(&place))?;
        Ok(pending)
    }

    fn write_down(&self, pending: &Pending) -> Result<(), Error> {
        let path = self.room.join(PENDING);
        let text = serde_json::to_string(pending).unwrap_or_default();
        let new = self.room.join("pending.new");
        let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &path));
        // All of the staged tree, too: one call instead of one for each of its files.
        written.and_then(|()| sync_all(&self.room)).map_err(Error::writing(&path))
    }
}

/// A tree on its way. Dropped before it was put into its place, it goes away.
pub struct Stage {
    folder: PathBuf,
    keep: bool,
}

impl Stage {
    /// A new file below; its folders are made.
    pub fn file(&self, path: &str) -> Result<File, Error> {
        if path == NAME {
            return Err(Error::unfit(path, "is a name that imports keep for themselves: the tree can not have it"));
        }
        // Whatever made the path: what it does not name plainly is not written.
        if plain(path).as_deref() != Some(path) {
            return Err(Error::unfit(path, "leads out of its folder: this tree is not to be trusted"));
        }
        let whole = self.folder.join(path);
        let made = whole.parent().map_or(Ok(()), |above| self.folders(above));
        let mut options = OpenOptions::new();
        let file = made.and_then(|()| options.write(true).create_new(true).mode(0o644).open(&whole));
        let file = file.map_err(Error::writing(&whole))?;
        // Whatever mask this process has.
        file.set_permissions(Permissions::from_mode(0o644)).map_err(Error::writing(&whole))?;
        own_as(&whole, &self.folder);
        Ok(file)
    }

    fn folders(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        folder.parent().map_or(Ok(()), |above| self.folders(above))?;
        folder_for_all(folder, &self.folder)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn folder_for_all(folder: &Path, like: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => {
            made?;
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
            own_as(folder, like);
            Ok(())
        }
    }
}

/// Whoever is not root can not give a file away: everybody reads it all the same.
fn own_as(path: &Path, like: &Path) {
    if let Ok(like) = fs::metadata(like) {
        let _ = chown(path, Some(like.uid()), Some(like.gid()));
    }
}

fn sync_all(folder: &Path) -> io::Result<()> {
    Ok(syncfs(File::open(folder)?)?)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
