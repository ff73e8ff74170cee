//! What each check lets pass, and the line and the words of what it does not.

use super::*;
use crate::model::Variables;
use serde_json::json;

type Check = fn(&str, &str, &Variables) -> Result<(), Fault>;

fn of(release: &str) -> Variables {
    json!({"release": release}).as_object().unwrap().clone().into_iter().collect()
}

fn passes(check: Check, file: &str, texts: &[&str]) {
    for text in texts {
        assert_eq!(check(file, text, &Variables::new()), Ok(()), "{text}");
    }
}

/// Each with its line, and a part of what is said.
fn refuses(check: Check, file: &str, cases: &[(&str, usize, &str)]) {
    for (text, line, why) in cases {
        let fault = check(file, text, &Variables::new()).expect_err(text);
        assert!(fault.line == *line && fault.text.contains(why), "{text}: {fault}");
    }
}

#[test]
fn scripts_are_whole() {
    let good = [
        "#!/bin/sh\necho 'a\nb' \"c $(echo \"d\") ${e%'\"'}\" # it's\n",
        "#!/bin/sh\ncase $x in a) echo 1 ;; *[0-9]) echo 2 ;; esac\n",
        "#!/bin/sh\ncat <<'EOF' && cat <<-X\nit's \"\nEOF\n\tit's\n\tX\necho $((1 << 2)) ${#a[@]} a#b \\'\n",
        "#!/bin/bash\nf() { echo `date`; }\ncat <<<\"$x\"\n(umask 077 && cat >x) <<'A'\n(\nA\n",
    ];
    passes(shell, "", &good);
    let bad = [
        ("echo\n", 1, "begins with #!"),
        ("#!/bin/sh\necho 'a\n\n", 2, "a single quote is not closed"),
        ("#!/bin/sh\n\necho \"a\n", 3, "a double quote is not closed"),
        ("#!/bin/sh\necho $(date\n", 2, "a parenthesis is not closed"),
        ("#!/bin/sh\necho ${a\n", 2, "${ is not closed"),
        ("#!/bin/sh\necho `date\n", 2, "a backquote"),
        ("#!/bin/sh\necho a)\n", 2, "was not opened"),
        ("#!/bin/sh\ncat <<EOF\nEO\n", 2, "here-document EOF is not closed"),
        ("#!/bin/sh\n\0\n", 2, "NUL"),
    ];
    refuses(shell, "", &bad);
}

#[test]
fn kickstarts_know_their_release() {
    let good =
        "# x\nlang en_US\nbootloader --append=\"a 'b\" # it's\n%packages\n@core\n-vim\n%end\n%pre\necho 'a'\n%end\n";
    passes(kickstart, "", &[good, "", "%post --interpreter=/usr/bin/python3\nit's\n%end\n"]);
    let bad = [
        ("lang x\nlnag y\n", 2, "\"lnag\" is no kickstart command"),
        ("%post\necho\n", 1, "%post is not closed by %end"),
        ("%pre\n%post\n%end\n", 2, "begins inside %pre, which began in line 1"),
        ("text\n%end\n", 2, "closes no section"),
        ("%pots\n%end\n", 1, "no section %pots"),
        ("rootpw \"a\n", 1, "a quote is not closed"),
        ("%post\ntrue\necho 'a\n%end\n", 3, "a single quote"),
        ("text\nupgrade\n", 2, "RHEL 9 does not know the command upgrade"),
    ];
    refuses(kickstart, "", &bad);
    for (release, command, known) in [
        ("7", "sshkey", false),
        ("7.9", "install", true),
        ("9.4", "install", false),
        ("9", "sshkey", true),
        ("10", "auth", false),
        ("10", "vnc", true),
        ("45", "vnc", false),
        ("40", "rhsm", false),
    ] {
        assert_eq!(kickstart("", &format!("{command} x\n"), &of(release)).is_ok(), known, "{command} of {release}");
    }
}

#[test]
fn preseed_lines_are_owner_question_type_and_value() {
    let good = "# it's\n\nd-i a/b string x y\nd-i a/c boolean true\nd-i a/d multiselect a, \\\n  b\npopularity-contest a/e select\nd-i a/b seen true\n";
    passes(preseed, "", &[good, "d-i preseed/late_command string echo 'a'; true\n"]);
    let bad = [
        ("d-i a/b string\nD-I a/b string x\n", 2, "no owner"),
        ("d-i ab string x\n", 1, "no question"),
        ("d-i a/b strign x\n", 1, "\"strign\" of a/b is no type"),
        ("d-i a/b boolean yes\n", 1, "true or false"),
        ("d-i a/b string x\\\n", 1, "after the last line"),
        ("d-i a/b string x\nd-i preseed/early_command string echo 'a\n", 2, "a single quote"),
    ];
    refuses(preseed, "", &bad);
}

#[test]
fn autoinstall_files_are_version_1_with_known_keys() {
    let head = "#cloud-config\nautoinstall:\n  version: 1\n  user-data: {users: []}\n";
    let with = |rest: &str| format!("{head}{rest}");
    passes(
        autoinstall,
        "user-data",
        &[
            head,
            &with("  late-commands:\n  - echo 'a'\n  - [sh, -c, \"echo 'a'\"]\n"),
            &with("  network: {version: 2}\n"),
        ],
    );
    passes(autoinstall, "meta-data", &["instance-id: a\n"]);
    passes(autoinstall, "vendor-data", &["#cloud-config\n", "", "{}"]);
    let bad = [
        ("autoinstall: {version: 1}\n", 1, "#cloud-config"),
        ("#cloud-config\nautoinstall: {version: \"1\", user-data: {}}\n", 2, "version: 1"),
        ("#cloud-config\nautoinstall:\n  user-data: {}\n", 3, "has no version"),
        ("#cloud-config\nautoinstall:\n  version: 1\n", 3, "identity or user-data"),
        (&with("  packges: [a]\n"), 5, "knows no \"packges\""),
        (&with("  packages: a\n"), 5, "packages must be a list"),
        (&with("  late-commands: [\"echo 'a\"]\n"), 5, "a single quote"),
        (&with("  network:\n    version: 1\n"), 6, "version: 2"),
        (&with("  locale: a\n  locale: b\n"), 6, "is there twice"),
        (&with("  locale: \"a\n"), 5, "no YAML"),
        ("#cloud-config\n- a\n", 2, "must be a mapping"),
        ("#cloud-config\na: 1\n---\nb: 1\n", 3, "second document"),
    ];
    refuses(autoinstall, "user-data", &bad);
    refuses(autoinstall, "meta-data", &[("local-hostname: a\n", 1, "has no instance-id")]);
    let deep = format!("#cloud-config\na: {}", "[".repeat(100_000));
    assert!(autoinstall("user-data", &deep, &Variables::new()).is_err(), "and the stack holds");
}

#[test]
fn autoyast_profiles_are_well_formed_and_ask_nothing() {
    let whole = |inside: &str| {
        format!(
            "<?xml version=\"1.0\"?>\n<!DOCTYPE profile>\n<profile xmlns=\"http://www.suse.com/1.0/yast2ns\">\n<general><mode><confirm>false</confirm></mode></general>\n{inside}</profile>\n"
        )
    };
    passes(
        autoyast,
        "",
        &[
            &whole(""),
            &whole("<scripts><init-scripts><script><source>echo 'a'</source></script></init-scripts></scripts>"),
        ],
    );
    let bad = [
        (whole("<users>\n"), 6, "no XML"),
        (whole("\n<usres/>"), 6, "no part <usres>"),
        (
            whole("<scripts><script><interpreter>shell</interpreter><source>echo 'a</source></script></scripts>"),
            5,
            "a single quote",
        ),
        (whole("<scripts><script/></scripts>"), 5, "a source or a location"),
        (whole("").replace(">false<", ">true<"), 4, "confirm must be false"),
        ("<profile/>".into(), 1, "the root is"),
        (whole("&x;"), 5, "no XML"),
    ];
    for (text, line, why) in bad {
        refuses(autoyast, "", &[(&text, line, why)]);
    }
}

#[test]
fn agama_profiles_name_a_product_and_somebody_who_may_log_in() {
    let good = "{\"product\": {\"id\": \"SLES\"},\n\"root\": {\"password\": \"x\"}}";
    passes(agama, "", &[good]);
    let with = |rest: &str| good.replace("\"root\"", &format!("{rest},\n\"root\""));
    let bad = [
        ("{\n\"product\": {\"id\": \"SLES\",}}".into(), 2, "no JSON"),
        (good.replace("SLES", ""), 1, "product has an id"),
        (good.replace("password", "pass"), 1, "nobody could log in"),
        (with("\"pruduct\": 1"), 2, "knows no \"pruduct\""),
        (with("\"scripts\": {\"post\": [{\"name\": \"a\", \"content\": \"echo\"}]}"), 2, "begins with #!"),
        (
            with("\"scripts\": {\"post\": [{\"name\": \"a\", \"content\": \"#!/bin/sh\\necho 'a\"}]}"),
            2,
            "in a, line 2: a single quote",
        ),
        (with("\"scripts\": {\"past\": []}"), 2, "knows no \"past\""),
    ];
    for (text, line, why) in bad {
        refuses(agama, "", &[(&text, line, why)]);
    }
}

#[test]
fn ignition_configurations_carry_what_they_say() {
    use base64::Engine as _;
    let b64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let file = |path: &str, data: &str| {
        format!(
            "{{\"ignition\": {{\"version\": \"3.3.0\"}},\n\"storage\": {{\"files\": [{{\"path\": \"{path}\",\n\"contents\": {{\"source\": \"{data}\"}}}}]}}}}"
        )
    };
    let carrying = |path: &str, text: &str| file(path, &format!("data:;base64,{}", b64(text)));
    let inner = "{\"ignition\": {\"version\": \"3.3.0\"}}";
    passes(
        ignition,
        "",
        &[inner, &carrying("/a.ign", inner), &file("/a", "data:,a%20b"), &carrying("/a", "#!/bin/sh\necho 'a'\n")],
    );
    let unit =
        |unit: &str| format!("{{\"ignition\": {{\"version\": \"3.3.0\"}},\n\"systemd\": {{\"units\": [{unit}]}}}}");
    let bad = [
        (inner.replace("3.3.0", "2.2.0"), 1, "no version of Ignition's"),
        (file("a", "data:,a"), 2, "no whole path"),
        (file("/a/../b", "data:,a"), 2, "no whole path"),
        (file("/a", "data:;base64,%%%"), 3, "no base64"),
        (file("/a", "data:a b"), 3, "comma"),
        (file("/a", "file:///a"), 3, "data: URL"),
        (carrying("/a", "#!/bin/sh\necho 'a\n"), 3, "in /a, line 2: a single quote"),
        (carrying("/a.ign", "{}"), 3, "in /a.ign, line 1: "),
        (unit("{\"name\": \"a\"}"), 2, "no unit's name"),
        (unit("{\"name\": \"a.service\", \"contents\": \"ExecStart=a\"}"), 2, "begins with a section"),
        (inner.replace("{\"ignition\"", "{\"storge\": {}, \"ignition\""), 1, "knows no \"storge\""),
    ];
    for (text, line, why) in bad {
        refuses(ignition, "", &[(&text, line, why)]);
    }
}

#[test]
fn esxi_is_asked_nothing() {
    let good = "vmaccepteula\nrootpw --iscrypted x\ninstall --firstdisk\n%firstboot --interpreter=busybox\necho 'a'\n%post --interpreter=python\nit's\n";
    passes(esxi, "ks.cfg", &[good]);
    passes(esxi, "boot.cfg", &["kernel=a\nkernelopt=b\nmodules=c\n"]);
    let bad = [
        ("rootpw a\ninstall\n", 1, "vmaccepteula is missing"),
        ("vmaccepteula\ninstall\n", 1, "rootpw is missing"),
        ("vmaccepteula\nrootpw a\n", 1, "install is missing"),
        ("vmaccepteula\ntext\n", 2, "\"text\" is no command"),
        ("vmaccepteula\n%packages\n", 2, "no section %packages"),
        ("vmaccepteula\n%pre\n\necho 'a\n%post\n", 4, "a single quote"),
    ];
    refuses(esxi, "ks.cfg", &bad);
    refuses(esxi, "boot.cfg", &[("kernel=a\nkernelopt=b\n", 1, "has no modules="), ("kernel\n", 1, "name=value")]);
}
