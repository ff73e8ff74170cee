//! Which datagrams are lost: by chance that can be had again, one course for each client. Pure.

/// Splitmix64: small, and good enough to lose packets.
#[derive(Debug, Clone)]
pub struct Loss {
    state: u64,
    /// Of 2^32.
    share: u64,
}

impl Loss {
    /// `percent` of all datagrams, the same ones for the same seed and client.
    pub fn new(percent: f64, seed: u64, client: u64) -> Loss {
        let share = (percent.clamp(0.0, 100.0) / 100.0 * 4_294_967_296.0) as u64;
        let mut loss = Loss { state: seed ^ client.wrapping_mul(0x9e37_79b9_7f4a_7c15), share };
        loss.next();
        loss
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn loses(&self) -> bool {
        self.share > 0
    }

    /// Whether the next datagram is lost.
    pub fn takes(&mut self) -> bool {
        self.loses() && self.next() >> 32 < self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_lost_and_the_same_ones_again() {
        let lost = |percent, seed| {
            let mut loss = Loss::new(percent, seed, 7);
            (0..20_000).map(|_| loss.takes()).collect::<Vec<_>>()
        };
        let count = |lost: &[bool]| lost.iter().filter(|lost| **lost).count();
        assert_eq!((count(&lost(0.0, 1)), count(&lost(100.0, 1))), (0, 20_000));
        assert!((3600..4400).contains(&count(&lost(20.0, 1))), "{}", count(&lost(20.0, 1)));
        assert_eq!(lost(20.0, 1), lost(20.0, 1));
        assert_ne!(lost(20.0, 1), lost(20.0, 2));
    }
}
