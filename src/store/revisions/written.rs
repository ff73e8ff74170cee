//! How a turn lies in a row: JSON, with secrets as they lie in the records, sealed.

use crate::model::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
pub struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Kept>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Kept>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    card: Option<(Mac, Mac)>,
}

/// A record, and its secrets: they have no way to JSON by themselves.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    record: Record,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sealed: BTreeMap<String, String>,
}

impl Written {
    pub fn of(turn: &Turn) -> Written {
        let [before, after] = [&turn.before, &turn.after].map(|record| record.as_ref().map(Kept::of));
        Written { before, after, card: turn.card }
    }

    /// None where a secret is no base64.
    pub fn read(self) -> Option<Turn> {
        let record = |kept: Option<Kept>| kept.map_or(Some(None), |kept| kept.read().map(Some));
        Some(Turn { before: record(self.before)?, after: record(self.after)?, card: self.card })
    }
}

impl Kept {
    fn of(record: &Record) -> Kept {
        let mut record = record.clone();
        let mut sealed = BTreeMap::new();
        if let Some((variables, secrets)) = record.varied_mut() {
            // What an earlier version left in clear, and nobody could seal yet, does not come in here.
            variables.retain(|name, _| !is_secret(name));
            let encoded = secrets.sealed().iter().map(|(name, Sealed(bytes))| (name.clone(), STANDARD.encode(bytes)));
            sealed = encoded.collect();
        }
        Kept { record, sealed }
    }

    fn read(self) -> Option<Record> {
        let Kept { mut record, sealed } = self;
        let decoded = |(name, text): (String, String)| Some((name, Sealed(STANDARD.decode(text).ok()?)));
        let sealed = sealed.into_iter().map(decoded).collect::<Option<_>>()?;
        if let Some((_, secrets)) = record.varied_mut() {
            *secrets = Secrets::of_sealed(sealed);
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_turn_reads_as_it_was_written_and_what_is_secret_by_its_name_never_lies_in_clear() {
        let mut distro = Distro {
            name: "debian".parse().unwrap(),
            family: Family::Debian,
            kernel: "linux".into(),
            initrd: "initrd".into(),
            arguments: String::new(),
            variables: Variables::from([("disk".into(), json!("/dev/sda"))]),
            secrets: Secrets::of_sealed(BTreeMap::from([("wifi".into(), Sealed(vec![1, 2, 255]))])),
            loader: None,
        };
        let turn = Turn::new(None, Some(Record::Distro(distro.clone())));
        let text = serde_json::to_string(&Written::of(&turn)).unwrap();
        let read = |text: &str| serde_json::from_str::<Written>(text).unwrap().read();
        assert_eq!(read(&text), Some(turn.clone()));
        assert_eq!(read(&text.replace("AQL/", "%")), None);
        distro.variables.insert("root_password".into(), json!("in clear"));
        let loose = serde_json::to_string(&Written::of(&Turn::new(None, Some(Record::Distro(distro))))).unwrap();
        assert_eq!(loose, text);
    }
}
