//! A registered system and its server: where that is, by which CA it is known, and the credential.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use crate::client::{self, Client};
use crate::register::{Known, Places, Settings};
use crate::retry::{Failure, Patience, retry};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this system is not registered: {path} can not be read ({cause}); `kickstand-agent register` first")]
    NotRegistered { path: PathBuf, cause: String },
    #[error("the CA in {path} can not be used: {cause}")]
    BadCa { path: PathBuf, cause: client::Error },
}

pub struct Session {
    pub client: Client,
    /// Without a slash at its end.
    pub server: String,
    pub name: String,
    credential: String,
}

impl Session {
    pub fn open(places: &Places) -> Result<Session, Error> {
        let settings: Settings = read(&places.settings)?;
        let known: Known = read(&places.identity)?;
        let bad_ca = |cause| Error::BadCa { path: places.settings.clone(), cause };
        Ok(Session {
            client: Client::new(settings.ca.as_deref()).map_err(bad_ca)?,
            server: settings.server.trim_end_matches('/').to_owned(),
            name: known.identity.name,
            credential: known.credential,
        })
    }

    pub fn post(
        &self,
        patience: Patience,
        path: &str,
        message: &impl Serialize,
    ) -> Result<String, Failure<client::Error>> {
        let url = format!("{}{path}", self.server);
        retry(patience, || self.client.post(&url, Some(&self.credential), message))
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let fault = |cause: String| Error::NotRegistered { path: path.to_owned(), cause };
    let text = fs::read_to_string(path).map_err(|cause| fault(cause.to_string()))?;
    serde_json::from_str(&text).map_err(|cause| fault(cause.to_string()))
}
