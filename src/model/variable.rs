//! Variables, what templates can name: whose they are, and which of them are secret.

use super::{ActivationKey, Distro, Machine, MachineId, Name, Network, Profile, Range, Secrets};
use std::collections::BTreeMap;
use std::fmt;

/// Values for templates: text, numbers, lists, whatever JSON can say.
pub type Variables = BTreeMap<String, serde_json::Value>;

/// A record that carries variables. A sealed value is bound to it: in another record it opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Distro(Name),
    Profile(Name),
    Key(Name),
    Network(Name),
    Range(Name),
    /// By its id, which outlives its name.
    Machine(MachineId),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Distro(name) => write!(f, "distro {name}"),
            Owner::Profile(name) => write!(f, "profile {name}"),
            Owner::Key(name) => write!(f, "key {name}"),
            Owner::Network(name) => write!(f, "network {name}"),
            Owner::Range(name) => write!(f, "range {name}"),
            Owner::Machine(id) => write!(f, "machine {id}"),
        }
    }
}

/// A record with variables.
pub trait Varied {
    fn owner(&self) -> Owner;
    fn varied(&mut self) -> (&mut Variables, &mut Secrets);

    /// Old habits do not leak: what is a secret by its name becomes one. A name is either a plain variable or a secret.
    fn hide(&mut self) {
        let (variables, secrets) = self.varied();
        let names: Vec<String> = variables.keys().filter(|name| is_secret(name)).cloned().collect();
        for name in names {
            if let Some(value) = variables.remove(&name) {
                secrets.put(&name, value);
            }
        }
        variables.retain(|name, _| !secrets.names().any(|secret| secret == name));
    }
}

macro_rules! varied {
    ($($noun:ident as $owner:ident by $key:ident),+) => {$(
        impl Varied for $noun {
            fn owner(&self) -> Owner {
                Owner::$owner(self.$key.clone())
            }

            fn varied(&mut self) -> (&mut Variables, &mut Secrets) {
                (&mut self.variables, &mut self.secrets)
            }
        }
    )+};
}

varied!(Distro as Distro by name, Profile as Profile by name, ActivationKey as Key by name);
varied!(Network as Network by name, Range as Range by name, Machine as Machine by id);

/// How the names of secrets end; the families' own (`root_password_hash`) do so, too.
const ENDINGS: [&str; 6] = ["password", "password_hash", "secret", "token", "private_key", "passphrase"];

/// Whether a variable is a secret by its name alone: `db_password`, or just `password`.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ENDINGS.iter().any(|end| name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('_')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_a_secret() {
        for name in ["root_password_hash", "DB_Password", "password", "ipmi_secret", "join_token", "ssh_private_key"] {
            assert!(is_secret(name), "{name}");
        }
        assert!(is_secret("luks_passphrase"));
        for name in ["disk", "password_file", "tokens", "secretary", "rootpassword", "ssh_authorized_keys", "key"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
