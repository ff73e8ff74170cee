//! Where something lies on a web server.

use crate::import::Error;
use crate::import::tree::plain;
use hyper::http::uri::Authority;
use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub is_https: bool,
    pub host: String,
    pub port: u16,
    /// Begins with a slash, and is written as requests write it.
    pub path: String,
    /// With its question mark; empty where there is none. Only redirects have one.
    pub query: String,
}

impl Address {
    /// Whether it is meant as an address at all.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("http://") || text.starts_with("https://")
    }

    pub fn parse(text: &str) -> Result<Address, Error> {
        Address::whole(text, "")
    }

    fn whole(text: &str, query: &str) -> Result<Address, Error> {
        let bad = || {
            Error::unfit(
                text.to_owned(),
                "is no address: write it like https://mirror.example/almalinux/9/BaseOS/x86_64/os",
            )
        };
        let (is_https, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://").ok_or_else(bad)?),
        };
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let authority: Authority = host.parse().map_err(|_| bad())?;
        if authority.host().is_empty() || host.contains('@') || path.contains(['?', '#']) {
            return Err(bad());
        }
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Address { is_https, host, port, path: encoded(path), query: encoded(query) })
    }

    pub fn as_folder(&self) -> Address {
        let path = if self.path.ends_with('/') { self.path.clone() } else { format!("{}/", self.path) };
        self.with(path)
    }

    /// Another path on the same server.
    fn with(&self, path: String) -> Address {
        Address { path, query: String::new(), ..self.clone() }
    }

    /// A path of the tree, below this folder.
    pub fn below(&self, path: &str) -> Address {
        // A percent sign of a tree's name means itself.
        let path = format!("{}{}", self.path, encoded(&path.replace('%', "%25")));
        self.with(path)
    }

    /// The folder so many levels above this one, and the way back; None: the server has none.
    pub fn above(&self, levels: usize) -> Option<(Address, String)> {
        let mut parts: Vec<&str> = self.path.split('/').filter(|part| !part.is_empty()).collect();
        let below = parts.split_off(parts.len().checked_sub(levels)?);
        let path = format!("/{}", parts.join("/"));
        Some((self.with(path).as_folder(), plain(&decoded(&below.join("/")))?))
    }

    /// The folder that it lies in, and its name there.
    pub fn split(&self) -> (Address, String) {
        let at = self.path.rfind('/').map_or(0, |at| at.saturating_add(1));
        let (folder, name) = self.path.split_at(at);
        (self.with(folder.to_owned()), decoded(name))
    }

    /// What a server says of another place. From https it leads to https alone.
    pub fn redirected(&self, to: &str) -> Result<Address, Error> {
        let to = to.split('#').next().unwrap_or(to);
        let (place, query) = to.find('?').map_or((to, ""), |at| to.split_at(at));
        let scheme = if self.is_https { "https:" } else { "http:" };
        let next = match place {
            whole if Address::is_meant(whole) => Address::whole(whole, query)?,
            host if host.starts_with("//") => Address::whole(&format!("{scheme}{host}"), query)?,
            path if path.starts_with('/') => self.with(encoded(path)),
            "" => self.clone(),
            // Written as requests write it, unlike a name of the tree.
            name => self.with(format!("{}{}", self.split().0.path, encoded(name))),
        };
        let next = Address { query: encoded(query), ..next };
        match self.is_https && !next.is_https {
            true => Err(Error::unfit(self.to_string(), format!("leads to {next}, which is not encrypted"))),
            false => Ok(next),
        }
    }

    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.is_https, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}{}", self.authority(), self.path, self.query)
    }
}

/// What a path, or a query with its question mark, can not hold as it is.
fn encoded(path: &str) -> String {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte);
    let is_query = path.starts_with('?');
    let one = |byte: u8| {
        if fine(byte) || (is_query && byte == b'?') { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    path.bytes().map(one).collect()
}

/// `%2B` is a plus sign.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}
