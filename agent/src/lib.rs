//! The agent: installs from the live system, registers the installed one.
//!
//! In the live system [`install`] fetches the answer file and runs it; the answer file, a shell script, calls the
//! agent again to tell how far it is ([`report`]) and to bring the image through a restart of the server ([`fetch`]).
//! On the installed system [`register`] turns the single-use key into an identity, once, and afterwards only tells
//! the [`inventory`]. A system that was installed otherwise joins by [`join`]; what its keys bring is installed by [`packages`].
//! Later it checks in ([`check_in`], by a [`timer`]) and, where its server lets it, installs the system anew ([`reinstall`]).
//!
//! Everything goes through [`client`], which decides what is worth another attempt ([`retry`]). The JSON is in
//! [`wire`] and, of running systems, in [`kit`], which the server compiles too. TLS is for the one CA that the answer
//! file pinned. Deliberately absent: redirects and chunked uploads.

pub mod kit;
pub mod wire;

pub mod client;
pub mod retry;

pub mod fetch;
pub mod install;
pub mod inventory;
pub mod join;
pub mod packages;
pub mod register;
pub mod report;
pub mod session;
pub mod system;

pub mod check_in;
pub mod reinstall;
pub mod timer;

mod arguments;
pub mod command;
