//! `kickstand events`: what happened, and with --follow what happens.

use super::follow::{Follower, News};
use super::session::{self, Output, Session};
use super::table::{moment, pad, table};
use crate::http::api::event::EventView;
use crate::model::{Kind, Mac, Name};
use anyhow::Result;
use clap::Args;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Events {
    /// Go on as new ones come, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Of this machine alone
    #[arg(long)]
    machine: Option<Name>,
    /// Of this MAC alone
    #[arg(long)]
    mac: Option<Mac>,
    /// Of this kind alone, for example state, alarm or refused
    #[arg(long)]
    kind: Option<Kind>,
    /// The last so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

pub async fn run(events: Events, session: &Session) -> Result<()> {
    let mut follower = Follower::new(&session.client, events.filter());
    let latest = follower.latest(events.limit).await?;
    if !events.follow {
        return list(&latest, session.output);
    }
    latest.iter().try_for_each(|event| tell(event, session.output))?;
    loop {
        let news = match follower.next(Duration::MAX).await? {
            News::Events(events) => events,
            News::Away => {
                eprintln!("the server is away: waiting for it to come back");
                continue;
            }
            News::Back(events) => {
                eprintln!("the server is back");
                events
            }
        };
        news.iter().try_for_each(|event| tell(event, session.output))?;
    }
}

impl Events {
    fn filter(&self) -> String {
        let machine = self.machine.as_ref().map(|name| format!("&machine={name}")).unwrap_or_default();
        let mac = self.mac.map(|mac| format!("&mac={}", mac.dashed())).unwrap_or_default();
        let kind = self.kind.map(|kind| format!("&kind={kind}")).unwrap_or_default();
        format!("{machine}{mac}{kind}")
    }
}

fn list(events: &[EventView], output: Output) -> Result<()> {
    if output == Output::Json {
        return session::json(&serde_json::to_value(events)?);
    }
    if events.is_empty() {
        return session::line("Nothing happened yet, or nothing that fits");
    }
    session::print(&listed(events, session::width()))
}

pub fn listed(events: &[EventView], width: Option<usize>) -> String {
    let row = |event: &EventView| vec![moment(event.at), event.kind.to_string(), subject(event), event.text.clone()];
    table(&["time", "kind", "machine", "what"], &events.iter().map(row).collect::<Vec<_>>(), width)
}

fn tell(event: &EventView, output: Output) -> Result<()> {
    match output {
        Output::Json => session::line(&serde_json::to_string(event)?),
        Output::Table => session::line(&line(event)),
    }
}

fn line(event: &EventView) -> String {
    let (kind, subject) = (pad(event.kind.word(), 10), pad(&subject(event), 17));
    format!("{}  {kind}  {subject}  {}", moment(event.at), event.text)
}

/// Whom it is about: the machine's name, else its card, else its address.
fn subject(event: &EventView) -> String {
    let name = event.machine.as_ref().map(Name::to_string);
    let mac = event.mac.map(|mac| mac.to_string());
    name.or(mac).or(event.ip.map(|ip| ip.to_string())).unwrap_or_default()
}
