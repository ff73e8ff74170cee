//! What puts the agent onto a system that runs already: a script with all that it must believe.

use super::{Engine, Error};
use std::fmt::Write;

/// Everything but what differs from server to server.
const BODY: &str = include_str!("bootstrap.sh");
/// By the word of `uname -m`, and which files hold such an agent: the first that is there.
const AGENTS: &[(&str, &[&str])] =
    &[("x86_64", &["kickstand-agent-x86_64", "kickstand-agent"]), ("aarch64", &["kickstand-agent-aarch64"])];
/// Where the agent goes: the first folder that can be written.
const FOLDERS: &str = "/usr/local/sbin /usr/sbin /opt/bin";

/// An agent that systems can be given.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    pub architecture: &'static str,
    /// Its name below `agent/` in the files folder.
    pub file: &'static str,
    pub sha256: String,
}

/// All that a one-line command says of this server.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    pub script: String,
    /// `https://`, as systems reach it.
    pub server: String,
    /// The same by http://, for what is believed for its digest.
    pub plain: String,
    /// The CA as `/ca.pem` gives it.
    pub ca: String,
    pub agents: Vec<Agent>,
}

/// A host's name or address, and nothing that a shell or a URL would take for more.
pub fn is_host(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    !text.is_empty()
        && text.len() <= 253
        && text.chars().all(fits)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

impl Engine {
    /// For systems that reach this server by this name or address. Reads programs of some megabytes: not for the runtime's threads.
    pub fn bootstrap(&self, host: &str) -> Result<Bootstrap, Error> {
        if !is_host(host) {
            return Err(Error::Invalid(format!("{host:?} is no name or address of a server")));
        }
        let none = || {
            Error::Missing(
                "systems can not be told by what to know this server: HTTPS is not served, or [https] names a certificate and no ca"
                    .into(),
            )
        };
        let (trust, port) = (self.trust().ok_or_else(none)?, self.https_port.ok_or_else(none)?);
        let url = |scheme: &str, port: u16, usual: u16| match port == usual {
            true => format!("{scheme}://{host}"),
            false => format!("{scheme}://{host}:{port}"),
        };
        let (server, plain) = (url("https", port, 443), url("http", self.http_port, 80));
        let agents: Vec<Agent> =
            AGENTS.iter().filter_map(|(architecture, files)| self.agent(architecture, files)).collect();
        let script = script(&server, &plain, &trust.pem, &agents);
        Ok(Bootstrap { script, server, plain, ca: trust.pem.clone(), agents })
    }

    fn agent(&self, architecture: &'static str, files: &'static [&'static str]) -> Option<Agent> {
        let folder = self.files.join("agent");
        files.iter().find_map(|file| {
            let sha256 = self.digests.of(&folder.join(file))?.to_string();
            Some(Agent { architecture, file, sha256 })
        })
    }
}

/// No value has a quote in it: addresses, digests, and PEM.
fn script(server: &str, plain: &str, ca: &str, agents: &[Agent]) -> String {
    let mut text = String::from("#!/bin/sh\n");
    let mut set = |name: &str, value: &str| {
        // A text takes whatever is written into it.
        let _ = writeln!(text, "{name}='{}'", value.replace('\'', ""));
    };
    set("SERVER", server);
    set("FILES", &format!("{plain}/files/agent"));
    for (architecture, _) in AGENTS {
        let agent = agents.iter().find(|agent| agent.architecture == *architecture);
        let name = architecture.to_ascii_uppercase();
        set(&name, agent.map_or("", |agent| agent.file));
        set(&format!("{name}_SHA256"), agent.map_or("", |agent| &agent.sha256));
    }
    set("CA", ca.trim_end());
    let _ = writeln!(text, "FOLDERS=${{KICKSTAND_FOLDER:-{FOLDERS}}}");
    text + BODY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_host_gets_into_the_script() {
        for good in ["10.0.0.1", "kickstand.example", "a-1"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "a b", "x'; reboot; '", "$(x)", "a/b", "-x", "[::1]", "a:80", &"x".repeat(254)] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
