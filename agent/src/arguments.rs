//! What stands behind a command's name, read before anything is done.

use std::path::Path;

use crate::command::Error;
use crate::reinstall::Options;
use crate::wire::Report;
use crate::{inventory, join};

pub fn report(arguments: &[&str]) -> Result<Report, Error> {
    Ok(match arguments {
        ["started"] => Report::Started,
        ["done"] => Report::Done,
        ["inventory"] => Report::Inventory { inventory: inventory::gather(Path::new("/")) },
        ["progress", percent, message] => {
            Report::Progress { percent: percentage(percent)?, message: (*message).to_owned() }
        }
        ["failed", message] => Report::Failed { message: (*message).to_owned() },
        _ => return Err(Error::Usage("report: which stage?".to_owned())),
    })
}

pub fn percentage(text: &str) -> Result<u8, Error> {
    match text.parse() {
        Ok(percent @ 0..=100) => Ok(percent),
        _ => Err(Error::Usage(format!("not a percentage: {text}"))),
    }
}

pub fn wish(arguments: &[&str], key: Option<String>) -> Result<join::Wish, Error> {
    let mut wish = join::Wish { keys: key.unwrap_or_default(), ..join::Wish::default() };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        if *option == "--insecure" {
            wish.is_insecure = true;
            continue;
        }
        let value = rest.next().ok_or_else(|| Error::Usage(format!("register: {option} needs a value")))?.to_string();
        match *option {
            "--server" => wish.server = value,
            "--key" => wish.keys = value,
            "--ca" => wish.ca = Some(value.into()),
            "--fingerprint" => wish.fingerprint = Some(value),
            "--name" => wish.name = Some(value),
            other => return Err(Error::Usage(format!("register: no such option: {other}"))),
        }
    }
    match (wish.server.is_empty(), wish.keys.is_empty()) {
        (true, _) => Err(Error::Usage("register: which --server?".to_owned())),
        (_, true) => Err(Error::Usage("register: with which --key?".to_owned())),
        _ => Ok(wish),
    }
}

pub fn reinstall(arguments: &[&str]) -> Result<Options, Error> {
    let mut options = Options::default();
    let mut rest = arguments;
    loop {
        rest = match rest {
            [] => return Ok(options),
            ["--now", rest @ ..] => {
                options.now = true;
                rest
            }
            ["--keep-network", rest @ ..] => {
                options.keep_network = true;
                rest
            }
            ["--profile", profile, rest @ ..] => {
                options.profile = Some((*profile).to_owned());
                rest
            }
            ["--way", way, rest @ ..] => {
                options.way = Some(way.parse().map_err(Error::Usage)?);
                rest
            }
            [other, ..] => return Err(Error::Usage(format!("reinstall: unexpected argument: {other}"))),
        };
    }
}

pub fn no_more(arguments: &[&str]) -> Result<(), Error> {
    match arguments {
        [] => Ok(()),
        [first, ..] => Err(Error::Usage(format!("unexpected argument: {first}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reinstall::Way;

    #[test]
    fn reports_are_parsed_before_anything_is_sent() {
        let progress = Report::Progress { percent: 40, message: "unpacking".to_owned() };
        assert_eq!(report(&["progress", "40", "unpacking"]).unwrap(), progress);
        assert_eq!(report(&["done"]).unwrap(), Report::Done);
        for wrong in [
            &["progress", "101", "x"][..],
            &["progress", "-1", "x"],
            &["progress", "40"],
            &["done", "x"],
            &["finished"],
            &[],
        ] {
            assert_eq!(report(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn what_reinstall_is_told_is_read_in_any_order() {
        let options = reinstall(&["--keep-network", "--profile", "db", "--way", "grub", "--now"]).unwrap();
        let way = Some(Way::Grub);
        assert_eq!(options, Options { profile: Some("db".into()), now: true, keep_network: true, way });
        assert_eq!(reinstall(&[]).unwrap(), Options::default());
        for wrong in [&["--profile"][..], &["--way", "usb"], &["now"], &["--now=yes"]] {
            assert_eq!(reinstall(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }
}
