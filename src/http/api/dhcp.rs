//! How a network is served by DHCP, as a request says it: each field by itself, and null for its default.

use super::body::given;
use crate::model::{Dhcp, DiskBoot, Malformed, Name, OptionPatch, Placement, Span};
use ipnetwork::Ipv4Network;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A field that is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DhcpPatch {
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub placement: Option<Option<Placement>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub authoritative: Option<Option<bool>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub relays: Option<Option<Vec<Relay>>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub link: Option<Option<Name>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub snooping: Option<Option<bool>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Option<Vec<Span>>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub unknown_lease_secs: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub probe: Option<Option<bool>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub https: Option<Option<bool>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub loader: Option<Option<Name>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub disk_boot: Option<Option<DiskBoot>>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub advertise: Option<Option<bool>>,
    #[serde(default, skip_serializing_if = "OptionPatch::is_empty")]
    pub options: OptionPatch,
}

impl DhcpPatch {
    pub fn is_empty(&self) -> bool {
        *self == DhcpPatch::default()
    }

    pub fn apply(self, dhcp: &mut Dhcp) {
        let usual = Dhcp::default();
        put_or(&mut dhcp.placement, self.placement, usual.placement);
        put_or(&mut dhcp.authoritative, self.authoritative, usual.authoritative);
        let relays = self.relays.map(|all| all.map(|all| all.into_iter().map(|Relay(relay)| relay).collect()));
        put_or(&mut dhcp.relays, relays, usual.relays);
        put_or(&mut dhcp.link, self.link.map(Some), usual.link);
        put_or(&mut dhcp.snooping, self.snooping, usual.snooping);
        put_or(&mut dhcp.excluded, self.excluded, usual.excluded);
        put_or(&mut dhcp.unknown_lease_secs, self.unknown_lease_secs.map(Some), usual.unknown_lease_secs);
        put_or(&mut dhcp.probe, self.probe, usual.probe);
        put_or(&mut dhcp.https, self.https, usual.https);
        put_or(&mut dhcp.loader, self.loader.map(Some), usual.loader);
        put_or(&mut dhcp.disk_boot, self.disk_boot.map(Some), usual.disk_boot);
        put_or(&mut dhcp.advertise, self.advertise, usual.advertise);
        dhcp.options.patch(self.options);
    }
}

/// Relays that are believed: one, by its address, or all in a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Relay(pub Ipv4Network);

impl FromStr for Relay {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wanted = "a relay's address (write it like 10.1.0.1), or a prefix that holds some (like 10.1.0.0/24)";
        let read = text.parse::<Ipv4Network>().ok().filter(|relay| relay.ip() == relay.network());
        read.map(Relay).ok_or_else(|| Malformed::new(text, wanted))
    }
}

impl TryFrom<String> for Relay {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix() == 32 { self.0.ip().fmt(f) } else { self.0.fmt(f) }
    }
}

impl From<Relay> for String {
    fn from(relay: Relay) -> String {
        relay.to_string()
    }
}

/// Puts a given value in its place; null stands for the usual one.
fn put_or<T>(place: &mut T, given: Option<Option<T>>, usual: T) {
    if let Some(value) = given {
        *place = value.unwrap_or(usual);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_field_is_changed_by_itself_and_null_is_the_usual_value() {
        let read = |value| serde_json::from_value::<DhcpPatch>(value).unwrap();
        let mut dhcp = Dhcp::default();
        let all = json!({"placement": "relayed", "authoritative": true, "relays": ["10.1.0.1"], "link": "floor",
            "snooping": true, "excluded": ["10.0.0.5-10.0.0.6"], "unknown_lease_secs": 120, "probe": false,
            "https": true, "loader": "pxelinux", "disk_boot": "exit-1",
            "advertise": true, "options": {"ntp-servers": "10.0.0.1", "224": "0x01"}});
        read(all.clone()).apply(&mut dhcp);
        assert_eq!((dhcp.placement, dhcp.probe, dhcp.unknown_lease_secs), (Placement::Relayed, false, Some(120)));
        assert!(dhcp.advertise);
        let before = dhcp.clone();
        read(json!({})).apply(&mut dhcp);
        assert_eq!(dhcp, before);
        read(json!({"link": null, "options": {"224": null, "26": "9000"}})).apply(&mut dhcp);
        assert_eq!((&dhcp.link, &dhcp.relays), (&None, &before.relays));
        assert_eq!(
            serde_json::to_value(&dhcp.options).unwrap(),
            json!({"ntp-servers": "10.0.0.1", "interface-mtu": "9000"})
        );
        let nulls: serde_json::Map<_, _> = all.as_object().unwrap().keys().map(|k| (k.clone(), json!(null))).collect();
        let nulls = serde_json::Value::Object(nulls.into_iter().filter(|(k, _)| k != "options").collect());
        read(nulls).apply(&mut dhcp);
        assert_eq!(dhcp, Dhcp { options: dhcp.options.clone(), ..Dhcp::default() });
    }
}
