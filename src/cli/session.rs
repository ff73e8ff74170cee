//! What every command that speaks to a server shares: the client, the output format, and the way to say things.

use super::client::{Client, Error};
use super::table;
use anyhow::{Context, Result};
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{ErrorKind, IsTerminal, Write};

/// How results are written: tables for people, or what the API answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    // Not doc comments: clap would make every --help a long one.
    Table,
    Json,
}

/// It did not end well, and everything about it has been said already.
#[derive(Debug, thiserror::Error)]
#[error("not finished")]
pub struct Unfinished;

pub struct Session {
    pub client: Client,
    pub output: Output,
}

impl Session {
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        understood(self.client.ask(Method::GET, path, None).await?)
    }

    /// Writes a list: a row for each record, or what to do when there is none.
    pub async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        heads: &[&str],
        row: impl Fn(&T) -> Vec<String>,
        if_empty: &str,
    ) -> Result<()> {
        let value = self.client.ask(Method::GET, path, None).await?;
        if self.output == Output::Json {
            return json(&value);
        }
        let records: Vec<T> = understood(value)?;
        if records.is_empty() {
            return line(if_empty);
        }
        let rows: Vec<_> = records.iter().map(row).collect();
        print(&table::table(heads, &rows, width()))
    }

    /// Writes one record as a card.
    pub async fn show<T: DeserializeOwned>(
        &self,
        path: &str,
        card: impl Fn(&T) -> Vec<(&'static str, String)>,
    ) -> Result<()> {
        let value = self.client.ask(Method::GET, path, None).await?;
        if self.output == Output::Json {
            return json(&value);
        }
        print(&table::card(&card(&understood(value)?)))
    }

    /// Sends something, and says what came of it.
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        said: impl Fn(&T) -> String,
    ) -> Result<()> {
        let value = self.client.ask(method, path, Some(&serde_json::to_value(body)?)).await?;
        self.say::<T>(value, said)
    }

    pub fn say<T: DeserializeOwned>(&self, value: Value, said: impl Fn(&T) -> String) -> Result<()> {
        match self.output {
            Output::Json => json(&value),
            Output::Table => line(&said(&understood(value)?)),
        }
    }

    pub async fn remove(&self, noun: &str, name: &(impl Serialize + std::fmt::Display)) -> Result<()> {
        let plural = if noun.ends_with('s') { "es" } else { "s" };
        self.client.ask(Method::DELETE, &format!("{noun}{plural}/{name}"), None).await?;
        match self.output {
            Output::Json => json(&serde_json::json!({ "removed": name })),
            Output::Table => line(&format!("{noun} {name} removed")),
        }
    }
}

pub fn understood<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("the server's answer can not be read: is it of another version?")
}

/// What failed, for people: everything that a batch's answer says, a line each.
pub fn complaint(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>() {
        Some(Error::Refused(problem)) if !problem.errors.is_empty() => {
            let all = problem.errors.iter().map(|one| format!("\n  record {}: {one}", one.index.unwrap_or(0) + 1));
            format!("{problem}{}", all.collect::<String>())
        }
        _ => causes(error),
    }
}

/// The error and its causes, without those that its own words tell already.
fn causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        _ if told.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}

/// How wide a table may be: as wide as the terminal, or as it likes in a file or pipe.
pub fn width() -> Option<usize> {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    told.or_else(|| std::io::stdout().is_terminal().then_some(100))
}

pub fn json(value: &Value) -> Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

pub fn line(text: &str) -> Result<()> {
    print(&format!("{text}\n"))
}

/// To stdout. A reader that has gone (`| head`) ends the command in peace.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::problem::{Kind, Problem};

    #[test]
    fn a_cause_is_told_once() {
        let source = std::io::Error::other("connection refused");
        let error = Error::Unreachable { server: "http://a".into(), source };
        assert_eq!(complaint(&error.into()).matches("connection refused").count(), 1);
        let error = anyhow::anyhow!("no such file").context("cannot read m.csv");
        assert_eq!(complaint(&error), "cannot read m.csv: no such file");
    }

    #[test]
    fn everything_that_is_wrong_with_a_batch_is_told() {
        let one = |index, text: &str| Problem::new(Kind::Invalid, text).at(index);
        let batch = Problem::batch(vec![one(0, "mac: no"), one(4, "ip: no")]);
        let error = anyhow::Error::from(Error::Refused(Box::new(batch)));
        insta::assert_snapshot!(complaint(&error), @r"
        2 things are wrong with the batch, so nothing was added
          record 1: mac: no
          record 5: ip: no
        ");
    }
}
