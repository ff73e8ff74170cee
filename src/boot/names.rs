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
    /// Where the network wants HTTPS and it is served.
    pub https_port: Option<u16>,
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

    /// For firmware that speaks HTTP itself, and HTTPS with it.
    pub fn loader(self, file: &str) -> String {
        match self.https_port {
            None => format!("{}/loader/{file}", self.url()),
            Some(443) => format!("https://{}/loader/{file}", self.ip),
            Some(port) => format!("https://{}:{port}/loader/{file}", self.ip),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_is_told_https_where_the_network_wants_it_and_scripts_stay_on_http() {
        let here = |https_port| Here { ip: Ipv4Addr::new(10, 0, 0, 1), http_port: 80, https_port };
        for (https_port, url) in [
            (None, "http://10.0.0.1/loader/a.efi"),
            (Some(443), "https://10.0.0.1/loader/a.efi"),
            (Some(8443), "https://10.0.0.1:8443/loader/a.efi"),
        ] {
            assert_eq!(here(https_port).loader("a.efi"), url);
            assert_eq!(here(https_port).file("a"), "http://10.0.0.1/files/a");
        }
    }
}
