//! The name of a record: what an operator types, and what a file, a URL and a host name can carry.

use super::{Malformed, serde_as_text};
use std::{fmt, str::FromStr, sync::Arc};

/// 1 to 63 lower-case letters, digits, dots, dashes and underscores, the first a letter or digit. A clone costs nothing:
/// each lease and each event carries some.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Words that stand below /machines themselves: a machine of such a name could not be asked for.
    pub fn is_reserved(&self) -> bool {
        matches!(self.as_str(), "adopt" | "batch")
    }
}

impl FromStr for Name {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
        let first = text.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if first && text.len() <= 63 && text.chars().all(inner) {
            return Ok(Name(text.into()));
        }
        Err(Malformed::new(
            text,
            "a name (1 to 63 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit)",
        ))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

serde_as_text!(Name);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_climb_out_of_a_folder_or_break_a_script() {
        for text in ["", "..", ".x", "-x", "a/b", "a b", "a\nb", "Ä", "A", "$x", &"x".repeat(64)] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
        assert_eq!("web-01.rack_2".parse::<Name>().unwrap().as_str(), "web-01.rack_2");
    }
}
