//! How Cobbler refuses: clients and scripts look for these words.

use crate::boot::announce::No;

/// An error of Cobbler's own class.
pub fn refused(text: &str) -> String {
    format!("<class 'cobbler.cexceptions.CX'>:'{text}'")
}

/// A method that there is not, or that nobody may call.
pub fn unknown(method: &str) -> String {
    format!("<class 'Exception'>:method \"{method}\" is not supported")
}

/// To who announced itself.
pub fn announced(no: &No) -> String {
    let text = match no {
        No::Closed => "registration is disabled in cobbler settings",
        No::Nameless => "no system name submitted",
        No::NoProfile => "profile not submitted",
        No::NoCards => "no interfaces submitted",
        No::ManyCards => "too many interfaces submitted",
        No::NameTaken => "system name conflicts",
        No::HostnameTaken => "hostname conflicts",
        No::WithPrefix => "no CIDR ips are allowed",
        No::NoMac { card } => return format!("missing MAC address for interface {card}"),
        No::MacTaken(mac) => return format!("mac conflict: {mac}"),
        No::IpTaken(ip) => return format!("ip conflict: {ip}"),
        No::Other(text) => text,
    };
    text.to_owned()
}

/// Of calls that take a token: none is given, so none is right.
pub const CHANGED_ELSEWHERE: &str =
    "invalid token: this server is changed by its own API and the command line `kickstand`, not by XML-RPC";

pub fn login_failed(user: &str) -> String {
    let shown: String = user.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("login failed ({shown}): this server is changed by its own API and the command line `kickstand`")
}

pub fn not_installable(name: &str) -> String {
    format!("{name} can not be installed as it is: the log of the server says why")
}
