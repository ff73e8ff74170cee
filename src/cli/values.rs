//! Values on the command line that need reading: variables, what may be cleared, spans of time.

use crate::http::api::variables::is_name;
use crate::model::{OptionPatch, Variables, is_secret};
use serde_json::Value;
use std::str::FromStr;
use std::time::Duration;

/// `NAME=VALUE`: the value is read as JSON if it is JSON, else as text, and a secret as it stands. `NAME=` removes.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub name: String,
    pub value: Value,
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write it like disk=/dev/vda")?;
        if !is_name(name) {
            return Err(format!("{name:?} is not a variable's name: letters, digits and _, no digit first"));
        }
        let value = match value {
            "" => Value::Null,
            // 1e5 is a password like any other.
            _ if is_secret(name) => Value::String(value.to_owned()),
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

/// `NAME=VALUE` of a DHCP option; `NAME=` removes it. It is read at once, so that nothing is sent that can not be.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    name: String,
    value: Option<String>,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write it like ntp-servers=10.0.0.1")?;
        let value = Some(value.to_owned()).filter(|value| !value.is_empty());
        let setting = Setting { name: name.to_owned(), value };
        settings(vec![setting.clone()]).map_err(|error| error.to_string())?;
        Ok(setting)
    }
}

/// As a request takes them.
pub fn settings(given: Vec<Setting>) -> anyhow::Result<OptionPatch> {
    let mut patch = OptionPatch::default();
    for Setting { name, value } in given {
        patch.put(&name, value.as_deref()).map_err(|error| anyhow::anyhow!("option {name}: {error}"))?;
    }
    Ok(patch)
}

/// Decimal, or hexadecimal behind 0x.
pub fn number(text: &str) -> Result<u16, String> {
    let number = match text.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.map_err(|_| "write it like 11 or 0x0b".to_owned())
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
        assert_eq!(value("db_password=1e5"), json!("1e5"));
        for bad in ["disk", "=x", "a-b=1", "1a=2"] {
            assert!(bad.parse::<Variable>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_option_is_read_by_name_or_number_and_given_once() {
        let all = |texts: &[&str]| settings(texts.iter().map(|text| text.parse().unwrap()).collect());
        let patch = all(&["ntp-servers=10.0.0.1, 10.0.0.2", "26=9000", "224="]).unwrap();
        let written = json!({"interface-mtu": "9000", "ntp-servers": "10.0.0.1, 10.0.0.2", "224": null});
        assert_eq!(serde_json::to_value(&patch).unwrap(), written);
        let twice = all(&["interface-mtu=9000", "26=1500"]).unwrap_err().to_string();
        assert!(twice.contains("given once"), "{twice}");
        for (bad, words) in [
            ("ntp-servers", "write it like"),
            ("ntp-servers=x", "option ntp-servers: \"x\" is not IPv4 addresses"),
            ("no-such=1", "kickstand option list"),
            ("dhcp-lease-time=60", "kickstand option list"),
            ("51=60", "kickstand option list"),
        ] {
            let error = bad.parse::<Setting>().unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
        assert_eq!((number("0x0b"), number("11")), (Ok(11), Ok(11)));
        assert!(number("0x1ffff").is_err() && number("b").is_err());
    }

    #[test]
    fn an_empty_text_clears() {
        assert_eq!("".parse(), Ok::<_, std::num::ParseIntError>(OrNone::<u32>(None)));
        assert_eq!(list::<u32>(vec![]), None);
        assert_eq!(list::<u32>(vec![OrNone(None)]), Some(vec![]));
    }
}
