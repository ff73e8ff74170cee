//! `unregister`: leaves the server, or forgets here alone.

use std::fs;

use super::Error;
use crate::register::{self, Known, Places};
use crate::retry::{Failure, Patience, retry};

/// Leaves the server, and forgets it here. The record stays there.
pub fn unregister(patience: Patience, places: &Places, is_forced: bool) -> Result<String, Error> {
    if !places.identity.exists() {
        return call_off(places, is_forced);
    }
    let Known { identity, credential, .. } = match register::known(&places.identity) {
        Err(_) if is_forced => {
            forget(places)?;
            return Ok("this system is unregistered; here alone: a record on the server is as it was".to_owned());
        }
        known => known?,
    };
    let mut left = "its record stays on the server";
    if is_forced {
        left = "here alone: its record on the server is as it was";
    } else {
        let settings = register::settings(&places.settings)?.ok_or(Error::NotRegistered)?;
        let client = register::client(places, &settings)?;
        let url = format!("{}/agent/unregister", settings.server.trim_end_matches('/'));
        match retry(patience, || client.post(&url, Some(&credential), &serde_json::json!({}))) {
            Ok(_) => {}
            // It left before, or was replaced.
            Err(Failure::Final(error)) if error.status() == Some(401) => {
                left = "here alone: its credential opened nothing on the server any more, whose record is as it was";
            }
            Err(Failure::Final(error)) => return Err(Error::NotLetGo(error)),
            Err(Failure::Again(error)) => return Err(Error::StillKnown(error)),
        }
    }
    forget(places)?;
    Ok(format!("{} ({}) is unregistered; {left}", identity.name, identity.system_id))
}

/// Nothing is registered, but something may have been begun: its key stays no longer than it is wanted.
fn call_off(places: &Places, is_forced: bool) -> Result<String, Error> {
    let has_key = match register::settings(&places.settings) {
        Ok(settings) => settings.is_some_and(|settings| settings.key.is_some()),
        Err(_) if is_forced => true,
        Err(error) => return Err(error.into()),
    };
    if !has_key {
        return Err(Error::NotRegistered);
    }
    forget(places)?;
    Ok("this system was not registered yet; what was begun is called off, and its key is forgotten".to_owned())
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
