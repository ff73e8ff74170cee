//! The key's file: 64 hexadecimal digits, readable by its owner alone.

use super::Key;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The file's name beside a database that is a file.
const FILE: &str = "secret.key";
/// The name of systemd's credential.
const CREDENTIAL: &str = "kickstand-secret-key";

/// Where the key may be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// Made at the first start.
    pub file: Option<PathBuf>,
    /// The folder of systemd's credentials: a key there wins.
    pub credentials: Option<PathBuf>,
}

/// What lies there.
pub enum Found {
    Key {
        key: Key,
        path: PathBuf,
    },
    /// No key yet, and where one would be made.
    Missing(PathBuf),
    /// Something that is no key, or that can not be read.
    Unusable(String),
}

impl Place {
    /// Beside the database, where that is a file.
    pub fn beside(url: &str) -> Place {
        let path = url.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//"));
        let path = path.map(|path| Path::new(path.split('?').next().unwrap_or(path)).with_file_name(FILE));
        Place { file: path, credentials: None }
    }

    pub fn look(&self) -> Found {
        let credential = self.credentials.as_ref().map(|folder| folder.join(CREDENTIAL)).filter(|path| path.exists());
        let Some(path) = credential.or_else(|| self.file.clone()) else {
            return Found::Unusable("no file is named for their key: set [secrets] key_file".into());
        };
        match File::open(&path).and_then(io::read_to_string).map(Zeroizing::new) {
            Ok(text) => read(&text, path),
            Err(error) if error.kind() == ErrorKind::NotFound => Found::Missing(path),
            Err(error) => Found::Unusable(format!("their key {} can not be read: {error}", path.display())),
        }
    }
}

fn read(text: &str, path: PathBuf) -> Found {
    let mut bytes = Zeroizing::new([0; 32]);
    match hex::decode_to_slice(text.trim(), &mut *bytes) {
        Ok(()) => Found::Key { key: Key(bytes), path },
        Err(_) => {
            Found::Unusable(format!("their key {} is not 64 hexadecimal digits: restore the file", path.display()))
        }
    }
}

/// Makes a key and its file, which must not be there; on the disk when this returns.
pub fn make(path: &Path) -> io::Result<Key> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    // Whatever the umask says.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(Zeroizing::new(hex::encode(bytes.as_slice()) + "\n").as_bytes())?;
    file.sync_all()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(Key(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let place = Place { file: Some(path.clone()), credentials: None };
        assert!(matches!(place.look(), Found::Missing(missing) if missing == path));
        let made = make(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(place.look(), Found::Key { key, .. } if key == made));
        assert_eq!(make(&path).err().map(|error| error.kind()), Some(ErrorKind::AlreadyExists));
    }

    #[test]
    fn a_credential_wins_and_what_is_no_key_is_refused_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { file: Some(folder.path().join("secret.key")), credentials: Some(folder.path().into()) };
        std::fs::write(folder.path().join("secret.key"), "11".repeat(32)).unwrap();
        std::fs::write(folder.path().join("kickstand-secret-key"), "22".repeat(32)).unwrap();
        assert!(matches!(place.look(), Found::Key { key, .. } if key == Key::new([0x22; 32])));
        std::fs::write(folder.path().join("kickstand-secret-key"), "hunter2").unwrap();
        let Found::Unusable(text) = place.look() else { panic!("it is no key") };
        assert!(text.contains("kickstand-secret-key is not 64") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn it_lies_beside_a_database_that_is_a_file() {
        let file = |url| Place::beside(url).file;
        assert_eq!(file("sqlite:///var/lib/kickstand/kickstand.db"), Some("/var/lib/kickstand/secret.key".into()));
        assert_eq!(file("sqlite://k.db?mode=rwc"), Some("secret.key".into()));
        assert_eq!(file("postgres://user@host/kickstand"), None);
    }
}
