//! How many machines a change touches, said before it is made; where somebody can be asked, he is.

use super::client::Error;
use super::session::{Session, understood};
use crate::http::api::template::ComparisonView;
use crate::model::Name;
use anyhow::{Result, bail};
use clap::Args;
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{IsTerminal, Write};

/// What commands have in common that change what machines get.
#[derive(Debug, Clone, Copy, Args)]
pub struct Asking {
    /// Do not say first how many machines it touches, and do not ask
    #[arg(long)]
    yes: bool,
}

impl Asking {
    /// Says what a change means for machines, then sends it, and says what came of it.
    pub async fn send<T: DeserializeOwned>(
        self,
        session: &Session,
        method: Method,
        path: &str,
        body: &impl Serialize,
        said: impl Fn(&T) -> String,
    ) -> Result<()> {
        let value = serde_json::to_value(body)?;
        self.agreed(session, method.clone(), path, Some(&value)).await?;
        session.say::<T>(session.client.ask(method, path, Some(&value)).await?, said)
    }

    pub async fn remove(self, session: &Session, noun: &str, name: &Name) -> Result<()> {
        let plural = if noun.ends_with('s') { "es" } else { "s" };
        self.agreed(session, Method::DELETE, &format!("{noun}{plural}/{name}"), None).await?;
        session.remove(noun, name).await
    }

    /// To standard error. A script is not held up: there is nobody to ask.
    async fn agreed(self, session: &Session, method: Method, path: &str, body: Option<&Value>) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let change: ComparisonView = match session.client.ask(method, &format!("diff/{path}"), body).await {
            Ok(value) => understood(value)?,
            // What is wrong with a change is for the change itself to say.
            Err(Error::Refused(why)) if !std::io::stdin().is_terminal() => {
                eprintln!("which machines it touches is not known: {why}");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if change.machines == 0 && change.broken.is_empty() {
            return Ok(());
        }
        eprintln!("{}", listed(&change));
        agree(Some(&change), "nothing was changed")
    }
}

/// So many machines are named.
const NAMED: usize = 8;

/// Asks, where more than one machine is touched or anything would break, and somebody sits there.
pub fn agree(change: Option<&ComparisonView>, otherwise: &str) -> Result<()> {
    let small = change.is_some_and(|change| change.machines <= 1 && change.broken.is_empty());
    if small || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    eprint!("Go on? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => bail!("{otherwise}"),
    }
}

/// `3 of 40 machines get something else: web-1, web-2, web-3`.
pub fn listed(change: &ComparisonView) -> String {
    let verb = if change.machines == 1 { "gets" } else { "get" };
    let mut text = format!("{} of {} machines {verb} something else", change.machines, change.of);
    let named: Vec<&str> = change.touched.iter().take(NAMED).map(|name| name.as_str()).collect();
    if !named.is_empty() {
        text += &format!(": {}", named.join(", "));
    }
    let more = change.touched.len().saturating_sub(NAMED);
    if more > 0 {
        text += &format!(" and {more} more");
    }
    for broken in change.broken.iter().take(NAMED) {
        text += &format!("\n  {}: {} would break: {}", broken.machine, broken.what, broken.why);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::api::template::BrokenView;

    #[test]
    fn machines_are_counted_and_the_first_ones_named() {
        let names = |count: usize| (0..count).map(|n| format!("web-{n}").parse().unwrap()).collect::<Vec<_>>();
        let change =
            |machines| ComparisonView { machines, of: 40, touched: names(machines), broken: vec![], changes: vec![] };
        assert_eq!(listed(&change(1)), "1 of 40 machines gets something else: web-0");
        assert_eq!(
            listed(&change(10)),
            "10 of 40 machines get something else: web-0, web-1, web-2, web-3, web-4, web-5, web-6, web-7 and 2 more"
        );
        let broken = BrokenView { machine: "web-0".parse().unwrap(), what: "answer file".into(), why: "no".into() };
        let told = listed(&ComparisonView { broken: vec![broken], ..change(1) });
        assert!(told.ends_with("\n  web-0: answer file would break: no"), "{told}");
    }
}
