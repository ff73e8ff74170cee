//! What templates can name, in layers: the first that has a name says what it is.

use crate::model::Variables;
use minijinja::Value;
use minijinja::value::Serde;

/// The appliance's own words over the operator's, say. They are not copied together: most templates name few of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Words(Vec<Variables>);

impl Words {
    /// The first one wins.
    pub fn of(layers: impl Into<Vec<Variables>>) -> Words {
        Words(layers.into())
    }

    pub fn get(&self, name: &str) -> Option<&serde_json::Value> {
        self.0.iter().find_map(|layer| layer.get(name))
    }

    /// What wins over all others.
    pub fn top(&self) -> Option<&Variables> {
        self.0.first()
    }

    /// All of them in one object.
    pub fn merged(self) -> serde_json::Value {
        let mut all = Variables::new();
        self.0.into_iter().rev().for_each(|layer| all.extend(layer));
        serde_json::Value::Object(all.into_iter().collect())
    }

    pub(super) fn value(&self, name: &str) -> Option<Value> {
        self.get(name).map(|value| Value::from(Serde(value)))
    }
}

/// An object by its names; another value has none.
impl From<serde_json::Value> for Words {
    fn from(value: serde_json::Value) -> Words {
        match value {
            serde_json::Value::Object(all) => Words(vec![all.into_iter().collect()]),
            _ => Words::default(),
        }
    }
}
