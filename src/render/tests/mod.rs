//! Rendering: its errors, its limits, and each filter.

mod language;
mod limits;
mod net;
mod own;
mod password;

use super::*;
use serde_json::json;

fn try_render(text: &str) -> Result<String, Error> {
    one(text, &json!({"host": "it's", "args": "console=ttyS0", "long": "x".repeat(2047)}))
}

/// A template that stands alone.
fn one(text: &str, context: &serde_json::Value) -> Result<String, Error> {
    let templates = Templates::of([("t", text)]).map_err(|mut errors| errors.remove(0))?;
    templates.render("t", context, &Whose::default())
}

#[test]
fn an_unset_variable_names_itself_and_its_line() {
    let error = try_render("one\ntwo {{ hots }}\n").unwrap_err();
    assert_eq!(error.to_string(), "t:2: a variable is not set: `hots` is undefined");
}

#[test]
fn shell_words_stay_one_word_and_bash_lengths_are_no_comments() {
    assert_eq!(try_render("h={{ host|shq }} ${#a[@]} {## gone ##}.\n").unwrap(), "h='it'\\''s' ${#a[@]} .\n");
}

#[test]
fn no_value_adds_an_ipxe_command() {
    assert_eq!(try_render("{{ args|ipxe }}").unwrap(), "console=ttyS0");
    for bad in [
        "{{ 'a || shell'|ipxe }}",
        "{{ 'a ${net0/mac}'|ipxe }}",
        "{{ 'a\nshell'|ipxe }}",
        "{{ 'a ; b'|ipxe }}",
        "{{ 'a #b'|ipxe }}",
    ] {
        assert!(try_render(bad).unwrap_err().text.contains("can not stand in an iPXE script"), "{bad}");
    }
}

#[test]
fn an_error_names_the_expression_and_keeps_the_value_to_itself() {
    let error = try_render("#!ipxe\necho {{ long ~ ' || hunter2'|ipxe }}\n").unwrap_err().to_string();
    assert_eq!(error, "t:2: long ~ ' || hunter2'|ipxe can not stand in an iPXE script: it holds ||");
    let error = try_render("linux a {{ long|grub_args('BOOT_IMAGE=a ') }}").unwrap_err().to_string();
    assert!(error.starts_with("t:1: long|grub_args") && error.contains("2060 bytes, and 2047 fit"), "{error}");
    assert!(!error.contains("xxxx"), "{error}");
}

/// What a filter makes of the variable `v`.
fn filtered(filter: &str, value: &str) -> Result<String, Error> {
    let text = format!("{{{{ v|{filter} }}}}");
    one(&text, &json!({ "v": value, "machine": {"system_id": "0192f0c1"} }))
}

fn says(filter: &str, cases: &[(&str, &str)]) {
    for (value, wanted) in cases {
        assert_eq!(filtered(filter, value).as_deref(), Ok(*wanted), "{filter} of {value:?}");
    }
}

fn refuses(filter: &str, cases: &[(&str, &str)]) {
    for (value, why) in cases {
        let error = filtered(filter, value).expect_err(value).to_string();
        assert!(error.contains(why), "{filter} of {value:?}: {error}");
    }
}

#[test]
fn a_word_of_grub_is_quoted_when_it_must_be() {
    let cases = [
        ("vmlinuz-6.1", "vmlinuz-6.1"),
        ("(tftp,10.0.0.2)/files/a", "'(tftp,10.0.0.2)/files/a'"),
        ("", "''"),
        ("it's $x", r"'it'\''s $x'"),
        ("a;b", "'a;b'"),
    ];
    says("grub", &cases);
    refuses("grub", &[("a\nreboot", "control character"), ("a\0", "control character")]);
}

#[test]
fn arguments_behind_grubs_linux_are_those_that_the_kernel_sees() {
    let cases = [
        ("", ""),
        ("  ip=dhcp   quiet ", "ip=dhcp quiet"),
        ("dyndbg=\"file a.c +p\" --- x", "'dyndbg=file a.c +p' --- x"),
        ("\"a b\"", "'a b'"),
        ("a=$root;b", "'a=$root;b'"),
    ];
    says("grub_args", &cases);
    let bad = [
        ("a=it's", "a backslash more"),
        ("a=\\b", "a backslash more"),
        ("a=\"b", "not closed"),
        ("a=b\"c d\"", "around the whole word"),
        ("a=\"b\"c", "around the whole word"),
        ("initrd=x", "named by the distro"),
        ("a \"initrd=x y\"", "named by the distro"),
        ("a\tb", "control character"),
        ("name=à", "takes for a blank"),
    ];
    refuses("grub_args", &bad);
}

#[test]
fn arguments_behind_ipxes_kernel_are_those_that_the_kernel_sees() {
    says("ipxe_args", &[("", ""), (" a=\"b c\"   d ", "a=\"b c\" d"), ("--- quiet", "--- quiet")]);
    let bad = [
        ("a=\"b  c\"", "in a row"),
        ("initrd=x", "named by the distro"),
        ("a || b", "it holds ||"),
        ("a=${net0/mac}", "it holds ${"),
        ("a\\", "ends in a backslash"),
        ("a #b", "it holds #b"),
    ];
    refuses("ipxe_args", &bad);
    says("ipxe_word", &[("http://10.0.0.2/files/a", "http://10.0.0.2/files/a")]);
    refuses("ipxe_word", &[("", "one word"), ("--name", "no option"), ("a b", "one word"), ("#a", "it holds #a")]);
}

#[test]
fn a_line_of_pxelinux_is_one_that_uboot_reads_the_same() {
    says("syslinux", &[("ip=dhcp a=\"b c\"", "ip=dhcp a=\"b c\""), ("", ""), ("--- quiet", "--- quiet")]);
    let bad = [
        ("a\nTIMEOUT 1", "control character"),
        ("a=$b", "U-Boot"),
        ("it's", "U-Boot"),
        ("a\\b", "U-Boot"),
        (" a", "begins or ends"),
        ("#a", "something else"),
        ("-", "something else"),
        ("a initrd=b", "named by the distro"),
        ("à", "takes for a blank"),
    ];
    refuses("syslinux", &bad);
    says("syslinux_word", &[("::files/a-b/linux", "::files/a-b/linux")]);
    refuses("syslinux_word", &[("a,b", "one word"), ("a b", "one word"), ("", "one word")]);
}

#[test]
fn a_command_line_is_as_long_as_kernels_take() {
    for filter in ["grub_args('a=b ')", "ipxe_args('a=b ')", "syslinux('a=b ')"] {
        assert!(filtered(filter, &"x".repeat(2043)).is_ok(), "{filter}");
        let error = filtered(filter, &"x".repeat(2044)).unwrap_err().to_string();
        assert!(error.contains("would have 2048 bytes, and 2047 fit"), "{filter}: {error}");
    }
}

#[test]
fn no_value_begins_another_line() {
    assert_eq!(try_render("lang {{ 'de_DE'|line }}").unwrap(), "lang de_DE");
    for bad in ["{{ 'UTC\n%post'|line }}", "{{ 'UTC\n%post'|ksq }}"] {
        assert!(try_render(bad).unwrap_err().text.contains("must be one line"), "{bad}");
    }
}

#[test]
fn what_is_no_text_is_not_quoted() {
    for filter in ["b64", "ipxe", "json", "ksq", "line", "shq", "xml", "yaml"] {
        let fails = |text: String| one(&text, &json!({"none": null, "list": [1]})).unwrap_err().to_string();
        assert!(
            fails(format!("\n{{{{ none|{filter} }}}}")).contains(&format!("t:2: none|{filter} is none")),
            "{filter}"
        );
        assert!(fails(format!("{{{{ list|{filter} }}}}")).contains("is no single text"), "{filter}");
        assert!(fails(format!("{{{{ nope|{filter} }}}}")).contains("a variable is not set"), "{filter}");
        assert!(filtered(&format!("length|{filter}"), "x").is_ok(), "{filter} of a number");
    }
}
