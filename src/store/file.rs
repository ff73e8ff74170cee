//! The SQLite file itself: made private before anything is in it, and held by one process at a time.

use super::Error;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

/// Held while anything of this process may write; the kernel lets go of it when the process dies.
///
/// The World in memory is right only because nobody else writes the file. The lock is a file of its own:
/// to close a second handle of the database would drop SQLite's locks (POSIX locks belong to the process).
pub struct Lock {
    _file: File,
}

/// How long a process that is just ending is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// Makes the folder (0700) and the file (0600) where they are missing, and takes the lock.
/// SQLite gives its WAL and SHM files the mode of the database.
pub async fn prepare(path: &Path) -> Result<Lock, Error> {
    let failed = |e: io::Error| match (e.kind(), path.display().to_string()) {
        (io::ErrorKind::ReadOnlyFilesystem, place) => Error::ReadOnly { place },
        (_, place) => Error::CannotOpen { place, text: e.to_string() },
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock = private(Path::new(&lock_path)).map_err(failed)?;
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        match lock.try_lock() {
            Ok(()) => {
                private(path).map_err(failed)?;
                return Ok(Lock { _file: lock });
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
    }
    Err(Error::Busy { place: path.display().to_string() })
}

/// Opens a file that only its owner may read, and takes others' rights away where it has them.
fn private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = match file {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => File::open(path)?,
        other => other?,
    };
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(mode & 0o700))?;
    }
    Ok(file)
}
