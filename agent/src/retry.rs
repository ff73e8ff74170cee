//! How long to try again, and what is not worth trying again.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long to go on while the other side does not answer.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub total: Duration,
    /// The first pause; each next one is twice as long, up to `longest_pause`.
    pub first_pause: Duration,
    pub longest_pause: Duration,
}

impl Patience {
    /// For what may be lost: a server that is restarting is back by then.
    pub const SHORT: Patience = Patience::seconds(10);
    /// For what the install needs: the server may be restarted, or the switch port still be asleep.
    pub const NORMAL: Patience = Patience::seconds(120);
    /// For what must arrive: without `done` the machine would install itself again.
    pub const LONG: Patience = Patience::seconds(600);

    const fn seconds(total: u64) -> Patience {
        Patience {
            total: Duration::from_secs(total),
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// Why one attempt brought nothing.
#[derive(Debug, PartialEq)]
pub enum Failure<E> {
    /// The other side is away or overloaded: the same attempt may succeed later.
    Again(E),
    /// The other side said no: asking again changes nothing.
    Final(E),
}

impl<E> Failure<E> {
    pub fn into_inner(self) -> E {
        match self {
            Failure::Again(error) | Failure::Final(error) => error,
        }
    }
}

/// Repeats `attempt` until it succeeds, fails for good or `patience` is over; gives the last failure.
///
/// `attempt` may have reached the other side although its answer was lost: it must be harmless to repeat.
pub fn retry<T, E: std::fmt::Display>(
    patience: Patience,
    mut attempt: impl FnMut() -> Result<T, Failure<E>>,
) -> Result<T, Failure<E>> {
    let start = Instant::now();
    let mut pause = patience.first_pause;
    let mut warned = false;
    loop {
        match attempt() {
            Err(Failure::Again(error)) if start.elapsed() + pause <= patience.total => {
                if !warned {
                    eprintln!("kickstand-agent: {error}; trying again for up to {} s", patience.total.as_secs());
                    warned = true;
                }
                sleep(pause);
                pause = (pause * 2).min(patience.longest_pause);
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Patience for tests: many attempts, hardly any time.
    pub(crate) const BRISK: Patience = Patience {
        total: Duration::from_secs(5),
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(10),
    };

    #[test]
    fn tries_again_until_it_succeeds() {
        let mut attempts = 0;
        let outcome = retry(BRISK, || {
            attempts += 1;
            if attempts < 4 { Err(Failure::Again("away")) } else { Ok(attempts) }
        });
        assert_eq!(outcome, Ok(4));
    }

    #[test]
    fn a_refusal_is_not_repeated() {
        let mut attempts = 0;
        let outcome: Result<(), _> = retry(BRISK, || {
            attempts += 1;
            Err(Failure::Final("no"))
        });
        assert_eq!(outcome, Err(Failure::Final("no")));
        assert_eq!(attempts, 1);
    }

    #[test]
    fn patience_ends() {
        let patience = Patience { total: Duration::from_millis(20), ..BRISK };
        let outcome: Result<(), _> = retry(patience, || Err(Failure::Again("away")));
        assert_eq!(outcome, Err(Failure::Again("away")));
    }
}
