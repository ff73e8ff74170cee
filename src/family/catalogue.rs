//! Ready-made profiles: how each family, or a release of it, is installed without a word of the operator's.

use crate::model::{Family, Variables};
use serde::Deserialize;

/// What a profile is begun from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// What it installs, in one line.
    pub about: String,
    pub family: Family,
    /// Its answer file's template; by default the family's own.
    pub template: Option<String>,
    #[serde(default)]
    pub arguments: String,
    #[serde(default)]
    pub variables: Variables,
}

/// One of `profiles/*.toml`; the error names its line.
pub fn read(place: &str, text: &str) -> Result<Ready, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("{place}:{}: {}", before.matches('\n').count().saturating_add(1), error.message())
    })
}
