//! Agama's profiles: JSON with a product, somebody who may log in, and known keys.

use super::tree::{self, Node};
use super::{Fault, shell, without_nul};
use crate::model::Variables;

const KEYS: &[&str] = &[
    "$schema",
    "access",
    "bootloader",
    "dasd",
    "files",
    "hostname",
    "iscsi",
    "l10n",
    "legacyAutoyastStorage",
    "localization",
    "network",
    "ntp",
    "product",
    "proxy",
    "questions",
    "root",
    "scripts",
    "security",
    "software",
    "storage",
    "user",
    "zfcp",
];

pub fn check(_: &str, text: &str, _: &Variables) -> Result<(), Fault> {
    without_nul(text)?;
    let root = tree::json(text)?;
    root.map("a profile")?.only(KEYS, "a profile")?;
    let id = root.need("product", "a profile")?.need("id", "product")?;
    if id.text().is_none_or(str::is_empty) {
        return Err(Fault::new(id.line, "product has an id, such as SLES"));
    }
    let account =
        |name: &str, keys: &[&str]| root.get(name).is_some_and(|who| keys.iter().any(|key| who.get(key).is_some()));
    if !account("root", &["password", "sshPublicKey", "sshPublicKeys"]) && !account("user", &["userName"]) {
        return Err(Fault::new(root.line, "nobody could log in: give root a password or a key, or name a user"));
    }
    let kinds = root.get("scripts").map(|scripts| scripts.map("scripts")).transpose()?;
    kinds.map_or(Ok(()), scripts)
}

fn scripts(kinds: &Node) -> Result<(), Fault> {
    kinds.only(&["pre", "postPartitioning", "post", "init"], "scripts")?;
    for (kind, list) in kinds.entries() {
        for script in list.list(kind.text().unwrap_or_default())? {
            let name = script.need("name", "a script")?.text().unwrap_or_default();
            let Some(content) = script.get("content").or_else(|| script.get("body")) else {
                script.need("url", "a script without content")?;
                continue;
            };
            let text = content.text().unwrap_or_default();
            if !text.starts_with("#!/") {
                return Err(Fault::new(content.line, format!("script {name} begins with #! and its shell")));
            }
            shell::whole(text).map_err(|fault| fault.inside(content.line, name))?;
        }
    }
    Ok(())
}
