//! Values on the command line that need reading: variables, what may be cleared, spans of time.

use crate::model::Variables;
use serde_json::Value;
use std::str::FromStr;
use std::time::Duration;

/// `NAME=VALUE`: the value is read as JSON if it is JSON, else as text. `NAME=` removes.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub name: String,
    pub value: Value,
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write it like disk=/dev/vda")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(fits) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("{name:?} is not a variable's name: letters, digits and _, no digit first"));
        }
        let value = match value {
            "" => Value::Null,
            _ => serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
        };
        Ok(Variable { name: name.to_owned(), value })
    }
}

/// As a PATCH takes them: null removes.
pub fn variables(given: Vec<Variable>) -> Variables {
    given.into_iter().map(|variable| (variable.name, variable.value)).collect()
}

/// As a new record takes them: what would be removed is left out.
pub fn new_variables(given: Vec<Variable>) -> Variables {
    variables(given.into_iter().filter(|variable| !variable.value.is_null()).collect())
}

/// A value, or `""` to clear the field.
#[derive(Debug, Clone, PartialEq)]
pub struct OrNone<T>(pub Option<T>);

impl<T: FromStr> FromStr for OrNone<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text.is_empty() { Ok(OrNone(None)) } else { text.parse().map(|value| OrNone(Some(value))) }
    }
}

/// The shape of a PATCH: left out, cleared or given.
pub fn clearable<T>(given: Option<OrNone<T>>) -> Option<Option<T>> {
    given.map(|OrNone(value)| value)
}

/// A list that an operator gave anew; one `""` empties it.
pub fn list<T>(given: Vec<OrNone<T>>) -> Option<Vec<T>> {
    (!given.is_empty()).then(|| given.into_iter().filter_map(|OrNone(value)| value).collect())
}

pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}: write it like 30m or 2h"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_variable_is_json_if_it_can_be() {
        let value = |text: &str| text.parse::<Variable>().unwrap().value;
        assert_eq!(value("n=2"), json!(2));
        assert_eq!(value("on=true"), json!(true));
        assert_eq!(value("l=[1,2]"), json!([1, 2]));
        assert_eq!(value("disk=/dev/vda"), json!("/dev/vda"));
        assert_eq!(value("eq=a=b"), json!("a=b"));
        assert_eq!(value("gone="), Value::Null);
        for bad in ["disk", "=x", "a-b=1", "1a=2"] {
            assert!(bad.parse::<Variable>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_empty_text_clears() {
        assert_eq!("".parse(), Ok::<_, std::num::ParseIntError>(OrNone::<u32>(None)));
        assert_eq!(list::<u32>(vec![]), None);
        assert_eq!(list::<u32>(vec![OrNone(None)]), Some(vec![]));
    }
}
