//! Our records in Cobbler's shapes, for koan and its like: what it reads, in the types that it takes, and no secret.
//!
//! `breed` names a system as Cobbler does, `brief` are the elements of lists, `rendered` is one machine or profile
//! with everything that installing takes, [`wording`] how it refuses, [`path`] what an address below `/cblr/svc/op` asks.

mod breed;
mod brief;
mod path;
mod rendered;
pub mod wording;

pub use breed::Breed;
pub use brief::{distro, profile, system};
pub use path::{Asked, Subject};
pub use rendered::{Sheet, rendered};

use super::xmlrpc::Value;

/// What we call ourselves: the newest whose clients were tried. As a number, 3 and thousandths of what follows.
pub const VERSION: (&str, f64, [i64; 3]) = ("3.3.7", 3.003_007, [3, 3, 7]);

/// Members in the order that they are written in.
#[derive(Debug, Default)]
struct Record(Vec<(String, Value)>);

impl Record {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.push((name.to_owned(), value.into()));
    }

    fn all(&mut self, names: &[&str], value: &Value) {
        names.iter().for_each(|name| self.put(name, value.clone()));
    }

    fn done(self) -> Value {
        Value::Struct(self.0)
    }
}

/// An address, or nothing said.
fn said(value: Option<impl ToString>) -> Value {
    Value::Text(value.map(|value| value.to_string()).unwrap_or_default())
}

#[cfg(test)]
mod tests;
