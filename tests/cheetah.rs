//! What becomes of Cheetah's words, and of the folder that they lie in: texts and records of our own.

use kickstand::cheetah::*;
use kickstand::cobbler::{Folder, Plan, Server, What, plan};
use kickstand::render::{Templates, Whose};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

fn known(names: &[&str]) -> Known {
    Known { names: names.iter().map(|name| ((*name).to_owned(), true)).collect(), snippets: None }
}

fn clean(source: &str, names: &[&str]) -> String {
    let done = convert("a.ks", source, &known(names));
    assert_eq!(done.remarks, [], "{source}");
    done.text
}

#[test]
fn each_word_has_its_counterpart() {
    for (cheetah, ours) in [
        ("$a and ${a}.", "{{ a }} and {{ a }}."),
        ("$a.b['c']", "{{ a.b[\"c\"] }}"),
        (
            "  #if $a == 'x'\n1\n  #else if not $b\n2\n  #end if\n",
            "  {% if a == \"x\" %}\n1\n  {% elif not b %}\n2\n  {% endif %}\n",
        ),
        ("#unless $a\nx\n#end unless\n", "{% if not a %}\nx\n{% endif %}\n"),
        (
            "#for $k, $v in $a.items()\n$k=$v\n#end for\n",
            "{% for k, v in a.items() %}\n{{ k }}={{ v }}\n{% endfor %}\n",
        ),
        ("#set $x = $getVar('a', 'none').lower()\n$x", "{% set x = (a|default(\"none\")).lower() %}\n{{ x }}"),
        ("#set $x = 'a%s' % $b\n$x", "{% set x = \"a%s\"|format(b) %}\n{{ x }}"),
        ("#set $x = '%s/%d' % ($a, 1)\n$x", "{% set x = \"%s/%d\"|format(a, 1) %}\n{{ x }}"),
        ("#if $a then 'y' else 'n'\n", "{{ \"y\" if a else \"n\" }}"),
        ("#echo $a + 'b'#c", "{{ a + \"b\" }}c"),
        ("a #if $b#x#end if# c", "a {% if b %}x{% endif %} c"),
        ("#if $a#\nx\n#end if#\n", "{% if a +%}\nx\n{% endif +%}\n"),
        ("## a word\n#* more\n words *#\nx ## y\n", "{## a word ##}\n{## more\n words ##}\nx \n"),
        ("#raw\n$a #if {{ {% \n#end raw\n", "$a #if {{ \"{{\" }} {{ \"{%\" }} \n"),
        ("ATTR{$a}", "ATTR{{ \"{\" }}{{ a }}}"),
        ("\\$a \\#if $1 $? $$ 5$", "$a #if $1 $? $$ 5$"),
        (
            "$SNIPPET('one')\n  SNIPPET::two\n",
            "{% with %}{% include \"snippets/cobbler/one\" %}{% endwith +%}\n  {%+ with %}{% include \"snippets/cobbler/two\" %}{% endwith +%}\n",
        ),
        ("TEMPLATE::a @@b@@", "{{ a }} {{ b }}"),
        ("#set ($x, $y) = $a.split(':')\n$x$y", "{% set x, y = a.split(\":\") %}\n{{ x }}{{ y }}"),
        (
            "#import re\n#set $p = $re.compile('[a-z]+\\.')\n#if $p.match($a)\nx\n#end if\n",
            "{% set p = \"[a-z]+\\\\.\" %}\n{% if a is matching(p) %}\nx\n{% endif %}\n",
        ),
        (
            "#def f($x, $y=1)\n$x$y\n#end def\n$f($a)",
            "{% macro f(x, y=1) %}\n{{ x }}{{ y }}\n{% endmacro %}\n{{ f(a) }}",
        ),
        (
            "#if $a.has_key('b') and $len($a) > 1 or $str($b) == 'True'\nx\n#end if\n",
            "{% if \"b\" in a and a|length > 1 or b|pystr == \"True\" %}\nx\n{% endif %}\n",
        ),
        ("a#slurp\nb", "ab"),
        ("#if $a#x#end if##if $b#y#end if# z", "{% if a %}x{% endif %}{% if b %}y{% endif %} z"),
        ("#if $a\nx\n#end if ## if it was\ny", "{% if a %}\nx\n{% endif %}\ny"),
        ("#raw\n$a @@b@@ @@no@@ @ @@b@@\n#end raw\n", "$a {{ b }} @@no@@ @ {{ b }}\n"),
        ("a\r\n#if $a\r\nb\r\n#end if\r\n", "a\n{% if a %}\nb\n{% endif %}\n"),
        ("#\na #\nb", "a b"),
        ("$tree $a[1:]", "{{ tree_url }} {{ a[1:] }}"),
    ] {
        assert_eq!(clean(cheetah, &["a", "b"]), ours, "{cheetah}");
    }
}

#[test]
fn what_outlives_a_loop_is_kept() {
    let source = "#set $i = 0\n#for $x in $a\n#set $i = $i + 1\n#end for\n$i";
    let text = clean(source, &["a"]);
    assert!(text.starts_with("{% set kept = namespace() %}\n{% set kept.i = 0 %}"), "{text}");
    assert_eq!(rendered(&text), "3");
    let local = "#for $x in $a\n#if $x > 1\n#set $y = 'm'\n#else\n#set $y = 'o'\n#end if\n#for $z in $a\n$y#slurp\n#end for\n#end for\n";
    let text = clean(local, &["a"]);
    assert!(!text.contains("kept"), "what each turn sets needs nothing: {text}");
    let carried = "#for $x in $a\n#if $x > 1\n$y\n#end if\n#set $y = $x\n#end for\n";
    assert!(clean(carried, &["a"]).contains("kept.y"));
    let inner = "#for $x in $a\n#set $y = 0\n#for $z in $a\n#if $z > 1\n#set $y = $z\n#break\n#end if\n#end for\n$y\n#end for\n";
    assert_eq!(rendered(&clean(inner, &["a"])), "2\n2\n2\n");
}

fn rendered(text: &str) -> String {
    let templates = Templates::of([("templates/t", text)]).unwrap();
    templates
        .render("templates/t", &json!({"a": [1, 2, 3], "b": {"c": "d"}, "s": "eth0.100"}), &Whose::default())
        .unwrap()
}

#[test]
fn methods_and_patterns_are_pythons() {
    for (cheetah, said) in [
        ("$s.split('.', 1)", "['eth0', '100']"),
        ("$s.upper().replace('ETH', 'x')", "x0.100"),
        ("#echo $s.find('1') + $s.find('z')", "4"),
        ("#echo $s.split('.')[1]", "100"),
        ("#echo ','.join(['a', $s])", "a,eth0.100"),
        ("#echo $b.get('x', 'y') + $b.get('c')", "yd"),
        ("#echo $str($s.startswith('eth')) + $str($s.endswith(('1', '00')))", "TrueTrue"),
        ("#import re\n#echo $str($re.match('[0-9]+', $s)) + $str($re.search('[0-9]+', $s))", "FalseTrue"),
        ("#echo 'x '.strip() + 'aXb'.title() + 'abc'.capitalize()", "xAxbAbc"),
        ("#echo 7 // 2 + 2 ** 3 * (1 - -1)", "19"),
        ("#echo 'a' if 1 < 2 < 3 and not 3 < 2 else 'b'", "a"),
        ("#for $i in range(1, 3)\n$i#slurp\n#end for\n", "12"),
    ] {
        assert_eq!(rendered(&clean(cheetah, &["s", "b"])), said, "{cheetah}");
    }
}

#[test]
fn booleans_are_written_as_python_writes_them_in_what_was_cobblers() {
    let source = "$yes ${no} @@yes@@ $nic.static $list\n#def f($x)\n$x#slurp\n#end def\n#echo '%s' % $no#$f($yes)\n";
    let text = clean(&format!("{source}$SNIPPET('s')$SNIPPET('own')"), &["yes", "no", "nic", "list"]);
    let templates = Templates::of([
        ("templates/cobbler/a.ks", text.as_str()),
        ("templates/snippets/cobbler/s", "{{ yes }} {% include \"snippets/s\" %} "),
        ("templates/snippets/machine/web-1/cobbler/own", "{{ no }}"),
        ("templates/snippets/s", "{{ yes }}"),
        ("templates/snippets/machine/cobbler/s", "{{ yes }}"),
        ("templates/own.ks", "{{ yes }} {{ no }}"),
    ])
    .unwrap();
    let words = json!({"yes": true, "no": false, "nic": {"static": true}, "list": ["a", true]});
    let render = |name: &str, machine: &str| {
        let whose = Whose::new(&machine.parse().unwrap(), &[], &"d".parse().unwrap());
        templates.render(name, &words, &whose).unwrap()
    };
    let said = render("templates/cobbler/a.ks", "web-1");
    assert_eq!(said, "True False True True ['a', True]\nFalseTrue\nTrue true False");
    assert_eq!(render("templates/own.ks", "web-1"), "true false", "in our own they are those of JSON and YAML");
    assert_eq!(render("templates/snippets/s", "cobbler"), "true", "a machine of that name is nothing of Cobbler's");
}

#[test]
fn what_is_not_converted_says_where_and_stops() {
    for (source, line, why) in [
        ("a\n#while $a\nx\n#end while\n", 2, "#while"),
        ("<% x = 1 %>", 1, "Python"),
        ("\n#set $a['b'] = 1\n", 2, "element"),
        ("$(ls -l | wc)", 1, "for the shell"),
        ("#if $a\nx\n", 3, "not closed"),
        ("#end if\n", 1, "not begun"),
        ("#echo $os.system('ls')", 1, "none of ours"),
        ("#include '/etc/passwd'\n", 1, "#include"),
        ("#set $x = [i for i in $a]\n", 1, "comprehension"),
        ("#if $a: x\n", 1, "short form"),
        ("${#x[@]}", 1, "for the shell"),
        ("#continue\n", 1, "no loop"),
        ("#set $x = 'http://@@a@@/x'\n", 1, "@@a@@ in a text"),
        ("#else\n", 1, "no #if"),
        ("$getVar('a }}{{ x', '')", 1, "no name of a variable"),
        ("#if $varExists('a b')\n#end if\n", 1, "no name of a variable"),
        ("#for $loop in $a\n#end for\n", 1, "means something else"),
        ("#set $none = $a\n", 1, "means something else"),
        ("#set $True = 1\n", 1, "means something else"),
        ("$getVar('not.x', 1)\n", 1, "means something else"),
        ("#def range($x)\n#end def\n", 1, "means something else"),
        ("#def f($self)\n#end def\n", 1, "means something else"),
    ] {
        let done = convert("a.ks", source, &known(&["a"]));
        let first = done.remarks.first().unwrap_or_else(|| panic!("{source}"));
        assert!(first.stops && first.line == line && first.why.contains(why), "{source}: {first:?}");
        let templates = Templates::of([("templates/t", done.text.as_str())]);
        let templates = templates.unwrap_or_else(|error| panic!("{source}: {error:?}: {}", done.text));
        let error = templates.render("templates/t", &json!({"a": [1]}), &Whose::default()).unwrap_err();
        assert!(error.text.contains("not_converted") || error.text.contains("was not converted"), "{error}");
        assert!(error.text.contains(&format!("a.ks:{line}")), "{error}");
    }
}

#[test]
fn a_name_that_nobody_knows_stays_as_it_is() {
    let done = convert(
        "a.ks",
        "$HOME/bin $(date) ${nope.x} $mine",
        &Known { names: [("mine".into(), false)].into(), snippets: None },
    );
    assert_eq!(done.text, "$HOME/bin $(date) ${nope.x} {{ mine|default(\"$mine\") }}");
    assert!(done.remarks.len() == 3 && done.remarks.iter().all(|remark| !remark.stops), "{:?}", done.remarks);
}

#[test]
fn a_snippet_that_is_not_there_is_told() {
    let none = Known { snippets: Some(Default::default()), ..Known::default() };
    let done = convert("a.ks", "$SNIPPET('nope')$SNIPPET('autoinstall_done')", &none);
    assert_eq!(
        done.text,
        "# Error: no snippet data for nope\n{% with %}{% include \"snippets/cobbler/autoinstall_done\" %}{% endwith %}"
    );
    assert_eq!(done.remarks.len(), 1);
}

#[test]
fn patterns_have_their_limits() {
    let refused = |source: &str| {
        let templates = Templates::of([("templates/t", source)]).unwrap();
        templates.render("templates/t", &json!({}), &Whose::default()).unwrap_err().text
    };
    let long = format!("{{{{ \"a\" is matching(\"{}\") }}}}", "a".repeat(2000));
    assert!(refused(&long).contains("1024 bytes"));
    assert!(refused("{{ 'a' is matching('((((a{99}){99}){99}){99})') }}").contains("pattern"));
    assert!(refused("{{ 'a' is matching('(') }}").contains("pattern"));
    let grows = "{% set s = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(40) %}{% set s.x = s.x.replace('a', 'aaaaaaaaaaaaaaaa') %}{% endfor %}";
    assert!(refused(grows).contains("bytes"), "{}", refused(grows));
}

#[test]
fn what_a_snippet_sets_is_its_own() {
    let of = |place: &str, source: &str| convert(place, source, &known(&["a"])).text;
    let whole = of("a.ks", "#set $x = 1\n$SNIPPET('s')\n$x $a\n");
    let snippet = of("snippets/s", "#set $x = 2\n#set $a = 3\n$x $a\n");
    let templates = Templates::of([("templates/t", whole), ("templates/snippets/cobbler/s", snippet)]).unwrap();
    assert_eq!(templates.render("templates/t", &json!({"a": 0}), &Whose::default()).unwrap(), "2 3\n\n1 0\n");
}

#[test]
fn jinja2_keeps_its_blanks_as_cobbler_does() {
    let text = "{# one #}\na\r\n  {% if a %}\nb {{ '%}#}' }}\n{%- if '%}' == \"{#\" -%} c {% endif %}\n{% endif %}\n{% raw %}\n{# {% x #}{% endraw %}#} {\n";
    let said = "\na\n  \nb %}#}\n\n\n{# {% x #}#} {\n";
    let headed = format!("#template=jinja2\n{text}");
    for files in [
        vec![("templates/t", &*headed)],
        vec![("templates/t", text), ("settings.yaml", "default_template_type: jinja2\n")],
    ] {
        let done = planned(&files);
        let templates = Templates::of([("templates/t", done.templates["cobbler/t"].as_str())]);
        let templates = templates.unwrap_or_else(|error| panic!("{error:?}: {}", done.templates["cobbler/t"]));
        assert_eq!(templates.render("templates/t", &json!({"a": 1}), &Whose::default()).unwrap(), said);
    }
}

fn planned(files: &[(&str, &str)]) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(to) => symlink(folder.path().join(to), path).unwrap(),
            None => fs::write(path, text).unwrap(),
        }
    }
    plan(&Folder::read(folder.path()).unwrap(), &Server::default())
}

fn says(plan: &Plan, what: What, part: &str) -> bool {
    plan.lines.iter().any(|line| line.what == what && format!("{}: {}", line.place, line.text).contains(part))
}

#[test]
fn what_2_8_left_beside_3_is_not_read() {
    let distro = |name: &str| json!({"name": name, "breed": "redhat", "kernel": "/k", "initrd": "/i"}).to_string();
    let (new, old) = (distro("new"), distro("old"));
    let both = planned(&[
        ("collections/distros/new.json", &new),
        ("config/distros.d/old.json", &old),
        ("kickstarts/web.ks", "old"),
        ("templates/web.ks", "new"),
    ]);
    assert_eq!((both.distros.len(), &*both.templates["cobbler/web.ks"]), (1, "new"));
    assert!(says(&both, What::Left, "config/distros.d: Cobbler 2 left it"), "{:?}", both.lines);
    assert!(says(&both, What::Left, "kickstarts: Cobbler 2 left it"), "{:?}", both.lines);
    let alone = planned(&[("config/distros.d/old.json", &old), ("kickstarts/web.ks", "old")]);
    assert_eq!((alone.distros.len(), &*alone.templates["cobbler/web.ks"]), (1, "old"));
}

#[test]
fn no_link_leads_out_of_the_folder() {
    let distro = json!({"name": "d", "breed": "redhat", "kernel": "/k", "initrd": "/i"}).to_string();
    let linked = planned(&[
        ("else/a", "s3cret"),
        ("else/distros/d.json", &distro),
        ("templates", "-> else"),
        ("snippets", "-> else"),
        ("collections", "-> else"),
    ]);
    assert_eq!((linked.templates.len(), linked.distros.len()), (0, 0), "{:?}", linked.templates);
    for name in ["templates", "snippets", "collections/distros"] {
        assert!(says(&linked, What::Left, &format!("{name}: a link leads there")), "{name}: {:?}", linked.lines);
    }
}

#[test]
fn what_has_no_answer_file_here_stops_and_does_not_wipe() {
    let profile = |name: &str, said: &str| {
        json!({"name": name, "distro": "d", "parent": "", "autoinstall": said, "new_password": "s3cret"}).to_string()
    };
    let away = profile("away", "http://me:s3cret@files.example.com/templates/web.ks?key=s3cret");
    let (asks, web, usual) = (profile("asks", ""), profile("web", "web.ks"), profile("usual", "<<inherit>>"));
    let done = planned(&[
        ("collections/profiles/away.json", &away),
        ("collections/profiles/asks.json", &asks),
        ("collections/profiles/web.json", &web),
        ("collections/profiles/usual.json", &usual),
        ("templates/web.ks", "a\n"),
        ("settings.yaml", "autoinstall: web.ks\n"),
    ]);
    for (name, template, is_stopped) in [
        ("away", "cobbler/answer-of-profile-away", true),
        ("asks", "cobbler/answer-of-profile-asks", true),
        ("web", "cobbler/web.ks", false),
        ("usual", "cobbler/web.ks", false),
    ] {
        let profile = done.profiles.iter().find(|profile| profile["name"] == name).unwrap();
        assert_eq!(profile["template"], template);
        assert_eq!(done.templates[template].starts_with("{% do not_converted("), is_stopped, "{name}");
        let compiled = Templates::of([("templates/t", done.templates[template].as_str())]).unwrap();
        assert_eq!(compiled.render("templates/t", &json!({}), &Whose::default()).is_err(), is_stopped, "{name}");
    }
    assert!(says(&done, What::Todo, "http://files.example.com/templates/web.ks lies on another server"));
    assert!(says(&done, What::Todo, "Cobbler's installer asks"), "{:?}", done.lines);
    assert!(says(&done, What::Left, "new_password: this field is not known here"));
    assert!(!format!("{:?}{:?}", done.lines, done.templates).contains("s3cret"), "secrets are told to nobody");
}

#[test]
fn an_option_that_takes_another_away_is_no_word_of_the_command_line() {
    for options in [json!({"!quiet": "~", "ro": "~"}), json!("!quiet ro")] {
        let distro = json!({"name": "d", "breed": "redhat", "kernel": "/k", "initrd": "/i", "kernel_options": options});
        let done = planned(&[("collections/distros/d.json", &distro.to_string())]);
        assert_eq!(done.distros[0]["arguments"], Value::from("ro"));
        assert!(says(&done, What::Todo, "kernel_options !quiet: it takes quiet away"), "{:?}", done.lines);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_text_takes_it_out_of_step(parts in proptest::collection::vec(proptest::sample::select(vec![
        "$", "#", "#if ", "#end if", "#for ", " in ", "#end for", "#else", "#set ", "#raw", "#end raw", "#def f", "(", ")", "[", "]", "{", "}",
        "'", "\"", "\\", "\n", " ", "a", "x.y", "=", "+", "%", "##", "#*", "*#", "<%", "%>", ":", ",", "1", "not ", "and ", "@@a@@", "é", "\r\n",
        "{{", "{%", "SNIPPET::a", "$SNIPPET('b')", "$getVar('", "')", "loop", "range", "none", "True", "not.", "#continue", "#break", "#echo ", "if ", "not", " else ", " then ",
    ]), 0..60)) {
        let source = parts.concat();
        let done = convert("p", &source, &known(&["a", "x", "f"]));
        // Also what stops where it is reached: one that does not compile would keep out all the others.
        let compiles = Templates::of([("templates/t", done.text.as_str())]);
        prop_assert!(compiles.is_ok(), "{source:?} -> {:?}: {compiles:?}", done.text);
    }
}
