//! A tree on a web server: its files are asked for by name, its folders by the page that the server makes of them.

pub mod address;
pub mod client;
pub mod learn;
pub mod mirror;
pub mod page;

use super::Error;
use super::tree::{Found, Listing, Tree};
use address::Address;
use client::Client;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Read;

/// A page of a mirror's largest folder has 200 kB.
const LARGEST_PAGE: u64 = 4 << 20;

pub struct Remote {
    client: Client,
    /// Of the top; its path ends with a slash.
    top: Address,
    origin: String,
    found: RefCell<HashMap<String, Option<Found>>>,
}

impl Remote {
    pub fn new(client: Client, top: Address) -> Remote {
        let top = top.as_folder();
        Remote { client, origin: top.to_string(), top, found: RefCell::default() }
    }
}

impl Tree for Remote {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn listing(&self) -> Option<&Listing> {
        None
    }

    fn find(&self, path: &str) -> Result<Option<Found>, Error> {
        if let Some(found) = self.found.borrow().get(path) {
            return Ok(*found);
        }
        let found = self.client.head(&self.top.below(path))?;
        self.found.borrow_mut().insert(path.to_owned(), found);
        Ok(found)
    }

    fn names(&self, folder: &str) -> Result<Vec<String>, Error> {
        let address = self.top.below(folder).as_folder();
        let Some(body) = self.client.get_if_there(&address)? else { return Ok(Vec::new()) };
        let mut page = Vec::new();
        body.take(LARGEST_PAGE).read_to_end(&mut page).map_err(Error::reading(&address.to_string()))?;
        Ok(page::names(&String::from_utf8_lossy(&page), &address.path))
    }

    fn open(&self, path: &str) -> Result<Box<dyn Read + '_>, Error> {
        Ok(Box::new(self.client.get(&self.top.below(path))?))
    }
}
