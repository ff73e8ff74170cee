//! On a system that Kickstand did not install: `register --server --key`, `status` and `unregister`.

mod leave;
mod status;
mod trust;

#[cfg(test)]
mod tests;

pub use leave::unregister;
pub use status::{Status, status};

use std::fs;
use std::path::{Path, PathBuf};

use crate::client;
use crate::register::{self, Known, Places, Settings};
use crate::retry::Patience;
use crate::wire::Inventory;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Register(#[from] register::Error),
    #[error("{url} is no address of a server: write it like https://10.0.0.1, or http://10.0.0.1 with --insecure")]
    Address { url: String },
    #[error(
        "{url} is not encrypted: who listens could take the key and join with it.\nUse https:// with --ca or --fingerprint, or --insecure if that is as it should be."
    )]
    InTheClear { url: String },
    #[error(
        "nothing says by what {url} can be known: give --fingerprint with the SHA-256 that `kickstand ca show` prints on the server, or --ca with the file"
    )]
    NoCa { url: String },
    #[error(
        "the CA of {url} is not the one with this fingerprint: it is {seen}.\nCompare with `kickstand ca show` on the server. Nothing was sent."
    )]
    OtherCa { url: String, seen: String },
    #[error("{0} is not a SHA-256: 64 hexadecimal digits")]
    BadFingerprint(String),
    #[error("this system is registered with {server} as {name}: `kickstand-agent unregister` first")]
    Elsewhere { server: String, name: String },
    #[error("this system is not registered")]
    NotRegistered,
    #[error(
        "the server did not answer, so it still knows this system: {0}\n`kickstand-agent unregister --force` forgets it here alone."
    )]
    StillKnown(client::Error),
    #[error("the server does not let this system go: {0}\n`kickstand-agent unregister --force` forgets it here alone.")]
    NotLetGo(client::Error),
    #[error("cannot remove {path}: {cause}")]
    Remove { path: PathBuf, cause: std::io::Error },
    #[error(
        "{path}: {cause}\nIt is to be a CA as PEM, as `kickstand ca show --pem` prints it on the server. Nothing was sent."
    )]
    NoCertificate { path: PathBuf, cause: client::Error },
}

impl Error {
    pub fn is_temporary(&self) -> bool {
        match self {
            Error::Register(error) => error.is_temporary(),
            Error::StillKnown(_) => true,
            _ => false,
        }
    }
}

/// What a system joins with.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    pub server: String,
    /// One secret of `kickstand key join` or `key reactivate`, or several with commas.
    pub keys: String,
    /// The file of the CA.
    pub ca: Option<PathBuf>,
    /// Of the CA, where there is no file of it: it is fetched, and believed if it has this SHA-256.
    pub fingerprint: Option<String>,
    pub name: Option<String>,
    /// By http:// as well.
    pub is_insecure: bool,
}

/// Joins, or says that this was done before. Refused, it leaves everything as it was.
pub fn run(patience: Patience, places: &Places, wish: &Wish, inventory: Inventory) -> Result<String, Error> {
    if let Some(done) = before(patience, places, wish, inventory.clone()) {
        return done;
    }
    join(patience, places, wish, inventory)
}

/// What an earlier registration makes of it; none where the keys are to say who this is.
fn before(patience: Patience, places: &Places, wish: &Wish, inventory: Inventory) -> Option<Result<String, Error>> {
    // What is damaged says nothing; it is kept until something better is there.
    let Known { identity, .. } = places.identity.exists().then(|| register::known(&places.identity).ok()).flatten()?;
    let settings = register::settings(&places.settings).ok().flatten();
    if settings.is_none_or(|settings| settings.server.trim_end_matches('/') != wish.server.trim_end_matches('/')) {
        return Some(Err(Error::Elsewhere { server: elsewhere(places), name: identity.name }));
    }
    match register::tell(patience, places, inventory) {
        Err(error) if error.is_unknown() => None,
        Ok(said) => Some(Ok(said + "; the key was not used")),
        Err(error) => Some(Err(error.into())),
    }
}

fn join(patience: Patience, places: &Places, wish: &Wish, inventory: Inventory) -> Result<String, Error> {
    let server = wish.server.trim_end_matches('/').to_owned();
    let before = register::settings(&places.settings).ok().flatten();
    let ca = trust::trusted(patience, &server, wish)?;
    // Chosen by an attempt whose answer was lost: the server knows it as the same one again.
    let credential = before.as_ref().filter(|settings| settings.server == server).and_then(|s| s.credential.clone());
    let settings = Settings { server, ca, key: Some(wish.keys.clone()), credential, name: wish.name.clone() };
    let old = fs::read(&places.settings).ok();
    register::write(&places.settings, &settings)?;
    let identity = fs::read(&places.identity).ok();
    let ended = register::enlist(patience, places, inventory);
    // Where the server may have let it in, the next attempt must bring the same credential.
    let was_refused = matches!(&ended, Err(register::Error::Refused(_) | register::Error::BadCa { .. }));
    if was_refused && fs::read(&places.identity).ok() == identity {
        restore(&places.settings, old)?;
    }
    Ok(ended?)
}

fn elsewhere(places: &Places) -> String {
    register::settings(&places.settings).ok().flatten().map_or("a server".to_owned(), |settings| settings.server)
}

fn restore(path: &Path, old: Option<Vec<u8>>) -> Result<(), Error> {
    let put = || match &old {
        // It is as private as it was: the file is there already.
        Some(bytes) => fs::write(path, bytes),
        None => fs::remove_file(path),
    };
    put().map_err(|cause| Error::Remove { path: path.to_owned(), cause })
}
