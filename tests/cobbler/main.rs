//! Cobbler's stock templates and snippets, converted: what they render to, beside what Cobbler's own code makes of them.

mod differences;
mod golden;
