//! XML-RPC: a value, a call that is read within limits, an answer that is written piece by piece.
//!
//! `read` knows no document types and no entities, `write` never says `nil`: clients of Cobbler refuse it.

mod read;
mod write;

pub use read::{BODY_BYTES, Malformed, call};
pub use write::{END, LIST_END, LIST_START, START, fault, member, response, value};

/// What XML-RPC can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Written as `~`, as Cobbler does.
    Nil,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    /// In the order of writing; of a name that comes twice the last one counts.
    Struct(Vec<(String, Value)>),
}

/// A method, and what it is called with.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub method: String,
    pub params: Vec<Value>,
}

impl Value {
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Struct(members) => members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(all: Vec<T>) -> Value {
        Value::List(all.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests;
