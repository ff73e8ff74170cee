//! The image family's script, and the user-data of cloud-init that an operator gave it to carry.

use super::{Fault, lines, shell, tree};
use crate::model::Variables;

pub fn check(name: &str, text: &str, variables: &Variables) -> Result<(), Fault> {
    shell(name, text, variables)?;
    let user_data = variables.get("user_data").and_then(|value| value.as_str()).unwrap_or_default();
    let carries = |(_, line): &(usize, &str)| line.contains("/nocloud/user-data");
    let at = lines(text).find(carries).map_or(1, |(line, _)| line);
    cloud_config(user_data).map_err(|fault| fault.inside(at, "the variable user_data"))
}

/// What begins otherwise is a script, or for cloud-init's other readers.
pub fn cloud_config(text: &str) -> Result<(), Fault> {
    match text.starts_with("#cloud-config") {
        true => tree::yaml(text).and_then(|root| root.map("user_data").map(drop)),
        false => Ok(()),
    }
}
