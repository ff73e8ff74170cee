//! GRUB's and the shell's own checkers, on scripts with every naughty text that can be said.

use super::setting::{COMPILED, NAUGHTY, TEMPLATES};
use kickstand::render::Whose;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

/// What a checker says against a script; none where it is not installed.
fn complaint(program: &str, args: &[&str], script: &str) -> Option<Result<(), String>> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(if output.status.success() { Ok(()) } else { Err(text) })
}

#[test]
fn grub_reads_every_script_of_its_own() {
    let mut checked = 0;
    for template in TEMPLATES.iter().filter(|template| template.name.starts_with("pxe/grub/")) {
        let naughty = template.variables.iter().flat_map(|variable| NAUGHTY.iter().map(move |text| (variable, text)));
        let scripts = naughty.filter_map(|(variable, text)| template.with(variable, text).ok());
        for script in scripts.chain([template.rendered()]) {
            match complaint("grub-script-check", &[], &script) {
                None => return eprintln!("skipped: grub-script-check is not installed (package grub-common)"),
                Some(said) => said.unwrap_or_else(|text| panic!("{}: {text}\n{script}", template.name)),
            }
            checked += 1;
        }
    }
    assert!(checked >= 200, "{checked} scripts only");
}

#[test]
fn a_shell_reads_every_script_of_its_own() {
    let defaults: Value = toml::from_str(include_str!("../../templates/image/defaults.toml")).unwrap();
    let mut context = json!({
        "server_url": "http://10.0.0.2",
        "report_url": "http://10.0.0.2/report/x",
        "image_url": "http://10.0.0.2/files/root.tar.zst",
        "secure_server_url": "https://10.0.0.2",
        "secure_report_url": "https://10.0.0.2/report/x",
        "secure_image_url": "https://10.0.0.2/files/root.tar.zst",
        "server_ca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "tree_url": "",
        "key": "key",
        "machine": {
            "name": "web1", "system_id": "1", "mac": "52:54:00:00:00:01", "ip": "10.0.0.9", "prefix": 24,
            "netmask": "255.255.255.0", "gateway": "10.0.0.1", "dns": ["10.0.0.2"], "domain": "lab.example",
        },
        "profile": "image",
        "distro": "debian",
        "boot_arguments": "",
        "image_kind": "raw",
        "image_packer": "zstd",
        "wiring": {"networkd": [], "netplan": {}, "is_bare": false},
    });
    for (name, value) in defaults.as_object().unwrap() {
        context[name] = value.clone();
    }
    let names: Vec<String> =
        context.as_object().unwrap().iter().filter(|(_, v)| v.is_string()).map(|(n, _)| n.clone()).collect();
    let mut checked = 0;
    for name in names {
        for text in NAUGHTY {
            let mut context = context.clone();
            context[&name] = json!(text);
            let script = COMPILED.render("templates/image/install.sh", &context, &Whose::default());
            let Ok(script) = script else { continue };
            let said = complaint("bash", &["-n"], &script).expect("a shell is everywhere");
            said.unwrap_or_else(|why| panic!("{name} = {text:?}: {why}"));
            checked += 1;
        }
    }
    assert!(checked >= 200, "{checked} scripts only");
}
