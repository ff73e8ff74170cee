//! Any text as a template of Cobbler's, and any JSON as its records: what is converted compiles, and each remark has its place.

#![no_main]

use kickstand::cheetah::{Known, convert, finished, gives};
use kickstand::cobbler::{Folder, Item, KINDS, Server, plan};
use kickstand::render::{Templates, Whose};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// What one takes on a slow machine under the sanitizer.
const LONGEST: Duration = Duration::from_secs(10);

fn template(text: &str) {
    let names = gives(text).into_iter().chain(["a", "b", "x"].map(str::to_owned));
    let names = names.enumerate().map(|(number, name)| (name, number % 2 == 0)).collect();
    let done = convert("a.ks", text, &Known { names, snippets: None });
    let lines = text.split('\n').count().max(1);
    for remark in &done.remarks {
        assert!((1..=lines).contains(&remark.line) && remark.column > 0, "{remark:?}");
    }
    match Templates::of([("templates/cobbler/a.ks", done.text.as_str())]) {
        Ok(all) => {
            let words = json!({"a": [1, true, "x"], "b": {"c": "d"}, "x": text, "tree_url": "http://10.0.0.1"});
            let _ = all.render("templates/cobbler/a.ks", &words, &Whose::default()).map(finished);
        }
        Err(why) => panic!("{why:?}\n{}", done.text),
    }
}

/// `{"system": [{"name": …}]}`, beside one text for template and snippet.
fn records(json: &str, text: &str) {
    let Ok(Value::Object(kinds)) = serde_json::from_str(json) else { return };
    let mut folder = Folder::default();
    for kind in KINDS.iter().filter(|kind| kinds.contains_key(**kind)) {
        let all = kinds.get(*kind).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
        let item = |fields: &Map<String, Value>| {
            let name = fields.get("name").and_then(Value::as_str)?.to_owned();
            Some(Item { name, place: (*kind).to_owned(), fields: fields.clone() })
        };
        folder.items.insert(kind, all.filter_map(item).collect());
    }
    folder.settings = kinds.get("settings").and_then(Value::as_object).cloned().unwrap_or_default();
    folder.templates.insert("a.ks".into(), text.to_owned());
    folder.snippets.insert("per_system/s/web".into(), format!("#template=jinja2\n{text}"));
    let done = plan(&folder, &Server::default());
    assert!(done.lines.iter().all(|line| !line.place.is_empty()));
}

// JSON, a NUL and a text, or a text alone.
fuzz_target!(|input: &str| {
    let began = Instant::now();
    match input.split_once('\0') {
        Some((json, text)) => records(json, text),
        None => template(input),
    }
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
});
