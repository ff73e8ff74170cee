//! `kickstand revision` and `kickstand rollback`: each change of the configuration, and the way back.

use super::agreed::{agree, listed};
use super::session::{Output, Session, json, line, print, understood};
use super::table::{card, count, moment};
use crate::http::api::revision::{RevisionCard, RevisionView, RollbackView, TurnView};
use anyhow::Result;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;
use similar::TextDiff;

/// Beyond so many records, a revision is told by their names alone.
const TOLD: usize = 20;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the last changes of the configuration
    List {
        /// The last so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
    },
    /// Show what a revision changed
    Show {
        /// Its number, of `revision list`
        number: i64,
    },
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// The number of the revision, of `revision list`; 0 is before the first
    revision: i64,
    /// Only say what it would change, and for which machines
    #[arg(long)]
    dry_run: bool,
    /// Do not ask, however many machines it touches
    #[arg(long)]
    yes: bool,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::List { limit } => {
            let row = |r: &RevisionView| {
                let records = if r.records == 1 { String::new() } else { r.records.to_string() };
                vec![r.revision.to_string(), moment(r.at), r.by.clone(), records, r.what.clone()]
            };
            let heads = ["revision", "time", "by", "records", "what"];
            session.list(&format!("revisions?limit={limit}"), &heads, row, "Nothing was changed yet").await
        }
        Command::Show { number } => {
            let value = session.client.ask(Method::GET, &format!("revisions/{number}"), None).await?;
            match session.output {
                Output::Json => json(&value),
                Output::Table => print(&told(&understood(value)?)),
            }
        }
    }
}

pub async fn rollback(Rollback { revision, dry_run, yes }: Rollback, session: &Session) -> Result<()> {
    let path = format!("revisions/{revision}/rollback");
    let mut from = String::new();
    if dry_run || !yes {
        let value = session.client.ask(Method::POST, &format!("{path}?dry_run=true"), None).await?;
        let plan: RollbackView = understood(value.clone())?;
        if dry_run {
            return if session.output == Output::Json { json(&value) } else { print(&planned(revision, &plan)) };
        }
        eprint!("{}", planned(revision, &plan));
        agree(None, "the configuration stays as it is")?;
        from = plan.from.map(|from| format!("?from={from}")).unwrap_or_default();
    }
    let value = session.client.ask(Method::POST, &format!("{path}{from}"), None).await?;
    if session.output == Output::Json {
        return json(&value);
    }
    let done: RollbackView = understood(value)?;
    let number = done.revision.unwrap_or_default();
    let records = count(done.changes.len(), "record");
    line(&format!("the configuration is as in revision {revision}: {records} restored, as revision {number}"))?;
    done.left.iter().try_for_each(|left| line(&format!("but {left}")))
}

fn planned(revision: i64, plan: &RollbackView) -> String {
    let mut text = format!("back to revision {revision}: {} changed\n", count(plan.changes.len(), "record"));
    text += &names(&plan.changes);
    plan.left.iter().for_each(|left| text += &format!("  but {left}\n"));
    match &plan.machines {
        Some(machines) => text + &listed(machines) + "\n",
        None => text,
    }
}

fn told(revision: &RevisionCard) -> String {
    let head = card(&[
        ("revision", revision.revision.to_string()),
        ("time", moment(revision.at)),
        ("by", revision.by.clone()),
        ("what", revision.what.clone()),
    ]);
    if revision.changes.len() > TOLD {
        return format!("{head}\n{}", names(&revision.changes));
    }
    revision.changes.iter().fold(head, |text, turn| format!("{text}\n{}", difference(turn)))
}

fn names(turns: &[TurnView]) -> String {
    let verb = |turn: &TurnView| match (&turn.before, &turn.after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    let few = turns.iter().take(TOLD).map(|turn| format!("  {} {}: {}\n", turn.noun, turn.name, verb(turn)));
    let more = turns.len().saturating_sub(TOLD);
    let more = if more == 0 { String::new() } else { format!("  and {more} more\n") };
    few.collect::<String>() + &more
}

/// As `diff -u` shows it, field by field; a template's text line by line.
fn difference(turn: &TurnView) -> String {
    let [before, after] = [&turn.before, &turn.after].map(|record| record.as_ref().map(lines).unwrap_or_default());
    let diff = TextDiff::from_lines(&before, &after);
    format!("{} {}\n{}", turn.noun, turn.name, diff.unified_diff().context_radius(2).header("before", "after"))
}

fn lines(record: &Value) -> String {
    let Some(fields) = record.as_object() else { return format!("{record}\n") };
    let mut text = String::new();
    for (field, value) in fields {
        match value {
            Value::Null => {}
            Value::String(words) if words.contains('\n') => text += &format!("{field}:\n{words}"),
            Value::String(words) => text += &format!("{field} = {words}\n"),
            Value::Object(inner) => {
                inner.iter().for_each(|(name, value)| text += &format!("{field}.{name} = {value}\n"))
            }
            other => text += &format!("{field} = {other}\n"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_told_field_by_field() {
        let turn = |before, after| TurnView { noun: crate::model::Noun::Profile, name: "web".into(), before, after };
        let was = json!({"name": "web", "parent": null, "arguments": "", "variables": {"disk": "/dev/sda"}, "secrets": {"wifi": "(secret)"}});
        let now = json!({"name": "web", "parent": "base", "arguments": "", "variables": {"disk": "/dev/vda"}, "secrets": {"wifi": "(secret, set anew)"}});
        insta::assert_snapshot!(difference(&turn(Some(was), Some(now))), @r#"
        profile web
        --- before
        +++ after
        @@ -1,4 +1,5 @@
         arguments = 
         name = web
        -secrets.wifi = "(secret)"
        -variables.disk = "/dev/sda"
        +parent = base
        +secrets.wifi = "(secret, set anew)"
        +variables.disk = "/dev/vda"
        "#);
    }
}
