//! A moment, as microseconds since 1970: what the core is handed instead of a clock.

use super::{Malformed, serde_as_text};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, str::FromStr};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(pub i64);

impl Time {
    pub const fn from_secs(secs: i64) -> Self {
        Time(secs.saturating_mul(1_000_000))
    }

    pub fn plus_secs(self, secs: u32) -> Self {
        Time(self.0.saturating_add(i64::from(secs) * 1_000_000))
    }

    /// Whole seconds from `earlier` to this moment; 0 when it lies ahead.
    pub fn secs_since(self, earlier: Time) -> u32 {
        u32::try_from(self.0.saturating_sub(earlier.0).max(0) / 1_000_000).unwrap_or(u32::MAX)
    }
}

impl From<SystemTime> for Time {
    fn from(t: SystemTime) -> Self {
        let micros = t.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Time(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

impl From<Time> for SystemTime {
    fn from(t: Time) -> Self {
        UNIX_EPOCH + Duration::from_micros(u64::try_from(t.0).unwrap_or(0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&humantime::format_rfc3339_millis(SystemTime::from(*self)).to_string())
    }
}

impl FromStr for Time {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wanted = "a moment (write it like 2026-12-31T23:59:59Z or 2026-12-31)";
        let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        humantime::parse_rfc3339_weak(&full).map(Time::from).map_err(|_| Malformed::new(text, wanted))
    }
}

serde_as_text!(Time);
