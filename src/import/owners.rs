//! Whose files are: what root made is given to the service's account when it has moved, and nothing here follows a link.

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fchown, fstat, mkdirat, openat};
use rustix::io::{Errno, Result};
use rustix::process::geteuid;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A folder itself, never what a link in its place leads to.
pub const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Who owns something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    pub fn of(file: impl AsFd) -> Result<Owner> {
        let Stat { st_uid: uid, st_gid: gid, .. } = fstat(file)?;
        Ok(Owner { uid, gid })
    }

    /// Of a folder that an operator named, behind whatever links.
    pub fn at(path: &Path) -> Result<Owner> {
        Owner::of(openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)
    }

    pub fn uid(self) -> u32 {
        self.uid
    }

    pub fn is_us(self) -> bool {
        self.uid == geteuid().as_raw()
    }

    fn ids(self) -> (Option<Uid>, Option<Gid>) {
        (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
    }

    /// Whoever is not root can not give a file away: everybody reads it all the same.
    pub fn take(self, folder: impl AsFd) {
        let (uid, gid) = self.ids();
        let _ = fchown(folder, uid, gid);
    }

    /// Takes a whole tree. What lies in a folder goes before the folder: until then its owner-to-be can change no name in it.
    pub fn take_all(self, tree: BorrowedFd<'_>) -> Result<()> {
        if Owner::of(tree)? == self {
            return Ok(());
        }
        for entry in Dir::read_from(tree)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            match entry.file_type() {
                FileType::RegularFile => self.take_name(tree, name),
                _ => match openat(tree, name, FOLDER, Mode::empty()) {
                    Ok(below) => self.take_all(below.as_fd())?,
                    Err(_) => self.take_name(tree, name),
                },
            }
        }
        self.take(tree);
        Ok(())
    }

    fn take_name(self, folder: BorrowedFd<'_>, name: &CStr) {
        let (uid, gid) = self.ids();
        let _ = chownat(folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW);
    }
}

/// A folder below another one, made where it is not there; whether it was made.
pub fn folder(above: impl AsFd, name: &str) -> Result<(OwnedFd, bool)> {
    let is_new = match mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(error),
    };
    Ok((openat(&above, name, FOLDER, Mode::empty())?, is_new))
}
