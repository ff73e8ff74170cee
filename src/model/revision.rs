//! Revisions: each change of the configuration, with what it was before and after.

use super::*;
use serde::{Deserialize, Serialize};
use std::fmt;

words! {
    /// What a record is of.
    Noun, "a noun (one of network, range, class, reservation, options, distro, profile, key, machine, template)" {
        Network = "network",
        Range = "range",
        Class = "class",
        Reservation = "reservation",
        /// Those for everybody.
        Options = "options",
        Distro = "distro",
        Profile = "profile",
        Key = "key",
        Machine = "machine",
        Template = "template",
    }
}

/// One change of the configuration: what one operator did at one moment, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Counts up, on all nodes of a database together.
    pub number: i64,
    pub at: Time,
    pub by: String,
    /// One sentence for people.
    pub what: String,
    pub turns: Vec<Turn>,
}

/// A revision without the records themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct RevisionLine {
    pub number: i64,
    pub at: Time,
    pub by: String,
    pub what: String,
    pub records: Vec<RecordKey>,
}

/// What tells a record apart from all others, whatever becomes of it: its name, a machine's id, a reservation's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordKey(pub Noun, pub String);

/// When a record that is there was last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    Revision(i64),
    /// Before the oldest revision that is kept, which this is.
    Before(i64),
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Since::Revision(number) => write!(f, "revision {number}"),
            Since::Before(number) => write!(f, "before revision {number}"),
        }
    }
}

/// One record, before and after. Of nothing, one that was added; into nothing, one that was removed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Turn {
    pub before: Option<Record>,
    pub after: Option<Record>,
    /// New metal is no configuration: a card of this machine was replaced, the old by the new.
    pub card: Option<(Mac, Mac)>,
}

/// What operators said of something; nothing that it lived through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    Network(Network),
    Range(Range),
    Class(Class),
    Reservation(Reservation),
    Options(OptionSet),
    Distro(Distro),
    Profile(Profile),
    Key(ActivationKey),
    Machine(Wish),
    Template(Text),
}

/// What operators said of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    pub id: MachineId,
    pub name: Name,
    pub interfaces: Vec<Interface>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Name>,
    #[serde(default, alias = "key", skip_serializing_if = "Names::is_empty")]
    pub keys: Names,
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub groups: Names,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arguments: String,
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    #[serde(skip)]
    pub secrets: Secrets,
    #[serde(default, skip_serializing_if = "OptionSet::is_empty")]
    pub options: OptionSet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loader: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_boot: Option<DiskBoot>,
    pub created_at: Time,
}

/// A template's text, by the version that has it: texts are kept once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Text {
    pub name: String,
    pub version: i64,
    pub whence: Whence,
}

impl Wish {
    pub fn of(machine: &Machine) -> Wish {
        let Machine { id, name, interfaces, profile, keys, groups, arguments, variables, secrets, options, .. } =
            machine.clone();
        let (loader, disk_boot, created_at) = (machine.loader.clone(), machine.disk_boot, machine.created_at);
        Wish {
            id,
            name,
            interfaces,
            profile,
            keys,
            groups,
            arguments,
            variables,
            secrets,
            options,
            loader,
            disk_boot,
            created_at,
        }
    }

    /// The machine with this said of it, and all that it lived through.
    pub fn onto(self, machine: Machine) -> Machine {
        let Wish { id, name, interfaces, profile, keys, groups, arguments, variables, secrets, options, .. } = self;
        let (loader, disk_boot, created_at) = (self.loader, self.disk_boot, self.created_at);
        Machine {
            id,
            name,
            interfaces,
            profile,
            keys,
            groups,
            arguments,
            variables,
            secrets,
            options,
            loader,
            disk_boot,
            created_at,
            ..machine
        }
    }
}

impl Text {
    pub fn of(version: &TemplateVersion) -> Text {
        Text { name: version.name.clone(), version: version.version, whence: version.whence.clone() }
    }
}

impl Record {
    pub fn key(&self) -> RecordKey {
        let (noun, key) = match self {
            Record::Network(network) => (Noun::Network, network.name.to_string()),
            Record::Range(range) => (Noun::Range, range.name.to_string()),
            Record::Class(class) => (Noun::Class, class.name.to_string()),
            Record::Reservation(kept) => (Noun::Reservation, kept.ip.to_string()),
            Record::Options(_) => (Noun::Options, "everybody".into()),
            Record::Distro(distro) => (Noun::Distro, distro.name.to_string()),
            Record::Profile(profile) => (Noun::Profile, profile.name.to_string()),
            Record::Key(key) => (Noun::Key, key.name.to_string()),
            Record::Machine(wish) => (Noun::Machine, wish.id.to_string()),
            Record::Template(Text { name, whence: Whence::Api, .. }) => (Noun::Template, name.clone()),
            Record::Template(Text { name, whence, .. }) => (Noun::Template, format!("{name} of {whence}")),
        };
        RecordKey(noun, key)
    }

    /// How people call it: a machine by its name.
    pub fn name(&self) -> String {
        match self {
            Record::Machine(wish) => wish.name.to_string(),
            other => other.key().1,
        }
    }

    /// To whom its secrets are bound.
    pub fn owner(&self) -> Option<Owner> {
        match self {
            Record::Network(x) => Some(x.owner()),
            Record::Range(x) => Some(x.owner()),
            Record::Distro(x) => Some(x.owner()),
            Record::Profile(x) => Some(x.owner()),
            Record::Key(x) => Some(x.owner()),
            Record::Machine(x) => Some(Owner::Machine(x.id)),
            Record::Class(_) | Record::Reservation(_) | Record::Options(_) | Record::Template(_) => None,
        }
    }

    /// Where it carries variables.
    pub fn varied_mut(&mut self) -> Option<(&mut Variables, &mut Secrets)> {
        match self {
            Record::Network(x) => Some((&mut x.variables, &mut x.secrets)),
            Record::Range(x) => Some((&mut x.variables, &mut x.secrets)),
            Record::Distro(x) => Some((&mut x.variables, &mut x.secrets)),
            Record::Profile(x) => Some((&mut x.variables, &mut x.secrets)),
            Record::Key(x) => Some((&mut x.variables, &mut x.secrets)),
            Record::Machine(x) => Some((&mut x.variables, &mut x.secrets)),
            Record::Class(_) | Record::Reservation(_) | Record::Options(_) | Record::Template(_) => None,
        }
    }

    /// Whether both say the same: how often a key was used, and by what it lets others in, is nobody's word.
    pub fn says(&self, other: &Record) -> bool {
        match (self, other) {
            (Record::Key(a), Record::Key(b)) => *a == b.clone().lived_as(a),
            _ => self == other,
        }
    }
}

impl Turn {
    pub fn new(before: Option<Record>, after: Option<Record>) -> Turn {
        Turn { before, after, card: None }
    }

    /// None where neither is there: then it is no turn.
    pub fn key(&self) -> Option<RecordKey> {
        self.before.as_ref().or(self.after.as_ref()).map(Record::key)
    }

    pub fn name(&self) -> String {
        self.after.as_ref().or(self.before.as_ref()).map(Record::name).unwrap_or_default()
    }

    /// Whether anything is other than it was.
    pub fn is_change(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => !before.says(after),
            (before, after) => before.is_some() != after.is_some(),
        }
    }
}
