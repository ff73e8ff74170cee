//! What no template may take: time, memory, output. Each is stopped, and says why.

use super::{Error, Templates, Whose, one};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

/// Kilobytes that the process has had at most.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

fn stopped(text: &str) -> Error {
    let began = Instant::now();
    let error = one(text, &json!({"x": "x", "list": [1, 2, 3]})).expect_err(text);
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}: {text}", began.elapsed());
    error
}

const ENDLESS: &[(&str, &str)] = &[
    ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "endless loop"),
    ("{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}", "gives more than"),
    ("{% for a in range(10**9) %}{% endfor %}", "range"),
    ("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(1) }}", "recursion"),
    ("{% for a in list recursive %}{{ loop(list) }}{% endfor %}", "recursion"),
    ("{% set n = namespace(t='x') %}{% for i in range(64) %}{% set n.t = n.t ~ n.t %}{% endfor %}", "more than 4 MiB"),
    ("{% set n = namespace(t='x') %}{% for i in range(64) %}{% set n.t = n.t + n.t %}{% endfor %}", "more than 4 MiB"),
    ("{% set n = namespace(l=[1]) %}{% for i in range(64) %}{% set n.l = n.l + n.l %}{% endfor %}", "100000 elements"),
    ("{% set n = namespace(l=[]) %}{% for i in range(64) %}{% set n.l = [n.l, n.l] %}{% endfor %}", "elements"),
    (
        "{% set n = namespace(t='x') %}{% for i in range(64) %}{% set n.t %}{{ n.t }}{{ n.t }}{% endset %}{% endfor %}",
        "more than",
    ),
    (
        "{% macro m(a, n) %}{% if n %}{{ m(a ~ a ~ a ~ a ~ a ~ a ~ a ~ a, n - 1) }}{% endif %}{% endmacro %}{{ m('xxxxxxxx', 15) }}",
        "more than 4 MiB",
    ),
    ("{% for a in ['x'] recursive %}{{ loop([a ~ a ~ a ~ a ~ a ~ a ~ a ~ a]) }}{% endfor %}", "more than 4 MiB"),
    ("{% with a = 'x' * 9999, b = 'x' * 99999999 %}{% endwith %}", "more than 4 MiB"),
    (
        "{% set a %}{% for i in range(99999) %}0123456789012345678901234567890123456789{% for j in range(99) %}0123456789{% endfor %}{% endfor %}{% endset %}",
        "e",
    ),
    ("{{ 'x'|indent(500000000) }}", "would give"),
    ("{{ 'x'|indent(width=500000000, first=true) }}", "would give"),
    ("{{ ('x' * 4000)|replace('x', 'y' * 4000) }}", "would give"),
    ("{{ range(99999)|join('x' * 4000) }}", "would give"),
    ("{{ '%999999999s'|format(x) }}", "four digits"),
    ("{{ (list * 30000000)|list }}", "90000000 elements"),
    ("{{ (list * 30000000)|sort }}", "90000000 elements"),
    ("{{ list|batch(900000000, 'x') }}", "900000000 parts"),
    ("{{ list * 30000000 }}", "elements"),
    ("{% for a in list * 30000000 %}{% endfor %}", "endless loop"),
    ("{% for a in range(99999) %}{% set b = a|string|sha512_crypt %}{% endfor %}", "system_id"),
];

/// Alone in its process: what others use would count.
#[test]
fn endless_and_exploding_templates_stop() {
    let before = peak_kib();
    for (text, why) in ENDLESS {
        let error = stopped(text).to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    let used = peak_kib().saturating_sub(before) >> 10;
    println!("{used} MiB more than before");
    assert!(used < 600, "{used} MiB");
}

#[test]
fn sixty_four_doublings_one_after_another_stop() {
    let text = format!("{{% set a = 'x' %}}{}", "{% set a = a ~ a %}\n".repeat(64));
    let error = stopped(&text);
    assert!(error.text.contains("more than 4 MiB") && error.line == Some(23), "{error}");
}

#[test]
fn templates_that_include_themselves_or_each_other_stop() {
    let all = [
        ("templates/a", "{% include 'b' %}"),
        ("templates/b", "{% include 'a' %}{% include 'a' %}"),
        ("templates/c", "\n{% include 'c' %}"),
        ("templates/d", "{% extends 'd' %}"),
    ];
    let templates = Templates::of(all).unwrap();
    for name in ["templates/a", "templates/c", "templates/d"] {
        let error = templates.render(name, &json!({}), &Whose::default()).unwrap_err();
        assert!(["recursion", "takes longer"].iter().any(|why| error.text.contains(why)), "{error}");
    }
}

#[test]
fn what_is_counted_changes_nothing_else() {
    let cases = [
        ("a\n{% for i in [1, 2] %}\n  {{ i }}\n{% endfor %}\nb\n", "a\n  1\n  2\nb\n"),
        ("a {%- for i in [1, 2] -%} \n {{ i }} \n {%- endfor -%} \n b", "a12b"),
        ("{% set a, b = 1, 2 -%}\n  {{ a }}{{ b }}", "12"),
        ("{% set a %}\n x\n{% endset %}\n[{{ a }}]", "[ x\n]"),
        ("{% set a | upper %}x{% endset %}{{ a }}", "X"),
        ("{% with a = [1, (2, 3)], b = {'c': 4} %}{{ a }}{{ b.c }}{% endwith %}", "[1, (2, 3)]4"),
        ("{% macro m(a, b=(1, 2), c='x') %}{{ a }}{{ b[1] }}{{ c }}{% endmacro %}{{ m(7) }}", "72x"),
        ("{% macro m() %}<{{ caller(3) }}>{% endmacro %}{% call(x) m() %}{{ x }}{% endcall %}", "<3>"),
        ("{% for k, v in {'a': 1}|items %}{{ k }}{{ v }}{% else %}none{% endfor %}", "a1"),
        ("{% for i in [3] recursive %}{{ i }}{% if i %}{{ loop([i - 1]) }}{% endif %}{% endfor %}", "3210"),
        ("{% set n = namespace(a=1) %}{% for i in range(3) %}{% set n.a = n.a + i %}{% endfor %}{{ n.a }}", "4"),
        ("{% raw %}{% set x = %}{{{% endraw %}", "{% set x = %}{{"),
        ("{## {% set x = ##}{{ '{% for %}' }}", "{% for %}"),
        ("{{ ['a', 'b']|join(', ') }}{{ ['a', 'b']|join(d='-') }}{{ [{'n': 1}]|join(attribute='n') }}", "a, ba-b1"),
        ("{{ 'a\nb'|indent(2) }}|{{ 'a'|indent(width=1, first=true) }}", "a\n  b| a"),
        ("{{ '%03d %s'|format(7, 'x') }}{{ 'aXa'|replace('a', 'b') }}", "007 xbXb"),
        ("{{ '%(n)s'|format(n='x') }}", "x"),
        ("{{ [2, 1]|sort|join }}{{ [2, 1]|sort(reverse=true)|first }}{{ [1, 2, 3]|batch(2)|list|length }}", "1222"),
        ("{{ true }} {{ 1 > 2 }}", "true false"),
    ];
    for (text, wanted) in cases {
        assert_eq!(one(text, &json!({})).as_deref(), Ok(wanted), "{text}");
    }
}

#[test]
fn lines_of_errors_stay_those_of_the_file() {
    let text = "{% for i in [1] %}{% set a = i %}{% endfor %}\n{% macro m(a) %}\n{{ nope }}{% endmacro %}\n{{ m(1) }}";
    assert_eq!(one(text, &json!({})).unwrap_err().line, Some(3));
    let error = Templates::of([("t", "a\n{{ x|shqq }}")]).unwrap_err().remove(0);
    assert_eq!(error.to_string(), "t:2: there is no filter shqq: docs/templates.md lists them");
    let error = Templates::of([("t", "a\n{% if %}")]).unwrap_err().remove(0).to_string();
    assert!(error.starts_with("t:2: "), "{error}");
}

#[test]
fn nothing_is_written_as_none() {
    let error = one("a\n{{ x }}", &json!({"x": null})).unwrap_err();
    assert_eq!((error.line, error.text.contains("is none")), (Some(2), true), "{error}");
}
