//! The file of the CA: its certificate and its key, as PEM, readable by its owner alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
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

/// Whose a file is.
#[derive(Debug, Clone, Copy)]
struct Rights {
    user: u32,
    group: u32,
    mode: u32,
}

impl Rights {
    fn of(path: &Path) -> Option<Rights> {
        let about = path.metadata().ok()?;
        Some(Rights { user: about.uid(), group: about.gid(), mode: about.mode() })
    }

    /// Whether others may read it than the server, whose files are like that one: root's that its group may read is none.
    fn is_open(self, like: Rights) -> bool {
        let by_group = (self.user, self.mode & 0o077) == (0, 0o040) && self.group != 0 && self.group == like.group;
        self.mode & 0o077 != 0 && !by_group
    }

    fn is_closed_to(self, like: Rights) -> bool {
        like.user != 0 && self.user != like.user && !(self.group == like.group && self.mode & 0o040 != 0)
    }
}

/// What is wrong with who may read the CA's file. Who the server is, the key of secrets tells, which it made, else the folder.
pub fn ill_kept(path: &Path, key_file: &Path) -> Vec<String> {
    let folder = || path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let like = if key_file.exists() { key_file } else { folder() };
    let (Some(own), Some(servers)) = (Rights::of(path), Rights::of(like)) else { return Vec::new() };
    let shown = path.display();
    let open = || format!("{shown} can be read by others than its owner: chmod 600, and think of another CA");
    let closed = || {
        let like = like.display();
        format!(
            "{shown} is not the user's whose {like} is, so the server can not read it: chown --reference={like} {shown}"
        )
    };
    let open = own.is_open(servers).then(open);
    open.into_iter().chain(own.is_closed_to(servers).then(closed)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_reads_it_and_nobody_else() {
        const KICKSTAND: u32 = 990;
        let file = |user, group, mode: u32| Rights { user, group, mode: 0o100_000 | mode };
        let server = file(KICKSTAND, KICKSTAND, 0o600);
        for (own, like, open, closed) in [
            (server, server, false, false),
            (file(0, 0, 0o600), file(0, 0, 0o755), false, false),
            (file(0, KICKSTAND, 0o640), server, false, false),
            (file(0, 0, 0o600), server, false, true),
            (file(0, KICKSTAND, 0o600), server, false, true),
            (file(0, 100, 0o640), server, true, true),
            (file(KICKSTAND, KICKSTAND, 0o640), server, true, false),
            (file(0, KICKSTAND, 0o660), server, true, false),
            (file(0, 0, 0o640), file(0, 0, 0o755), true, false),
            (file(0, 0, 0o644), server, true, true),
        ] {
            assert_eq!((own.is_open(like), own.is_closed_to(like)), (open, closed), "{own:?} {like:?}");
        }
    }
}
