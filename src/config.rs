//! kickstand.toml: the settings as written, and the settings as needed. Every error names the line.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// What `kickstand init` writes: every setting, its default and what it is for.
pub const EXAMPLE: &str = include_str!("../docs/kickstand.toml");
pub const DEFAULT_PATH: &str = "/etc/kickstand/kickstand.toml";
/// Where the database is no file.
pub const DEFAULT_KEY_FILE: &str = "/var/lib/kickstand/secret.key";
pub const DEFAULT_SOCKET: &str = "/run/kickstand/kickstand.sock";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}; `kickstand init` writes one", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}:{line}: {text}", path.display())]
    Malformed { path: PathBuf, line: usize, text: String },
    #[error("{} exists already: move it away, or edit it", path.display())]
    Exists { path: PathBuf },
    #[error("cannot write {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
}

/// The settings as the server needs them.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `sqlite:///…/kickstand.db` or `postgres://…`.
    pub database: String,
    /// Kernels, initrds and images that machines fetch.
    pub files: PathBuf,
    /// Boot loaders, by file name; the first folder that has it.
    pub loaders: Vec<PathBuf>,
    /// The operator's own templates/ and pxe/.
    pub templates: PathBuf,
    pub socket: PathBuf,
    pub dhcp: Dhcp,
    pub tftp_port: u16,
    pub tftp: Tftp,
    pub http_port: u16,
    pub http: Http,
    pub https: Https,
    pub secrets: Secrets,
    pub answers: Answers,
    pub cobbler: Cobbler,
    /// Addresses for TFTP and HTTP: those of the DHCP interfaces where no IPv4 address is named. IPv6 is for TFTP alone.
    pub listen: Vec<IpAddr>,
    pub log: String,
    pub log_json: bool,
    /// Without a file: an interface's own network is made a record when none holds its address.
    pub own_networks: bool,
}

/// Where DHCP is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Dhcp {
    /// Network interfaces: packets from others are never answered.
    pub interfaces: Vec<String>,
    pub port: u16,
    /// Whether DHCP is served at all.
    pub serve: bool,
    /// Addresses where relays reach this server: what they forward is answered there, and nothing else.
    pub relay_addresses: Vec<Ipv4Addr>,
    /// Another DHCP server on this host listens on the same port.
    pub share_port: bool,
    /// An address to bind instead of interfaces, where replies go back to their sender: for tests on
    /// loopback, without root.
    pub address: Option<SocketAddr>,
}

/// What TFTP clients may have.
#[derive(Debug, Clone, PartialEq)]
pub struct Tftp {
    /// At once.
    pub transfers: usize,
    /// The same for one address.
    pub per_client: usize,
    /// The largest block, in bytes.
    pub max_block: u16,
    /// The largest window, in blocks.
    pub max_window: u16,
    /// Where files are sent from, the first port and the last; any free one where none is named.
    pub ports: Option<(u16, u16)>,
}

/// How much HTTP may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Http {
    /// Connections at once, in all and from one address.
    pub connections: usize,
    pub connections_each: usize,
    /// How long a client may take no byte of an answer.
    pub stalled_secs: u32,
}

/// By a certificate of the appliance's own CA, or the operator's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Https {
    /// Whether HTTPS is served at all.
    pub serve: bool,
    pub port: u16,
    /// Names of this server beside its addresses and its host's name.
    pub names: Vec<String>,
    /// None: `ca.key` beside the key of secrets.
    pub ca_key_file: Option<PathBuf>,
    /// The operator's, PEM: the server's own first, then those that lead to the CA.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// The CA that certified it: answer files carry it.
    pub ca: Option<PathBuf>,
}

/// What seals secret variables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Secrets {
    /// None: `secret.key` beside the database.
    pub key_file: Option<PathBuf>,
}

/// For clients of Cobbler: nothing of it is there unless it is switched on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cobbler {
    pub serve: bool,
    /// Whether systems may announce themselves.
    pub register: bool,
    /// Where logs of installers are kept; none: they are not taken.
    pub logs: Option<PathBuf>,
}

/// How long a boot's token opens its answer file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answers {
    /// From the boot script until it is first used.
    pub unused_secs: u32,
    /// From its first use.
    pub used_secs: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            database: "sqlite:///var/lib/kickstand/kickstand.db".into(),
            files: "/var/lib/kickstand/files".into(),
            loaders: vec!["/var/lib/kickstand/loaders".into(), "/usr/lib/ipxe".into()],
            templates: "/etc/kickstand".into(),
            socket: DEFAULT_SOCKET.into(),
            dhcp: Dhcp {
                interfaces: Vec::new(),
                port: 67,
                serve: true,
                relay_addresses: Vec::new(),
                share_port: false,
                address: None,
            },
            tftp_port: 69,
            tftp: Tftp { transfers: 16_384, per_client: 8, max_block: 1468, max_window: 64, ports: None },
            http_port: 80,
            http: Http { connections: 8192, connections_each: 256, stalled_secs: 60 },
            https: Https { serve: true, port: 443, ..Https::default() },
            secrets: Secrets::default(),
            answers: Answers { unused_secs: 3600, used_secs: 900 },
            cobbler: Cobbler::default(),
            listen: Vec::new(),
            log: "info".into(),
            log_json: false,
            own_networks: false,
        }
    }
}

impl Config {
    /// Reads a file. What it does not set keeps its default.
    pub fn read(path: &Path) -> Result<Config, Error> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
        Config::parse(&text, path)
    }

    /// `path` is for error messages only.
    pub fn parse(text: &str, path: &Path) -> Result<Config, Error> {
        let written: Written = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
            Error::Malformed { path: path.to_owned(), line, text: e.message().to_owned() }
        })?;
        Ok(written.needed())
    }

    /// Writes the example where no file is yet.
    pub fn init(path: &Path) -> Result<(), Error> {
        use std::io::Write;
        let unwritable = |source| Error::Unwritable { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(unwritable)?;
        }
        match std::fs::File::options().write(true).create_new(true).open(path) {
            Ok(mut file) => file.write_all(EXAMPLE.as_bytes()).map_err(unwritable),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(Error::Exists { path: path.to_owned() }),
            Err(source) => Err(unwritable(source)),
        }
    }
}

/// The file as written: every section and every setting may be absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    database: Database,
    server: Server,
    dhcp: WrittenDhcp,
    tftp: WrittenTftp,
    http: WrittenHttp,
    https: WrittenHttps,
    secrets: WrittenSecrets,
    answers: WrittenAnswers,
    cobbler: WrittenCobbler,
    log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Database {
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Server {
    files: Option<PathBuf>,
    loaders: Option<Vec<PathBuf>>,
    templates: Option<PathBuf>,
    socket: Option<PathBuf>,
    listen: Option<Vec<IpAddr>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenDhcp {
    interfaces: Option<Vec<String>>,
    port: Option<u16>,
    serve: Option<bool>,
    relay_addresses: Option<Vec<Ipv4Addr>>,
    share_port: Option<bool>,
    address: Option<IpAddr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenTftp {
    port: Option<u16>,
    transfers: Option<AtLeast<1>>,
    per_client: Option<AtLeast<1>>,
    max_block: Option<AtLeast<512>>,
    max_window: Option<Window>,
    ports: Option<Ports>,
}

/// A number that means something.
#[derive(Debug, Clone, Copy)]
struct AtLeast<const LEAST: u16, N = u16>(N);

impl<'de, const LEAST: u16, N: Deserialize<'de> + PartialOrd + From<u16>> Deserialize<'de> for AtLeast<LEAST, N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = N::deserialize(from)?;
        if number < N::from(LEAST) {
            Err(D::Error::custom(format!("must be {LEAST} or more")))
        } else {
            Ok(AtLeast(number))
        }
    }
}

/// In blocks: what `tftp::options` agrees to at most, far below half of the numbers that blocks have.
const MAX_WINDOW: u16 = 1024;

/// In blocks.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u16")]
struct Window(u16);

impl TryFrom<u16> for Window {
    type Error = String;

    fn try_from(number: u16) -> Result<Self, String> {
        let all = 1..=MAX_WINDOW;
        if all.contains(&number) { Ok(Window(number)) } else { Err(format!("must be 1 to {MAX_WINDOW}")) }
    }
}

/// `40000-40003`; an empty text means any.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Ports(Option<(u16, u16)>);

impl TryFrom<String> for Ports {
    type Error = String;

    fn try_from(text: String) -> Result<Ports, String> {
        if text.is_empty() {
            return Ok(Ports(None));
        }
        let pair = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        match pair {
            Some((first, last)) if first > 0 && first < last => Ok(Ports(Some((first, last)))),
            _ => Err(format!("{text:?} is no range of two ports or more, such as \"40000-40003\"")),
        }
    }
}

impl WrittenTftp {
    fn needed(&self, usual: Tftp) -> Tftp {
        Tftp {
            transfers: self.transfers.map_or(usual.transfers, |number| number.0.into()),
            per_client: self.per_client.map_or(usual.per_client, |number| number.0.into()),
            max_block: self.max_block.map_or(usual.max_block, |number| number.0),
            max_window: self.max_window.map_or(usual.max_window, |number| number.0),
            ports: self.ports.as_ref().map_or(usual.ports, |ports| ports.0),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenHttp {
    port: Option<u16>,
    connections: Option<AtLeast<1, usize>>,
    connections_each: Option<AtLeast<1, usize>>,
    stalled_secs: Option<AtLeast<5, u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenHttps {
    serve: Option<bool>,
    port: Option<u16>,
    names: Option<Vec<String>>,
    ca_key_file: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    ca: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenSecrets {
    key_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenAnswers {
    unused_secs: Option<AtLeast<60, u32>>,
    used_secs: Option<AtLeast<60, u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenCobbler {
    serve: Option<bool>,
    register: Option<bool>,
    logs: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Log {
    level: Option<String>,
    json: Option<bool>,
}

impl Written {
    fn needed(self) -> Config {
        let usual = Config::default();
        let port = self.dhcp.port.unwrap_or(usual.dhcp.port);
        Config {
            database: self.database.url.unwrap_or(usual.database),
            files: self.server.files.unwrap_or(usual.files),
            loaders: self.server.loaders.unwrap_or(usual.loaders),
            templates: self.server.templates.unwrap_or(usual.templates),
            socket: self.server.socket.unwrap_or(usual.socket),
            https: Https {
                serve: self.https.serve.unwrap_or(usual.https.serve),
                port: self.https.port.unwrap_or(usual.https.port),
                names: self.https.names.unwrap_or_default(),
                ca_key_file: self.https.ca_key_file,
                certificate: self.https.certificate,
                key: self.https.key,
                ca: self.https.ca,
            },
            secrets: Secrets { key_file: self.secrets.key_file },
            answers: Answers {
                unused_secs: self.answers.unused_secs.map_or(usual.answers.unused_secs, |secs| secs.0),
                used_secs: self.answers.used_secs.map_or(usual.answers.used_secs, |secs| secs.0),
            },
            cobbler: Cobbler {
                serve: self.cobbler.serve.unwrap_or(usual.cobbler.serve),
                register: self.cobbler.register.unwrap_or(usual.cobbler.register),
                logs: self.cobbler.logs,
            },
            listen: self.server.listen.unwrap_or(usual.listen),
            dhcp: Dhcp {
                interfaces: self.dhcp.interfaces.unwrap_or_default(),
                port,
                serve: self.dhcp.serve.unwrap_or(usual.dhcp.serve),
                relay_addresses: self.dhcp.relay_addresses.unwrap_or_default(),
                share_port: self.dhcp.share_port.unwrap_or(usual.dhcp.share_port),
                address: self.dhcp.address.map(|ip| SocketAddr::new(ip, port)),
            },
            tftp_port: self.tftp.port.unwrap_or(usual.tftp_port),
            tftp: self.tftp.needed(usual.tftp),
            http_port: self.http.port.unwrap_or(usual.http_port),
            http: Http {
                connections: self.http.connections.map_or(usual.http.connections, |number| number.0),
                connections_each: self.http.connections_each.map_or(usual.http.connections_each, |number| number.0),
                stalled_secs: self.http.stalled_secs.map_or(usual.http.stalled_secs, |number| number.0),
            },
            log: self.log.level.unwrap_or(usual.log),
            log_json: self.log.json.unwrap_or(usual.log_json),
            own_networks: usual.own_networks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_says_the_defaults() {
        assert_eq!(Config::parse(EXAMPLE, Path::new("kickstand.toml")).unwrap(), Config::default());
    }

    #[test]
    fn an_error_names_its_line() {
        let text = "[dhcp]\ninterfaces = [\"eth1\"]\nporte = 67\n";
        let error = Config::parse(text, Path::new("kickstand.toml")).unwrap_err().to_string();
        assert!(error.starts_with("kickstand.toml:3: unknown field `porte`"), "{error}");
    }

    #[test]
    fn limits_that_mean_nothing_are_refused() {
        let read = |text: &str| Config::parse(text, Path::new("kickstand.toml"));
        let parse = |line: &str| read(&format!("[tftp]\n{line}\n"));
        for line in [
            "[tftp]\nmax_block = 511",
            "[tftp]\ntransfers = 0",
            "[tftp]\nper_client = 0",
            "[http]\nconnections = 0",
            "[http]\nconnections_each = 0",
            "[http]\nstalled_secs = 4",
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.starts_with("kickstand.toml:2: ") && error.contains("or more"), "{line}: {error}");
        }
        let http = read("[http]\nconnections = 100000\nconnections_each = 1\nstalled_secs = 5").unwrap().http;
        assert_eq!(http, Http { connections: 100_000, connections_each: 1, stalled_secs: 5 });
        for window in [0, 1025] {
            assert!(
                parse(&format!("max_window = {window}")).unwrap_err().to_string().contains("1 to 1024"),
                "{window}"
            );
        }
        assert_eq!(parse("max_window = 1024").unwrap().tftp.max_window, 1024);
        for ports in ["40000", "5-4", "5-5", "0-5", "a-b", "40000-70000"] {
            assert!(
                parse(&format!("ports = \"{ports}\"")).unwrap_err().to_string().contains("range of two ports"),
                "{ports}"
            );
        }
        assert_eq!(parse("ports = \"40000-40003\"").unwrap().tftp.ports, Some((40_000, 40_003)));
    }
}
