//! On the installed system: turns the single-use key into an identity, once, and tells the inventory at each boot.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::client::{self, Client};
use crate::packages;
use crate::retry::{Failure, Patience, retry};
use crate::wire::{Identity, Inventory, Registration};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {cause}")]
    Read { path: PathBuf, cause: io::Error },
    #[error(
        "{path} is not what it should be: {cause}\nRestore the file, or join anew: `kickstand-agent unregister --force`, then `kickstand-agent register --server URL --key KEY`."
    )]
    Malformed { path: PathBuf, cause: serde_json::Error },
    #[error("{path}: {cause}\nPut the CA of the server there, as `kickstand ca show --pem` prints it.")]
    BadCa { path: PathBuf, cause: client::Error },
    #[error("cannot write {path}: {cause}")]
    Write { path: PathBuf, cause: io::Error },
    #[error(
        "{path} holds no key and there is no identity: this system was registered once and its identity is lost.\nArm the machine on the server and install it again."
    )]
    NoKey { path: PathBuf },
    #[error("the server does not register this machine: {0}")]
    Refused(client::Error),
    #[error("the server did not answer: {0}")]
    Away(client::Error),
    #[error("the server's answer is not an identity: {0}")]
    Answer(serde_json::Error),
}

impl Error {
    /// Whether the same attempt may succeed later, so that the service manager tries again.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Error::Away(_))
    }

    /// The identity says nothing: it is damaged, or the server knows it no more (a backup, a machine that was replaced).
    pub(crate) fn is_unknown(&self) -> bool {
        match self {
            Error::Refused(error) => error.status() == Some(401),
            Error::Malformed { .. } => true,
            _ => false,
        }
    }
}

/// `agent.json`, which the installer leaves: where the server is, and the key until it is spent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub server: String,
    /// By which an https:// server is known, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Chosen before the key is spent, so that a repeat is known as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// What it wishes to be called, until it is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `identity.json`: who this system is from now on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    #[serde(flatten)]
    pub identity: Identity,
    pub credential: String,
}

/// Where things are: elsewhere in tests.
pub struct Places {
    pub settings: PathBuf,
    pub identity: PathBuf,
    /// There while the timer of check-ins is enabled.
    pub timer: PathBuf,
    /// Where package managers are looked for.
    pub programs: Vec<PathBuf>,
}

impl Places {
    /// Below a folder, where no package manager and no timer is.
    pub fn below(folder: &Path) -> Places {
        Places {
            settings: folder.join("agent.json"),
            identity: folder.join("identity.json"),
            timer: folder.join("timer"),
            programs: vec![folder.join("bin")],
        }
    }

    /// Written whenever the server answered.
    pub fn contact(&self) -> PathBuf {
        self.identity.with_file_name("contact")
    }

    /// The server has answered: `status` tells when.
    pub fn heard(&self) {
        // For people alone: a full disk is no reason to fail.
        let _ = fs::write(self.contact(), "");
    }
}

impl Default for Places {
    fn default() -> Places {
        Places {
            settings: "/etc/kickstand/agent.json".into(),
            identity: "/var/lib/kickstand/identity.json".into(),
            timer: "/etc/systemd/system/timers.target.wants/kickstand-agent.timer".into(),
            programs: packages::folders(),
        }
    }
}

/// Registers this system unless it has an identity; then only tells the inventory. Where its identity opens nothing any more,
/// a key that is there, of a join whose answer was lost, makes another.
///
/// Called at each boot, and again when the power failed between any two of its steps. Gives a sentence for the log.
pub fn run(patience: Patience, places: &Places, inventory: Inventory) -> Result<String, Error> {
    let settings: Settings = read(&places.settings)?;
    if places.identity.exists() {
        match tell(patience, places, inventory.clone()) {
            Err(error) if error.is_unknown() && settings.key.is_some() => {}
            told => return told,
        }
    }
    enlist(patience, places, inventory)
}

/// As the system that it is: its inventory, and packages that are still to be installed.
pub(crate) fn tell(patience: Patience, places: &Places, inventory: Inventory) -> Result<String, Error> {
    let settings: Settings = read(&places.settings)?;
    let client = client(places, &settings)?;
    let known = known(&places.identity)?;
    let Identity { name, system_id, .. } = &known.identity;
    let said = format!("{name} ({system_id}) is registered; inventory sent");
    let packages = Telling::new(&client, patience, &settings).tell(places, known, inventory, true)?;
    // Not before: a key that is there may be of a join that this identity knows nothing of.
    forget_key(&places.settings, &settings)?;
    Ok(said + &packages)
}

/// By the key, whatever identity there was.
pub(crate) fn enlist(patience: Patience, places: &Places, inventory: Inventory) -> Result<String, Error> {
    let settings: Settings = read(&places.settings)?;
    let client = client(places, &settings)?;
    let key = settings.key.clone().ok_or_else(|| Error::NoKey { path: places.settings.clone() })?;
    let credential = credential(&places.settings, &settings)?;
    let url = format!("{}/agent/register", settings.server.trim_end_matches('/'));
    let name = settings.name.clone();
    let registration = Registration { key, credential: credential.clone(), inventory: inventory.clone(), name };
    let answer = ask(&client, patience, &url, None, &registration)?;
    let identity: Identity = serde_json::from_str(&answer).map_err(Error::Answer)?;
    let said = format!("registered as {} ({})", identity.name, identity.system_id);
    // The identity is on the disk before the key leaves it.
    let known = Known { identity, credential };
    write(&places.identity, &known)?;
    forget_key(&places.settings, &settings)?;
    places.heard();
    Telling::new(&client, patience, &settings).tell(places, known, inventory, false).map(|packages| said + &packages)
}

/// How a registered system tells what it is made of.
struct Telling<'a> {
    client: &'a Client,
    patience: Patience,
    url: String,
}

impl<'a> Telling<'a> {
    fn new(client: &'a Client, patience: Patience, settings: &Settings) -> Telling<'a> {
        Telling { client, patience, url: format!("{}/agent/inventory", settings.server.trim_end_matches('/')) }
    }

    /// Installs what is still to be installed, and tells how that went with the inventory; without any, the inventory where
    /// it is due. Interrupted, it begins again at the next boot: what is installed already costs nothing.
    fn tell(&self, places: &Places, mut known: Known, mut inventory: Inventory, is_due: bool) -> Result<String, Error> {
        let wanted = std::mem::take(&mut known.identity.packages);
        let mut said = String::new();
        if !wanted.is_empty() {
            let outcome = packages::install(&wanted, &places.programs);
            said = match outcome.error.as_str() {
                "" => format!("; packages installed: {}", wanted.join(", ")),
                error => format!("; packages were not installed: {error}"),
            };
            inventory.packages = Some(outcome);
        }
        if is_due || inventory.packages.is_some() {
            ask(self.client, self.patience, &self.url, Some(&known.credential), &inventory)?;
            places.heard();
        }
        if !wanted.is_empty() {
            write(&places.identity, &known)?;
        }
        Ok(said)
    }
}

pub(crate) fn client(places: &Places, settings: &Settings) -> Result<Client, Error> {
    Client::new(settings.ca.as_deref()).map_err(|cause| Error::BadCa { path: places.settings.clone(), cause })
}

pub(crate) fn known(path: &Path) -> Result<Known, Error> {
    read(path)
}

/// None where nobody wrote any.
pub(crate) fn settings(path: &Path) -> Result<Option<Settings>, Error> {
    if path.exists() { read(path).map(Some) } else { Ok(None) }
}

fn ask(
    client: &Client,
    patience: Patience,
    url: &str,
    bearer: Option<&str>,
    message: &impl Serialize,
) -> Result<String, Error> {
    retry(patience, || client.post(url, bearer, message)).map_err(|failure| match failure {
        Failure::Again(error) => Error::Away(error),
        Failure::Final(error) => Error::Refused(error),
    })
}

/// The credential to ask for: on the disk before it is sent, the same after a lost answer or a power cut.
fn credential(path: &Path, settings: &Settings) -> Result<String, Error> {
    if let Some(chosen) = &settings.credential {
        return Ok(chosen.clone());
    }
    let random = Path::new("/dev/urandom");
    let mut bytes = [0u8; 32];
    let read = fs::File::open(random).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|cause| Error::Read { path: random.to_owned(), cause })?;
    let chosen: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    write(path, &Settings { credential: Some(chosen.clone()), ..settings.clone() })?;
    Ok(chosen)
}

/// A spent key is of no use to anyone, but it is nobody's business either.
fn forget_key(path: &Path, settings: &Settings) -> Result<(), Error> {
    if settings.key.is_none() {
        return Ok(());
    }
    write(path, &Settings { key: None, credential: None, name: None, ..settings.clone() })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|cause| Error::Read { path: path.to_owned(), cause })?;
    serde_json::from_str(&text).map_err(|cause| Error::Malformed { path: path.to_owned(), cause })
}

/// Replaces the file as a whole, for root only; it is on the disk when this returns.
pub(crate) fn write(path: &Path, content: &impl Serialize) -> Result<(), Error> {
    let folder = path.parent().expect("both files live in a folder");
    let next = path.with_extension("json.new");
    let text = serde_json::to_string_pretty(content).expect("string keys only") + "\n";
    let replace = || {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&next, path)?;
        // The new name is durable only with its folder.
        fs::File::open(folder)?.sync_all()
    };
    replace().map_err(|cause| Error::Write { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::client::tests::{ScriptedServer, answer};
    use crate::retry::tests::BRISK;

    const IDENTITY: &str = r#"{"system_id":"s-1","name":"node1"}"#;
    const KNOWN: &str = r#"{"system_id":"s-1","name":"node1","credential":"secret"}"#;

    struct System {
        folder: tempfile::TempDir,
    }

    impl System {
        fn installed(server: &str) -> System {
            let system = System { folder: tempfile::tempdir().unwrap() };
            let settings = format!(r#"{{"server":"{server}","key":"k-1"}}"#);
            fs::write(system.places().settings, settings).unwrap();
            system
        }

        fn places(&self) -> Places {
            Places {
                settings: self.folder.path().join("agent.json"),
                identity: self.folder.path().join("lib/identity.json"),
                timer: self.folder.path().join("timer"),
                programs: vec![self.folder.path().join("bin")],
            }
        }

        fn boots(&self) -> Result<String, Error> {
            run(BRISK, &self.places(), Inventory::default())
        }

        fn settings(&self) -> String {
            fs::read_to_string(self.places().settings).unwrap()
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn registers_once_and_keeps_the_identity_instead_of_the_key() {
        let server = ScriptedServer::start(vec![
            answer("503 Starting", ""),
            answer("200 OK", IDENTITY),
            answer("204 No Content", ""),
        ]);
        let system = System::installed(&server.url);
        assert_eq!(system.boots().unwrap(), "registered as node1 (s-1)");
        assert!(!system.settings().contains("k-1"));
        assert_eq!(mode(&system.places().settings), 0o600);
        assert_eq!(mode(&system.places().identity), 0o600);

        system.boots().unwrap();
        let asked = server.asked();
        assert!(asked[1].starts_with("POST /agent/register ") && asked[1].contains(r#""key":"k-1""#));
        assert!(asked[2].starts_with("POST /agent/inventory "));
        let credential = asked[1].split(r#""credential":""#).nth(1).unwrap()[..64].to_owned();
        assert!(asked[2].to_lowercase().contains(&format!("authorization: bearer {credential}")));
        assert!(!system.settings().contains(&credential));
    }

    #[test]
    fn a_repeat_after_a_lost_answer_brings_the_same_credential() {
        let server = ScriptedServer::start(vec![answer("200 OK", "cut off"), answer("200 OK", IDENTITY)]);
        let system = System::installed(&server.url);
        assert!(system.boots().is_err());
        system.boots().unwrap();
        let asked = server.asked();
        let credential = |text: &String| text.split(r#""credential":""#).nth(1).unwrap()[..64].to_owned();
        assert_eq!(credential(&asked[0]), credential(&asked[1]));
    }

    #[test]
    fn a_refusal_is_final_and_changes_nothing() {
        let server = ScriptedServer::start(vec![answer("403 Forbidden", "key spent")]);
        let system = System::installed(&server.url);
        let error = system.boots().unwrap_err();
        assert!(matches!(error, Error::Refused(_)) && !error.is_temporary());
        assert!(error.to_string().ends_with("403: key spent"));
        assert!(system.settings().contains("k-1") && !system.places().identity.exists());
    }

    #[test]
    fn power_lost_before_the_key_was_forgotten_does_not_register_twice() {
        let server = ScriptedServer::start(vec![answer("204 No Content", "")]);
        let system = System::installed(&server.url);
        fs::create_dir(system.folder.path().join("lib")).unwrap();
        fs::write(system.places().identity, KNOWN).unwrap();
        system.boots().unwrap();
        assert!(server.asked()[0].starts_with("POST /agent/inventory "));
        assert!(!system.settings().contains("k-1"));
    }

    #[test]
    fn an_answer_that_is_no_identity_keeps_the_key() {
        let server = ScriptedServer::start(vec![answer("200 OK", "<html>hotel wifi</html>")]);
        let system = System::installed(&server.url);
        assert!(matches!(system.boots(), Err(Error::Answer(_))));
        assert!(system.settings().contains("k-1") && !system.places().identity.exists());
    }

    #[test]
    fn neither_key_nor_identity_says_what_to_do() {
        let system = System::installed("http://127.0.0.1:9");
        fs::write(system.places().settings, r#"{"server":"http://127.0.0.1:9"}"#).unwrap();
        assert!(system.boots().unwrap_err().to_string().contains("Arm the machine"));
    }
}
