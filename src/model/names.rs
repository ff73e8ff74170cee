//! Names in a row, none twice: a stack of activation keys, the groups of a machine. Written with commas.

use super::{Malformed, Name};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// In the order in which they were given; the first of two that are the same counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Names(Vec<Name>);

impl Names {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Name> {
        self.0.iter()
    }

    pub fn as_slice(&self) -> &[Name] {
        &self.0
    }

    pub fn contains(&self, name: &Name) -> bool {
        self.0.contains(name)
    }

    /// What is there already stays where it is.
    pub fn add<'a>(&mut self, more: impl IntoIterator<Item = &'a Name>) {
        for name in more {
            if !self.contains(name) {
                self.0.push(name.clone());
            }
        }
    }

    /// These, then those.
    pub fn and<'a>(&self, more: impl IntoIterator<Item = &'a Name>) -> Names {
        let mut all = self.clone();
        all.add(more);
        all
    }

    /// These without those.
    pub fn without(&self, gone: &Names) -> Names {
        self.iter().filter(|name| !gone.contains(name)).cloned().collect()
    }
}

impl FromIterator<Name> for Names {
    fn from_iter<T: IntoIterator<Item = Name>>(all: T) -> Self {
        let mut names = Names::default();
        for name in all {
            if !names.contains(&name) {
                names.0.push(name);
            }
        }
        names
    }
}

impl From<Name> for Names {
    fn from(one: Name) -> Self {
        Names(vec![one])
    }
}

impl<'a> IntoIterator for &'a Names {
    type Item = &'a Name;
    type IntoIter = std::slice::Iter<'a, Name>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<&str> = self.iter().map(Name::as_str).collect();
        f.pad(&all.join(","))
    }
}

impl FromStr for Names {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.trim() {
            "" => Ok(Names::default()),
            text => text.split(',').map(|name| name.trim().parse()).collect(),
        }
    }
}

/// A list; one text with commas; nothing. What one name was kept as, or given as, reads as a stack of one.
impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Given)
    }
}

struct Given;

impl<'de> Visitor<'de> for Given {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names, or one text with commas between them")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Names, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_unit<E>(self) -> Result<Names, E> {
        Ok(Names::default())
    }

    fn visit_none<E>(self) -> Result<Names, E> {
        Ok(Names::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Names, D::Error> {
        Names::deserialize(d)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
        let mut names = Names::default();
        while let Some(name) = list.next_element::<Name>()? {
            names.add([&name]);
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_stack_is_a_list_or_a_text_and_nobody_is_in_it_twice() {
        for given in [json!("web, db,web"), json!(["web", "db", "web"])] {
            let names: Names = serde_json::from_value(given).unwrap();
            assert_eq!((names.to_string().as_str(), json!(names)), ("web,db", json!(["web", "db"])));
        }
        for nothing in [json!(null), json!(""), json!([])] {
            assert!(serde_json::from_value::<Names>(nothing).unwrap().is_empty());
        }
        for bad in [json!("web,,db"), json!(["a b"]), json!(7), json!("web,Db")] {
            assert!(serde_json::from_value::<Names>(bad).is_err());
        }
    }
}
