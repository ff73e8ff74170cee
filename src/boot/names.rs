//! The names by which machines ask for things: state travels in the name, so no session is needed.

use crate::model::{Language, Loader, Mac, Secret, Shelf};
use std::net::Ipv4Addr;

/// Asked for by TFTP or HTTP, never there: firmware takes the quick error and tries its next entry, the disk.
pub const NOT_HERE: &str = "own-disk";

/// The name of a loader's first file on the wire: in the loader's own folder, from where shim and GRUB ask for more.
/// iPXE needs nothing beside it and goes by its file's name alone, as everywhere.
pub fn first_file(shelf: &Shelf, loader: &Loader) -> Option<String> {
    let file = loader.first.as_deref()?;
    let alone = loader.language == Language::Ipxe && shelf.with_file(file).is_some_and(|row| row.name == loader.name);
    Some(if alone { file.to_owned() } else { format!("{}/{file}", loader.name) })
}

/// Where a machine reaches this appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Here {
    pub ip: Ipv4Addr,
    pub http_port: u16,
}

impl Here {
    /// The address is a number, because firmware resolves names badly or not at all.
    pub fn url(self) -> String {
        match self.http_port {
            80 => format!("http://{}", self.ip),
            port => format!("http://{}:{port}", self.ip),
        }
    }

    pub fn script(self, mac: Mac) -> String {
        format!("{}/boot/{}/script.ipxe", self.url(), mac.dashed())
    }

    pub fn loader(self, file: &str) -> String {
        format!("{}/loader/{file}", self.url())
    }

    pub fn file(self, path: &str) -> String {
        format!("{}/files/{path}", self.url())
    }

    pub fn answer(self, token: &Secret) -> String {
        format!("{}/answer/{}", self.url(), token.expose())
    }

    pub fn report(self, report: &Secret) -> String {
        format!("{}/report/{}", self.url(), report.expose())
    }
}
