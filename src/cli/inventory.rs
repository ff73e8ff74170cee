//! What a machine is made of, on one line.

use kickstand_agent::wire::Inventory;

/// `2 CPUs, 1.0 GB memory, vda 8.6 GB, Debian GNU/Linux 12, bios`: what is known, in this order.
pub fn line(value: &serde_json::Value) -> String {
    let Ok(inventory) = serde_json::from_value::<Inventory>(value.clone()) else { return String::new() };
    let mut parts = Vec::new();
    if inventory.cpus > 0 {
        parts.push(format!("{} {}", inventory.cpus, if inventory.cpus == 1 { "CPU" } else { "CPUs" }));
    }
    if inventory.memory_bytes > 0 {
        parts.push(format!("{} memory", size(inventory.memory_bytes)));
    }
    parts.extend(inventory.disks.iter().map(|disk| format!("{} {}", disk.name, size(disk.size_bytes))));
    parts.extend([inventory.os, inventory.firmware].into_iter().filter(|text| !text.is_empty()));
    parts.join(", ")
}

/// What its keys' packages came to, where the agent had some to install.
pub fn packages(value: &serde_json::Value) -> Option<String> {
    let told = serde_json::from_value::<Inventory>(value.clone()).ok()?.packages?;
    let wanted = told.wanted.join(", ");
    Some(if told.error.is_empty() { wanted } else { format!("{wanted}: not installed: {}", told.error) })
}

fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000_000_000 => (1e6, "MB"),
        1_000_000_000..1_000_000_000_000 => (1e9, "GB"),
        _ => (1e12, "TB"),
    };
    format!("{:.1} {name}", bytes as f64 / unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_known_fits_on_a_line() {
        let disk = json!({"name": "vda", "size_bytes": 8_589_934_592_u64});
        let value = json!({"cpus": 2, "memory_bytes": 1_024_000_000, "disks": [disk], "os": "Debian GNU/Linux 12 (bookworm)", "firmware": "bios"});
        assert_eq!(line(&value), "2 CPUs, 1.0 GB memory, vda 8.6 GB, Debian GNU/Linux 12 (bookworm), bios");
        assert_eq!(line(&json!({"cpus": 1})), "1 CPU");
        assert_eq!(line(&json!("nonsense")), "");
        let told = |error: &str| packages(&json!({"packages": {"wanted": ["vim", "jq"], "error": error}})).unwrap();
        assert_eq!(
            (told("").as_str(), told("no such package").as_str()),
            ("vim, jq", "vim, jq: not installed: no such package")
        );
        assert_eq!(packages(&value), None);
    }
}
