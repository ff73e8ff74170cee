//! Cheetah's templates, as Cobbler has them, in the language of ours: pure, and nothing is converted by guess.
//!
//! `convert` is all that others need. `read` takes a template apart (`cursor`, `item`; `expr` reads Python's expressions), `scope` finds
//! what outlives a loop, `say` writes expressions and `convert` the rest; `names` are those that Cobbler gives to each template.

mod convert;
mod cursor;
mod expr;
mod item;
pub mod names;
mod read;
mod say;
mod scope;

pub use convert::{Converted, FOLDER, Known, Remark, convert, finished, gives};
