//! Versions of a template: each text that was in use, since when, by whom and whence.

use super::{Malformed, Time, serde_as_text};
use std::fmt;

/// One version. Numbers count for each name, whencever its versions come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateVersion {
    /// Below the folder of templates: `templates/redhat/kickstart.ks`, `pxe/ipxe/install.ipxe`.
    pub name: String,
    pub version: i64,
    /// None where it was taken away.
    pub text: Option<String>,
    pub at: Time,
    pub by: String,
    pub whence: Whence,
}

/// Where an operator wrote a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whence {
    /// By the API: it is in the database.
    Api,
    /// In a file of a server.
    File(Place),
}

/// Which server's folder: two servers that share a database have one each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub host: String,
    pub folder: String,
}

impl fmt::Display for Whence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whence::Api => f.pad("api"),
            Whence::File(place) => write!(f, "{}:{}", place.host, place.folder),
        }
    }
}

impl std::str::FromStr for Whence {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.split_once(':') {
            _ if text == "api" => Ok(Whence::Api),
            Some((host, folder)) => Ok(Whence::File(Place { host: host.into(), folder: folder.into() })),
            None => Err(Malformed::new(text, "where a template was written (api, or HOST:FOLDER)")),
        }
    }
}

serde_as_text!(Whence);
