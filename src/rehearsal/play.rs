//! All clients at once, as many as there are places: each one's life, and what is told of it.

use super::Wish;
use super::cast::{self, Actor};
use super::client::{Client, Fault, Leg};
use super::life::Ended;
use super::loss::Loss;
use super::report::{Outcome, Report, Told};
use super::stage::Stage;
use crate::engine::Whom;
use crate::model::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinError, JoinSet};

/// How often a client is switched on, when it waits in vain: as often as an arming gives the installer away.
const POWER_ONS: u32 = 3;

pub struct Play {
    stage: Arc<Stage>,
    /// Why a network leaves newcomers alone: asked once for each.
    silent: HashMap<Name, String>,
    pub report: Report,
}

/// How a client ended, with its laps.
struct Played {
    actor: Actor,
    ended: Result<Ended, Fault>,
    loader: Option<String>,
    laps: Vec<(Leg, Duration)>,
    since: Time,
    repeats: u64,
    power_ons: u32,
}

impl Play {
    pub fn new(stage: Arc<Stage>, report: Report) -> Play {
        Play { stage, silent: HashMap::new(), report }
    }

    pub async fn run(&mut self, actors: Vec<Actor>, wish: &Wish, heard: &mut impl FnMut(usize, usize)) {
        let (all, began) = (actors.len(), Instant::now());
        let places = Arc::new(Semaphore::new(wish.at_once.max(1)));
        let (mut clients, mut under_way) = (JoinSet::new(), HashMap::new());
        for actor in actors {
            let (stage, places, known) = (self.stage.clone(), places.clone(), actor.clone());
            let loss = Loss::new(wish.loss, wish.seed, cast::number(actor.mac));
            let task = clients.spawn(async move {
                let _place = places.acquire_owned().await;
                play(actor, &stage, loss).await
            });
            under_way.insert(task.id(), known);
        }
        let mut count = 0;
        while let Some(ended) = next(&mut clients, &mut under_way).await {
            count += 1;
            let told = match ended {
                Ok(played) => self.told(played).await,
                Err((actor, error)) => broken_down(actor, &error),
            };
            self.report.add(told);
            heard(count, all);
        }
        self.report.took = began.elapsed();
    }

    pub fn end(self) -> Report {
        self.report
    }

    /// With the words of the server, which knows more than a client is told.
    async fn told(&mut self, played: Played) -> Told {
        let Played { actor, ended, loader, laps, since, repeats, power_ons } = played;
        let machine = {
            let world = self.stage.engine.store.world();
            world
                .machine_with_mac(actor.mac)
                .map(|m| (m.id, m.install.as_ref().and_then(|i| i.boot.as_ref()?.profile.clone())))
        };
        let id = machine.as_ref().map(|(id, _)| *id);
        let profile = machine.and_then(|(_, profile)| profile);
        // Who ends where a script led it hears all that was said of that.
        let since = if ended.is_err() { since } else { Time(0) };
        let said = self.stage.said_of(id.or(actor.part.machine), actor.mac, since);
        let outcome = match ended {
            Ok(Ended::Installed { registered }) => Outcome::Installs { profile, registered },
            Ok(Ended::Shown) if !actor.part.installs => Outcome::Shown,
            Ok(Ended::Disk) if !actor.part.installs => Outcome::Disk,
            Ok(Ended::Disk | Ended::Shown) => {
                let text = self.why(&actor, said, "it was sent to its own disk").await;
                Outcome::Fails(Leg::Script, text)
            }
            Ok(Ended::Other(text)) if !actor.part.installs => Outcome::Other(text),
            Ok(Ended::Other(text)) => Outcome::Fails(Leg::Script, text),
            Err(Fault { step: Leg::Address, silent: true, .. }) if !actor.part.installs => {
                Outcome::Nothing(self.why_silent(&actor, said).await)
            }
            Err(Fault { step, text, silent: true }) if step == Leg::Address => {
                Outcome::Fails(step, self.why(&actor, said, &text).await)
            }
            Err(Fault { step, text, .. }) => Outcome::Fails(step, said.unwrap_or(text)),
        };
        let outcome = outcome.with_real(|text| self.stage.atlas.real_text(text));
        Told {
            name: actor.name,
            network: Some(actor.network),
            firmware: Some(actor.part.firmware),
            loader,
            outcome,
            laps,
            repeats,
            power_ons,
        }
    }

    /// What history says, else the same boot on paper: its last reason.
    async fn why(&self, actor: &Actor, said: Option<String>, seen: &str) -> String {
        if let Some(said) = said {
            return said;
        }
        let whom = Whom::Mac(actor.mac);
        let told = match self.stage.engine.why(&whom, Some(actor.part.firmware.arch()), false).await {
            Ok(scenes) => scenes.iter().rev().find_map(|scene| scene.why.last().map(ToString::to_string)),
            Err(error) => Some(error.to_string()),
        };
        told.map_or_else(|| seen.to_owned(), |why| format!("{seen}; {why}"))
    }

    async fn why_silent(&mut self, actor: &Actor, said: Option<String>) -> String {
        if let Some(known) = self.silent.get(&actor.network) {
            return known.clone();
        }
        let said = said.map(|text| text.replace(&actor.mac.to_string(), "it"));
        let text = self.why(actor, said, "nobody answered").await;
        self.silent.insert(actor.network.clone(), text.clone());
        text
    }
}

/// The next that ends, and of one that broke down whose it was: nobody is lost.
async fn next<T: 'static, A>(
    clients: &mut JoinSet<T>,
    under_way: &mut HashMap<Id, A>,
) -> Option<Result<T, (A, JoinError)>> {
    match clients.join_next_with_id().await? {
        Ok((id, ended)) => {
            under_way.remove(&id);
            Some(Ok(ended))
        }
        Err(error) => Some(Err((under_way.remove(&error.id())?, error))),
    }
}

fn broken_down(actor: Actor, error: &JoinError) -> Told {
    let text = format!("its client broke down, which is a fault of the rehearsal and not of the machine: {error}");
    let (network, firmware) = (Some(actor.network), Some(actor.part.firmware));
    Told { network, firmware, ..Told::failed(actor.name, Leg::Itself, text) }
}

/// As often as its patience and its arming last.
async fn play(actor: Actor, stage: &Stage, loss: Loss) -> Played {
    let loses = loss.loses();
    let mut client = Client::new(&actor, stage, loss);
    let mut power_ons = 1;
    let mut ended = client.live().await;
    // Where nothing is lost, who hears nothing now hears nothing later.
    let again = |ended: &Result<Ended, Fault>| loses && ended.as_ref().is_err_and(|fault| fault.silent);
    while power_ons < POWER_ONS && actor.part.installs && again(&ended) {
        power_ons += 1;
        ended = client.live().await;
    }
    let Client { loader, laps, since, repeats, .. } = client;
    Played { ended, loader, laps, since, repeats, power_ons, actor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_breaks_down_is_counted_as_failed() {
        let (mut clients, mut under_way) = (JoinSet::new(), HashMap::new());
        for n in 0..9 {
            let task = clients.spawn(async move {
                if n % 3 == 1 {
                    panic!("client {n} has a fault")
                }
            });
            under_way.insert(task.id(), n);
        }
        let (mut whole, mut broken) = (0, Vec::new());
        while let Some(ended) = next(&mut clients, &mut under_way).await {
            match ended {
                Ok(()) => whole += 1,
                Err((n, error)) => {
                    assert!(error.to_string().contains(&format!("client {n} has a fault")), "{error}");
                    broken.push(n);
                }
            }
        }
        broken.sort_unstable();
        assert_eq!((whole, broken), (6, vec![1, 4, 7]));
        assert!(under_way.is_empty());
    }
}
