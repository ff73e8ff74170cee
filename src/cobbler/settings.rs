//! Cobbler's settings, which are YAML: as values.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Deeper than any settings.
const DEPTH: usize = 32;

struct Open {
    is_map: bool,
    values: Vec<Value>,
}

/// The first document. Aliases are nothing here: nothing is expanded.
pub fn yaml(text: &str) -> Result<Value, String> {
    let (mut open, mut root): (Vec<Open>, Option<Value>) = (Vec::new(), None);
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| format!("line {}: no YAML: {}", error.marker().line(), error.info()))?;
        let done = match event {
            Event::Alias(_) => Some(Value::Null),
            Event::Scalar(text, style, ..) => Some(scalar(&text, style)),
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                if open.len() >= DEPTH {
                    return Err(format!("it nests more than {DEPTH} deep"));
                }
                open.push(Open { is_map: matches!(event, Event::MappingStart(..)), values: Vec::new() });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(closed),
            Event::DocumentEnd => break,
            _ => None,
        };
        match (done, open.last_mut()) {
            (Some(value), Some(open)) => open.values.push(value),
            (Some(value), None) => root = Some(value),
            (None, _) => {}
        }
    }
    root.ok_or_else(|| "it is empty".into())
}

fn closed(open: Open) -> Value {
    if !open.is_map {
        return Value::Array(open.values);
    }
    let mut map = Map::new();
    let mut values = open.values.into_iter();
    while let (Some(key), Some(value)) = (values.next(), values.next()) {
        let key = match key {
            Value::String(key) => key,
            other => other.to_string(),
        };
        map.insert(key, value);
    }
    Value::Object(map)
}

/// As YAML 1.1 reads it, which Cobbler does.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return text.into();
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" => true.into(),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" => false.into(),
        text => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) if number.is_finite() && text.contains('.') => number.into(),
            _ => text.into(),
        },
    }
}
