//! How Cobbler refuses: clients and scripts look for these words.

/// An error of Cobbler's own class.
pub fn refused(text: &str) -> String {
    format!("<class 'cobbler.cexceptions.CX'>:'{text}'")
}

/// A method that there is not, or that nobody may call.
pub fn unknown(method: &str) -> String {
    format!("<class 'Exception'>:method \"{method}\" is not supported")
}

pub const REGISTRATION_OFF: &str = "registration is disabled in cobbler settings";
pub const NO_NAME: &str = "no system name submitted";
pub const NO_PROFILE: &str = "profile not submitted";
pub const NO_INTERFACES: &str = "no interfaces submitted";
pub const MANY_INTERFACES: &str = "too many interfaces submitted";
pub const NAME_CONFLICTS: &str = "system name conflicts";
pub const HOSTNAME_CONFLICTS: &str = "hostname conflicts";
pub const NO_CIDR: &str = "no CIDR ips are allowed";

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

pub fn missing_mac(interface: &str) -> String {
    format!("missing MAC address for interface {interface}")
}

pub fn mac_conflict(mac: &str) -> String {
    format!("mac conflict: {mac}")
}

pub fn ip_conflict(ip: &str) -> String {
    format!("ip conflict: {ip}")
}
