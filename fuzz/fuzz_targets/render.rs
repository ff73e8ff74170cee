//! Any text as a template, any value in a variable of a family's answer file, and any text before a family's check.

#![no_main]

use kickstand::assets::Assets;
use kickstand::family::FAMILIES;
use kickstand::model::Variables;
use kickstand::render::{Templates, Whose};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

static SHIPPED: LazyLock<Templates> = LazyLock::new(|| Templates::of(Assets::all_shipped()).expect("ours compile"));

/// One rendering's time, and what a slow machine under the sanitizer adds.
const LONGEST: Duration = Duration::from_secs(10);

fn context(value: &Value) -> Value {
    json!({
        "name": value, "list": [value, value], "table": {"a": value}, "number": 7, "yes": true,
        "wiring": {"first": {}, "cards": []}, "server_url": "http://10.0.0.1", "report_url": value, "tree_url": value,
        "secure_server_url": value, "secure_report_url": value, "secure_image_url": value, "server_ca": value,
        "machine": {"name": value, "mac": "52:54:00:00:00:01", "domain": value, "ip": "10.0.0.9"},
        "profile": value, "distro": value, "key": value, "packages": [value], "disk": value, "image_url": value,
    })
}

fuzz_target!(|input: (u8, u8, &str, &str)| {
    let (kind, row, text, value) = input;
    let Some(row) = FAMILIES.get(usize::from(row) % FAMILIES.len()) else { return };
    let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
    let began = Instant::now();
    match kind % 3 {
        0 => {
            if let Ok(all) = Templates::of([("templates/own", text)]) {
                let _ = all.render("templates/own", &context(&value), &Whose::default());
            }
        }
        1 => {
            let _ = SHIPPED.render(&format!("templates/{}", row.template), &context(&value), &Whose::default());
        }
        _ => {
            let variables: Variables = [("disk".to_owned(), value)].into_iter().collect();
            let _ = (row.check)(row.name, text, &variables);
        }
    }
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
});
