//! Whatever stands in a variable, a script keeps its commands: own small parsers of each language read what templates give.
//!
//! The parsers are written from the manuals of the loaders, not from the filters. [`property`] holds all templates of pxe/
//! against them, [`checked`] asks the loaders' and shells' own checkers where they are installed.

mod checked;
mod grub;
mod holds;
mod ipxe;
mod kernel;
mod property;
mod setting;
mod shell;
mod syslinux;
