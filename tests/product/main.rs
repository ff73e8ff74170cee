//! The appliance through its doors: DHCP, TFTP and HTTP as machines use them, the command line as operators do.

#[path = "../postgres/mod.rs"]
mod postgres;
#[path = "../house/program.rs"]
mod program;

mod bad_input;
mod boot_files;
mod bootstraps;
mod cobbler;
mod connections;
mod first_boot;
mod https;
mod images;
mod imports;
mod joining;
mod loaders;
mod migration;
mod mirrors;
mod one_shot;
mod operators;
mod paths;
mod pinned;
mod rehearsals;
mod reinstall;
mod replace;
mod replacements;
mod repositories;
mod revisions;
mod rig;
mod scripts;
mod secrets;
mod seeing;
mod shelf;
mod slow;
mod start;
mod templates;
mod together;
mod tokens;
mod two_nodes;
mod unknown_machine;
mod variables;
mod wire;
