//! On which processors a server and its clients run: left to themselves they come to share one or not by chance, and a
//! wake-up across two idle ones costs ten times what a block does.

use anyhow::Result;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where the server and a client of it are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On one processor: what counts is the work for a block.
    Together,
    /// On one each: with small windows, what counts is how long a processor takes to wake.
    Apart,
}

impl Place {
    pub const BOTH: [Place; 2] = [Place::Together, Place::Apart];

    pub fn name(self) -> &'static str {
        match self {
            Place::Together => "together",
            Place::Apart => "apart",
        }
    }

    /// Starts a server.
    pub fn server<T>(self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        on(0, start)
    }

    /// Starts clients.
    pub fn clients<T>(self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        on(usize::from(self == Place::Apart), start)
    }
}

/// What is started inherits the processor.
fn on<T>(processor: usize, start: impl FnOnce() -> Result<T>) -> Result<T> {
    let all = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    one.set(processor);
    sched_setaffinity(None, &one)?;
    let started = start();
    sched_setaffinity(None, &all)?;
    started
}
