//! Sets of options, as records carry them and as a PATCH changes them.

use super::table::{OPTIONS, OURS};
use super::{Kind, Value, named};
use crate::model::Malformed;
use std::collections::BTreeMap;

/// Options that a record gives to clients, as bytes of the wire by their code.
///
/// In JSON, in the database and on the command line: `{"ntp-servers": "10.0.0.1, 10.0.0.2", "224": "0x0102"}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OptionSet(BTreeMap<u8, Vec<u8>>);

impl OptionSet {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, code: u8) -> Option<&[u8]> {
        self.0.get(&code).map(Vec::as_slice)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.0.iter().map(|(code, bytes)| (*code, bytes.as_slice()))
    }

    /// Takes over all that a more specific set says.
    pub fn overlay(&mut self, specific: &OptionSet) {
        self.0.extend(specific.0.iter().map(|(code, bytes)| (*code, bytes.clone())));
    }

    /// Reads one option, by its name or its number, and puts it in.
    pub fn put(&mut self, option: &str, value: &str) -> Result<(), Malformed> {
        let code = code(option)?;
        let kind = named(code).map_or(Kind::Bytes, |row| row.kind);
        self.0.insert(code, kind.parse(value)?.into());
        Ok(())
    }

    /// Takes one out; tells whether it was there.
    pub fn remove(&mut self, option: &str) -> Result<bool, Malformed> {
        Ok(self.0.remove(&code(option)?).is_some())
    }

    /// Lays a change over it: a value sets an option, none takes it out, the others stay.
    pub fn patch(&mut self, patch: OptionPatch) {
        for (code, value) in patch.0 {
            match value {
                Some(bytes) => drop(self.0.insert(code, bytes)),
                None => drop(self.0.remove(&code)),
            }
        }
    }

    /// Each as an operator writes it.
    pub fn written(&self) -> BTreeMap<String, String> {
        self.iter().map(|(code, bytes)| (option_name(code), option_text(code, bytes))).collect()
    }
}

/// A change of some options, as it is written: `{"ntp-servers": "10.0.0.1", "224": null}`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OptionPatch(BTreeMap<u8, Option<Vec<u8>>>);

impl From<OptionPatch> for OptionSet {
    fn from(patch: OptionPatch) -> OptionSet {
        let mut set = OptionSet::default();
        set.patch(patch);
        set
    }
}

impl OptionPatch {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads one option, by its name or its number; without a value it is to be taken out. What is said twice
    /// is refused: one of the two would be lost.
    pub fn put(&mut self, option: &str, value: Option<&str>) -> Result<(), Malformed> {
        let code = code(option)?;
        let kind = named(code).map_or(Kind::Bytes, |row| row.kind);
        let value = value.map(|text| kind.parse(text)).transpose()?.map(Vec::from);
        match self.0.insert(code, value) {
            Some(_) => {
                Err(Malformed::new(option, "an option that is given once (write several values into one, with commas)"))
            }
            None => Ok(()),
        }
    }
}

impl serde::Serialize for OptionPatch {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let written = |(code, value): (&u8, &Option<Vec<u8>>)| {
            (option_name(*code), value.as_ref().map(|bytes| option_text(*code, bytes)))
        };
        s.collect_map(self.0.iter().map(written))
    }
}

impl<'de> serde::Deserialize<'de> for OptionPatch {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut patch = OptionPatch::default();
        for (option, value) in BTreeMap::<String, Option<String>>::deserialize(d)? {
            patch.put(&option, value.as_deref()).map_err(serde::de::Error::custom)?;
        }
        Ok(patch)
    }
}

/// The name of an option, or its number where it has none.
pub fn option_name(code: u8) -> String {
    named(code).map_or_else(|| code.to_string(), |row| row.name.to_owned())
}

/// The value of an option as an operator writes it; bytes that are not of its kind as hex.
pub fn option_text(code: u8, bytes: &[u8]) -> String {
    let value = named(code).and_then(|row| row.kind.read(bytes));
    value.unwrap_or_else(|| Value::Bytes(bytes.to_vec())).to_string()
}

fn code(option: &str) -> Result<u8, Malformed> {
    const WANTED: &str = "the name or number of an option that can be set (`kickstand option list` names them)";
    let row = OPTIONS.iter().find(|row| row.name == option).map(|row| row.code);
    let code = row.or_else(|| option.parse().ok()).ok_or_else(|| Malformed::new(option, WANTED))?;
    if OURS.contains(&code) {
        return Err(Malformed::new(option, WANTED));
    }
    Ok(code)
}

impl serde::Serialize for OptionSet {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.written().serialize(s)
    }
}

impl<'de> serde::Deserialize<'de> for OptionSet {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut set = OptionSet::default();
        for (option, value) in BTreeMap::<String, String>::deserialize(d)? {
            let put = set.put(&option, &value);
            put.map_err(|error| serde::de::Error::custom(format!("option {option}: {error}")))?;
        }
        Ok(set)
    }
}
