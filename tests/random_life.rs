//! Any order of events keeps the promises: no install without arming, none too often, every key once.

use kickstand::boot::autoinstall::{AutoinstallAsk, AutoinstallFacts, AutoinstallReply};
use kickstand::boot::lifecycle::{self, Moment, Next, Ticket};
use kickstand::boot::named::{NamedAsk, NamedFacts, NamedReply, Papers, Turn};
use kickstand::boot::register::{RegisterAsk, RegisterFacts, RegisterReply};
use kickstand::boot::reinstall::{
    CheckInAsk, ReinstallAsk, ReinstallFacts, ReinstallReply, StartsAsk, StartsReply, Wish,
};
use kickstand::boot::report::{ReportAsk, ReportFacts, Stage};
use kickstand::boot::script::{ScriptAsk, ScriptFacts, ScriptReply};
use kickstand::boot::{Ask, Effect, Spent, Standing, Step};
use kickstand::model::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use uuid::Uuid;

const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
const FOREIGN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);

/// Everything that can happen to a machine, in any order, any number of times.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Arm {
        inside_only: bool,
    },
    Disarm,
    /// A network boot, from its own address or from another.
    Boot {
        own: bool,
    },
    /// The answer file is fetched with the newest token, or with the one before it.
    Fetch {
        own: bool,
        newest: bool,
    },
    /// An installer that its running system started asks by the machine's name.
    Named {
        own: bool,
    },
    Started,
    Done,
    GaveUp,
    /// With the key of the newest answer file, or with an earlier one.
    Register {
        newest: bool,
    },
    /// The running system checks in, and does what it is told; or somebody on it asks.
    CheckIn,
    Reinstall {
        permitted: bool,
    },
    /// It says that it starts its installer, or that it does not.
    Starts {
        fails: bool,
    },
    /// Its power is cut, or its kernel gives way to another: what runs afterwards is another life.
    Restart,
    /// Two steps from one revision: the second must lose.
    Race,
    Wait {
        secs: u16,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        2 => prop::bool::weighted(0.5).prop_map(|inside_only| Arm { inside_only }),
        1 => Just(Disarm),
        6 => prop::bool::weighted(0.9).prop_map(|own| Boot { own }),
        6 => (prop::bool::weighted(0.9), prop::bool::weighted(0.8)).prop_map(|(own, newest)| Fetch { own, newest }),
        3 => prop::bool::weighted(0.9).prop_map(|own| Named { own }),
        2 => Just(Started),
        2 => Just(Done),
        1 => Just(GaveUp),
        3 => prop::bool::weighted(0.7).prop_map(|newest| Register { newest }),
        3 => Just(CheckIn),
        3 => prop::bool::weighted(0.2).prop_map(|permitted| Reinstall { permitted }),
        2 => prop::bool::weighted(0.2).prop_map(|fails| Starts { fails }),
        2 => Just(Restart),
        1 => Just(Race),
        3 => (0u16..8000).prop_map(|secs| Wait { secs }),
    ]
}

/// A machine, the keys that were minted, and what was promised about them.
struct Life {
    now: Time,
    machine: Machine,
    network: Network,
    seed: u8,
    tokens: Vec<u8>,
    keys: Vec<InstallKey>,
    /// Since the last arming.
    boots: Vec<Time>,
    armed: bool,
    registrations: usize,
    armings: usize,
    answers: usize,
    /// Which life of the running system it is.
    lives: u128,
}

impl Life {
    fn new() -> Life {
        let now = Time::from_secs(1_000_000);
        let mac = "52:54:00:00:00:01".parse().unwrap();
        let mut machine = lifecycle::newcomer(mac, State::Ready, [Uuid::from_u128(1), Uuid::from_u128(2)], now);
        machine.profile = Some("web".parse().unwrap());
        let network = Network {
            name: "lab".parse().unwrap(),
            cidr: "10.0.0.0/24".parse().unwrap(),
            gateway: None,
            dns: vec![],
            domain: None,
            pools: vec![],
            lease_secs: 600,
            profile: None,
            unknown: Unknown::Ignore,
            variables: Default::default(),
            secrets: Default::default(),
            dhcp: Dhcp::default(),
        };
        let (tokens, keys, boots) = (vec![0], vec![], vec![]);
        Life {
            now,
            machine,
            network,
            seed: 0,
            tokens,
            keys,
            boots,
            armed: false,
            registrations: 0,
            armings: 0,
            answers: 0,
            lives: 1,
        }
    }

    /// The store's compare-and-set.
    fn commit(&mut self, step: Step) -> bool {
        if step.from != self.machine.revision {
            return false;
        }
        self.machine.state = step.state;
        self.machine.install = step.install;
        self.machine.revision += 1;
        true
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Step(step) => assert!(self.commit(step), "a step of the current revision is taken"),
                Effect::Mint(key) if self.keys.iter().all(|k| k.hash != key.hash) => self.keys.push(key),
                Effect::Register(new) => {
                    let Some(Spent::Install(hash)) = new.spends else { panic!("it spends its key") };
                    let key = self.keys.iter_mut().find(|k| k.hash == hash).expect("only minted keys register");
                    assert_eq!(key.spent_at, None, "no key is spent twice");
                    key.spent_at = Some(new.at);
                    self.registrations += 1;
                }
                _ => {}
            }
        }
    }

    fn lifecycle(&mut self, moment: Moment) {
        if let Next::Step(step) = lifecycle::next(&self.machine, moment, self.now) {
            self.apply(vec![Effect::Step(step)]);
        }
    }

    fn happens(&mut self, happening: Happening) {
        let before = self.machine.state;
        match happening {
            Happening::Arm { inside_only } => {
                self.seed = self.seed.wrapping_add(1);
                self.lifecycle(Moment::Arm { install: Uuid::from_u128(100 + u128::from(self.seed)), inside_only });
                self.was_armed();
            }
            Happening::CheckIn => self.check_in(),
            Happening::Reinstall { permitted } => self.reinstall(permitted),
            Happening::Starts { fails } => self.starts(fails),
            Happening::Restart => self.lives += 1,
            Happening::Disarm => self.lifecycle(Moment::Disarm),
            Happening::Boot { own } => self.boot(own),
            Happening::Fetch { own, newest } => self.fetch(own, newest),
            Happening::Named { own } => self.named(own),
            Happening::Started => self.report(Stage::Started),
            Happening::Done => self.report(Stage::Done),
            Happening::GaveUp => self.report(Stage::Failed { message: "no".into() }),
            Happening::Register { newest } => self.register(newest),
            Happening::Race => self.race(),
            Happening::Wait { secs } => self.now = self.now.plus_secs(u32::from(secs)),
        }
        let armed_by = matches!(happening, Happening::Arm { .. } | Happening::Reinstall { permitted: true });
        assert!(
            armed_by || before.installs() || !self.machine.state.installs(),
            "only arming leads to an install: {happening:?}"
        );
    }

    fn was_armed(&mut self) {
        (self.armed, self.boots) = (true, vec![]);
        self.armings += 1;
    }

    fn check_in(&mut self) {
        let ask = CheckInAsk { from: OWN, life: Uuid::from_u128(self.lives), up_secs: 60 };
        let decision = ask.decide(&self.machine, self.now);
        let untouched = self.machine.install.as_ref().is_some_and(|i| i.inside_only && i.boots == 0);
        if decision.reply == Wish::Reinstall {
            assert!(self.machine.state == State::Armed && untouched, "a wish is for an arming that nobody took yet");
        }
        let (wish, boot) = (decision.reply, self.machine.install.as_ref().and_then(|i| i.boot.clone()));
        let before = self.machine.state;
        self.apply(decision.effects);
        if before != self.machine.state {
            let came_up_since = |answered: Time| before == State::Installing && self.now.secs_since(answered) > 60;
            let is_over = |boot: Boot| boot.inside.is_some() || boot.answered_at.is_some_and(came_up_since);
            assert!(
                boot.is_some_and(is_over),
                "only a boot from inside is over because it is heard, or one whose answer file is older than its life"
            );
            assert!(self.machine.install.is_none() && !self.machine.state.installs(), "and its arming with it");
        }
        if wish == Wish::Reinstall {
            self.reinstall(false);
        }
    }

    fn reinstall(&mut self, permitted: bool) {
        self.seed = self.seed.wrapping_add(1);
        let (token, key, lease) = (self.seed, "own".parse().unwrap(), self.lease());
        let facts = ReinstallFacts {
            machine: &self.machine,
            network: Some(&self.network),
            lease: Some(&lease),
            permitted_by: permitted.then_some(&key),
            profiles: &BTreeMap::new(),
            ranges: &[],
            hindrance: None,
            install: Uuid::from_u128(500 + u128::from(self.seed)),
            ticket: Ticket { token: Hash([token; 32]), report: Hash([token ^ 0x80; 32]), ip: OWN, lives_secs: 600 },
        };
        let life = Uuid::from_u128(self.lives);
        let ask = ReinstallAsk { from: OWN, life, mac: self.machine.interfaces[0].mac, profile: None, carried: None };
        let (before, decision) = (self.machine.state, ask.decide(facts, self.now));
        if let ReinstallReply::Start { .. } = decision.reply {
            assert!(before.installs() || permitted, "an installer is given only where somebody allowed it");
            if !before.installs() {
                self.was_armed();
            }
            self.served(token, matches!(&self.machine.install, Some(i) if i.inside().is_some_and(|i| i.life == life)));
        }
        self.apply(decision.effects);
    }

    fn starts(&mut self, fails: bool) {
        let way = if fails { Err("no".into()) } else { Ok(Way::Kexec) };
        let ask = StartsAsk { from: OWN, life: Uuid::from_u128(self.lives), way };
        let decision = ask.decide(&self.machine, self.now);
        if decision.reply == StartsReply::Taken {
            let boot = self.machine.install.as_ref().and_then(|install| install.boot.as_ref());
            let given = boot.is_some_and(|boot| boot.inside.is_some() && boot.answered_at.is_none());
            let wished = matches!(&self.machine.install, Some(i) if i.inside_only && i.boot.is_none());
            let may = given || fails && wished;
            assert!(self.machine.state == State::Armed && may, "only what was given is started, or given back");
        }
        self.apply(decision.effects);
    }

    /// An installer was given away: by the network or to the running system, each arming has three.
    fn served(&mut self, token: u8, may_be_same: bool) {
        let same_boot = may_be_same && self.boots.last().is_some_and(|at| self.now.secs_since(*at) < 30);
        if !same_boot {
            self.boots.push(self.now);
        }
        self.tokens.push(token);
        assert!(
            self.boots.len() <= usize::from(lifecycle::BOOTS),
            "at most three boots for each arming: {:?}",
            self.boots
        );
    }

    fn boot(&mut self, own: bool) {
        self.seed = self.seed.wrapping_add(1);
        let token = self.seed;
        let from = if own { OWN } else { FOREIGN };
        let mac = self.machine.interfaces[0].mac;
        let lease = self.lease();
        let language = if token.is_multiple_of(2) { Language::Ipxe } else { Language::Grub };
        let facts = ScriptFacts {
            standing: Standing::Machine(&self.machine),
            network: &self.network,
            lease: Some(&lease),
            ranges: &[],
            profiles: &BTreeMap::new(),
            shelf: &Shelf::default(),
            hindrance: None,
            ticket: Ticket { token: Hash([token; 32]), report: Hash([token ^ 0x80; 32]), ip: from, lives_secs: 600 },
        };
        let (before, decision) = (self.machine.state, ScriptAsk { mac, from, language }.decide(facts, self.now));
        if let ScriptReply::Install { .. } = decision.reply {
            assert!(before.installs() && self.armed, "an installer is served only to an armed machine");
            assert!(own, "and only at its own address");
            let install = self.machine.install.as_ref().unwrap();
            assert!(
                !install.inside_only && install.inside().is_none(),
                "the network never installs beside a running system"
            );
            self.served(token, true);
        }
        self.apply(decision.effects);
    }

    /// What its card has leased.
    fn lease(&self) -> Lease {
        Lease {
            network: self.network.name.clone(),
            holder: self.machine.interfaces[0].mac.into(),
            ip: OWN,
            starts_at: self.now,
            ends_at: self.now.plus_secs(600),
            hostname: None,
        }
    }

    fn fetch(&mut self, own: bool, newest: bool) {
        let back = if newest { 1 } else { 2 };
        let token = self.tokens[self.tokens.len().saturating_sub(back)];
        let boot = self.machine.install.as_ref().and_then(|i| i.boot.as_ref());
        let current = boot.is_some_and(|b| b.token == Hash([token; 32]));
        let install = self.machine.install.as_ref().map_or(Uuid::nil(), |i| i.id);
        let key = InstallKey {
            hash: Hash([token.wrapping_add(77); 32]),
            keys: Names::from_iter(["web".parse().unwrap()]),
            machine: self.machine.id,
            install,
            expires_at: self.now.plus_secs(InstallKey::LIFETIME_SECS),
            spent_at: None,
        };
        let ask = AutoinstallAsk { token: Hash([token; 32]), from: if own { OWN } else { FOREIGN } };
        let machine = current.then_some(&self.machine);
        let lease = self.lease();
        let dead = boot.is_some_and(|b| b.expires_at <= self.now || b.reported_at.is_some());
        let (before, decision) = (
            self.machine.state,
            ask.decide(
                AutoinstallFacts {
                    machine,
                    lease: Some(&lease),
                    file: Some("answer file"),
                    key: Some(key),
                    lives_secs: 300,
                },
                self.now,
            ),
        );
        if let AutoinstallReply::Answer { .. } = decision.reply {
            assert!(
                own && before.installs() && !dead,
                "an answer file goes to an installing machine at its own address"
            );
            self.answers += 1;
        } else if current && !own {
            assert!(
                !before.installs()
                    || dead
                    || decision.effects.iter().any(|e| matches!(e, Effect::Step(s) if s.state == State::Failed))
            );
        }
        self.apply(decision.effects);
    }

    fn named(&mut self, own: bool) {
        let install = self.machine.install.as_ref().map_or(Uuid::nil(), |install| install.id);
        let hash = |what: u8, turn: Turn| {
            let mut hash = [what; 32];
            (hash[0], hash[1]) = (turn.boots, turn.repeats);
            hash[2..18].copy_from_slice(install.as_bytes());
            Hash(hash)
        };
        let (id, expires_at) = (self.machine.id, self.now.plus_secs(InstallKey::LIFETIME_SECS));
        let papers = |turn| Papers {
            ticket: Ticket { token: hash(1, turn), report: hash(2, turn), ip: OWN, lives_secs: 600 },
            key: Some(InstallKey {
                hash: hash(3, turn),
                keys: "web".parse().unwrap(),
                machine: id,
                install,
                expires_at,
                spent_at: None,
            }),
        };
        let (lease, profile) = (self.lease(), "web".parse().unwrap());
        let (machine, file) = (&self.machine, Some("answer file"));
        let facts = NamedFacts {
            machine,
            lease: Some(&lease),
            kept: None,
            profile: Some(&profile),
            hindrance: None,
            file,
            papers: &papers,
            lives_secs: 300,
        };
        let before = self.machine.state;
        let decision = NamedAsk { from: if own { OWN } else { FOREIGN } }.decide(facts, self.now);
        if let NamedReply::Answer { again, .. } = decision.reply {
            assert!(
                own && before.installs() && self.armed,
                "an answer file goes to an armed machine at its own address"
            );
            self.answers += 1;
            if !again && self.boots.last().is_none_or(|at| self.now.secs_since(*at) >= 30) {
                self.boots.push(self.now);
            }
            assert!(self.boots.len() <= usize::from(lifecycle::BOOTS), "at most three boots: {:?}", self.boots);
        }
        self.apply(decision.effects);
    }

    fn report(&mut self, stage: Stage) {
        let report = self.machine.install.as_ref().and_then(|i| i.boot.as_ref()).map_or(Hash([0; 32]), |b| b.report);
        let decision =
            ReportAsk { report, from: OWN, stage }.decide(ReportFacts { machine: Some(&self.machine) }, self.now);
        self.apply(decision.effects);
    }

    fn register(&mut self, newest: bool) {
        let activation = ActivationKey::new("web".parse().unwrap());
        let keys = [(activation.name.clone(), activation)].into();
        let back = if newest { 1 } else { 2 };
        let Some(key) = self.keys.get(self.keys.len().saturating_sub(back)).cloned() else { return };
        let ask = RegisterAsk { key: key.hash, from: OWN, inventory: serde_json::json!({}), credential: Hash([9; 32]) };
        let facts = RegisterFacts { install_key: Some(&key), keys: &keys, machine: Some(&self.machine) };
        let decision = ask.decide(facts, self.now);
        if let RegisterReply::Welcome { .. } = decision.reply {
            assert!(key.expires_at > self.now && key.spent_at.is_none());
        }
        self.apply(decision.effects);
    }

    fn race(&mut self) {
        let moment = || Moment::Arm { install: Uuid::from_u128(1), inside_only: false };
        let (first, second) =
            (lifecycle::next(&self.machine, moment(), self.now), lifecycle::next(&self.machine, moment(), self.now));
        // Neither is an operator's arming of this life: only the first of a pair that is put back may count.
        let kept = self.machine.clone();
        if let (Next::Step(first), Next::Step(second)) = (first, second) {
            assert!(self.commit(first) && !self.commit(second), "of two steps from one revision one is taken");
        }
        self.machine = kept;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_life_keeps_the_promises(happenings in prop::collection::vec(happening(), 1..80)) {
        let mut life = Life::new();
        happenings.into_iter().for_each(|happening| life.happens(happening));
        prop_assert!(life.registrations <= life.answers, "no registration without an answer file");
        prop_assert!(life.registrations <= life.armings, "each arming registers once");
    }
}

#[test]
fn the_usual_life_ends_registered_and_never_installs_again() {
    let mut life = Life::new();
    use Happening::*;
    for happening in [
        Arm { inside_only: false },
        Boot { own: true },
        Fetch { own: true, newest: true },
        Started,
        Done,
        Boot { own: true },
        Register { newest: true },
    ] {
        life.happens(happening);
    }
    assert_eq!((life.machine.state, life.registrations, life.answers, life.boots.len()), (State::Registered, 1, 1, 1));
    for _ in 0..5 {
        life.happens(Wait { secs: 100 });
        life.happens(Boot { own: true });
    }
    assert_eq!((life.machine.state, life.boots.len()), (State::Registered, 1));
}

#[test]
fn a_life_from_inside_ends_registered_and_one_that_falls_back_is_what_it_was() {
    let mut life = Life::new();
    use Happening::*;
    let registered = [Arm { inside_only: false }, Boot { own: true }, Fetch { own: true, newest: true }, Done];
    registered.into_iter().for_each(|happening| life.happens(happening));
    life.happens(Register { newest: true });
    assert_eq!(life.machine.state, State::Registered);

    // The new kernel never reports: the old system is there again, and network boots never installed meanwhile.
    for happening in [Arm { inside_only: true }, Boot { own: true }, CheckIn, Starts { fails: false }, Restart] {
        life.happens(happening);
    }
    life.happens(Boot { own: true });
    assert_eq!((life.machine.state, life.answers), (State::Armed, 1));
    life.happens(CheckIn);
    assert_eq!((life.machine.state, life.machine.install.is_none()), (State::Registered, true));
    life.happens(CheckIn);
    assert_eq!(life.machine.state, State::Registered, "once was enough");

    for happening in [Arm { inside_only: true }, CheckIn, Starts { fails: false }, Fetch { own: true, newest: true }] {
        life.happens(happening);
    }
    for happening in [Started, Done, Boot { own: true }, Register { newest: true }, Restart, CheckIn] {
        life.happens(happening);
    }
    assert_eq!((life.machine.state, life.registrations, life.answers), (State::Registered, 2, 2));
}
