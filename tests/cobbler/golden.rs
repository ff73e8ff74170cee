//! Every stock text for every system, line by line: a difference without an explanation fails.

use crate::differences;
use kickstand::cheetah::{Converted, FOLDER, Known, convert, finished};
use kickstand::render::{Templates, Whose};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

#[derive(Deserialize)]
struct Golden {
    texts: BTreeMap<String, String>,
    cases: Vec<Case>,
    fields: BTreeMap<String, Vec<String>>,
    values: serde_json::Map<String, Value>,
    /// Short texts of our own, as Cobbler's code writes them.
    written: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Case {
    case: String,
    given: serde_json::Map<String, Value>,
    done: BTreeMap<String, Done>,
}

#[derive(Deserialize)]
struct Done {
    text: Option<String>,
    error: Option<String>,
}

fn golden() -> Golden {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Command::new(root.join("lab/cobbler.sh")).output().expect("lab/cobbler.sh runs");
    assert!(folder.status.success(), "{}", String::from_utf8_lossy(&folder.stderr));
    let folder = String::from_utf8(folder.stdout).unwrap();
    let folder = Path::new(folder.trim());
    let snippets = tempfile::tempdir().unwrap();
    let mut python = Command::new(folder.join("venv/bin/python"));
    let told = python.arg(root.join("tests/cobbler/golden.py")).arg(folder).arg(snippets.path()).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).expect("it is JSON")
}

/// Their names, and the same converted.
fn converted(golden: &Golden) -> BTreeMap<String, Converted> {
    let names: BTreeSet<String> = golden.cases.iter().flat_map(|case| case.given.keys().cloned()).collect();
    let everywhere = |name: &String| golden.cases.iter().all(|case| case.given.contains_key(name));
    let snippets = golden.texts.keys().filter_map(|file| file.strip_prefix("snippets/")).map(str::to_owned);
    let mut known = Known { names: BTreeMap::new(), snippets: Some(snippets.collect()) };
    known.names = names.into_iter().map(|name| (name.clone(), everywhere(&name))).collect();
    for text in golden.texts.values() {
        known.names.extend(kickstand::cheetah::gives(text).into_iter().map(|name| (name, false)));
    }
    golden.texts.iter().map(|(file, text)| (file.clone(), convert(file, text, &known))).collect()
}

fn whole_name(file: &str) -> String {
    match file.split_once('/') {
        Some(("snippets", name)) => format!("templates/snippets/{FOLDER}/{name}"),
        _ => format!("templates/{FOLDER}/{}", file.trim_start_matches("templates/")),
    }
}

#[test]
#[ignore = "fetches Cobbler's source from PyPI: make test"]
fn stock_templates_render_as_cobblers_do() {
    let golden = golden();
    let converted = converted(&golden);
    let texts = converted.iter().map(|(file, converted)| (whole_name(file), converted.text.clone()));
    let templates = Templates::of(texts).expect("all of them compile");
    let (mut unexplained, mut used, mut lines, mut same) =
        (Vec::new(), BTreeMap::<&str, usize>::new(), 0_usize, 0_usize);
    let mut refused = 0_usize;
    let mut by_file = BTreeMap::<&str, [usize; 3]>::new();
    for Case { case, given, done } in &golden.cases {
        let mut words = given.clone();
        words.insert("tree_url".into(), given.get("tree").cloned().unwrap_or_default());
        let words = Value::Object(words);
        for (file, done) in done {
            let ours = templates.render(&whole_name(file), &words, &Whose::default()).map(finished);
            let count = by_file.entry(file).or_default();
            let differing = match (&done.text, &ours) {
                (Some(theirs), Ok(ours)) => {
                    lines += theirs.lines().count();
                    differences::lines(theirs, ours)
                }
                (Some(_), Err(error)) => vec![format!("! {error}")],
                (None, Err(_)) => {
                    refused += 1;
                    continue;
                }
                (None, Ok(_)) => vec![format!("? Cobbler says {}", done.error.as_deref().unwrap_or_default())],
            };
            let mut left = Vec::new();
            for difference in &differing {
                match differences::explained(file, difference) {
                    Some(why) => *used.entry(why).or_default() += 1,
                    None => left.push(difference.clone()),
                }
            }
            same += usize::from(differing.is_empty());
            let kind = if differing.is_empty() {
                0
            } else if left.is_empty() {
                1
            } else {
                2
            };
            count[kind] += 1;
            if !left.is_empty() {
                unexplained.push(format!("{file} for {case}:\n    {}", left.join("\n    ")));
            }
        }
    }
    for (file, [same, explained, other]) in &by_file {
        let remarks = converted[*file].remarks.len();
        println!("{file:<48} {same:>3} same, {explained:>3} explained, {other:>3} not; {remarks} remarks");
    }
    used.iter().for_each(|(why, count)| println!("{count:>6} {why}"));
    let remarked: Vec<_> = converted.iter().filter(|(_, one)| !one.remarks.is_empty()).collect();
    for (file, one) in &remarked {
        one.remarks
            .iter()
            .for_each(|remark| println!("{file}:{}:{}: {}: {}", remark.line, remark.column, remark.text, remark.why));
    }
    let all: usize = golden.cases.iter().map(|case| case.done.len()).sum();
    println!(
        "{same} of {all} texts the same, {lines} lines, {refused} that neither renders; {} of {} files without a remark",
        converted.len() - remarked.len(),
        converted.len()
    );
    assert!(all > 1000 && lines > 10_000, "there was something to compare");
    assert!(
        unexplained.is_empty(),
        "{} differ:\n{}",
        unexplained.len(),
        unexplained[..unexplained.len().min(40)].join("\n")
    );
    let unused: Vec<_> = differences::EXPLAINED.iter().filter(|rule| !used.contains_key(rule.why)).collect();
    assert!(unused.is_empty(), "explanations of nothing: {unused:?}");
}

#[test]
#[ignore = "fetches Cobbler's source from PyPI: make test"]
fn values_are_written_as_cobbler_writes_them() {
    let Golden { values, written, .. } = golden();
    let known = Known { names: values.keys().map(|name| (name.clone(), true)).collect(), snippets: None };
    let words = Value::Object(values);
    for (text, theirs) in &written {
        let Converted { text: ours, remarks, .. } = convert("a.ks", text, &known);
        assert_eq!(remarks, [], "{text}");
        let name = format!("templates/{FOLDER}/a.ks");
        let templates = Templates::of([(name.as_str(), ours)]).unwrap();
        assert_eq!(&finished(templates.render(&name, &words, &Whose::default()).unwrap()), theirs, "{text}");
    }
    assert!(written.len() > 5);
}

/// As its source has them, and those that 2.8 has besides.
#[test]
#[ignore = "fetches Cobbler's source from PyPI: make test"]
fn every_field_of_cobblers_items_is_known() {
    let golden = golden();
    let own = ["api", "logger", "has_initialized", "cached_dict", "cache", "children", "system_name"];
    let mut count = 0_usize;
    for (kind, fields) in &golden.fields {
        for field in fields.iter().filter(|field| !own.contains(&field.as_str())) {
            count += 1;
            assert!(kickstand::cobbler::fate(kind, field).is_some(), "{kind}: nobody says what becomes of {field}");
        }
    }
    let old = [
        ("distro", "ks_meta redhat_management_server source_repos mgmt_classes template_files tree_build_time"),
        (
            "profile",
            "enable_gpxe next_server template_remote_kickstarts redhat_management_server virt_auto_boot kickstart",
        ),
        (
            "system",
            "enable_gpxe next_server template_remote_kickstarts redhat_management_server ldap_enabled ldap_type monit_enabled kickstart image",
        ),
        ("interface", "subnet bonding bonding_master mac_address static_routes ipv6_prefix cnames management"),
    ];
    for (kind, fields) in old {
        for field in fields.split(' ') {
            assert!(kickstand::cobbler::fate(kind, field).is_some(), "{kind}: nobody says what becomes of {field}");
        }
    }
    assert!(count > 150 && kickstand::cobbler::fate("system", "nothing_of_cobblers").is_none(), "{count}");
}
