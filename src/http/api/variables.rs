//! Variables and secrets of requests, and where a machine's come from: `/api/v1/machines/{name}/variables`.

use super::body::Named;
use crate::engine::{Engine, Over, Variable};
use crate::http::problem::Problem;
use crate::model::{Name, Secret, Secrets, Variables, Varied, wipe};
use axum::Json;
use axum::extract::State;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Secrets as a request gives them: a text sets one, null removes it. There is no way back: views show names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SecretPatch(pub BTreeMap<String, Option<Secret>>);

impl SecretPatch {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// For the command line, which sends them.
impl Serialize for SecretPatch {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(name, secret)| (name, secret.as_ref().map(Secret::expose))))
    }
}

impl<'de> Deserialize<'de> for SecretPatch {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Value::Object(given) = Value::deserialize(d)? else {
            return Err(D::Error::custom("secrets are an object of names and texts"));
        };
        let all = given.into_iter().map(|(name, value)| read(&name, value).map(|secret| (name, secret)));
        all.collect::<Result<_, _>>().map(SecretPatch).map_err(D::Error::custom)
    }
}

/// No refusal shows what was given.
fn read(name: &str, value: Value) -> Result<Option<Secret>, String> {
    if !is_name(name) {
        return Err(format!("{name:?} is not a variable's name: letters, digits and _, no digit first"));
    }
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(Secret::new(text))),
        other => {
            wipe(other);
            Err("a secret is a text, or null to remove it".into())
        }
    }
}

pub fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Lays what a request gives over a record: null removes a name, whichever of the two it was.
pub fn merge(record: &mut impl Varied, variables: Variables, secrets: SecretPatch) {
    let (kept, hidden) = record.varied();
    for (name, value) in variables {
        hidden.remove(&name);
        match value {
            Value::Null => drop(kept.remove(&name)),
            value => drop(kept.insert(name, value)),
        }
    }
    for (name, secret) in secrets.0 {
        kept.remove(&name);
        match secret {
            Some(secret) => hidden.put(&name, Value::String(secret.expose().to_owned())),
            None => hidden.remove(&name),
        }
    }
}

/// What is shown of them.
pub fn names(secrets: &Secrets) -> Vec<String> {
    secrets.names().cloned().collect()
}

/// A variable, and where its value comes from.
#[derive(Debug, Serialize, Deserialize)]
pub struct VariableView {
    pub name: String,
    /// Null for a secret.
    pub value: Option<Value>,
    pub secret: bool,
    /// Whose word it is.
    pub from: String,
    /// Over whose word, the nearest first.
    pub over: Vec<OverView>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct OverView {
    pub value: Option<Value>,
    pub secret: bool,
    pub from: String,
}

pub async fn list(
    State(engine): State<Arc<Engine>>,
    Named(name): Named<Name>,
) -> Result<Json<Vec<VariableView>>, Problem> {
    Ok(Json(engine.variables(&name)?.into_iter().map(view).collect()))
}

fn view(variable: Variable) -> VariableView {
    let OverView { value, secret, from } = over(variable.by);
    VariableView { name: variable.name, value, secret, from, over: variable.over.into_iter().map(over).collect() }
}

fn over(Over { origin, value }: Over) -> OverView {
    OverView { secret: value.is_none(), value, from: origin }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Distro, Family};
    use serde_json::json;

    fn distro(variables: Value, secrets: Value) -> Distro {
        let mut distro = Distro {
            name: "d".parse().unwrap(),
            family: Family::Image,
            kernel: String::new(),
            initrd: String::new(),
            arguments: String::new(),
            variables: Variables::new(),
            secrets: Secrets::default(),
            loader: None,
        };
        lay(&mut distro, variables, secrets);
        distro
    }

    fn lay(distro: &mut Distro, variables: Value, secrets: Value) {
        merge(distro, serde_json::from_value(variables).unwrap(), serde_json::from_value(secrets).unwrap());
    }

    #[test]
    fn a_value_sets_null_removes_and_the_rest_stays() {
        let mut kept = distro(json!({"disk": "/dev/sda", "swap": 2, "raid": true}), json!({}));
        lay(&mut kept, json!({"disk": "/dev/vda", "swap": null}), json!({}));
        assert_eq!(serde_json::to_value(&kept.variables).unwrap(), json!({"disk": "/dev/vda", "raid": true}));
    }

    #[test]
    fn a_name_is_a_variable_or_a_secret_and_never_both() {
        let mut kept = distro(json!({"motd": "a"}), json!({"wifi": "b", "motd": "c"}));
        assert_eq!((kept.variables.len(), names(&kept.secrets)), (0, vec!["motd".to_owned(), "wifi".to_owned()]));
        lay(&mut kept, json!({"motd": "d"}), json!({}));
        assert_eq!((kept.variables.len(), names(&kept.secrets)), (1, vec!["wifi".to_owned()]));
        lay(&mut kept, json!({"wifi": null}), json!({"motd": null}));
        assert_eq!((kept.variables.len(), names(&kept.secrets).len()), (0, 0));
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_shown() {
        for bad in [json!({"a": 77421}), json!({"a": ["hunter2"]}), json!({"a b": "hunter2"}), json!("hunter2")] {
            let error = serde_json::from_value::<SecretPatch>(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("77421"), "{error}");
        }
    }
}
