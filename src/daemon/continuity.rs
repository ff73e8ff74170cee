//! Whether the CA is the one that machines were told of: asked at the start, before anything is told by it.

use crate::ca::{self, Authority};
use crate::engine::{FoundCa, LostCa};
use crate::model::Hash;
use crate::store::{Edit, KnownCa, Store};
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
    /// It can not be made, and nobody knows one.
    Nowhere(ca::Error),
    Lost(LostCa),
}

/// Reads the CA that machines know, or makes the first one: where they know or may know one, never a second.
pub fn find(path: &Path, known: &KnownCa, now: SystemTime) -> Found {
    let is_there = !matches!(path.try_exists(), Ok(false));
    let missed = match known.told {
        Some(told) => Some(gone(path, told)),
        None => (known.registered && !known.any).then(|| unwritten(path)),
    };
    if let Some(lost) = missed.filter(|_| !is_there) {
        return Found::Lost(lost);
    }
    match (Authority::open(path, now), known.told) {
        (Ok((authority, _)), Some(known)) if Hash(authority.fingerprint()) != known => {
            Found::Lost(another(path, known, Hash(authority.fingerprint())))
        }
        (Ok((authority, true)), _) => Found::Made(authority),
        (Ok((authority, false)), _) => Found::Ours(authority),
        (Err(error), _) if !is_there && !known.registered => Found::Nowhere(error),
        (Err(error), told) => Found::Lost(unusable(&error, told)),
    }
}

/// What is there is no CA that machines could be told of.
pub fn unusable(error: &dyn std::fmt::Display, told: Option<Hash>) -> LostCa {
    LostCa { why: format!("{error}. {MEANWHILE}"), found: FoundCa::Unusable, told }
}

/// Writes down which CA machines are told of from now on; another server of this database may have been faster.
pub async fn keep(store: &Store, path: &Path, ours: Hash) -> Result<Option<LostCa>> {
    if store.known_ca().await?.told.is_none() {
        store.edit(Edit::KeepCa(ours), "serve", SystemTime::now().into()).await?;
    }
    let known = store.known_ca().await?.told.filter(|known| *known != ours);
    Ok(known.map(|known| another(path, known, ours)))
}

fn gone(path: &Path, known: Hash) -> LostCa {
    let why = format!(
        "the CA {} is not there, and machines were told of one (SHA-256 {known}): restore the file from a backup, or copy \
         it from another server of this database, and restart. If it is lost for good, `kickstand ca accept` and a restart \
         make a new one, which registered systems do not know: docs/https.md says how they learn of it. {MEANWHILE}",
        path.display()
    );
    LostCa { why, found: FoundCa::Nothing, told: Some(known) }
}

fn unwritten(path: &Path) -> LostCa {
    let why = format!(
        "the CA {} is not there, and systems have registered: they may know one, though it was not written down which (the \
         `ca` in their /etc/kickstand/agent.json). Restore the file from a backup, or copy it from another server of this \
         database, and restart. If there was none, or it is lost for good, `kickstand ca accept` and a restart make a new \
         one. {MEANWHILE}",
        path.display()
    );
    LostCa { why, found: FoundCa::Nothing, told: None }
}

fn another(path: &Path, known: Hash, found: Hash) -> LostCa {
    let why = format!(
        "the CA {} is another one (SHA-256 {found}) than machines were told of (SHA-256 {known}). The right \
         one is that which registered systems know, the `ca` in their /etc/kickstand/agent.json. If that is {known}, restore \
         its file from a backup, or copy it from the server of this database that has it, and restart. If it is this one, \
         or another is meant, `kickstand ca accept` and restart: systems that do not know it learn of it as docs/https.md \
         says. {MEANWHILE}",
        path.display()
    );
    LostCa { why, found: FoundCa::Another(found), told: Some(known) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_ca_is_never_made_where_machines_know_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ca::FILE);
        let now = SystemTime::now();
        let none = KnownCa::default();
        let Found::Made(authority) = find(&path, &none, now) else { panic!("the first is made") };
        let ours = Hash(authority.fingerprint());
        let known = &KnownCa { told: Some(ours), ..none };
        assert!(matches!(find(&path, known, now), Found::Ours(_)));
        assert!(matches!(find(&path, &none, now), Found::Ours(_)), "a database of before");
        let other = KnownCa { told: Some(Hash([7; 32])), ..none };
        let Found::Lost(lost) = find(&path, &other, now) else { panic!("it is another") };
        assert_eq!(lost.found, FoundCa::Another(ours));
        assert!(lost.why.contains("which registered systems know, the `ca` in their"), "{}", lost.why);
        std::fs::write(&path, "hunter2").unwrap();
        let Found::Lost(lost) = find(&path, known, now) else { panic!("it is none") };
        assert!(lost.found == FoundCa::Unusable && !lost.why.contains("hunter2"), "{}", lost.why);
        std::fs::remove_file(&path).unwrap();
        let Found::Lost(lost) = find(&path, known, now) else { panic!("it is gone") };
        assert_eq!(lost.found, FoundCa::Nothing);
        assert!(lost.why.contains(&ours.to_string()) && lost.why.contains("kickstand ca accept"));
        assert!(!path.exists(), "and no other is made");
        let nowhere = Path::new("/proc/self/nowhere/ca.key");
        assert!(matches!(find(nowhere, &none, now), Found::Nowhere(_)));
    }

    #[test]
    fn where_systems_have_registered_the_first_ca_is_made_by_an_operators_word_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ca::FILE);
        let now = SystemTime::now();
        let known = KnownCa { registered: true, ..KnownCa::default() };
        for path in [&path, Path::new("/proc/self/nowhere/ca.key")] {
            let Found::Lost(lost) = find(path, &known, now) else { panic!("they may know one") };
            assert_eq!((lost.found, lost.told), (FoundCa::Nothing, None));
            assert!(lost.why.contains("systems have registered") && lost.why.contains("kickstand ca accept"));
            assert!(!path.exists());
        }
        let accepted = KnownCa { any: true, ..known };
        let nowhere = Path::new("/proc/self/nowhere/ca.key");
        let Found::Lost(lost) = find(nowhere, &accepted, now) else { panic!("their keys would travel in clear") };
        assert_eq!(lost.found, FoundCa::Unusable);
        assert!(matches!(find(&path, &accepted, now), Found::Made(_)));
        assert!(matches!(find(&path, &known, now), Found::Ours(_)), "it is there");
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

    #[tokio::test]
    async fn a_ca_is_accepted_in_the_place_of_the_one_that_was_seen_alone() {
        let store = Store::in_memory().await.unwrap();
        let [one, two, three] = [1, 2, 3].map(|n| Some(Hash([n; 32])));
        let accept = async |from, ca| store.edit(Edit::AcceptCa { from, ca }, "ops", SystemTime::now().into()).await;
        accept(None, one).await.unwrap();
        accept(one, two).await.unwrap();
        accept(one, two).await.unwrap();
        assert!(accept(one, three).await.is_err() && accept(one, None).await.is_err(), "it changed since");
        assert_eq!(store.known_ca().await.unwrap(), KnownCa { told: two, ..KnownCa::default() });
        accept(two, None).await.unwrap();
        assert_eq!(store.known_ca().await.unwrap(), KnownCa { any: true, ..KnownCa::default() });
        assert_eq!(keep(&store, Path::new("ca.key"), three.unwrap()).await.unwrap(), None);
        assert_eq!(store.known_ca().await.unwrap(), KnownCa { told: three, ..KnownCa::default() });
        store.close().await;
    }
}
