//! Addresses and pages of servers.

use crate::import::remote::address::{Address, decoded};
use crate::import::remote::page::names;
use proptest::prelude::*;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

#[test]
fn an_address_is_read_and_names_are_escaped_below_it() {
    let top = address("https://mirror.example:8443/a b/x").as_folder();
    assert_eq!(top.to_string(), "https://mirror.example:8443/a%20b/x/");
    assert_eq!(
        top.below("images/c++ 100%.rpm").to_string(),
        "https://mirror.example:8443/a%20b/x/images/c++%20100%25.rpm"
    );
    assert_eq!(address("http://[fd00::1]").to_string(), "http://[fd00::1]/");
    assert_eq!(address("http://h/d/a%2Bb.iso").split().1, "a+b.iso");
    for bad in ["http://", "ftp://x/", "http://user@host/", "http://h/?q=1", "http://h\r\nX: y/"] {
        assert!(Address::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(address("http://h/a\r\nX: y").path, "/a%0D%0AX:%20y", "no line of its own");
}

#[test]
fn the_folders_above_an_address_end_at_its_server() {
    let os = address("https://h:1/pub/9%2E4/Base%20OS/os/").as_folder();
    let above = |levels| os.above(levels).map(|(top, way)| (top.to_string(), way));
    assert_eq!(above(2), Some(("https://h:1/pub/9%2E4/".to_owned(), "Base OS/os".to_owned())));
    assert_eq!(above(4), Some(("https://h:1/".to_owned(), "pub/9.4/Base OS/os".to_owned())));
    assert_eq!((above(5), address("http://h/a/%2E%2E/b").above(2)), (None, None));
}

#[test]
fn a_redirect_leads_on_and_never_out_of_https() {
    let from = address("https://h/a/b");
    assert_eq!(from.redirected("c").unwrap().to_string(), "https://h/a/c");
    assert_eq!(from.redirected("/c").unwrap().to_string(), "https://h/c");
    for (to, whole) in [
        ("https://i/c?token=1#top", "https://i/c?token=1"),
        ("/c?a=b/c?d&e=%2F f", "https://h/c?a=b/c?d&e=%2F%20f"),
        ("c?a=/../b", "https://h/a/c?a=/../b"),
        ("?a=b", "https://h/a/b?a=b"),
        ("//i:8443/c?x", "https://i:8443/c?x"),
        ("//i", "https://i/"),
        ("c%2Bd#x?y", "https://h/a/c%2Bd"),
    ] {
        assert_eq!(from.redirected(to).unwrap().to_string(), whole, "{to}");
    }
    let signed = from.redirected("c?a=b").unwrap();
    assert_eq!(signed.redirected("d").unwrap().to_string(), "https://h/a/d");
    assert_eq!((signed.below("d").query, signed.as_folder().query, signed.split().0.query), Default::default());
    assert!(from.redirected("//user@h/c").is_err());
    assert_eq!(address("http://h/a").redirected("//i/c").unwrap().to_string(), "http://i/c");
    assert!(from.redirected("http://h/a/b").unwrap_err().to_string().contains("not encrypted"));
    assert_eq!(address("http://h/a").redirected("https://h/a").unwrap().to_string(), "https://h/a");
}

#[test]
fn pages_of_apache_and_nginx_name_what_lies_below() {
    let apache = "<tr><td><a href=\"?C=N;O=D\">Name</a></td></tr><tr><td><a href=\"/debian/\">Parent Directory</a></td>\
        <td><a href=\"bookworm/\">bookworm/</a></td><td><A HREF='Release'>Release</A></td><a href=\"mailto:x@y\">x</a>";
    assert_eq!(names(apache, "/debian/dists/"), ["bookworm/", "Release"]);
    let nginx = "<a href=\"../\">../</a>\n<a href=\"a%2Bb.img\">a+b.img</a>\n<a href=\"/x/dists/c\">c</a> <a href=\"./d\">d</a><a href=\"..%2f..%2fetc\">e</a>";
    assert_eq!(names(nginx, "/x/dists/"), ["a+b.img", "c", "d"]);
}

proptest! {
    #[test]
    fn no_page_and_no_address_panics(text in "(?s)(href=|HREF=|[ <>\"'%./a-zé]|%2e|https?://){0,40}") {
        for name in names(&text, "/a/") {
            let stem = name.trim_end_matches('/');
            prop_assert!(!stem.contains('/') && stem != "..", "{name:?}");
        }
        decoded(&text);
        if let Ok(next) = address("https://h/a/b").redirected(&text) {
            prop_assert!(next.is_https && next.path.starts_with('/') && !next.path.contains(['?', '#', ' ']), "{next}");
        }
        if let Ok(address) = Address::parse(&text) {
            let again = Address::parse(&address.to_string());
            prop_assert_eq!(again.unwrap(), address);
        }
    }
}
