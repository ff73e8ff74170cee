//! The place beside: a distro is written there, and moves to its own place in one step; what did not get so far goes away.

use super::Error;
use super::journal::{Pending, Words};
use super::owners::{Owner, folder};
use super::record::{NAME, Record};
use super::tree::plain;
use crate::model::Name;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, fchmod, openat, renameat, renameat_with, syncfs};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Below the folder of files. The server gives away nothing with this name in its path.
pub const FOLDER: &str = ".import";
/// Where distros have their folders.
pub const DISTROS: &str = "distros";
const PENDING: &str = "pending.json";
const STAGED: &str = "staged";
const PLAIN: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// The folder of files while one import works in it.
///
/// The service's account may own the folders above, and an import often runs as root. So what lies in the room stays with
/// whoever imports, and is reached through the folder that was opened and looked at, whatever is put in its place meanwhile.
pub struct Room {
    distros: PathBuf,
    distros_fd: OwnedFd,
    room: OwnedFd,
    /// Who is to have what moves in.
    owner: Owner,
    /// One import at a time; the lock goes with the file.
    _lock: File,
}

impl Room {
    pub fn open(files: &Path) -> Result<Room, Error> {
        let distros = files.join(DISTROS);
        let shown = distros.join(FOLDER);
        let owner = Owner::at(files).map_err(unwritable(files))?;
        let above =
            openat(CWD, files, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(unwritable(files))?;
        let (distros_fd, is_new) = folder(above, DISTROS).map_err(no_folder(&distros))?;
        if is_new {
            fchmod(&distros_fd, Mode::from_raw_mode(0o755)).map_err(unwritable(&distros))?;
            owner.take(&distros_fd);
        }
        let (room, _) = folder(&distros_fd, FOLDER).map_err(no_folder(&shown))?;
        ours(&room, &shown)?;
        fchmod(&room, Mode::from_raw_mode(0o755)).map_err(unwritable(&shown))?;
        let lock = locked(&room, &shown)?;
        Ok(Room { distros, distros_fd, room, owner, _lock: lock })
    }

    pub fn place(&self, name: &Name) -> PathBuf {
        self.distros.join(name.as_str())
    }

    /// As people call it.
    fn shown(&self, name: &str) -> PathBuf {
        self.distros.join(FOLDER).join(name)
    }

    /// What an import left unsettled that was ended in the middle.
    pub fn pending(&self) -> Option<Pending> {
        let file = openat(&self.room, PENDING, OFlags::RDONLY | PLAIN, Mode::empty()).ok()?;
        let mut text = String::new();
        File::from(file).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Whether it was left a moment ago.
    pub fn is_fresh(&self, moment: Duration) -> bool {
        let since = fs::metadata(within(&self.room, PENDING)).and_then(|meta| meta.modified()).map(|at| at.elapsed());
        since.is_ok_and(|since| since.is_ok_and(|since| since < moment))
    }

    /// Ends what was begun: keeps the new tree, or gives the place back to the one before.
    pub fn settle(&self, pending: &Pending, keep: bool) -> Result<(), Error> {
        let place = self.place(&pending.name);
        let moved_in = Record::read(&place).is_some_and(|record| record.id == pending.new);
        if !keep && moved_in {
            let flags = if pending.old.is_some() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
            let name = pending.name.as_str();
            let moved = renameat_with(&self.distros_fd, name, &self.room, STAGED, flags);
            moved.map_err(unwritable(&place))?;
        }
        self.forget()
    }

    fn forget(&self) -> Result<(), Error> {
        match fs::remove_file(within(&self.room, PENDING)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::writing(&self.shown(PENDING))(error)),
            _ => self.clean(),
        }
    }

    /// Removes what earlier imports left. What is pending must be settled before.
    pub fn clean(&self) -> Result<(), Error> {
        let entries = fs::read_dir(within(&self.room, "")).map_err(Error::writing(&self.shown("")))?;
        for entry in entries.flatten().filter(|entry| entry.file_name() != "lock" && entry.file_name() != PENDING) {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(Error::writing(&self.shown(&entry.file_name().to_string_lossy())))?;
        }
        Ok(())
    }

    /// An empty folder to write in.
    pub fn stage(&self) -> Result<Stage, Error> {
        self.clean()?;
        let shown = self.shown(STAGED);
        let (fd, _) = folder(&self.room, STAGED).map_err(no_folder(&shown))?;
        fchmod(&fd, Mode::from_raw_mode(0o755)).map_err(unwritable(&shown))?;
        let room = self.room.try_clone().map_err(Error::writing(&shown))?;
        Ok(Stage { path: within(&room, STAGED), _room: room, fd, shown, keep: false })
    }

    /// A file without a name: for what must lie on a disk for a while.
    pub fn scratch(&self) -> Result<File, Error> {
        let shown = self.shown("scratch");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | PLAIN;
        let file = openat(&self.room, "scratch", flags, Mode::from_raw_mode(0o600)).map_err(unwritable(&shown))?;
        fs::remove_file(within(&self.room, "scratch")).map_err(Error::writing(&shown))?;
        Ok(file.into())
    }

    /// How much of its disk may be used: what is free, but for a tenth.
    pub fn free(&self) -> Result<u64, Error> {
        let at = rustix::fs::fstatvfs(&self.distros_fd);
        let at =
            at.map_err(|error| Error::Unreadable { what: self.distros.display().to_string(), source: error.into() })?;
        Ok(at.f_bavail.saturating_mul(at.f_frsize) / 10 * 9)
    }

    /// Moves the staged tree to its place, at once, with all of its bytes on the disk.
    pub fn put(&self, mut stage: Stage, name: &Name, record: &Record, words: Words) -> Result<Pending, Error> {
        let place = self.place(name);
        record.write(&stage.path)?;
        let old = match (place.symlink_metadata().is_ok(), Record::read(&place)) {
            (true, None) => return Err(Error::Foreign(place)),
            (_, old) => old.map(|old| old.id),
        };
        let pending = Pending { name: name.clone(), new: record.id.clone(), old, words };
        self.write_down(&pending)?;
        let flags = if pending.old.is_some() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        let moved = renameat_with(&self.room, STAGED, &self.distros_fd, name.as_str(), flags);
        moved.map_err(unwritable(&place))?;
        stage.keep = true;
        // Not before: while it was written, nobody else could put a link in its way.
        self.owner.take_all(stage.fd.as_fd()).map_err(unwritable(&place))?;
        rustix::fs::fsync(&self.distros_fd).map_err(unwritable(&place))?;
        Ok(pending)
    }

    fn write_down(&self, pending: &Pending) -> Result<(), Error> {
        let text = serde_json::to_string(pending).unwrap_or_default();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | PLAIN;
        let opened = openat(&self.room, "pending.new", flags, Mode::from_raw_mode(0o600));
        let written = opened.map_err(io::Error::from).and_then(|file| File::from(file).write_all(text.as_bytes()));
        let moved = written.and_then(|()| Ok(renameat(&self.room, "pending.new", &self.room, PENDING)?));
        // All of the staged tree, too: one call instead of one for each of its files.
        moved.and_then(|()| Ok(syncfs(&self.room)?)).map_err(Error::writing(&self.shown(PENDING)))
    }
}

/// A path that leads into the opened folder itself, wherever that lies by now.
fn within(folder: &OwnedFd, name: &str) -> PathBuf {
    Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name)
}

/// Of somebody else's room nothing is believed.
fn ours(room: &OwnedFd, shown: &Path) -> Result<(), Error> {
    let owner = Owner::of(room).map_err(unwritable(shown))?;
    match owner.is_us() {
        true => Ok(()),
        false => Err(Error::unfit(
            shown.display().to_string(),
            format!(
                "belongs to the user with id {}, and not to you who import: remove it and import again",
                owner.uid()
            ),
        )),
    }
}

fn locked(room: &OwnedFd, shown: &Path) -> Result<File, Error> {
    let path = shown.join("lock");
    let flags = OFlags::RDWR | OFlags::CREATE | PLAIN;
    let lock = File::from(openat(room, "lock", flags, Mode::from_raw_mode(0o600)).map_err(no_folder(&path))?);
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Busy),
        Err(fs::TryLockError::Error(source)) => Err(Error::Unwritable { path, source }),
    }
}

fn unwritable(path: &Path) -> impl Fn(Errno) -> Error + '_ {
    move |error| Error::Unwritable { path: path.to_owned(), source: error.into() }
}

/// A link in the place of what should be there says so.
fn no_folder(path: &Path) -> impl Fn(Errno) -> Error + '_ {
    move |error| match error {
        Errno::LOOP | Errno::NOTDIR => {
            Error::unfit(path.display().to_string(), "is a link, or no folder: remove it and import again")
        }
        error => unwritable(path)(error),
    }
}

/// A tree on its way. Dropped before it was put into its place, it goes away.
pub struct Stage {
    /// Through the opened room, which stays open for as long.
    path: PathBuf,
    _room: OwnedFd,
    fd: OwnedFd,
    shown: PathBuf,
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
        let whole = self.path.join(path);
        let made = whole.parent().map_or(Ok(()), |above| self.folders(above));
        let mut options = OpenOptions::new();
        let file = made.and_then(|()| options.write(true).create_new(true).mode(0o644).open(&whole));
        let file = file.map_err(Error::writing(&self.shown.join(path)))?;
        // Whatever mask this process has.
        file.set_permissions(Permissions::from_mode(0o644)).map_err(Error::writing(&self.shown.join(path)))?;
        Ok(file)
    }

    fn folders(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        folder.parent().map_or(Ok(()), |above| self.folders(above))?;
        match DirBuilder::new().mode(0o755).create(folder) {
            // Somebody else needed it at the same moment.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            made => made?,
        }
        fs::set_permissions(folder, Permissions::from_mode(0o755))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
