//! The file of the CA: its certificate and its key, as PEM, readable by its owner alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Its name, beside the key of secrets.
pub const FILE: &str = "ca.key";
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no CA {}", path.display())]
    Missing { path: PathBuf },
    #[error("the CA {} can not be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(
        "the CA {} can not be made: {source}; let the server write there, name another place in [https] ca_key_file, or set [https] serve = false",
        path.display()
    )]
    Unwritable { path: PathBuf, source: io::Error },
    #[error(
        "the CA {} can not be used: {cause}; it must hold a CA's certificate and its key as PEM: restore the file",
        path.display()
    )]
    Unusable { path: PathBuf, cause: String },
}

impl Error {
    pub(super) fn unusable(path: &Path, cause: &dyn std::fmt::Display) -> Error {
        Error::Unusable { path: path.to_owned(), cause: cause.to_string() }
    }
}

/// Whether others than its owner may read it.
pub fn is_open(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
}

/// None: there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Error> {
    match File::open(path).and_then(io::read_to_string).map(Zeroizing::new) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Unreadable { path: path.to_owned(), source }),
    }
}

/// Writes it as a whole, where none is; on the disk when this returns. Gives what lies there, which another may have made.
pub(super) fn make(path: &Path, text: &Zeroizing<String>) -> Result<Zeroizing<String>, Error> {
    let unwritable = |source| Error::Unwritable { path: path.to_owned(), source };
    let next = path.with_extension(format!("new-{}", std::process::id()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unwritable)?;
    let written = write(&next, text.as_bytes()).and_then(|()| std::fs::hard_link(&next, path));
    let _ = std::fs::remove_file(&next);
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unwritable(error)),
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
    read(path)?.ok_or_else(|| unwritable(ErrorKind::NotFound.into()))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // Whatever the umask says.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The first certificate of a PEM text, in lines that end as Unix ends them.
pub(super) fn first(pem: &str) -> Option<String> {
    let body = pem.split(BEGIN).nth(1)?.split(END).next()?;
    let lines = body.split_whitespace().map(|line| format!("{line}\n")).collect::<String>();
    Some(format!("{BEGIN}\n{lines}{END}\n"))
}

/// Its bytes.
pub(super) fn der(pem: &str) -> Option<Vec<u8>> {
    let body = pem.split(BEGIN).nth(1)?.split(END).next()?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}
