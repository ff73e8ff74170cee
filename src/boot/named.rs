//! The installer's question by its machine's name: of one that a running system started, and no script of ours.
//!
//! It is a boot and its answer in one. The address is all that tells who asks, so it is given to nobody whose it is not.

use super::lifecycle::{self, BOOTS, Moment, Next, Ticket};
use super::script::Hindrance;
use super::{Ask, Decision, Effect, Reason, Step, Tale};
use crate::model::*;
use std::net::Ipv4Addr;

/// An installer that has reported is left alone for so long: what asks meanwhile is a script that it runs.
const RUNS_SECS: u32 = 4 * 3600;

#[derive(Debug, Clone, PartialEq)]
pub struct NamedAsk {
    pub from: Ipv4Addr,
}

/// What must be known to give the machine of this name its answer file.
pub struct NamedFacts<'a> {
    pub machine: &'a Machine,
    /// Who has the address that asks.
    pub lease: Option<&'a Lease>,
    /// Whose card it is kept for.
    pub kept: Option<Mac>,
    /// The one that speaks for the machine there.
    pub profile: Option<&'a Name>,
    pub hindrance: Option<Hindrance>,
    /// What is asked for; none where its installer has no such file.
    pub file: Option<&'a str>,
    /// What belongs to a boot: always the same for the same one.
    pub papers: &'a dyn Fn(Turn) -> Papers,
    /// How long the token lives from its first use.
    pub lives_secs: u32,
}

/// Tells the boots of one arming apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub boots: u8,
    pub repeats: u8,
}

/// The hashes of a boot's secrets, and the key that its answer file would carry.
#[derive(Debug, Clone)]
pub struct Papers {
    pub ticket: Ticket,
    pub key: Option<InstallKey>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum NamedReply {
    /// As rendered for that boot; `again` where it was given before.
    Answer { machine: MachineId, turn: Turn, again: bool },
    /// Whatever the reason: all the same from outside.
    NotFound,
}

/// Whose card an address is: the one that it is leased to, or that it is kept for where it is leased to nobody.
pub fn card_at(from: Ipv4Addr, lease: Option<&Lease>, kept: Option<Mac>, now: Time) -> Option<Mac> {
    match lease.filter(|lease| lease.ip == from && lease.ends_at > now) {
        Some(lease) => lease.holder.mac(),
        None => kept,
    }
}

impl Ask for NamedAsk {
    type Facts<'a> = NamedFacts<'a>;
    type Reply = NamedReply;

    fn decide(&self, facts: NamedFacts<'_>, now: Time) -> Decision<NamedReply> {
        let machine = facts.machine;
        if !card_at(self.from, facts.lease, facts.kept, now).is_some_and(|mac| machine.has(mac)) {
            let text = format!(
                "the answer file of {} was asked for from {}, which is not its address",
                machine.name, self.from
            );
            return self.refused(machine, Kind::Alarm, text, now);
        }
        if !machine.state.installs() {
            let text = format!(
                "an installer asked for the answer file of {n}, which is {}: `kickstand machine arm {n}` first",
                machine.state,
                n = machine.name
            );
            return self.refused(machine, Kind::Refused, text, now);
        }
        if let Some(hindrance) = facts.hindrance {
            return self.refused(machine, Kind::Refused, hindrance.reason().text, now);
        }
        let Some(file) = facts.file else { return nothing("its installer has no such file") };
        let boot = machine.install.as_ref().and_then(|install| Some((install, install.boot.as_ref()?)));
        if let Some((install, boot)) = boot {
            let turn = Turn { boots: install.boots, repeats: boot.repeats };
            let papers = (facts.papers)(turn);
            let by_name = papers.ticket.token == boot.token;
            if self.runs(boot, by_name, now) {
                let text = format!("the answer file of {} was asked for again, and its installer runs", machine.name);
                return self.refused(machine, Kind::Refused, text, now);
            }
            if by_name && boot.ip == self.from && boot.expires_at > now && boot.reported_at.is_none() {
                return self.again((machine, file), (turn, papers), facts.lives_secs, now);
            }
        }
        self.boot(&facts, file, now)
    }
}

impl NamedAsk {
    /// Whether an installer is at work that must not lose its token to whoever asks.
    fn runs(&self, boot: &Boot, by_name: bool, now: Time) -> bool {
        let reports = boot.reported_at.is_some_and(|at| now.secs_since(at) < RUNS_SECS);
        let by_script = !by_name && boot.answered_at.is_some() && boot.expires_at > now;
        reports || by_script
    }

    fn again(
        &self,
        (machine, file): (&Machine, &str),
        (turn, papers): (Turn, Papers),
        lives_secs: u32,
        now: Time,
    ) -> Decision<NamedReply> {
        let reply = NamedReply::Answer { machine: machine.id, turn, again: true };
        let decision = Decision::new(reply, vec![Reason::new("boot", "the one that is under way")]);
        let decision = match lifecycle::next(machine, Moment::Answer { lives_secs }, now) {
            Next::Step(step) => decision.with(Effect::Step(step)),
            Next::Already => decision.with(Effect::Still { machine: machine.id, revision: machine.revision }),
            Next::Refused(why) => return nothing(&why.text),
        };
        self.given(decision, (machine, file), papers.key, now)
    }

    /// A boot of its own, counted as each that a network boot takes, and its answer with it.
    fn boot(&self, facts: &NamedFacts<'_>, file: &str, now: Time) -> Decision<NamedReply> {
        let machine = facts.machine;
        let Some(profile) = facts.profile else {
            let text =
                format!("machine {n} has no profile: `kickstand machine set {n} --profile NAME`", n = machine.name);
            return self.refused(machine, Kind::Refused, text, now);
        };
        let ticket = |turn| Ticket { ip: self.from, ..(facts.papers)(turn).ticket };
        let next = |turn| {
            lifecycle::next(machine, Moment::Boot { ticket: ticket(turn), profile: profile.clone(), inside: None }, now)
        };
        // Which one it is tells the table; its papers follow from that.
        let turn = match next(Turn { boots: 0, repeats: 0 }) {
            Next::Step(step) if step.state == State::Failed => return self.too_often(machine, step, now),
            Next::Step(step) => turn_of(&step),
            Next::Refused(why) => return self.refused(machine, Kind::Refused, why.text, now),
            Next::Already => None,
        };
        let booted = turn.and_then(|turn| match next(turn) {
            Next::Step(step) => Some((turn, step)),
            _ => None,
        });
        let Some((turn, step)) = booted else { return nothing("nothing to start") };
        let after = Machine { state: step.state, install: step.install, ..machine.clone() };
        let Next::Step(step) = lifecycle::next(&after, Moment::Answer { lives_secs: facts.lives_secs }, now) else {
            return nothing("nothing to answer");
        };
        let text = format!(
            "installer of profile {profile}, boot {} of at most {BOOTS}, started by its running system",
            turn.boots
        );
        let reply = NamedReply::Answer { machine: machine.id, turn, again: false };
        let decision = Decision::new(reply, vec![Reason::new("boot", text.clone())])
            .with(Effect::Step(step))
            .with(Effect::Tell(self.tale(machine, Kind::Script, text, now)));
        self.given(decision, (machine, file), (facts.papers)(turn).key, now)
    }

    fn given(
        &self,
        mut decision: Decision<NamedReply>,
        (machine, file): (&Machine, &str),
        key: Option<InstallKey>,
        now: Time,
    ) -> Decision<NamedReply> {
        let carries = key.as_ref().map_or("no key".to_owned(), |k| format!("a single-use key of {}", k.keys));
        let text = format!("{file} of {}, asked for by name, which carries {carries}", machine.name);
        decision.effects.extend(key.map(Effect::Mint));
        decision.with(Effect::Tell(self.tale(machine, Kind::Answer, text, now)))
    }

    fn too_often(&self, machine: &Machine, step: Step, now: Time) -> Decision<NamedReply> {
        let text = format!(
            "machine {n} was given the installer {BOOTS} times and did not finish: failed; look at its console, then `kickstand machine arm {n}`",
            n = machine.name
        );
        nothing(&text).with(Effect::Step(step)).with(Effect::Tell(self.tale(machine, Kind::State, text, now)))
    }

    fn refused(&self, machine: &Machine, kind: Kind, text: String, now: Time) -> Decision<NamedReply> {
        nothing(&text).with(Effect::Tell(self.tale(machine, kind, text, now)))
    }

    fn tale(&self, machine: &Machine, kind: Kind, text: String, now: Time) -> Tale {
        Tale::new(now, kind, text).of(machine.id).from(self.from)
    }
}

fn turn_of(step: &Step) -> Option<Turn> {
    let install = step.install.as_ref()?;
    Some(Turn { boots: install.boots, repeats: install.boot.as_ref()?.repeats })
}

fn nothing(text: &str) -> Decision<NamedReply> {
    Decision::new(NamedReply::NotFound, vec![Reason::new("name", text)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const NOW: Time = Time::from_secs(1000);
    const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);

    fn papers(turn: Turn) -> Papers {
        let token = Hash([turn.boots.wrapping_mul(16).wrapping_add(turn.repeats); 32]);
        Papers { ticket: Ticket { token, report: Hash([99; 32]), ip: IP, lives_secs: 600 }, key: None }
    }

    fn machine(state: State) -> Machine {
        let mut machine =
            lifecycle::newcomer("52:54:00:00:00:01".parse().unwrap(), State::Armed, [Uuid::nil(); 2], NOW);
        machine.state = state;
        machine.interfaces[0].ip = Some(IP);
        machine
    }

    fn ask(machine: &Machine, from: Ipv4Addr, lease: Option<&Lease>, now: Time) -> Decision<NamedReply> {
        let profile = "web".parse().unwrap();
        let file = Some("answer file");
        let facts = NamedFacts {
            machine,
            lease,
            kept: machine.interfaces.iter().find(|card| card.ip == Some(from)).map(|card| card.mac),
            profile: Some(&profile),
            hindrance: None,
            file,
            papers: &papers,
            lives_secs: 900,
        };
        NamedAsk { from }.decide(facts, now)
    }

    fn after(machine: &Machine, decision: &Decision<NamedReply>) -> Machine {
        let step = decision.effects.iter().find_map(|effect| match effect {
            Effect::Step(step) => Some(step.clone()),
            _ => None,
        });
        let step = step.expect("it moves");
        Machine { state: step.state, install: step.install, revision: machine.revision + 1, ..machine.clone() }
    }

    fn told(decision: &Decision<NamedReply>) -> Vec<Kind> {
        let kind = |effect: &Effect| match effect {
            Effect::Tell(tale) => Some(tale.kind),
            _ => None,
        };
        decision.effects.iter().filter_map(kind).collect()
    }

    #[test]
    fn the_first_time_is_a_boot_and_its_answer_and_again_is_the_same_boot() {
        let armed = machine(State::Armed);
        let first = ask(&armed, IP, None, NOW);
        let turn = Turn { boots: 1, repeats: 0 };
        assert_eq!(first.reply, NamedReply::Answer { machine: armed.id, turn, again: false });
        assert_eq!(told(&first), [Kind::Script, Kind::Answer]);
        let installing = after(&armed, &first);
        assert_eq!(installing.state, State::Installing);
        let again = ask(&installing, IP, None, NOW.plus_secs(800));
        assert_eq!(again.reply, NamedReply::Answer { machine: armed.id, turn, again: true });
        assert_eq!(told(&again), [Kind::Answer], "each serve is told");
    }

    #[test]
    fn who_is_not_armed_or_not_there_gets_nothing() {
        for state in [State::Ready, State::Installed, State::Registered, State::Failed, State::Discovered] {
            let decision = ask(&machine(state), IP, None, NOW);
            assert_eq!((&decision.reply, told(&decision)), (&NamedReply::NotFound, vec![Kind::Refused]), "{state}");
        }
        let decision = ask(&machine(State::Armed), Ipv4Addr::new(10, 0, 0, 11), None, NOW);
        assert_eq!((&decision.reply, told(&decision)), (&NamedReply::NotFound, vec![Kind::Alarm]));
        let holder = "52:54:00:00:00:99".parse::<Mac>().unwrap().into();
        let lease = Lease {
            network: "lab".parse().unwrap(),
            holder,
            ip: IP,
            starts_at: NOW,
            ends_at: NOW.plus_secs(60),
            hostname: None,
        };
        assert_eq!(ask(&machine(State::Armed), IP, Some(&lease), NOW).reply, NamedReply::NotFound, "leased to another");
        assert_ne!(ask(&machine(State::Armed), IP, Some(&lease), NOW.plus_secs(61)).reply, NamedReply::NotFound);
    }

    #[test]
    fn an_installer_that_reports_is_left_alone_and_the_fourth_boot_fails() {
        let mut machine = machine(State::Armed);
        machine = after(&machine, &ask(&machine, IP, None, NOW));
        machine.install.as_mut().unwrap().boot.as_mut().unwrap().reported_at = Some(NOW.plus_secs(60));
        let later = NOW.plus_secs(2000);
        assert_eq!(ask(&machine, IP, None, later).reply, NamedReply::NotFound, "its script would cut it off");
        let mut now = NOW.plus_secs(60 + RUNS_SECS);
        for boots in [2, 3] {
            let decision = ask(&machine, IP, None, now);
            assert!(matches!(decision.reply, NamedReply::Answer { turn, again: false, .. } if turn.boots == boots));
            machine = after(&machine, &decision);
            now = now.plus_secs(1000);
        }
        let last = ask(&machine, IP, None, now);
        assert_eq!((last.reply.clone(), after(&machine, &last).state), (NamedReply::NotFound, State::Failed));
    }

    #[test]
    fn a_boot_from_the_network_that_has_its_answer_keeps_its_token() {
        let mut machine = machine(State::Armed);
        let ticket = Ticket { token: Hash([7; 32]), report: Hash([8; 32]), ip: IP, lives_secs: 600 };
        for moment in
            [Moment::Boot { ticket, profile: "web".parse().unwrap(), inside: None }, Moment::Answer { lives_secs: 900 }]
        {
            let Next::Step(step) = lifecycle::next(&machine, moment, NOW) else { panic!("it moves") };
            machine = Machine { state: step.state, install: step.install, ..machine };
        }
        assert_eq!(ask(&machine, IP, None, NOW.plus_secs(100)).reply, NamedReply::NotFound);
        assert_ne!(ask(&machine, IP, None, NOW.plus_secs(901)).reply, NamedReply::NotFound, "it never reported");
    }
}
