//! For any text in any variable of any template: the commands are those that they were, and the text is itself.

use super::holds::holds;
use super::setting::{NAUGHTY, TEMPLATES};
use super::shell;
use kickstand::render::{Templates, Whose};
use proptest::prelude::*;
use serde_json::json;

/// Any text at all, mostly made of what means something to somebody.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(NAUGHTY), 1..4).prop_map(|pieces| pieces.concat());
    prop_oneof![
        3 => "[a-c =\"'$;#|&\\\\{}-]{0,12}",
        2 => pieces,
        1 => "[ -~]{0,30}",
        1 => any::<String>(),
        1 => "(a=[b-d]{1,4} |e=\"f g\" ){0,300}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_changes_the_commands_of_a_script(
        template in 0..TEMPLATES.len(),
        variable in any::<prop::sample::Index>(),
        text in texts(),
    ) {
        let template = &TEMPLATES[template];
        let variable = variable.get(&template.variables);
        holds(template, variable, &text).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn no_text_is_more_than_one_word_of_a_shell(text in texts()) {
        let templates = Templates::of([("t", "set -- {{ v|shq }} end\nnext")]).unwrap();
        match templates.render("t", &json!({ "v": &text }), &Whose::default()) {
            Ok(script) => {
                let wanted = vec![vec!["set", "--", text.as_str(), "end"], vec!["next"]];
                prop_assert_eq!(shell::commands(&script).unwrap(), wanted);
            }
            Err(error) => prop_assert!(text.contains('\0') && error.text.contains("v|shq"), "{}", error),
        }
    }
}

#[test]
fn no_naughty_text_changes_the_commands_of_any_script() {
    for template in TEMPLATES.iter() {
        for variable in &template.variables {
            for text in NAUGHTY {
                holds(template, variable, text).unwrap();
            }
        }
    }
}

#[test]
fn every_script_of_pxe_is_held_against_it() {
    let parts = ["chain.cfg", "way.ipxe"];
    for language in ["ipxe", "grub", "pxelinux"] {
        let folder = format!("{}/pxe/{language}", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            let name = format!("pxe/{language}/{file}");
            let held = TEMPLATES.iter().any(|template| template.name == name);
            assert!(held || parts.contains(&file.as_str()), "{name} is not in tests/scripts/setting.rs");
        }
    }
}

/// Otherwise a property could hold because nothing is ever rendered.
#[test]
fn what_operators_write_can_be_said_in_every_language() {
    let good = ["a", "console=ttyS0,115200n8 ip=dhcp", "inst.ks=http://10.0.0.2/a?b", "--- quiet", "a=\"b c\" d"];
    for template in TEMPLATES.iter().filter(|template| template.variables.contains(&"/arguments")) {
        for text in good {
            template.with("/arguments", text).unwrap();
        }
    }
}
