//! The witness: it writes down every promise that a client was given, forced to the disk of its own, and knows a
//! broken one when it sees it. It shares nothing with the server.

use crate::server::Known;
use kickstand::model::Mac;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

/// A server may round down to whole seconds.
const SLACK_MICROS: i64 = 1_000_000;

/// Microseconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64
}

#[derive(Debug, Clone)]
pub enum Seen {
    /// An ACK that its client takes; it may use the address until then.
    Acked {
        mac: Mac,
        ip: Ipv4Addr,
        until: i64,
    },
    /// The client is about to say that it does not want this address any longer.
    LetGo {
        mac: Mac,
        ip: Ipv4Addr,
    },
    Offered {
        mac: Mac,
        ip: Ipv4Addr,
    },
    /// A client that asked to go on with this address is refused.
    Nakked {
        mac: Mac,
        ip: Ipv4Addr,
    },
    /// All leases that a server knows, asked for after everything that was seen before.
    Known {
        leases: Vec<Known>,
    },
    /// For the reader of the log.
    Note(String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Claim {
    mac: Mac,
    until: i64,
}

/// What the witness says in the end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    pub acks: u64,
    /// Promises that the server forgot, shortened or went back on.
    pub lost: Vec<String>,
    /// Addresses that were promised to two clients at once, and clients with two.
    pub duplicate: Vec<String>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.duplicate.is_empty()
    }

    pub fn assert_clean(&self) {
        let few = |all: &[String]| all.iter().take(10).cloned().collect::<Vec<_>>().join("\n  ");
        assert!(
            self.is_clean(),
            "of {} acknowledged leases {} are lost:\n  {}\nand {} given twice:\n  {}",
            self.acks,
            self.lost.len(),
            few(&self.lost),
            self.duplicate.len(),
            few(&self.duplicate)
        );
    }
}

/// The rules, apart from threads and files.
pub struct Judge {
    /// Addresses that belong to one card by a record: known without a lease.
    reserved: HashMap<Ipv4Addr, Mac>,
    /// One server knows what it gave away. Of several, one may offer what it has not heard of yet: no promise.
    alone: bool,
    claims: HashMap<Ipv4Addr, Claim>,
    of: HashMap<Mac, Ipv4Addr>,
    verdict: Verdict,
}

impl Judge {
    pub fn new(reserved: HashMap<Ipv4Addr, Mac>, alone: bool) -> Judge {
        Judge { reserved, alone, claims: HashMap::new(), of: HashMap::new(), verdict: Verdict::default() }
    }

    pub fn hear(&mut self, at: i64, seen: &Seen) {
        match seen {
            Seen::Acked { mac, ip, until } => self.acked(at, *mac, *ip, *until),
            Seen::LetGo { mac, ip } => self.end(*mac, *ip),
            Seen::Offered { .. } if !self.alone => {}
            Seen::Offered { mac, ip } => self.not_anothers(at, *mac, *ip, "offered"),
            Seen::Nakked { mac, ip } => {
                if let Some(claim) = self.claim(at, *ip).filter(|claim| claim.mac == *mac) {
                    let left = (claim.until - at) / 1000;
                    self.verdict.lost.push(format!("{at}: {mac} is refused {ip}, which is its own for {left} ms more"));
                    self.end(*mac, *ip);
                }
            }
            Seen::Known { leases } => self.compare(at, leases),
            Seen::Note(_) => {}
        }
    }

    fn acked(&mut self, at: i64, mac: Mac, ip: Ipv4Addr, until: i64) {
        self.verdict.acks += 1;
        self.not_anothers(at, mac, ip, "given");
        if let Some(other) = self.of.get(&mac).copied().filter(|other| *other != ip) {
            if let Some(claim) = self.claim(at, other).filter(|claim| claim.mac == mac) {
                let left = (claim.until - at) / 1000;
                let text = format!("{at}: {mac} is given {ip}, and {other} is its own for {left} ms more");
                self.verdict.duplicate.push(text);
            }
            self.end(mac, other);
        }
        // The other's claim is broken, and told of once.
        if let Some(broken) = self.claims.insert(ip, Claim { mac, until }).filter(|broken| broken.mac != mac) {
            self.of.remove(&broken.mac);
        }
        self.of.insert(mac, ip);
    }

    fn not_anothers(&mut self, at: i64, mac: Mac, ip: Ipv4Addr, how: &str) {
        let owner = self.reserved.get(&ip).copied().map(|mac| Claim { mac, until: i64::MAX });
        if let Some(claim) = owner.or_else(|| self.claim(at, ip)).filter(|claim| claim.mac != mac) {
            let Claim { mac: other, until } = claim;
            self.verdict.duplicate.push(format!("{at}: {ip} is {how} to {mac}, and {other}'s until {until}"));
        }
    }

    fn claim(&self, at: i64, ip: Ipv4Addr) -> Option<Claim> {
        self.claims.get(&ip).copied().filter(|claim| claim.until > at)
    }

    fn end(&mut self, mac: Mac, ip: Ipv4Addr) {
        if self.claims.get(&ip).is_some_and(|claim| claim.mac == mac) {
            self.claims.remove(&ip);
            self.of.remove(&mac);
        }
    }

    fn compare(&mut self, at: i64, leases: &[Known]) {
        let known: HashMap<Ipv4Addr, &Known> = leases.iter().map(|lease| (lease.ip, lease)).collect();
        self.claims.retain(|_, claim| claim.until > at);
        self.of.retain(|_, ip| self.claims.contains_key(ip));
        for (ip, claim) in &self.claims {
            let Claim { mac, until } = claim;
            let is_kept = |lease: &&Known| lease.mac == *mac && lease.until >= until - SLACK_MICROS;
            if self.reserved.get(ip) != Some(mac) && known.get(ip).filter(|lease| is_kept(lease)).is_none() {
                let text = format!("{at}: {ip} is {mac}'s until {until}, and the server knows {:?}", known.get(ip));
                self.verdict.lost.push(text);
            }
        }
    }
}

enum Letter {
    Saw(i64, Seen),
    /// Answered when everything before is judged and on the disk.
    Settle(Sender<Verdict>),
}

/// The judge in a thread of its own, with its log.
pub struct Oracle {
    letters: Option<Sender<Letter>>,
    thread: Option<JoinHandle<()>>,
}

impl Oracle {
    pub fn start(log: &Path, reserved: HashMap<Ipv4Addr, Mac>, servers: usize) -> Oracle {
        let (letters, post) = channel();
        let log = File::options().create(true).append(true).open(log).unwrap();
        let thread = std::thread::spawn(move || run(&post, log, Judge::new(reserved, servers == 1)));
        Oracle { letters: Some(letters), thread: Some(thread) }
    }

    pub fn saw(&self, seen: Seen) {
        self.post(Letter::Saw(now(), seen));
    }

    pub fn settle(&self) -> Verdict {
        let (answer, wait) = channel();
        self.post(Letter::Settle(answer));
        wait.recv().expect("the witness lives")
    }

    fn post(&self, letter: Letter) {
        self.letters.as_ref().expect("not dropped yet").send(letter).expect("the witness lives");
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.letters = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn run(post: &Receiver<Letter>, mut log: File, mut judge: Judge) {
    while let Ok(first) = post.recv() {
        let (mut lines, mut waiting) = (String::new(), Vec::new());
        for letter in std::iter::once(first).chain(post.try_iter()) {
            match letter {
                Letter::Saw(at, seen) => {
                    judge.hear(at, &seen);
                    lines.push_str(&line(at, &seen));
                }
                Letter::Settle(answer) => waiting.push(answer),
            }
        }
        log.write_all(lines.as_bytes()).unwrap();
        log.sync_data().unwrap();
        waiting.into_iter().for_each(|answer| drop(answer.send(judge.verdict.clone())));
    }
}

fn line(at: i64, seen: &Seen) -> String {
    match seen {
        Seen::Known { leases } => format!("{at} known {} leases\n", leases.len()),
        Seen::Note(text) => format!("{at} {text}\n"),
        other => format!("{at} {other:?}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
    const ONE: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const TWO: Mac = Mac([2, 0, 0, 0, 0, 2]);
    const S: i64 = 1_000_000;

    /// What comes of an ACK to ONE at 0 for ten seconds, and then this.
    fn after(more: &[(i64, Seen)]) -> Verdict {
        let mut judge = Judge::new(HashMap::new(), true);
        judge.hear(0, &Seen::Acked { mac: ONE, ip: IP, until: 10 * S });
        more.iter().for_each(|(at, seen)| judge.hear(*at, seen));
        judge.verdict
    }

    fn known(mac: Mac, until: i64) -> Seen {
        Seen::Known { leases: vec![Known { mac, ip: IP, until }] }
    }

    #[test]
    fn a_promise_that_the_server_forgot_or_went_back_on_is_lost() {
        for (broken, seen) in [
            (true, Seen::Known { leases: vec![] }),
            (true, known(ONE, 8 * S)),
            (true, known(TWO, 20 * S)),
            (true, Seen::Nakked { mac: ONE, ip: IP }),
            (false, known(ONE, 9 * S)),
            (false, Seen::Nakked { mac: TWO, ip: IP }),
        ] {
            assert_eq!(after(&[(5 * S, seen.clone())]).lost.len(), usize::from(broken), "{seen:?}");
            assert!(after(&[(10 * S, seen.clone())]).is_clean(), "it is over: {seen:?}");
            let let_go = (S, Seen::LetGo { mac: ONE, ip: IP });
            assert!(after(&[let_go, (5 * S, seen.clone())]).is_clean(), "it was given back: {seen:?}");
        }
    }

    #[test]
    fn an_address_for_two_and_a_client_with_two_are_duplicates() {
        let other = Ipv4Addr::new(10, 0, 0, 8);
        for seen in [
            Seen::Acked { mac: TWO, ip: IP, until: 20 * S },
            Seen::Offered { mac: TWO, ip: IP },
            Seen::Acked { mac: ONE, ip: other, until: 20 * S },
        ] {
            assert_eq!(after(&[(5 * S, seen.clone())]).duplicate.len(), 1, "{seen:?}");
            assert!(after(&[(10 * S, seen)]).is_clean());
        }
        assert!(after(&[(5 * S, Seen::Acked { mac: ONE, ip: IP, until: 15 * S })]).is_clean(), "it renews");
    }

    #[test]
    fn a_record_is_a_promise_without_an_end() {
        let mut judge = Judge::new(HashMap::from([(IP, ONE)]), true);
        judge.hear(0, &Seen::Acked { mac: ONE, ip: IP, until: 10 * S });
        judge.hear(S, &Seen::Known { leases: vec![] });
        assert!(judge.verdict.is_clean());
        judge.hear(99 * S, &Seen::Acked { mac: TWO, ip: IP, until: 100 * S });
        assert_eq!(judge.verdict.duplicate.len(), 1);
    }
}
