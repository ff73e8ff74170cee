//! On a system that Kickstand did not install: `register --server --key`, `status` and `unregister`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Serialize;

use crate::client::{self, Client};
use crate::register::{self, Known, Places, Settings};
use crate::retry::{Failure, Patience, retry};
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
    let aside = Aside::put(places)?;
    let joined = join(patience, places, wish, inventory);
    aside.settle(places)?;
    joined
}

/// What an earlier registration makes of it; none where the keys are to say who this is.
fn before(patience: Patience, places: &Places, wish: &Wish, inventory: Inventory) -> Option<Result<String, Error>> {
    // What is damaged says nothing; it is kept until something better is there.
    let Known { identity, .. } = places.identity.exists().then(|| register::known(&places.identity).ok()).flatten()?;
    let settings = register::settings(&places.settings).ok().flatten();
    if settings.is_none_or(|settings| settings.server.trim_end_matches('/') != wish.server.trim_end_matches('/')) {
        return Some(Err(Error::Elsewhere { server: elsewhere(places), name: identity.name }));
    }
    match register::run(patience, places, inventory) {
        // A backup brought an old identity back, or the machine was replaced meanwhile.
        Err(register::Error::Refused(error)) if error.status() == Some(401) => None,
        Ok(said) => Some(Ok(said + "; the key was not used")),
        Err(error) => Some(Err(error.into())),
    }
}

/// An identity that is of no use, until there is another.
struct Aside(Option<PathBuf>);

impl Aside {
    fn put(places: &Places) -> Result<Aside, Error> {
        let path = places.identity.with_extension("json.old");
        match fs::rename(&places.identity, &path) {
            Ok(()) => Ok(Aside(Some(path))),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Aside(None)),
            Err(cause) => Err(Error::Remove { path: places.identity.clone(), cause }),
        }
    }

    fn settle(self, places: &Places) -> Result<(), Error> {
        let Aside(Some(path)) = self else { return Ok(()) };
        let ended = if places.identity.exists() { fs::remove_file(&path) } else { fs::rename(&path, &places.identity) };
        ended.map_err(|cause| Error::Remove { path, cause })
    }
}

fn join(patience: Patience, places: &Places, wish: &Wish, inventory: Inventory) -> Result<String, Error> {
    let server = wish.server.trim_end_matches('/').to_owned();
    let before = register::settings(&places.settings).ok().flatten();
    let ca = trusted(patience, &server, wish)?;
    // Chosen by an attempt whose answer was lost: the server knows it as the same one again.
    let credential = before.as_ref().filter(|settings| settings.server == server).and_then(|s| s.credential.clone());
    let settings = Settings { server, ca, key: Some(wish.keys.clone()), credential, name: wish.name.clone() };
    let old = fs::read(&places.settings).ok();
    register::write(&places.settings, &settings)?;
    let ended = register::run(patience, places, inventory);
    // Where the server may have let it in, the next attempt must bring the same credential.
    let was_refused = matches!(&ended, Err(register::Error::Refused(_) | register::Error::BadCa { .. }));
    if was_refused && !places.identity.exists() {
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

/// The CA by which the server is known, as PEM; none where nothing is encrypted.
fn trusted(patience: Patience, server: &str, wish: &Wish) -> Result<Option<String>, Error> {
    let url = || server.to_owned();
    let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.contains(['/', '@', '?', '#', ' '])) {
        return Err(Error::Address { url: url() });
    }
    match (server.starts_with("http://"), &wish.ca, &wish.fingerprint) {
        (true, _, _) if wish.is_insecure => Ok(None),
        (true, _, _) => Err(Error::InTheClear { url: url() }),
        (false, Some(path), _) => {
            let unreadable = |cause| register::Error::Read { path: path.clone(), cause };
            let pem = fs::read_to_string(path).map_err(unreadable)?;
            Client::new(Some(&pem)).map_err(|cause| Error::NoCertificate { path: path.clone(), cause })?;
            Ok(Some(pem))
        }
        (false, None, Some(fingerprint)) => fetched(patience, server, fingerprint).map(Some),
        (false, None, None) => Err(Error::NoCa { url: url() }),
    }
}

/// Anybody may have answered: it is believed for its fingerprint alone.
fn fetched(patience: Patience, server: &str, fingerprint: &str) -> Result<String, Error> {
    let wanted = fingerprint.trim().trim_start_matches("sha256:").replace(':', "").to_lowercase();
    if wanted.len() != 64 || !wanted.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(Error::BadFingerprint(fingerprint.to_owned()));
    }
    let url = format!("{server}/ca.pem");
    let client = Client::of_nobody();
    let fetch = || {
        let mut response = client.get(&url, &[])?;
        response.body_mut().read_to_string().map_err(|error| Failure::Again(client::unreachable(&url, &error)))
    };
    let pem = retry(patience, fetch).map_err(|failure| match failure {
        Failure::Again(error) => register::Error::Away(error),
        Failure::Final(error) => register::Error::Refused(error),
    })?;
    let seen = CertificateDer::from_pem_slice(pem.as_bytes()).map(|der| {
        let digest = ring::digest::digest(&ring::digest::SHA256, &der);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    let seen = seen.unwrap_or_else(|_| "no certificate".to_owned());
    match seen == wanted {
        // What else may stand in the file was in no fingerprint.
        true => Ok(first_certificate(&pem)),
        false => Err(Error::OtherCa { url: server.to_owned(), seen }),
    }
}

fn first_certificate(pem: &str) -> String {
    let mut lines = Vec::new();
    for line in pem.lines().skip_while(|line| !line.starts_with("-----BEGIN CERTIFICATE")) {
        lines.push(line);
        if line.starts_with("-----END CERTIFICATE") {
            break;
        }
    }
    lines.join("\n") + "\n"
}

/// Who this system is to its server.
#[derive(Debug, Serialize)]
pub struct Status {
    pub registered: bool,
    pub name: Option<String>,
    pub system_id: Option<String>,
    pub server: Option<String>,
    /// Seconds since it last heard from the server.
    pub last_contact_secs: Option<u64>,
    /// Whether it asks the server by itself, again and again.
    pub timer: bool,
}

pub fn status(places: &Places, now: SystemTime) -> Result<Status, Error> {
    // Whether it is there, only root can see.
    let unreadable = |cause| register::Error::Read { path: places.identity.clone(), cause };
    let is_there = places.identity.try_exists().map_err(unreadable)?;
    let known = if is_there { Some(register::known(&places.identity)?) } else { None };
    let settings = register::settings(&places.settings)?;
    let heard = fs::metadata(places.contact()).and_then(|file| file.modified()).ok();
    let age = heard.and_then(|at| now.duration_since(at).ok()).map(|age| age.as_secs());
    let identity = known.map(|known| known.identity);
    Ok(Status {
        registered: identity.is_some(),
        name: identity.as_ref().map(|identity| identity.name.clone()),
        system_id: identity.map(|identity| identity.system_id),
        server: settings.map(|settings| settings.server),
        last_contact_secs: age,
        timer: places.timer.exists(),
    })
}

impl Status {
    /// For people, a line each.
    pub fn lines(&self) -> String {
        let Some(name) = self.name.as_ref().filter(|_| self.registered) else {
            return "not registered: `kickstand-agent register --server URL --key KEY`".to_owned();
        };
        let or = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
        let contact = self.last_contact_secs.map_or("never".to_owned(), |secs| match secs {
            0..120 => format!("{secs} s ago"),
            120..7200 => format!("{} min ago", secs / 60),
            _ => format!("{} h ago", secs / 3600),
        });
        let timer = if self.timer { "on" } else { "off" };
        format!(
            "registered as  {name}\nsystem id      {}\nserver         {}\nlast contact   {contact}\ntimer          {timer}",
            or(&self.system_id),
            or(&self.server),
        )
    }
}

/// Leaves the server, and forgets it here. The record stays there.
pub fn unregister(patience: Patience, places: &Places, is_forced: bool) -> Result<String, Error> {
    if !places.identity.exists() {
        return call_off(places, is_forced);
    }
    let Known { identity, credential, .. } = match register::known(&places.identity) {
        Err(_) if is_forced => {
            forget(places)?;
            return Ok("this system is unregistered; here alone: a record on the server is as it was".to_owned());
        }
        known => known?,
    };
    let mut left = "its record stays on the server";
    if is_forced {
        left = "here alone: its record on the server is as it was";
    } else {
        let settings = register::settings(&places.settings)?.ok_or(Error::NotRegistered)?;
        let client = register::client(places, &settings)?;
        let url = format!("{}/agent/unregister", settings.server.trim_end_matches('/'));
        match retry(patience, || client.post(&url, Some(&credential), &serde_json::json!({}))) {
            Ok(_) => {}
            // It left before, or was replaced.
            Err(Failure::Final(error)) if error.status() == Some(401) => {
                left = "here alone: its credential opened nothing on the server any more, whose record is as it was";
            }
            Err(Failure::Final(error)) => return Err(Error::NotLetGo(error)),
            Err(Failure::Again(error)) => return Err(Error::StillKnown(error)),
        }
    }
    forget(places)?;
    Ok(format!("{} ({}) is unregistered; {left}", identity.name, identity.system_id))
}

/// Nothing is registered, but something may have been begun: its key stays no longer than it is wanted.
fn call_off(places: &Places, is_forced: bool) -> Result<String, Error> {
    let has_key = match register::settings(&places.settings) {
        Ok(settings) => settings.is_some_and(|settings| settings.key.is_some()),
        Err(_) if is_forced => true,
        Err(error) => return Err(error.into()),
    };
    if !has_key {
        return Err(Error::NotRegistered);
    }
    forget(places)?;
    Ok("this system was not registered yet; what was begun is called off, and its key is forgotten".to_owned())
}

fn forget(places: &Places) -> Result<(), Error> {
    for path in [&places.identity, &places.settings, &places.contact()] {
        match fs::remove_file(path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Remove { path: path.clone(), cause });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::{ScriptedServer, answer};
    use crate::retry::tests::BRISK;
    use std::time::Duration;

    const IDENTITY: &str = r#"{"system_id":"s-1","name":"node1"}"#;

    fn places(folder: &Path) -> Places {
        let (settings, identity) = (folder.join("agent.json"), folder.join("lib/identity.json"));
        Places { settings, identity, timer: folder.join("timer"), programs: vec![folder.join("bin")] }
    }

    fn wish(server: &str) -> Wish {
        Wish { server: server.into(), keys: "web.00,db.11".into(), is_insecure: true, ..Wish::default() }
    }

    fn join(folder: &Path, wish: &Wish) -> Result<String, Error> {
        run(BRISK, &places(folder), wish, Inventory::default())
    }

    #[test]
    fn a_system_joins_once_and_a_repeat_only_tells_its_inventory() {
        let folder = tempfile::tempdir().unwrap();
        let server = ScriptedServer::start(vec![answer("200 OK", IDENTITY), answer("204 No Content", "")]);
        let named = Wish { name: Some("db1".into()), ..wish(&server.url) };
        assert_eq!(join(folder.path(), &named).unwrap(), "registered as node1 (s-1)");
        let again = join(folder.path(), &named).unwrap();
        assert!(again.contains("node1 (s-1) is registered") && again.contains("the key was not used"), "{again}");
        let asked = server.asked();
        assert!(asked[0].contains(r#""key":"web.00,db.11""#) && asked[0].contains(r#""name":"db1""#), "{}", asked[0]);
        assert!(asked[1].starts_with("POST /agent/inventory "));
        let kept = fs::read_to_string(places(folder.path()).settings).unwrap();
        assert!(!kept.contains("web.00") && !kept.contains("db1"), "{kept}");
        let other = join(folder.path(), &wish("http://127.0.0.1:1")).unwrap_err().to_string();
        assert!(other.contains("registered with") && other.contains("unregister"), "{other}");
    }

    #[test]
    fn a_refusal_leaves_everything_as_it_was_and_a_lost_answer_keeps_the_credential() {
        let folder = tempfile::tempdir().unwrap();
        let server = ScriptedServer::start(vec![
            answer("403 Forbidden", "web1 is registered already"),
            answer("200 OK", "cut off"),
            answer("200 OK", IDENTITY),
        ]);
        let refused = join(folder.path(), &wish(&server.url)).unwrap_err();
        assert!(refused.to_string().contains("registered already"), "{refused}");
        assert!(!places(folder.path()).settings.exists());
        fs::write(places(folder.path()).settings, r#"{"server":"http://old"}"#).unwrap();
        let brief = Patience { total: Duration::from_millis(10), ..BRISK };
        let away = run(brief, &places(folder.path()), &wish("http://127.0.0.1:1"), Inventory::default()).unwrap_err();
        assert!(away.is_temporary(), "{away}");
        assert!(join(folder.path(), &wish(&server.url)).is_err(), "no identity");
        join(folder.path(), &wish(&server.url)).unwrap();
        let credential = |asked: &str| asked.split_once("\"credential\":\"").map(|(_, rest)| rest[..64].to_owned());
        let asked = server.asked();
        assert!(
            credential(&asked[1]).is_some() && credential(&asked[1]) == credential(&asked[2]),
            "it may be in already"
        );
    }

    #[test]
    fn an_identity_that_opens_nothing_gives_way_to_the_key_and_comes_back_if_that_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let other = r#"{"system_id":"s-2","name":"node2"}"#;
        let server = ScriptedServer::start(vec![
            answer("200 OK", IDENTITY),
            answer("401 Unauthorized", "this credential opens nothing"),
            answer("403 Forbidden", "this key opens nothing"),
            answer("401 Unauthorized", "this credential opens nothing"),
            answer("200 OK", other),
        ]);
        join(folder.path(), &wish(&server.url)).unwrap();
        let identity = places(folder.path()).identity;
        let before = fs::read_to_string(&identity).unwrap();
        let refused = join(folder.path(), &wish(&server.url)).unwrap_err().to_string();
        assert!(refused.contains("this key opens nothing"), "{refused}");
        assert_eq!(fs::read_to_string(&identity).unwrap(), before, "what was refused changes nothing");
        assert_eq!(join(folder.path(), &wish(&server.url)).unwrap(), "registered as node2 (s-2)");
        assert_eq!(fs::read_dir(identity.parent().unwrap()).unwrap().count(), 2, "identity and contact alone");
    }

    #[test]
    fn damaged_files_are_no_dead_end() {
        let folder = tempfile::tempdir().unwrap();
        let server = ScriptedServer::start(vec![answer("200 OK", IDENTITY), answer("200 OK", IDENTITY)]);
        let places = places(folder.path());
        for damaged in [&places.settings, &places.identity] {
            fs::create_dir_all(damaged.parent().unwrap()).unwrap();
            fs::write(damaged, "").unwrap();
            let told = unregister(BRISK, &places, false).unwrap_err().to_string();
            assert!(told.contains("unregister --force"), "{told}");
            unregister(BRISK, &places, true).unwrap();
            assert!(!damaged.exists());
            fs::write(damaged, "").unwrap();
            join(folder.path(), &wish(&server.url)).unwrap();
            unregister(BRISK, &places, true).unwrap();
        }
    }

    #[test]
    fn what_was_begun_can_be_called_off_and_its_key_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        assert!(matches!(unregister(BRISK, &places, false), Err(Error::NotRegistered)));
        let brief = Patience { total: Duration::from_millis(10), ..BRISK };
        let away = run(brief, &places, &wish("http://127.0.0.1:1"), Inventory::default()).unwrap_err();
        assert!(away.is_temporary() && fs::read_to_string(&places.settings).unwrap().contains("web.00"), "{away}");
        let told = unregister(BRISK, &places, false).unwrap();
        assert!(told.contains("called off") && !places.settings.exists(), "{told}");
    }

    #[test]
    fn a_file_that_is_no_ca_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("passwd");
        fs::write(&file, "root:x:0:0").unwrap();
        let wish = Wish { ca: Some(file), is_insecure: false, ..wish("https://127.0.0.1:1") };
        let told = join(folder.path(), &wish).unwrap_err().to_string();
        assert!(told.contains("passwd") && told.contains("kickstand ca show"), "{told}");
        assert!(!places(folder.path()).settings.exists());
    }

    #[test]
    fn no_key_goes_to_who_can_not_be_known() {
        let folder = tempfile::tempdir().unwrap();
        let server = ScriptedServer::start(vec![answer("200 OK", IDENTITY)]);
        let plain = Wish { is_insecure: false, ..wish(&server.url) };
        assert!(matches!(join(folder.path(), &plain), Err(Error::InTheClear { .. })));
        let secure = |fingerprint: Option<&str>| Wish {
            server: "https://127.0.0.1:1".into(),
            fingerprint: fingerprint.map(str::to_owned),
            ..plain.clone()
        };
        assert!(matches!(join(folder.path(), &secure(None)), Err(Error::NoCa { .. })));
        assert!(matches!(join(folder.path(), &secure(Some("00"))), Err(Error::BadFingerprint(_))));
        for bad in ["", "10.0.0.1", "ftp://x", "https://", "https://a/b", "https://u@h"] {
            let wish = Wish { server: bad.into(), ..plain.clone() };
            assert!(matches!(join(folder.path(), &wish), Err(Error::Address { .. })), "{bad}");
        }
        assert!(server.asked().is_empty() && !places(folder.path()).settings.exists());
    }

    #[test]
    fn who_is_registered_says_so_and_can_leave() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        let status = |places: &Places| super::status(places, SystemTime::now()).unwrap();
        assert!(!status(&places).registered);
        assert!(matches!(unregister(BRISK, &places, false), Err(Error::NotRegistered)));
        let server = ScriptedServer::start(vec![
            answer("200 OK", IDENTITY),
            answer("409 Conflict", "it is armed"),
            answer("204 No Content", ""),
        ]);
        join(folder.path(), &wish(&server.url)).unwrap();
        let now = status(&places);
        assert_eq!((now.registered, now.name.as_deref(), now.timer), (true, Some("node1"), false));
        assert!(now.last_contact_secs.is_some_and(|secs| secs < 60));
        assert!(now.lines().contains("registered as  node1"), "{}", now.lines());
        assert!(unregister(BRISK, &places, false).unwrap_err().to_string().contains("it is armed"));
        assert!(status(&places).registered);
        unregister(BRISK, &places, false).unwrap();
        assert!(server.asked()[2].starts_with("POST /agent/unregister "));
        assert!(!places.settings.exists() && !status(&places).registered);
    }

    #[test]
    fn where_the_server_is_away_only_force_forgets() {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        let server = ScriptedServer::start(vec![answer("200 OK", IDENTITY)]);
        join(folder.path(), &wish(&server.url)).unwrap();
        drop(server);
        let brief = Patience { total: Duration::from_millis(10), ..BRISK };
        let away = unregister(brief, &places, false).unwrap_err().to_string();
        assert!(away.contains("still knows") && away.contains("--force"), "{away}");
        assert!(places.identity.exists());
        unregister(brief, &places, true).unwrap();
        assert!(!places.identity.exists());
    }
}
