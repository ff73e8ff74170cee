//! Address ranges that name a profile: `/api/v1/ranges`.

use super::body::put;
use super::noun::Noun;
use super::variables::{SecretPatch, merge, names};
use crate::http::problem::Problem;
use crate::model::{Name, OptionPatch, OptionSet, Range, Record, Secrets, Span, Time, Variables};
use crate::store::{Edit, World};
use serde::{Deserialize, Serialize};

/// A new range; without a network, the one that holds its addresses.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeDraft {
    pub name: Name,
    pub network: Option<Name>,
    pub span: Span,
    pub profile: Name,
    #[serde(default)]
    pub options: OptionPatch,
    #[serde(default)]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
}

/// What is to change of one; in `options`, `variables` and `secrets`, null removes one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangePatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Name>,
    #[serde(default, skip_serializing_if = "OptionPatch::is_empty")]
    pub options: OptionPatch,
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    #[serde(default, skip_serializing_if = "SecretPatch::is_empty")]
    pub secrets: SecretPatch,
}

/// A range as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct RangeView {
    pub name: Name,
    pub network: Name,
    pub span: Span,
    pub profile: Name,
    pub options: OptionSet,
    #[serde(default)]
    pub variables: Variables,
    /// Their names: what is in them is shown to nobody.
    #[serde(default)]
    pub secrets: Vec<String>,
}

impl Noun for Range {
    const WORD: &'static str = "range";
    type Key = Name;
    type Draft = RangeDraft;
    type Patch = RangePatch;
    type View = RangeView;

    fn draft(draft: RangeDraft, _: Time, world: &World) -> Result<Self, Problem> {
        let RangeDraft { name, network, span, profile, options, variables: given, secrets: hidden } = draft;
        let network = network.map_or_else(|| network_of(span, world), Ok)?;
        let (options, variables, secrets) = (options.into(), Variables::new(), Secrets::default());
        let mut range = Range { name, network, span, profile, options, variables, secrets };
        merge(&mut range, given, hidden);
        Ok(range)
    }

    fn patch(&mut self, patch: RangePatch, _: &World) {
        put(&mut self.network, patch.network);
        put(&mut self.span, patch.span);
        put(&mut self.profile, patch.profile);
        self.options.patch(patch.options);
        merge(self, patch.variables, patch.secrets);
    }

    fn view(&self, _: &World) -> RangeView {
        let Range { name, network, span, profile, options, variables, secrets } = self.clone();
        RangeView { name, network, span, profile, options, variables, secrets: names(&secrets) }
    }

    fn key(&self) -> Name {
        self.name.clone()
    }

    fn record(&self) -> Record {
        Record::Range(self.clone())
    }

    fn find<'a>(world: &'a World, name: &Name) -> Option<&'a Self> {
        world.ranges.iter().find(|range| range.name == *name)
    }

    fn all(world: &World) -> Vec<&Self> {
        world.ranges.iter().collect()
    }

    fn add(self) -> Edit {
        Edit::AddRange(self)
    }

    fn set(self, _: Name) -> Edit {
        Edit::SetRange(self)
    }

    fn remove(name: Name) -> Edit {
        Edit::RemoveRange(name)
    }
}

fn network_of(span: Span, world: &World) -> Result<Name, Problem> {
    let network = world.network_of(span.first).filter(|network| network.cidr.contains(span.last));
    network.map(|network| network.name.clone()).ok_or_else(|| {
        let text = format!(
            "no network holds {span}: `kickstand network list` shows those that there are, `kickstand network add` makes one"
        );
        Problem::invalid("span", text)
    })
}
