//! What came of a rehearsal: who boots what, who does not and why, and how long each step takes. Pure.

use super::client::Leg;
use super::firmware::Firmware;
use super::{Who, Wish};
use crate::model::Name;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a client ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Installs { profile: Option<Name>, registered: bool },
    Disk,
    Shown,
    Other(String),
    Nothing(String),
    Fails(Leg, String),
}

impl Outcome {
    /// With its texts told anew.
    pub fn with_real(self, real: impl Fn(&str) -> String) -> Outcome {
        match self {
            Outcome::Other(text) => Outcome::Other(real(&text)),
            Outcome::Nothing(text) => Outcome::Nothing(real(&text)),
            Outcome::Fails(step, text) => Outcome::Fails(step, real(&text)),
            other => other,
        }
    }
}

/// One client's story.
#[derive(Debug, Clone)]
pub struct Told {
    pub name: String,
    pub network: Option<Name>,
    pub firmware: Option<Firmware>,
    pub loader: Option<String>,
    pub outcome: Outcome,
    pub laps: Vec<(Leg, Duration)>,
    pub repeats: u64,
    pub power_ons: u32,
}

impl Told {
    /// Who could not even be switched on.
    pub fn absent(name: String, text: String) -> Told {
        Told::failed(name, Leg::Address, text)
    }

    pub fn failed(name: String, step: Leg, text: String) -> Told {
        let outcome = Outcome::Fails(step, text);
        Told { name, network: None, firmware: None, loader: None, outcome, laps: Vec::new(), repeats: 0, power_ons: 0 }
    }
}

/// So many ended alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    pub outcome: String,
    pub profile: Option<Name>,
    pub loader: Option<String>,
    pub firmware: Option<String>,
    pub network: Option<Name>,
    pub count: usize,
}

/// What stopped some, in the server's words or the client's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    pub step: String,
    pub text: String,
    pub machines: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lap {
    pub step: &'static str,
    pub count: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

/// Clients that ended alike: what they ended as, and by which way.
type Alike = (String, Option<Name>, Option<String>, Option<Firmware>, Option<Name>);

#[derive(Debug, Clone)]
pub struct Report {
    pub clients: usize,
    pub took: Duration,
    pub repeats: u64,
    /// Beyond the first of each client.
    pub power_ons: u64,
    pub notes: Vec<String>,
    loss: f64,
    seed: u64,
    groups: BTreeMap<Alike, usize>,
    failures: BTreeMap<(Leg, String), Vec<String>>,
    laps: BTreeMap<Leg, Vec<Duration>>,
}

impl Report {
    pub fn new(wish: &Wish, mut notes: Vec<String>) -> Report {
        notes.extend(told_of(wish));
        Report {
            clients: 0,
            took: Duration::ZERO,
            repeats: 0,
            power_ons: 0,
            notes,
            loss: wish.loss,
            seed: wish.seed,
            groups: BTreeMap::new(),
            failures: BTreeMap::new(),
            laps: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, told: Told) {
        self.clients += 1;
        self.repeats += told.repeats;
        self.power_ons += u64::from(told.power_ons.saturating_sub(1));
        for (step, took) in told.laps {
            self.laps.entry(step).or_default().push(took);
        }
        let (outcome, profile) = match told.outcome {
            Outcome::Installs { profile, registered: true } => ("installs and registers".to_owned(), profile),
            Outcome::Installs { profile, registered: false } => ("installs, without a key".to_owned(), profile),
            Outcome::Disk => ("boots its own disk".to_owned(), None),
            Outcome::Shown => ("is told that nobody knows it".to_owned(), None),
            Outcome::Other(text) => (format!("gets something else: {text}"), None),
            Outcome::Nothing(text) => (format!("gets nothing: {text}"), None),
            Outcome::Fails(step, text) => {
                // The same error names another machine for each.
                let text = text.replace(&told.name, "NAME");
                self.failures.entry((step, text)).or_default().push(told.name);
                (format!("fails at {step}"), None)
            }
        };
        *self.groups.entry((outcome, profile, told.loader, told.firmware, told.network)).or_default() += 1;
    }

    /// The most frequent first.
    pub fn groups(&self) -> Vec<Group> {
        let group = |((outcome, profile, loader, firmware, network), count): (&Alike, &usize)| Group {
            outcome: outcome.clone(),
            profile: profile.clone(),
            loader: loader.clone(),
            firmware: firmware.map(|firmware| firmware.to_string()),
            network: network.clone(),
            count: *count,
        };
        let mut groups: Vec<_> = self.groups.iter().map(group).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }

    pub fn failures(&self) -> Vec<Failure> {
        let failure = |((step, text), machines): (&(Leg, String), &Vec<String>)| {
            let mut machines = machines.clone();
            machines.sort_unstable();
            let text = if let [only] = machines.as_slice() { text.replace("NAME", only) } else { text.clone() };
            Failure { step: step.to_string(), text, machines }
        };
        self.failures.iter().map(failure).collect()
    }

    pub fn failed(&self) -> usize {
        self.failures.values().map(Vec::len).sum()
    }

    pub fn laps(&self) -> Vec<Lap> {
        let lap = |(step, took): (&Leg, &Vec<Duration>)| {
            let mut sorted = took.clone();
            sorted.sort_unstable();
            Lap {
                step: step.word(),
                count: sorted.len(),
                p50_ms: of(&sorted, 50),
                p99_ms: of(&sorted, 99),
                max_ms: of(&sorted, 100),
            }
        };
        self.laps.iter().map(lap).collect()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "clients": self.clients,
            "failed": self.failed(),
            "took_ms": millis(self.took),
            "packets_sent_again": self.repeats,
            "power_ons_again": self.power_ons,
            "loss_percent": self.loss,
            "seed": self.seed,
            "outcomes": self.groups(),
            "failures": self.failures(),
            "steps": self.laps(),
            "notes": self.notes,
        })
    }
}

/// What a reader must know of how this was played.
fn told_of(wish: &Wish) -> Vec<String> {
    let armed = match wish.who {
        Who::Machines(_) => "machines were rehearsed as if armed",
        Who::Newcomers(_) => "newcomers have MACs that were made up",
    };
    let files = match wish.whole {
        true => "kernels and initrds were fetched whole",
        false => "of kernels and initrds the first 64 KiB were fetched (--whole fetches all)",
    };
    let mut notes = vec![armed.to_owned(), files.to_owned(), "secrets were replaced by fakes".to_owned()];
    if wish.loss > 0.0 {
        notes.push(format!("{} % of datagrams were lost each way, with --seed {}", wish.loss, wish.seed));
    }
    notes
}

/// Of sorted times the one that so many of a hundred do not exceed.
fn of(sorted: &[Duration], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().map_or(0.0, millis)
}

fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let wish = Wish { who: Who::Machines(None), firmware: vec![], loss: 0.0, seed: 1, at_once: 1, whole: false };
        Report::new(&wish, Vec::new())
    }

    fn told(name: &str, outcome: Outcome) -> Told {
        Told {
            outcome,
            laps: vec![(Leg::Address, Duration::from_millis(3))],
            ..Told::absent(name.into(), String::new())
        }
    }

    #[test]
    fn those_that_fail_alike_stand_together_and_one_alone_by_its_name() {
        let mut report = report();
        for name in ["web-2", "web-1"] {
            report.add(told(name, Outcome::Fails(Leg::Script, format!("machine {name}: line 7"))));
        }
        report.add(told("db", Outcome::Fails(Leg::Answer, "machine db: line 9".into())));
        report.add(told("ok", Outcome::Installs { profile: None, registered: true }));
        let failures = report.failures();
        assert_eq!(failures[0].text, "machine NAME: line 7");
        assert_eq!(failures[0].machines, ["web-1", "web-2"]);
        assert_eq!((failures[1].step.as_str(), failures[1].text.as_str()), ("answer", "machine db: line 9"));
        assert_eq!((report.clients, report.failed()), (4, 3));
        assert_eq!(report.groups()[0].count, 2);
    }

    #[test]
    fn half_of_all_are_faster_than_the_middle() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!((of(&times, 50), of(&times, 99), of(&times, 100)), (100.0, 198.0, 200.0));
        assert_eq!(of(&[], 50), 0.0);
    }
}
