//! `unregister`: leaves the server, or forgets here alone.

use std::fs;

use super::Error;
use crate::register::{self, Known, Places, Settings};
use crate::retry::{Failure, Patience, retry};

/// Leaves the server, and forgets it here. The record stays there.
pub fn unregister(patience: Patience, places: &Places, is_forced: bool) -> Result<String, Error> {
    let (settings, known) = match (register::settings(&places.settings), known(places)) {
        (Err(_), _) | (_, Err(_)) if is_forced => {
            forget(places)?;
            return Ok("this system is unregistered; here alone: a record on the server is as it was".to_owned());
        }
        (settings, known) => (settings?, known?),
    };
    // Of a join whose answer never came: the server may have let it in.
    let begun = settings.as_ref().filter(|settings| settings.key.is_some()).and_then(|s| s.credential.as_deref());
    let credentials = known.iter().map(|known| known.credential.as_str()).chain(begun);
    let mut was_known = false;
    match &settings {
        _ if is_forced => {}
        Some(settings) => {
            for credential in credentials {
                was_known |= leave(patience, places, settings, credential)?;
            }
        }
        None => return Err(Error::NotRegistered),
    }
    if known.is_none() && settings.is_none_or(|settings| settings.key.is_none()) {
        return Err(Error::NotRegistered);
    }
    forget(places)?;
    let who = known.map_or("this system".to_owned(), |Known { identity, .. }| {
        format!("{} ({})", identity.name, identity.system_id)
    });
    Ok(format!("{who} is unregistered; {}", left(is_forced, was_known)))
}

fn left(is_forced: bool, was_known: bool) -> &'static str {
    match (is_forced, was_known) {
        (true, _) => "here alone: its record on the server is as it was",
        (false, true) => "its record stays on the server",
        (false, false) => "here alone: what it had opened nothing on the server, where a record is as it was",
    }
}

fn known(places: &Places) -> Result<Option<Known>, register::Error> {
    if places.identity.exists() { register::known(&places.identity).map(Some) } else { Ok(None) }
}

/// Whether the server knew it by this. If not, it left before, or was replaced, or was never let in.
fn leave(patience: Patience, places: &Places, settings: &Settings, credential: &str) -> Result<bool, Error> {
    let client = register::client(places, settings)?;
    let url = format!("{}/agent/unregister", settings.server.trim_end_matches('/'));
    match retry(patience, || client.post(&url, Some(credential), &serde_json::json!({}))) {
        Ok(_) => Ok(true),
        Err(Failure::Final(error)) if error.status() == Some(401) => Ok(false),
        Err(Failure::Final(error)) => Err(Error::NotLetGo(error)),
        Err(Failure::Again(error)) => Err(Error::StillKnown(error)),
    }
}

fn forget(places: &Places) -> Result<(), Error> {
    for path in [&places.identity, &places.settings, &places.contact()] {
        match fs::remove_file(path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Remove { path: path.clone(), cause });
            }
            _ => {}
        }
    }
    Ok(())
}
