//! A registered system's check-in: it is there, what it is made of where that changed, and what there is to do.

use serde_json::json;

use crate::kit::{self, CheckIn, Orders, Wish};
use crate::reinstall::{self, Attempt};
use crate::retry::{Failure, Patience};
use crate::session::{self, Session};
use crate::system::System;
use crate::{client, inventory, timer};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Session(#[from] session::Error),
    #[error(
        "the server does not know this system: {0}\nWas its machine replaced, or its record removed? With a key it joins again: `kickstand-agent register --server URL --key KEY`."
    )]
    Refused(client::Error),
    #[error("the server did not answer: {0}")]
    Away(client::Error),
    #[error("the server's answer can not be read: {0}")]
    Answer(serde_json::Error),
    #[error(transparent)]
    Reinstall(#[from] reinstall::Error),
}

impl Error {
    pub fn is_temporary(&self) -> bool {
        matches!(self, Error::Away(_))
    }
}

/// Gives a sentence for the log. Whatever an earlier attempt to reinstall left behind is taken away first: that this
/// system runs in another life means that it came to nothing.
pub fn run(patience: Patience, system: &System) -> Result<String, Error> {
    let session = Session::open(&system.places)?;
    if let Some(left) = Attempt::left(system) {
        let gone = left.undo(system).map_or_else(|why| format!("not all of it: {why}"), |()| "all of it".into());
        eprintln!("kickstand-agent: the installer that {} was to start never ran: taken away, {gone}", left.way);
    }
    let inventory = json!(inventory::gather(&system.root));
    let (boot_id, up_secs) = (system.boot_id(), system.up_secs());
    let message = CheckIn { boot_id, up_secs, inventory_sha256: kit::digest(&inventory) };
    let answer = session.post(patience, "/agent/check-in", &message).map_err(refused)?;
    let orders: Orders = serde_json::from_str(&answer).map_err(Error::Answer)?;
    system.places.heard();
    if orders.inventory {
        session.post(patience, "/agent/inventory", &inventory).map_err(refused)?;
    }
    timer::follow(system, orders.again_secs);
    match orders.wish {
        Wish::Nothing => Ok(format!("{} checked in: nothing to do", session.name)),
        Wish::Reinstall => {
            eprintln!("kickstand-agent: {} is to be installed anew", session.name);
            Ok(reinstall::wished(patience, system)?)
        }
    }
}

fn refused(failure: Failure<client::Error>) -> Error {
    match failure {
        Failure::Again(error) => Error::Away(error),
        Failure::Final(error) => Error::Refused(error),
    }
}
