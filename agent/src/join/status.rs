//! `status`: who this system is to its server, as its own files have it.

use std::fs;
use std::time::SystemTime;

use serde::Serialize;

use super::Error;
use crate::register::{self, Places};

/// Who this system is to its server.
#[derive(Debug, Serialize)]
pub struct Status {
    pub registered: bool,
    pub name: Option<String>,
    pub system_id: Option<String>,
    pub server: Option<String>,
    /// Seconds since it last heard from the server.
    pub last_contact_secs: Option<u64>,
    /// Whether it asks the server by itself, again and again.
    pub timer: bool,
}

pub fn status(places: &Places, now: SystemTime) -> Result<Status, Error> {
    // Whether it is there, only root can see.
    let unreadable = |cause| register::Error::Read { path: places.identity.clone(), cause };
    let is_there = places.identity.try_exists().map_err(unreadable)?;
    let known = if is_there { Some(register::known(&places.identity)?) } else { None };
    let settings = register::settings(&places.settings)?;
    let heard = fs::metadata(places.contact()).and_then(|file| file.modified()).ok();
    let age = heard.and_then(|at| now.duration_since(at).ok()).map(|age| age.as_secs());
    let identity = known.map(|known| known.identity);
    Ok(Status {
        registered: identity.is_some(),
        name: identity.as_ref().map(|identity| identity.name.clone()),
        system_id: identity.map(|identity| identity.system_id),
        server: settings.map(|settings| settings.server),
        last_contact_secs: age,
        timer: places.timer.exists(),
    })
}

impl Status {
    /// For people, a line each.
    pub fn lines(&self) -> String {
        let Some(name) = self.name.as_ref().filter(|_| self.registered) else {
            return "not registered: `kickstand-agent register --server URL --key KEY`".to_owned();
        };
        let or = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
        let contact = self.last_contact_secs.map_or("never".to_owned(), |secs| match secs {
            0..120 => format!("{secs} s ago"),
            120..7200 => format!("{} min ago", secs / 60),
            _ => format!("{} h ago", secs / 3600),
        });
        let timer = if self.timer { "on" } else { "off" };
        format!(
            "registered as  {name}\nsystem id      {}\nserver         {}\nlast contact   {contact}\ntimer          {timer}",
            or(&self.system_id),
            or(&self.server),
        )
    }
}
