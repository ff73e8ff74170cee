//! `kickstand watch`: the live timeline of a machine's install, and how it ended.
//!
//! `timeline` turns events into lines, `draw` lines into text, `screen` puts them on the terminal;
//! this file follows the server and decides when it is over.

mod draw;
mod ending;
mod screen;
mod timeline;

#[cfg(test)]
mod tests;

use super::follow::{Follower, News, is_away};
use super::session::{self, Output, Session, Unfinished};
use super::values;
use crate::http::api::event::EventView;
use crate::http::api::machine::{InstallView, MachineView};
use crate::model::{Name, State, Time};
use anyhow::Result;
use clap::Args;
use draw::Look;
use ending::Ending;
use screen::Screen;
use std::io::IsTerminal;
use std::time::{Duration, SystemTime};
use timeline::Timeline;
use tokio::time::Instant;

/// How many events of the past are asked for.
const PAST: usize = 10_000;
/// An event may be told a moment after the state that it tells of.
const AFTERTHOUGHT: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub struct Watch {
    /// The machine's name
    machine: Name,
    /// Where to stop with success
    #[arg(long, value_name = "STATE", default_value = "registered")]
    until: Until,
    /// When to give up, for example 30m or 2h
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = values::duration)]
    timeout: Duration,
}

/// A state that an install leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Until {
    Installing,
    Installed,
    Registered,
}

pub async fn run(Watch { machine: name, until, timeout }: Watch, session: &Session) -> Result<()> {
    let path = format!("machines/{name}");
    let deadline = Instant::now() + timeout;
    let mut machine: MachineView = session.get(&path).await?;
    let mut follower = Follower::new(&session.client, format!("&machine={name}"));
    let mut stage = Stage::open(session.output, &machine)?;
    for event in follower.latest(PAST).await?.iter().filter(|event| belongs(event, &machine)) {
        stage.show(event)?;
    }
    let ending = loop {
        machine = match session.get(&path).await {
            Err(error) if is_away(&error) => machine,
            answer => answer?,
        };
        if let Some(ending) = ending::of(&machine, until) {
            break ending;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break Ending::TimedOut { until, timeout };
        }
        stage.hear(follower.next(left).await?)?;
    };
    stage.hear(follower.next(AFTERTHOUGHT).await?)?;
    stage.close(&machine, &ending)?;
    if matches!(ending, Ending::Reached(_)) { Ok(()) } else { Err(Unfinished.into()) }
}

/// Of the arming that is watched, not of those before it.
fn belongs(event: &EventView, machine: &MachineView) -> bool {
    let since = machine.install.as_ref().map_or_else(|| Time::from(SystemTime::now()), |install| install.armed_at);
    event.at >= since
}

/// Where the story is told: on the screen, or as JSON, one event a line.
enum Stage {
    Screen(Timeline, Screen),
    Json,
}

impl Stage {
    fn open(output: Output, machine: &MachineView) -> Result<Stage> {
        if output == Output::Json {
            return Ok(Stage::Json);
        }
        let live = std::io::stdout().is_terminal();
        let colour = live && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        // A file or a log keeps every word.
        let width = session::width().unwrap_or(usize::MAX);
        let look = Look { width, colour };
        session::line(&draw::heading(machine.name.as_str(), &situation(machine), look))?;
        Ok(Stage::Screen(Timeline::default(), Screen::new(look, live)))
    }

    fn show(&mut self, event: &EventView) -> Result<()> {
        match self {
            Stage::Json => session::line(&serde_json::to_string(event)?),
            Stage::Screen(timeline, screen) => match timeline.take(event) {
                Some(index) => screen.show(timeline, index),
                None => Ok(()),
            },
        }
    }

    fn hear(&mut self, news: News) -> Result<()> {
        match news {
            News::Events(events) => events.iter().try_for_each(|event| self.show(event)),
            News::Away => self.note("the server is away: waiting for it to come back"),
            News::Back(events) => {
                self.note("the server is back")?;
                events.iter().try_for_each(|event| self.show(event))
            }
        }
    }

    fn note(&mut self, text: &str) -> Result<()> {
        match self {
            Stage::Json => Ok(()),
            Stage::Screen(timeline, screen) => {
                let index = timeline.note(SystemTime::now().into(), text);
                screen.show(timeline, index)
            }
        }
    }

    fn close(&mut self, machine: &MachineView, ending: &Ending) -> Result<()> {
        match self {
            Stage::Json => session::line(&serde_json::to_string(&ending::json(machine, ending))?),
            Stage::Screen(timeline, screen) => {
                let summary = ending::summary(machine, ending, timeline);
                session::line(&draw::summary(&summary, screen.look))
            }
        }
    }
}

/// A power cycle would only interrupt the work of a live system.
fn inside(install: &InstallView) -> String {
    match install.boots {
        0 => ": its running system takes it at its next check-in, at most 15 minutes from its last".to_owned(),
        _ => ": its running system has taken it, and starts the installer by itself".to_owned(),
    }
}

fn situation(machine: &MachineView) -> String {
    let mac = machine.interfaces.first().map(|card| card.mac.to_string()).unwrap_or_default();
    let hint = match machine.state {
        State::Armed => match &machine.install {
            Some(install) if install.inside_only => inside(install),
            _ => ": power it on".to_owned(),
        },
        State::Ready | State::Discovered => format!(": `kickstand machine arm {}` lets it install", machine.name),
        _ => String::new(),
    };
    format!("{mac}  {}{hint}  (times in UTC)", machine.state)
}
