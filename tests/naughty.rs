//! Whatever stands in a variable, an answer file keeps its shape, or the rendering is refused by the variable's name.

use kickstand::assets::Assets;
use kickstand::family::check::tree::{self, Node};
use kickstand::family::network::{Place, Wiring};
use kickstand::family::{FAMILIES, Row, shapes};
use kickstand::model::*;
use kickstand::render::{Templates, Whose};
use serde_json::{Value, json};
use std::sync::LazyLock;

mod house;

/// What ends something in one of our languages. The Big List of Naughty Strings comes to it.
const NAUGHTY: &[&str] = &[
    "it's",
    "\"",
    "''",
    "'\"'\"'",
    "`id`",
    "$(touch /tmp/x)",
    "${HOME}",
    "{{ 7*7 }}",
    "{% raw %}",
    "\\",
    "\\'",
    "\\\\",
    "\n",
    "a\nb",
    "\r\n",
    "\t",
    "x\n%end\n%post\nreboot\n%end",
    "%end",
    "%include /etc/passwd",
    "]]>",
    "-->",
    "--",
    "<!ENTITY x SYSTEM \"file:///etc/passwd\">",
    "</source></script>",
    "&amp;",
    "&x;",
    "!!python/object/apply:os.system [id]",
    "&a *a",
    "- a: b",
    "key: value # comment",
    "no",
    "null",
    "0x1F",
    "1e3",
    "\0",
    "\u{feff}",
    "\u{202e}drowssap",
    "\u{1f4a9}\u{200d}",
    "Ω≈ç√∫˜µ≤≥÷",
    "\u{85}\u{2028}",
    "; reboot",
    "|| true",
    "EOF",
    "KICKSTAND_REGISTER",
    "KICKSTAND_VARIABLES",
    "--onboot=no",
    " ",
];

/// Variables of answer files that hold texts, and one that holds a list of them.
const TEXTS: &[&str] = &[
    "disk",
    "root_password_hash",
    "timezone",
    "language",
    "keyboard",
    "kernel_arguments",
    "product",
    "mirror",
    "scc_code",
    "scc_url",
    "rhsm_org",
    "rhsm_key",
    "pro_token",
    "tasks",
    "mirror_host",
    "mirror_folder",
    "title",
    "kernel",
    "modules",
    "tree",
    "image",
    "image_url",
    "user_data",
];
const LISTS: &[&str] = &["ssh_authorized_keys", "packages", "patterns", "classes"];

static COMPILED: LazyLock<Templates> = LazyLock::new(|| Templates::of(Assets::all_shipped()).unwrap());

fn naughty(variable: &str, text: &str) -> Value {
    match variable {
        // It says by its beginning who reads it.
        "user_data" => json!(format!("#!{text}")),
        _ if LISTS.contains(&variable) => json!([text]),
        _ => json!(text),
    }
}

/// What a file is made of, without the values: commands, questions, keys.
fn shape(row: &Row, text: &str) -> Vec<String> {
    let first_words = |count: usize| {
        let words = move |line: &str| line.split_whitespace().take(count).collect::<Vec<_>>().join(" ");
        text.lines().map(words).filter(|line| !line.starts_with('#')).collect::<Vec<_>>()
    };
    match row.family {
        Family::Redhat => {
            let (before, rest) = text.split_once("%packages\n").unwrap();
            let (packages, after) = rest.split_once("%end\n").unwrap();
            let first = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
            let all = before.lines().chain(after.lines()).map(first).filter(|word| !word.starts_with('#'));
            all.chain([packages.lines().count().to_string()]).collect()
        }
        Family::Esxi => first_words(1),
        Family::Debian => first_words(3),
        Family::Suse => {
            let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
            let document = roxmltree::Document::parse_with_options(text, options).unwrap();
            document.descendants().map(|node| node.tag_name().name().to_owned()).collect()
        }
        Family::Agama | Family::Ignition => keys(&serde_json::from_str(text).unwrap()),
        Family::Ubuntu => nodes(&tree::yaml(text).unwrap()),
        // A shell script's shape is that it is whole: its words are its own business.
        Family::Image | Family::Fai => vec![],
    }
}

fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map.iter().flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat()).collect(),
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        plain => vec![if plain.is_string() { "text".into() } else { plain.to_string() }],
    }
}

fn nodes(node: &Node) -> Vec<String> {
    let below = |(key, value): (&Node, &Node)| [vec![key.text().unwrap_or("?").to_owned()], nodes(value)].concat();
    match node.text() {
        Some(_) => vec!["text".into()],
        None => node.entries().flat_map(below).chain(node.items().iter().flat_map(nodes)).collect(),
    }
}

/// What became of a family's variables.
#[derive(Default)]
struct Found {
    kept: usize,
    refused: usize,
    wrong: Vec<String>,
}

#[test]
fn whatever_stands_in_a_variable_a_file_keeps_its_shape_or_is_refused_by_name() {
    // An empty variable is as none: the file may do without what it says.
    let all: Vec<&str> = NAUGHTY.iter().chain(naughty_strings::BLNS).copied().filter(|text| !text.is_empty()).collect();
    assert!(all.len() > 550, "{}", all.len());
    let found: Vec<Found> = std::thread::scope(|scope| {
        let (even, odd): (Vec<_>, Vec<_>) = FAMILIES.iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let some = |rows: Vec<(usize, &'static Row)>| {
            let all = &all;
            scope.spawn(move || rows.into_iter().map(|(_, row)| family(row, all)).collect::<Vec<_>>())
        };
        [some(even), some(odd)].into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let wrong: Vec<&str> = found.iter().flat_map(|found| &found.wrong).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (kept, refused) = found.iter().fold((0, 0), |(k, r), found| (k + found.kept, r + found.refused));
    assert!(kept > 8000 && refused > 8000, "{kept} kept, {refused} refused");
}

fn family(row: &Row, all: &[&str]) -> Found {
    let mut found = Found::default();
    for variable in TEXTS.iter().chain(LISTS) {
        let usual = if *variable == "mirror_folder" { "/plain" } else { "plain" };
        let plain = answer(row, variable, naughty(variable, usual)).unwrap();
        if answer(row, variable, naughty(variable, &usual.replace("plain", "other"))).unwrap() == plain {
            continue;
        }
        let wanted = shape(row, &plain);
        all.iter().for_each(|text| found.note(row, variable, text, &wanted));
    }
    found
}

impl Found {
    fn note(&mut self, row: &Row, variable: &str, text: &str, wanted: &[String]) {
        match answer(row, variable, naughty(variable, text)) {
            Ok(answer) => {
                self.kept += 1;
                if shape(row, &answer) != wanted {
                    self.wrong.push(format!("{}: {variable} = {text:?} changes the file", row.family));
                }
            }
            Err(error) => {
                let stem = &variable[..variable.len().min(4)];
                self.refused += 1;
                if !error.contains(stem) || error.starts_with("line ") {
                    self.wrong.push(format!("{}: {variable} = {text:?}: {error}", row.family));
                }
            }
        }
    }
}

/// The answer file of a family with one more variable, read by its check; or why there is none.
fn answer(row: &Row, variable: &str, value: Value) -> Result<String, String> {
    let assets = Assets::default();
    let defaults = assets.text(&format!("templates/{}/defaults.toml", row.family)).unwrap();
    let mut all: Variables = toml::from_str(&defaults).unwrap();
    all.extend(house::variables(house::own(row.family)));
    all.insert(variable.to_owned(), value);
    shapes::check(&all)?;
    let (machine, network) = (house::machine(row.family), house::network());
    let place = Place { machine: &machine, mac: machine.interfaces[0].mac, network: &network, further: &[] };
    let wiring = Wiring::read(&place, &all)?;
    let mut context = json!({
        "wiring": wiring.facts(), "kernel_options": "ks=x", "image_kind": "raw", "image_packer": "xz", "server_url": "http://10.0.0.1", "report_url": "http://10.0.0.1/report/x",
        "tree_url": all.get("tree"), "image_url": all.get("image").unwrap_or(&json!("")), "key": "x", "profile": "p", "distro": "d",
        "secure_server_url": "https://10.0.0.1", "secure_report_url": "https://10.0.0.1/report/x",
        "secure_image_url": all.get("image").unwrap_or(&json!("")), "server_ca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "machine": {"name": machine.name, "mac": machine.interfaces[0].mac, "domain": "lab.example", "system_id": machine.id},
    });
    context.as_object_mut().unwrap().extend(all.clone());
    let template = format!("templates/{}", row.template);
    let text = COMPILED.render(&template, &context, &Whose::default()).map_err(|error| error.text)?;
    (row.check)(row.name, &text, &all).map_err(|fault| fault.to_string())?;
    Ok(text)
}

#[test]
fn what_a_package_is_called_is_the_same_for_the_server_and_the_agent() {
    let names = ["vim", "libstdc++6", "gcc-c++", "libc6:arm64", "0ad", "-y", "vim-", "vim+", "a/b", "a b", "ä", ""];
    let long = ["x".repeat(128), "x".repeat(129)];
    let naughty = naughty_strings::BLNS.iter().copied().chain(NAUGHTY.iter().copied());
    let mut good = 0;
    for name in names.into_iter().chain(long.iter().map(String::as_str)).chain(naughty) {
        let ours = name.parse::<Package>().is_ok();
        assert_eq!(ours, kickstand_agent::packages::is_name(name), "{name:?}");
        good += usize::from(ours);
    }
    assert!(good > 6, "some are names: {good}");
}
