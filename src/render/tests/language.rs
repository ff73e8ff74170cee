//! Whatever a text holds, a real reader of the language has the same text again.

use super::filtered;
use proptest::prelude::*;
use std::io::Write as _;
use std::process::{Command, Stdio};
use yaml_rust2::{Yaml, YamlLoader};

/// Words that mean something in one of the languages, and characters of every kind.
fn texts() -> impl Strategy<Value = String> {
    let words =
        ["no", "1e3", "~", "'", "\"", "\\", "$(id)", "`", "]]>", "&amp;", "<!--", ": ", " #", "\n---\n", "\t", "\r\n"];
    let odd =
        ["\u{85}", "\u{2028}", "\u{feff}", "\u{7f}", "\u{1f600}", "ü", "%}", "{{", "\u{fffd}", "", "- ", "\\u0041"];
    let part = prop_oneof![
        proptest::sample::select([words.as_slice(), odd.as_slice()].concat()).prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        "[ -~]{0,6}",
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn json_is_read_back(text in texts()) {
        let said = filtered("json", &text).unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(&said).unwrap(), text);
    }

    #[test]
    fn yaml_is_read_back(text in texts()) {
        let said = filtered("yaml", &text).unwrap();
        let read = YamlLoader::load_from_str(&format!("a: {said}\nb: [{said}, {said}]\n")).unwrap();
        let wanted = Yaml::String(text);
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(&read[0]["a"], &wanted);
        prop_assert_eq!(&read[0]["b"][1], &wanted);
    }

    #[test]
    fn xml_is_read_back_or_refused(text in texts()) {
        let unsayable = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
        let said = filtered("xml", &text);
        prop_assert_eq!(said.is_err(), text.contains(unsayable));
        let Ok(said) = said else { return Ok(()) };
        let document = format!("<a b='{said}' c=\"{said}\">{said}</a>");
        let read = roxmltree::Document::parse(&document).unwrap();
        let root = read.root_element();
        prop_assert_eq!(root.text().unwrap_or_default(), &text);
        prop_assert_eq!(root.attribute("b").unwrap(), &text);
        prop_assert_eq!(root.attribute("c").unwrap(), &text);
    }

    #[test]
    fn a_line_of_ksq_is_one_word_of_a_shell_like_reader(text in "[ -~]{0,12}") {
        let said = filtered("ksq", &text).unwrap();
        let inside = said.strip_prefix('"').and_then(|said| said.strip_suffix('"')).unwrap();
        prop_assert_eq!(inside.replace("\\\"", "\"").replace("\\\\", "\\"), text.clone());
        prop_assert!(!inside.replace("\\\\", "").replace("\\\"", "").contains(['"', '\\']));
    }
}

/// One shell for all of them: a process each would take the test's time.
#[test]
fn shell_words_are_read_back_by_a_shell() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let all: Vec<String> =
        (0..500).map(|_| texts().new_tree(&mut runner).unwrap().current().replace('\0', "")).collect();
    let script: String =
        all.iter().map(|text| format!("printf '%s\\0' {}\n", filtered("shq", text).unwrap())).collect();
    let mut shell = Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(script.as_bytes()));
    let out = shell.wait_with_output().unwrap().stdout;
    writing.join().unwrap().unwrap();
    let mut read: Vec<_> = out.split(|byte| *byte == 0).map(|text| String::from_utf8(text.to_vec()).unwrap()).collect();
    read.pop();
    assert_eq!(read, all);
    assert!(filtered("shq", "a\0b").is_err());
}

#[test]
fn what_the_old_yaml_takes_for_more_than_text_is_escaped() {
    let cases =
        [("no", "\"no\""), ("a\u{85}b", "\"a\\x85b\""), ("\u{2028}", "\"\\u2028\""), ("\u{1f600}", "\"\\U0001f600\"")];
    super::says("yaml", &cases);
    super::says("xml", &[("a\n<b>", "a&#10;&lt;b&gt;"), ("\u{85}", "&#133;")]);
    super::refuses("xml", &[("a\u{1}", "can not stand in XML: it holds the character 0x1")]);
}
