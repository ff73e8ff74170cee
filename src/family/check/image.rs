//! The image family's script, and the user-data of cloud-init that an operator gave it to carry.

use super::{Fault, lines, shell, tree};
use crate::model::Variables;

pub fn check(name: &str, text: &str, variables: &Variables) -> Result<(), Fault> {
    shell(name, text, variables)?;
    let user_data = variables.get("user_data").and_then(|value| value.as_str()).unwrap_or_default();
    // What begins otherwise is a script, or for cloud-init's other readers.
    if !user_data.starts_with("#cloud-config") {
        return Ok(());
    }
    let carries = |(_, line): &(usize, &str)| line.contains("/nocloud/user-data");
    let at = lines(text).find(carries).map_or(1, |(line, _)| line);
    let whole = tree::yaml(user_data).and_then(|root| root.map("user_data").map(drop));
    whole.map_err(|fault| fault.inside(at, "the variable user_data"))
}
