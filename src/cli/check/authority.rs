//! What is wrong with the file of the CA: whether it can be read, by whom, and whether machines know it.

use crate::ca::{self, Authority};
use crate::config::{self, Config};
use crate::daemon::{certificates, key_place, own_file};
use crate::model::Hash;
use crate::store::{KnownCa, Store};
use std::path::Path;
use std::time::SystemTime;

/// Where the CA is the operator's, or none is needed, there is nothing to look at.
pub async fn complaints(config: &Config, now: SystemTime) -> Vec<String> {
    if !config.https.serve || config.https.certificate.is_some() {
        return Vec::new();
    }
    let key_file = key_place(config).file.unwrap_or_else(|| config::DEFAULT_KEY_FILE.into());
    let path = own_file(&config.https, &key_file);
    // Before the first start there is neither; a database that is away says so when the server starts.
    let known = Store::ca_of(&config.database).await.unwrap_or_default();
    of_file((&path, &key_file), known, now)
}

/// What is wrong with the operator's.
pub fn of_operators(path: &Path, now: SystemTime) -> Option<String> {
    certificates(path).err().map(|error| format!("{error:#}")).or_else(|| super::https(path, now))
}

fn of_file((path, key_file): (&Path, &Path), known: KnownCa, now: SystemTime) -> Vec<String> {
    let shown = path.display();
    let authority = match (Authority::read(path), known.told) {
        (Ok(authority), _) => authority,
        (Err(ca::Error::Missing { .. }), None) if known.registered && !known.any => {
            return vec![format!(
                "{shown} is not there, and systems have registered, which may know it: restore it from a backup; if there was none: `kickstand ca accept`"
            )];
        }
        (Err(ca::Error::Missing { .. }), None) => return Vec::new(),
        (Err(ca::Error::Missing { .. }), Some(known)) => {
            return vec![format!(
                "{shown} is not there, the CA that machines know (SHA-256 {known}): restore it from a backup"
            )];
        }
        (Err(error), _) => return vec![error.to_string()],
    };
    let found = Hash(authority.fingerprint());
    let mut complaints = ca::ill_kept(path, key_file);
    if let Some(known) = known.told.filter(|known| *known != found) {
        complaints.push(format!(
            "{shown} is another CA (SHA-256 {found}) than machines were told of (SHA-256 {known}): the right one is that which registered systems know, the `ca` in their agent.json: restore its file, or, if this one is meant, `kickstand ca accept`"
        ));
    }
    if authority.ends_at().is_some_and(|end| end < now + super::SOON) {
        complaints.push(format!("the CA {shown} ends soon: docs/https.md says how to replace it"));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    #[test]
    fn an_intermediate_that_is_named_for_a_root_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let [(_, root, _), (_, between, _)] = ca::testing::chain();
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            of_operators(&path, SystemTime::now())
        };
        assert!(said(&between).unwrap().contains("intermediate CAs alone"));
        assert!(said("nonsense").unwrap().contains("holds no certificate"));
        assert_eq!(said(&(between + &root)), None);
        std::fs::remove_file(&path).unwrap();
        assert!(of_operators(&path, SystemTime::now()).unwrap().contains("cannot read"));
    }

    #[test]
    fn each_fault_of_the_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ca::FILE);
        let now = SystemTime::now();
        let key_file = folder.path().join("secret.key");
        let of_file = |path: &Path, told: Option<Hash>, now| {
            of_file((path, &key_file), KnownCa { told, ..KnownCa::default() }, now)
        };
        assert_eq!(of_file(&path, None, now), Vec::<String>::new(), "it is made at the first start");
        assert!(of_file(&path, Some(Hash([7; 32])), now)[0].contains("is not there"));
        let registered = KnownCa { registered: true, ..KnownCa::default() };
        assert!(super::of_file((&path, &key_file), registered, now)[0].contains("systems have registered"));
        assert!(super::of_file((&path, &key_file), KnownCa { any: true, ..registered }, now).is_empty());
        let ours = Hash(Authority::open(&path, now).unwrap().0.fingerprint());
        assert_eq!(of_file(&path, Some(ours), now), Vec::<String>::new());
        assert_eq!(of_file(&path, None, now), Vec::<String>::new());
        let said = of_file(&path, Some(Hash([7; 32])), now).join("\n");
        assert!(said.contains(&ours.to_string()) && said.contains("kickstand ca accept"), "{said}");
        let later = now + Duration::from_secs(20 * 365 * 24 * 3600);
        assert!(of_file(&path, None, later).join("\n").contains("ends soon"));
        for mode in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(of_file(&path, Some(ours), now).join("\n").contains("chmod 600"), "{mode:o}");
        }
        std::fs::write(&path, "hunter2").unwrap();
        let said = of_file(&path, Some(ours), now).join("\n");
        assert!(said.contains("can not be used") && !said.contains("hunter2"), "{said}");
    }
}
