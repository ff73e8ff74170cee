//! Whether the CA is the one that machines were told of: asked at the start, before anything is told by it.

use crate::ca::{self, Authority};
use crate::engine::{FoundCa, LostCa};
use crate::model::Hash;
use crate::store::{Edit, Store};
use anyhow::Result;
use std::path::Path;
use std::time::SystemTime;

/// What goes on without it, and what does not.
const MEANWHILE: &str =
    "Until then HTTPS is not served and nothing is installed; DHCP, TFTP and boots from disks go on";

/// What lies where the CA should.
pub enum Found {
    Ours(Authority),
    Made(Authority),
    /// It can not be made, and nobody was ever told of one.
    Nowhere(ca::Error),
    Lost(LostCa),
}

/// Reads the CA that machines know, or makes the first one: where they know one, never a second.
pub fn find(path: &Path, known: Option<Hash>, now: SystemTime) -> Found {
    let is_there = !matches!(path.try_exists(), Ok(false));
    if let Some(known) = known.filter(|_| !is_there) {
        return Found::Lost(gone(path, known));
    }
    match (Authority::open(path, now), known) {
        (Ok((authority, _)), Some(known)) if Hash(authority.fingerprint()) != known => {
            Found::Lost(another(path, known, Hash(authority.fingerprint())))
        }
        (Ok((authority, true)), _) => Found::Made(authority),
        (Ok((authority, false)), _) => Found::Ours(authority),
        (Err(error), _) if !is_there => Found::Nowhere(error),
        (Err(error), _) => Found::Lost(LostCa { why: format!("{error}. {MEANWHILE}"), found: FoundCa::Unusable }),
    }
}

/// Writes down which CA machines are told of from now on; another server of this database may have been faster.
pub async fn keep(store: &Store, path: &Path, ours: Hash) -> Result<Option<LostCa>> {
    if store.known_ca().await?.is_none() {
        store.edit(Edit::KeepCa(ours), "serve", SystemTime::now().into()).await?;
    }
    let known = store.known_ca().await?.filter(|known| *known != ours);
    Ok(known.map(|known| another(path, known, ours)))
}

fn gone(path: &Path, known: Hash) -> LostCa {
    let why = format!(
        "the CA {} is not there, and machines were told of one (SHA-256 {known}): restore the file from a backup, or copy \
         it from another server of this database, and restart. If it is lost for good, `kickstand ca accept` and a restart \
         make a new one, which registered systems do not know: docs/https.md says how they learn of it. {MEANWHILE}",
        path.display()
    );
    LostCa { why, found: FoundCa::Nothing }
}

fn another(path: &Path, known: Hash, found: Hash) -> LostCa {
    let why = format!(
        "the CA {} is another one (SHA-256 {found}) than machines were told of (SHA-256 {known}): restore that file from a \
         backup, or copy it from another server of this database, and restart. If this one is meant, `kickstand ca accept` \
         and restart: registered systems do not know it, docs/https.md says how they learn of it. {MEANWHILE}",
        path.display()
    );
    LostCa { why, found: FoundCa::Another(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_ca_is_never_made_where_machines_know_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ca::FILE);
        let now = SystemTime::now();
        let Found::Made(authority) = find(&path, None, now) else { panic!("the first is made") };
        let ours = Hash(authority.fingerprint());
        let known = Some(ours);
        assert!(matches!(find(&path, known, now), Found::Ours(_)));
        assert!(matches!(find(&path, None, now), Found::Ours(_)), "a database of before");
        let other = Some(Hash([7; 32]));
        let Found::Lost(lost) = find(&path, other, now) else { panic!("it is another") };
        assert_eq!(lost.found, FoundCa::Another(ours));
        std::fs::write(&path, "hunter2").unwrap();
        let Found::Lost(lost) = find(&path, known, now) else { panic!("it is none") };
        assert!(lost.found == FoundCa::Unusable && !lost.why.contains("hunter2"), "{}", lost.why);
        std::fs::remove_file(&path).unwrap();
        let Found::Lost(lost) = find(&path, known, now) else { panic!("it is gone") };
        assert_eq!(lost.found, FoundCa::Nothing);
        assert!(lost.why.contains(&ours.to_string()) && lost.why.contains("kickstand ca accept"));
        assert!(!path.exists(), "and no other is made");
        let nowhere = Path::new("/proc/self/nowhere/ca.key");
        assert!(matches!(find(nowhere, None, now), Found::Nowhere(_)));
    }

    #[tokio::test]
    async fn of_two_servers_that_start_at_once_one_says_which_ca_it_is() {
        let store = Store::in_memory().await.unwrap();
        let path = Path::new("/etc/kickstand/ca.key");
        assert_eq!(keep(&store, path, Hash([1; 32])).await.unwrap(), None);
        assert_eq!(keep(&store, path, Hash([1; 32])).await.unwrap(), None);
        let lost = keep(&store, path, Hash([2; 32])).await.unwrap().unwrap();
        assert_eq!(lost.found, FoundCa::Another(Hash([2; 32])));
        store.close().await;
    }
}
