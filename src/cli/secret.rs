//! Secrets on the command line: in it, in a file, or on stdin, of which a terminal shows nothing.

use super::values::Variable;
use crate::http::api::variables::{SecretPatch, is_name};
use crate::model::Secret;
use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io::{IsTerminal, Read, Write, stderr, stdin};
use std::str::FromStr;
use zeroize::Zeroizing;

/// `NAME=VALUE`, `NAME=@FILE` or `NAME=-`; `NAME=` removes. It is read late: clap shows what it refuses.
#[derive(Debug, Clone)]
pub struct Hidden(Secret);

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Hidden(Secret::new(text)))
    }
}

/// As a request takes them.
pub fn secrets(given: Vec<Hidden>) -> Result<SecretPatch> {
    let (mut patch, mut asked) = (BTreeMap::new(), false);
    for Hidden(text) in given {
        let (name, value) = text.expose().split_once('=').context(
            "--secret: write it like --secret db_password=@FILE, or --secret db_password=- to be asked for it",
        )?;
        ensure!(is_name(name), "--secret: {name:?} is not a variable's name: letters, digits and _, no digit first");
        let secret = match (value, value.strip_prefix('@')) {
            ("", _) => None,
            ("-", _) if std::mem::replace(&mut asked, true) => bail!("--secret: stdin can be read once"),
            ("-", _) => Some(from_stdin(name)?),
            (_, Some(path)) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
                Some(one(name, Zeroizing::new(text))?)
            }
            (value, None) => Some(Secret::new(value)),
        };
        patch.insert(name.to_owned(), secret);
    }
    Ok(SecretPatch(patch))
}

/// Of two values for one name nobody could say which was meant.
pub fn apart(variables: &[Variable], secrets: &[Hidden]) -> Result<()> {
    let mut seen = BTreeSet::new();
    let plain = variables.iter().map(|variable| variable.name.as_str());
    let hidden = secrets.iter().filter_map(|Hidden(text)| Some(text.expose().split_once('=')?.0));
    for name in plain.chain(hidden) {
        ensure!(seen.insert(name), "{name} is given twice: one --var or one --secret for each name");
    }
    Ok(())
}

/// As a new record takes them: what would be removed is left out.
pub fn new_secrets(given: Vec<Hidden>) -> Result<SecretPatch> {
    let SecretPatch(mut patch) = secrets(given)?;
    patch.retain(|_, secret| secret.is_some());
    Ok(SecretPatch(patch))
}

/// Without the line end that editors and `echo` leave.
fn one(name: &str, text: Zeroizing<String>) -> Result<Secret> {
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    ensure!(!text.is_empty(), "the secret {name} is empty: `--secret {name}=` would remove it");
    Ok(Secret::new(text))
}

fn from_stdin(name: &str) -> Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    if stdin().is_terminal() {
        write!(stderr(), "{name}: ")?;
        let read = unseen(|| stdin().read_line(&mut text).map(drop));
        writeln!(stderr())?;
        read.context("cannot read from the terminal")?;
    } else {
        stdin().read_to_string(&mut text).map_err(|error| anyhow!("cannot read stdin: {error}"))?;
    }
    one(name, text)
}

/// The terminal does not show what is typed meanwhile.
fn unseen(read: impl FnOnce() -> std::io::Result<()>) -> std::io::Result<()> {
    let before = tcgetattr(stdin())?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    tcsetattr(stdin(), OptionalActions::Flush, &quiet)?;
    let done = read();
    tcsetattr(stdin(), OptionalActions::Now, &before)?;
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(texts: &[&str]) -> Result<SecretPatch> {
        secrets(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn a_secret_comes_from_the_line_or_a_file_and_nothing_removes_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p");
        std::fs::write(&file, "from a file \n").unwrap();
        let patch = given(&["a=b=c", &format!("b=@{}", file.display()), "c="]).unwrap();
        let texts: Vec<_> = patch.0.values().map(|s| s.as_ref().map(|s| s.expose().to_owned())).collect();
        assert_eq!(texts, [Some("b=c".to_owned()), Some("from a file ".to_owned()), None]);
    }

    #[test]
    fn a_name_has_one_value() {
        let said = |plain: &[&str], hidden: &[&str]| {
            let plain: Vec<_> = plain.iter().map(|text| text.parse().unwrap()).collect();
            let hidden: Vec<_> = hidden.iter().map(|text| text.parse().unwrap()).collect();
            apart(&plain, &hidden).map_err(|error| error.to_string())
        };
        assert!(said(&["a=1", "b=1"], &["c=1"]).is_ok());
        for (plain, hidden) in [(&["a=1", "a=2"][..], &[][..]), (&["a=1"], &["a=hunter2"]), (&[], &["a=1", "a="])] {
            let error = said(plain, hidden).unwrap_err();
            assert!(error.starts_with("a is given twice") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_refusal_shows_nothing_of_it() {
        for bad in ["hunter2", "1a=hunter2", "a=@/nowhere/p", "a b=hunter2"] {
            let error = format!("{:#}", given(&[bad]).unwrap_err());
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(!format!("{:?}", "a=hunter2".parse::<Hidden>()).contains("hunter2"));
    }
}
