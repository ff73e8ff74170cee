//! The names by which machines ask for things: state travels in the name, so no session is needed.

use crate::model::{Language, Loader, Mac, Name, Secret, Shelf};
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
    /// For what comes after the boot loader.
    pub pinned: Option<Pinned>,
}

/// HTTPS that a machine can verify: by a certificate of the CA that it is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pinned {
    pub port: u16,
    /// Of the CA's certificate.
    pub sha256: [u8; 32],
}

impl Here {
    /// The address is a number, because firmware resolves names badly or not at all.
    pub fn url(self) -> String {
        match self.http_port {
            80 => format!("http://{}", self.ip),
            port => format!("http://{}:{port}", self.ip),
        }
    }

    fn by_https(self, port: u16) -> String {
        match port {
            443 => format!("https://{}", self.ip),
            port => format!("https://{}:{port}", self.ip),
        }
    }

    /// For who can verify it; where it is not served, as everybody.
    pub fn secure_url(self) -> String {
        self.pinned.map_or_else(|| self.url(), |pinned| self.by_https(pinned.port))
    }

    /// Where the CA is, for who knows its fingerprint.
    pub fn ca(self) -> String {
        format!("{}/ca.pem", self.url())
    }

    pub fn script(self, mac: Mac) -> String {
        format!("{}/boot/{}/script.ipxe", self.url(), mac.dashed())
    }

    /// For firmware that speaks HTTP itself, and HTTPS with it.
    pub fn loader(self, file: &str) -> String {
        let url = self.https_port.map_or_else(|| self.url(), |port| self.by_https(port));
        format!("{url}/loader/{file}")
    }

    pub fn file(self, path: &str) -> String {
        format!("{}/files/{path}", self.url())
    }

    pub fn secure_file(self, path: &str) -> String {
        format!("{}/files/{path}", self.secure_url())
    }

    pub fn answer(self, token: &Secret) -> String {
        format!("{}/answer/{}", self.url(), token.expose())
    }

    pub fn secure_answer(self, token: &Secret) -> String {
        format!("{}/answer/{}", self.secure_url(), token.expose())
    }

    /// Where a machine that nobody gave a token asks for its answer file: by its own name, or its profile's.
    pub fn named_answer(self, kind: &str, name: &Name) -> String {
        format!("{}/cblr/svc/op/autoinstall/{kind}/{name}", self.url())
    }

    pub fn secure_named_answer(self, kind: &str, name: &Name) -> String {
        format!("{}/cblr/svc/op/autoinstall/{kind}/{name}", self.secure_url())
    }

    pub fn report(self, report: &Secret) -> String {
        format!("{}/report/{}", self.url(), report.expose())
    }

    pub fn secure_report(self, report: &Secret) -> String {
        format!("{}/report/{}", self.secure_url(), report.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_is_told_https_where_the_network_wants_it_and_scripts_stay_on_http() {
        let here = |https_port| Here { ip: Ipv4Addr::new(10, 0, 0, 1), http_port: 80, https_port, pinned: None };
        for (https_port, url) in [
            (None, "http://10.0.0.1/loader/a.efi"),
            (Some(443), "https://10.0.0.1/loader/a.efi"),
            (Some(8443), "https://10.0.0.1:8443/loader/a.efi"),
        ] {
            assert_eq!(here(https_port).loader("a.efi"), url);
            assert_eq!(here(https_port).file("a"), "http://10.0.0.1/files/a");
        }
    }

    #[test]
    fn what_comes_after_the_loader_is_told_https_where_it_can_be_verified() {
        let here = Here { ip: Ipv4Addr::new(10, 0, 0, 1), http_port: 8080, https_port: None, pinned: None };
        let secure = |port| Here { pinned: Some(Pinned { port, sha256: [1; 32] }), ..here };
        let token = Secret::new("t");
        assert_eq!(here.secure_answer(&token), here.answer(&token));
        assert_eq!(secure(443).secure_answer(&token), "https://10.0.0.1/answer/t");
        assert_eq!(secure(8443).secure_report(&token), "https://10.0.0.1:8443/report/t");
        assert_eq!(secure(8443).secure_file("a"), "https://10.0.0.1:8443/files/a");
        assert_eq!(secure(443).ca(), "http://10.0.0.1:8080/ca.pem", "who asks does not trust it yet");
        assert_eq!(secure(443).answer(&token), "http://10.0.0.1:8080/answer/t");
    }
}
