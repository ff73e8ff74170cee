//! Who knocks a thousand times a minute is written down once: history can not be filled from the wire.

use crate::boot::{Effect, Tale};
use crate::model::{Kind, MachineId, Time};
use foldhash::HashMap;

/// How long the same sentence of the same machine is not said again.
const QUIET_SECS: u32 = 60;
/// No machine restarts faster than that.
const LOCAL_SECS: u32 = 5;
/// How many sentences are remembered; beyond that all are forgotten, and may be said once more.
const REMEMBERED: usize = 4096;

/// What was said lately. One for each store.
#[derive(Debug, Default)]
pub struct Repeats(HashMap<(Option<MachineId>, String), Time>);

impl Repeats {
    /// Takes out what would only say again what was said a moment ago.
    ///
    /// A sentence that comes with a change is part of it: a compare-and-set that was lost and is tried
    /// again says it again.
    pub fn sift(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        if effects.iter().any(|effect| !matches!(effect, Effect::Tell(_) | Effect::See(_) | Effect::Hear(_))) {
            return effects;
        }
        effects.into_iter().filter(|effect| !matches!(effect, Effect::Tell(tale) if self.is_repeat(tale))).collect()
    }

    fn is_repeat(&mut self, tale: &Tale) -> bool {
        let quiet_secs = match tale.kind {
            Kind::Alarm | Kind::Refused | Kind::Appliance => QUIET_SECS,
            Kind::Local => LOCAL_SECS,
            _ => return false,
        };
        let key = (tale.machine, tale.text.clone());
        // A clock that was set back silences nothing.
        if self.0.get(&key).is_some_and(|at| *at <= tale.at && tale.at.secs_since(*at) < quiet_secs) {
            return true;
        }
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        self.0.insert(key, tale.at);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Holder;

    fn knock(at: i64, kind: Kind, text: &str) -> Vec<Effect> {
        vec![Effect::Tell(Tale::new(Time::from_secs(at), kind, text))]
    }

    #[test]
    fn a_sentence_is_said_once_a_minute_and_steps_are_always_said() {
        let mut repeats = Repeats::default();
        let mut said = |at, kind, text| repeats.sift(knock(at, kind, text)).len();
        assert_eq!([said(0, Kind::Alarm, "a"), said(59, Kind::Alarm, "a"), said(60, Kind::Alarm, "a")], [1, 0, 1]);
        assert_eq!([said(61, Kind::Alarm, "b"), said(61, Kind::State, "a"), said(61, Kind::State, "a")], [1, 1, 1]);
    }

    #[test]
    fn what_comes_with_a_change_is_never_taken_out_and_a_clock_set_back_silences_nothing() {
        let mut repeats = Repeats::default();
        let holder: Holder = "52:54:00:00:00:01".parse().unwrap();
        for _ in 0..2 {
            let job = [knock(5, Kind::Alarm, "a"), vec![Effect::LetGo { holder: holder.clone() }]].concat();
            assert_eq!(repeats.sift(job).len(), 2);
        }
        assert_eq!(repeats.sift(knock(9, Kind::Alarm, "b")).len(), 1);
        assert_eq!(repeats.sift(knock(2, Kind::Alarm, "b")).len(), 1);
    }

    #[test]
    fn its_memory_is_bounded() {
        let mut repeats = Repeats::default();
        for i in 0..10_000 {
            repeats.sift(knock(0, Kind::Refused, &format!("knock {i}")));
        }
        assert!(repeats.0.len() <= REMEMBERED);
    }
}
