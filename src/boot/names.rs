//! The names by which machines ask for things: state travels in the name, so no session is needed.

use crate::model::{Mac, Secret};
use std::net::Ipv4Addr;

/// Asked for by TFTP or HTTP, never there: firmware takes the quick error and tries its next entry, the disk.
pub const NOT_HERE: &str = "own-disk";

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
