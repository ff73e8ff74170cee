//! `kickstand bootstrap`: the line that an operator pastes into a system that runs already.

use super::session::{Output, Session, json, line, understood};
use crate::http::api::bootstrap::BootstrapView;
use anyhow::{Result, bail};
use clap::Args;
use hyper::Method;
use serde_json::Value;

#[derive(Debug, Args)]
pub struct Bootstrap {
    /// A secret of `kickstand key join` or `key reactivate`, or several with commas; by default the place for it is left open
    #[arg(long, value_name = "SECRET")]
    key: Option<String>,
    /// How systems reach this server: its IPv4 address, or a name that its certificate is good for
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// For systems with nothing but wget: check the script by its own digest, which another agent or CA changes
    #[arg(long)]
    digest: bool,
}

pub async fn run(Bootstrap { key, host, digest }: Bootstrap, session: &Session) -> Result<()> {
    let path = host.map_or("bootstrap".to_owned(), |host| format!("bootstrap?host={host}"));
    let value = session.client.ask(Method::GET, &path, None).await?;
    let seen: BootstrapView = understood(value.clone())?;
    if seen.agents.is_empty() {
        bail!(
            "there is no agent to give away: `lab/agent.sh` builds one, copy it to agent/kickstand-agent-x86_64 (or -aarch64) in the files folder"
        );
    }
    let key = key.unwrap_or_else(|| "NAME.SECRET".into());
    if !key.chars().all(|c| c.is_ascii_alphanumeric() || "._-,".contains(c)) {
        bail!("{key:?} is no key: it is what `kickstand key join NAME` prints");
    }
    let text = if digest { by_digest(&seen, &key) } else { by_certificate(&seen, &key) };
    match (session.output, value) {
        (Output::Json, Value::Object(mut fields)) => {
            fields.insert("line".into(), text.into());
            fields.insert("needs".into(), needs(digest).into());
            json(&fields.into())
        }
        _ => line(&text),
    }
}

/// What the line finds on the system, or fails without.
fn needs(digest: bool) -> Vec<&'static str> {
    vec!["root", "a POSIX shell", if digest { "curl or wget" } else { "curl" }, "mktemp", "sha256sum"]
}

/// The CA is believed for its digest, the script for its server's certificate.
fn by_certificate(seen: &BootstrapView, key: &str) -> String {
    let BootstrapView { server, plain, ca_file_sha256, .. } = seen;
    format!(
        "d=$(mktemp -d) && curl -fsS -o \"$d/ca.pem\" {plain}/ca.pem && \
         echo \"{ca_file_sha256}  $d/ca.pem\" | sha256sum -c - >/dev/null && \
         curl -fsS --cacert \"$d/ca.pem\" -o \"$d/bootstrap\" {server}/bootstrap && sh \"$d/bootstrap\" --key {key}"
    )
}

/// The script is believed for its own digest, whoever brings it.
fn by_digest(seen: &BootstrapView, key: &str) -> String {
    let BootstrapView { plain, script_sha256, .. } = seen;
    format!(
        "d=$(mktemp -d) && {{ curl -fsS -o \"$d/bootstrap\" {plain}/bootstrap || wget -q -O \"$d/bootstrap\" {plain}/bootstrap; }} && \
         echo \"{script_sha256}  $d/bootstrap\" | sha256sum -c - >/dev/null && sh \"$d/bootstrap\" --key {key}"
    )
}
