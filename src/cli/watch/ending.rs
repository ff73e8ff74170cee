//! How a watched install ended, and the summary that says so.

use super::Until;
use super::draw::{Summary, seconds};
use super::timeline::{Timeline, Tone};
use crate::cli::inventory;
use crate::http::api::machine::MachineView;
use crate::model::State;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    Reached(Until),
    Failed,
    TimedOut { until: Until, timeout: Duration },
}

/// Whether it is over. A machine that went further than wanted has been there, too.
pub fn of(machine: &MachineView, until: Until) -> Option<Ending> {
    let reached = match machine.state {
        State::Failed => return Some(Ending::Failed),
        State::Installing => Until::Installing,
        State::Installed => Until::Installed,
        State::Registered => Until::Registered,
        State::Discovered | State::Ready | State::Armed => return None,
    };
    (reached >= until).then_some(Ending::Reached(reached))
}

pub fn summary(machine: &MachineView, ending: &Ending, timeline: &Timeline) -> Summary {
    let good = matches!(ending, Ending::Reached(_));
    let bad = timeline.lines.iter().filter(|line| line.tone == Tone::Bad);
    let bad = bad.map(|line| line.detail.as_str()).collect::<Vec<_>>().join("\n");
    let over = !matches!(ending, Ending::TimedOut { .. });
    let total = timeline.end.filter(|_| over).and_then(|end| timeline.secs(end)).map(seconds).unwrap_or_default();
    let rows = vec![
        (if good { "alarms" } else { "why" }, bad),
        ("machine", place(machine)),
        ("system id", machine.id.to_string()),
        ("profile", machine.chosen.why.clone()),
        ("key", key(machine)),
        ("inventory", machine.inventory.as_ref().map(inventory::line).unwrap_or_default()),
        ("total time", total),
    ];
    Summary { good, headline: headline(machine, ending), rows }
}

fn headline(machine: &MachineView, ending: &Ending) -> String {
    let name = &machine.name;
    match ending {
        Ending::Reached(Until::Installing) => format!("{name} is installing"),
        Ending::Reached(Until::Installed) => format!("{name} is installed"),
        // It joined, or is back on the system that it had.
        Ending::Reached(Until::Registered) if machine.install.is_none() => {
            format!("{name} is registered, and no install of it is under way")
        }
        Ending::Reached(Until::Registered) => format!("{name} is installed and registered"),
        Ending::Failed => {
            format!("{name} failed: look at its console, then `kickstand machine arm {name}`")
        }
        Ending::TimedOut { until, timeout } => {
            let time = humantime::format_duration(*timeout);
            let next = format!("`kickstand why {}` tells what it would get now", mac(machine));
            format!("{name} is {} and not {} after {time}: {next}", machine.state, word(*until))
        }
    }
}

/// The last line of the JSON output.
pub fn json(machine: &MachineView, ending: &Ending) -> Value {
    let outcome = match ending {
        Ending::Reached(until) => word(*until),
        Ending::Failed => "failed",
        Ending::TimedOut { .. } => "timed out",
    };
    json!({ "outcome": outcome, "machine": machine })
}

fn word(until: Until) -> &'static str {
    match until {
        Until::Installing => "installing",
        Until::Installed => "installed",
        Until::Registered => "registered",
    }
}

fn mac(machine: &MachineView) -> String {
    machine.interfaces.first().map(|card| card.mac.to_string()).unwrap_or_default()
}

fn place(machine: &MachineView) -> String {
    let ip = machine.interfaces.first().and_then(|card| card.ip.or(card.leased));
    let ip = ip.map(|ip| format!(", {ip}")).unwrap_or_default();
    format!("{} ({}{ip})", machine.name, mac(machine))
}

/// To register is to spend it: the same transaction.
fn key(machine: &MachineView) -> String {
    match (&machine.chosen.keys, machine.state) {
        (_, State::Registered) if machine.install.is_none() && machine.joined.is_empty() => "none".into(),
        (_, State::Registered) if machine.install.is_none() => format!("joined with {}", machine.joined),
        (none, _) if none.is_empty() => "none".into(),
        (keys, State::Registered) => format!("{keys}: this install's own key is spent"),
        (keys, _) => format!("{keys}: this install's own key is not spent"),
    }
}
