//! The server's side of an import: what it knows of distros, and what it is told.

use crate::cli::client;
use crate::cli::session::{Session, understood};
use crate::http::api::distro::DistroView;
use crate::http::api::status::{FilesView, StatusView};
use crate::http::problem;
use crate::model::Name;
use anyhow::{Result, bail};
use hyper::Method;
use std::path::Path;
use tokio::runtime::Runtime;

pub struct Server {
    pub runtime: Runtime,
    pub session: Session,
}

impl Server {
    pub fn distro(&self, name: &Name) -> Result<Option<DistroView>> {
        let path = format!("distros/{name}");
        match self.runtime.block_on(self.session.client.ask(Method::GET, &path, None)) {
            Ok(value) => understood(value).map(Some),
            Err(client::Error::Refused(problem)) if problem.kind == problem::Kind::Missing => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub fn demand_files(&self, here: &Path) -> Result<()> {
        self.runtime.block_on(demand_files(&self.session, here))
    }

    pub fn distros(&self) -> Result<Vec<DistroView>> {
        understood(self.runtime.block_on(self.session.client.ask(Method::GET, "distros", None))?)
    }

    pub fn send(&self, method: Method, path: &str, body: &impl serde::Serialize) -> Result<DistroView> {
        let body = serde_json::to_value(body)?;
        understood(self.runtime.block_on(self.session.client.ask(method, path, Some(&body)))?)
    }
}

/// Files that are put into another folder than the server's boot nobody.
pub async fn demand_files(session: &Session, here: &Path) -> Result<()> {
    let status: StatusView = session.get("status").await?;
    let (here, there) = (FilesView::of(here), status.files);
    if here.id == there.id {
        return Ok(());
    }
    let (here, there) = (here.path.display(), there.path.display());
    bail!(
        "the server gives away what lies in {there}, and {here} is another folder: name the server's own settings with --config, and import on its host"
    )
}
