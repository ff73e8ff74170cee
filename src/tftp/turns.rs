//! Which lane serves whom next: in turn, but not where late packets of the client's last transfers may still come.

use super::desk::{LINGER, MAX_LINGERING};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

/// Of one listener.
pub struct Turns {
    lanes: Lanes,
    turn: usize,
    recent: HashMap<SocketAddr, Recent>,
    /// In the order in which their transfers ended; one of which several ended stands here as often.
    order: VecDeque<(Instant, SocketAddr)>,
}

/// How many there are, and among how many of them newcomers are spread.
#[derive(Debug, Clone, Copy)]
pub struct Lanes {
    pub all: usize,
    pub busy: usize,
}

/// A client with a transfer that runs, or ended a moment ago.
struct Recent {
    /// The last transfer.
    id: u64,
    /// The oldest first.
    lanes: Vec<usize>,
    forget_at: Option<Instant>,
}

impl Turns {
    pub fn new(lanes: Lanes) -> Turns {
        Turns { lanes, turn: 0, recent: HashMap::new(), order: VecDeque::new() }
    }

    /// A ROM that always uses the same port may have sent an ERROR for what it no longer wants, which is still on its
    /// way. Where it had a transfer in every lane, the oldest one is taken.
    pub fn start(&mut self, client: SocketAddr, id: u64, now: Instant) -> usize {
        let Lanes { all: lanes, busy } = self.lanes;
        self.forget_until(now);
        self.turn = self.turn.wrapping_add(1).checked_rem(busy).unwrap_or(0);
        let recent = self.recent.entry(client).or_insert_with(|| Recent { id, lanes: Vec::new(), forget_at: None });
        let in_turn = (0..lanes).map(|step| self.turn.wrapping_add(step).checked_rem(lanes).unwrap_or(0));
        let unused = in_turn.clone().find(|lane| !recent.lanes.contains(lane));
        let lane = unused.or_else(|| recent.lanes.first().copied()).unwrap_or(0);
        recent.lanes.retain(|used| *used != lane);
        recent.lanes.push(lane);
        (recent.id, recent.forget_at) = (id, None);
        lane
    }

    pub fn ended(&mut self, client: SocketAddr, id: u64, now: Instant) {
        self.forget_until(now);
        let Some(recent) = self.recent.get_mut(&client).filter(|recent| recent.id == id) else { return };
        let at = now.checked_add(LINGER).unwrap_or(now);
        recent.forget_at = Some(at);
        self.order.push_back((at, client));
        if self.order.len() > MAX_LINGERING {
            self.forget_first();
        }
    }

    fn forget_until(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(at, _)| *at <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((at, client)) = self.order.pop_front()
            && self.recent.get(&client).is_some_and(|recent| recent.forget_at == Some(at))
        {
            self.recent.remove(&client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::time::Duration;

    const THREE: Lanes = Lanes { all: 3, busy: 3 };

    fn client(port: u16) -> SocketAddr {
        ([192, 0, 2, 7], port).into()
    }

    /// However they ended, and whoever else came between.
    #[test]
    fn a_client_comes_back_to_a_lane_as_late_as_may_be() {
        let (mut turns, now) = (Turns::new(THREE), Instant::now());
        let mut had = Vec::new();
        for id in 0..12 {
            for other in 0..id % 3 {
                turns.start(client(3000 + other as u16), 100 + other, now);
            }
            had.push(turns.start(client(2070), id, now));
            turns.ended(client(2070), id, now);
        }
        assert!(had.windows(3).all(|last| HashSet::<&usize>::from_iter(last).len() == 3), "{had:?}");
    }

    /// A small machine gains nothing from a second thread, but who comes back must still get another port.
    #[test]
    fn newcomers_are_spread_among_the_busy_lanes_only() {
        let (mut turns, now) = (Turns::new(Lanes { all: 2, busy: 1 }), Instant::now());
        assert!((0..9).all(|port| turns.start(client(port), port.into(), now) == 0));
        assert_eq!(turns.start(client(3), 10, now), 1);
        let mut turns = Turns::new(Lanes { all: 3, busy: 2 });
        let first = (20..24).map(|port| turns.start(client(port), port.into(), now)).collect::<Vec<_>>();
        assert_eq!(first, [1, 0, 1, 0]);
    }

    #[test]
    fn who_was_not_seen_for_long_is_forgotten_but_never_who_is_served() {
        let (mut turns, now) = (Turns::new(THREE), Instant::now());
        turns.start(client(1), 1, now);
        turns.start(client(2), 2, now);
        turns.ended(client(2), 2, now);
        turns.ended(client(1), 77, now);
        turns.forget_until(now + LINGER - Duration::from_millis(1));
        assert_eq!(turns.recent.len(), 2);
        turns.forget_until(now + LINGER);
        assert!(turns.recent.contains_key(&client(1)), "an older transfer's end is not this one's");
        assert_eq!((turns.recent.len(), turns.order.len()), (1, 0));
    }
}
