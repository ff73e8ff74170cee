//! DHCP options as records carry them: the [`table`] of those that have a name, what a [`value`] can be, and [`set`]s.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

mod set;
mod table;
mod value;

pub use set::{OptionPatch, OptionSet, option_name, option_text};
pub use table::{OPTIONS, Row, named, settable};
pub use value::{Kind, Value, printable};
