//! YAML and JSON as a tree that knows its lines. Nothing is expanded: an alias stays one.

use super::Fault;
use saphyr_parser::{Event, Parser, ScalarStyle};

/// Deeper than any answer file, and shallow enough for who walks it.
const DEPTH: usize = 64;

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub line: usize,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// The text, and whether it was quoted: a quoted `1` is no number.
    Scalar {
        text: String,
        quoted: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    Alias,
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    pub fn entries(&self) -> impl Iterator<Item = (&Node, &Node)> {
        let entries = match &self.value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, value)| (key, value))
    }

    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    pub fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    pub fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// A number, `true`, `null`: written without quotes.
    pub fn is_plain(&self, wanted: &str) -> bool {
        matches!(&self.value, Value::Scalar { text, quoted: false } if text == wanted)
    }

    /// The value of a key that must be there.
    pub fn need(&self, key: &str, place: &str) -> Result<&Node, Fault> {
        self.get(key).ok_or_else(|| Fault::new(self.line, format!("{place} has no {key}")))
    }

    /// Every key is one of these.
    pub fn only(&self, known: &[&str], place: &str) -> Result<(), Fault> {
        let name = |key: &Node| key.text().unwrap_or("?").to_owned();
        match self.entries().find(|(key, _)| !key.text().is_some_and(|text| known.contains(&text))) {
            Some((key, _)) => Err(Fault::new(key.line, format!("{place} knows no {:?}", name(key)))),
            None => Ok(()),
        }
    }

    pub fn map(&self, place: &str) -> Result<&Node, Fault> {
        self.is_map().then_some(self).ok_or_else(|| Fault::new(self.line, format!("{place} must be a mapping")))
    }

    pub fn list(&self, place: &str) -> Result<&[Node], Fault> {
        self.is_list().then(|| self.items()).ok_or_else(|| Fault::new(self.line, format!("{place} must be a list")))
    }
}

/// A whole that is begun: a list's items, or a map's keys and values in turn.
struct Open {
    line: usize,
    is_map: bool,
    nodes: Vec<Node>,
}

/// The one document of a YAML text.
pub fn yaml(text: &str) -> Result<Node, Fault> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| Fault::new(error.marker().line(), format!("no YAML: {}", error.info())))?;
        let line = span.start.line();
        let done = match event {
            Event::Alias(_) => Some(Node { line, value: Value::Alias }),
            Event::Scalar(text, style, ..) => {
                let value = Value::Scalar { text: text.into_owned(), quoted: style != ScalarStyle::Plain };
                Some(Node { line, value })
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEPTH => {
                return Err(Fault::new(line, format!("is nested more than {DEPTH} levels deep")));
            }
            Event::SequenceStart(..) => {
                open.push(Open { line, is_map: false, nodes: vec![] });
                None
            }
            Event::MappingStart(..) => {
                open.push(Open { line, is_map: true, nodes: vec![] });
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(closed).transpose()?,
            Event::DocumentStart(_) if root.is_some() => {
                return Err(Fault::new(line, "a second document begins here, and one is read"));
            }
            _ => None,
        };
        let Some(node) = done else { continue };
        match open.last_mut() {
            Some(parent) => parent.nodes.push(node),
            None => root = Some(node),
        }
    }
    root.ok_or_else(|| Fault::new(1, "is empty"))
}

fn closed(open: Open) -> Result<Node, Fault> {
    let Open { line, is_map, nodes } = open;
    if !is_map {
        return Ok(Node { line, value: Value::List(nodes) });
    }
    let mut entries: Vec<(Node, Node)> = Vec::new();
    let mut rest = nodes.into_iter();
    let mut seen = std::collections::BTreeSet::new();
    while let (Some(key), Some(value)) = (rest.next(), rest.next()) {
        if let Some(text) = key.text().filter(|text| *text != "<<")
            && !seen.insert(text.to_owned())
        {
            return Err(Fault::new(key.line, format!("{text:?} is there twice, and one of them would be lost")));
        }
        entries.push((key, value));
    }
    Ok(Node { line, value: Value::Map(entries) })
}

/// JSON, read strictly; its tree is that of the same text as YAML.
pub fn json(text: &str) -> Result<Node, Fault> {
    let strict: Result<serde_json::Value, _> = serde_json::from_str(text);
    strict.map_err(|error| Fault::new(error.line(), format!("no JSON: {error}")))?;
    yaml(text)
}
