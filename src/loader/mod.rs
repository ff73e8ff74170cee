//! Boot loaders: where their files come from, what they are, and which bytes of them are served.

pub mod manifest;
