//! What is read and written, and what hostile bodies come to.

use super::*;

fn asked(params: &str) -> String {
    format!("<?xml version='1.0'?><methodCall><methodName>m</methodName><params>{params}</params></methodCall>")
}

fn param(value: &str) -> Result<Value, Malformed> {
    let mut call = call(asked(&format!("<param>{value}</param>")).as_bytes())?;
    Ok(call.params.remove(0))
}

#[test]
fn every_type_is_read() {
    for (xml, value) in [
        ("<value>plain &lt; text</value>", Value::from("plain < text")),
        ("<value><string> a\nb </string></value>", Value::from(" a\nb ")),
        ("<value><string/></value>", Value::from("")),
        ("<value/>", Value::from("")),
        ("<value>\n<int>-1</int>\n</value>", Value::Int(-1)),
        ("<value><i4> 7 </i4></value>", Value::Int(7)),
        ("<value><boolean>1</boolean></value>", Value::Bool(true)),
        ("<value><double>1.5</double></value>", Value::Double(1.5)),
        ("<value><base64>\nAAH/\n</base64></value>", Value::Bytes(vec![0, 1, 255])),
        ("<value><nil/></value>", Value::Nil),
        ("<value><array><data><value>a</value></data></array></value>", Value::from(vec!["a"])),
        ("<value><string>a<!-- between -->b<![CDATA[<c>]]></string></value>", Value::from("ab<c>")),
    ] {
        assert_eq!(param(xml), Ok(value), "{xml}");
    }
    let both = "<value><struct><member><name>n</name><value>1</value></member><member><name>n</name><value>2</value></member></struct></value>";
    assert_eq!(param(both).unwrap().get("n").and_then(Value::text), Some("2"));
}

#[test]
fn what_is_written_is_read_back() {
    let value = Value::Struct(vec![
        ("a <&> b".into(), Value::from("x\r\ny\t<&>\"'")),
        ("n".into(), Value::Int(-5)),
        ("d".into(), Value::Double(3.003_007)),
        ("b".into(), Value::Bytes(vec![0, 255])),
        ("l".into(), Value::List(vec![Value::Bool(false), Value::List(vec![])])),
    ]);
    let answer = response(&value);
    let inner =
        answer.replace("methodResponse", "methodCall").replace("<params>", "<methodName>m</methodName><params>");
    assert_eq!(call(inner.as_bytes()).unwrap().params, [value]);
    assert!(!response(&Value::Nil).contains("nil") && response(&Value::Nil).contains("<string>~</string>"));
    assert!(response(&Value::from("a\0\u{1b}b")).contains("a\u{fffd}\u{fffd}b"));
    assert!(fault("<class 'x'>:'y'").contains("&lt;class 'x'&gt;:'y'"));
}

/// Bodies that want memory, files, time or a panic.
fn corpus() -> Vec<(&'static str, Vec<u8>)> {
    let laughs =
        "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]>";
    let nested = |start: &str, end: &str, times: usize| {
        asked(&format!("<param>{}x{}</param>", start.repeat(times), end.repeat(times))).into_bytes()
    };
    let (array, array_end) = ("<value><array><data>", "</data></array></value>");
    let (held, held_end) = ("<value><struct><member><name>n</name>", "</member></struct></value>");
    let with = |value: &str| asked(&format!("<param>{value}</param>")).into_bytes();
    let whole = asked("<param><value>a</value></param>").into_bytes();
    vec![
        ("nothing", vec![]),
        ("a zero", vec![0]),
        ("broken UTF-8", with("<value>\u{fffd}</value>").into_iter().map(|b| if b == 0xef { 0xff } else { b }).collect()),
        ("UTF-16", whole.iter().flat_map(|b| [*b, 0]).collect()),
        ("half of it", whole[..whole.len() / 2].to_vec()),
        ("two of it", [&whole[..], &whole[..]].concat()),
        ("JSON", b"{\"method\": \"ping\"}".to_vec()),
        ("billion laughs", format!("{laughs}{}", asked("<param><value>&c;</value></param>")).into_bytes()),
        ("an external entity", b"<!DOCTYPE m [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><methodCall><methodName>&x;</methodName></methodCall>".to_vec()),
        ("an external DTD", b"<!DOCTYPE m SYSTEM \"http://127.0.0.1/x.dtd\"><methodCall><methodName>ping</methodName></methodCall>".to_vec()),
        ("an empty DTD", b"<!DOCTYPE m><methodCall><methodName>ping</methodName></methodCall>".to_vec()),
        ("an entity that nobody knows", with("<value>&nobody;</value>")),
        ("a character that is none", with("<value>&#0;</value>")),
        ("10,000 arrays in each other", nested(array, array_end, 10_000)),
        ("13 arrays in each other", nested(array, array_end, 13)),
        ("10,000 structs in each other", nested(held, held_end, 10_000)),
        ("10,000 elements that are never closed", "<a>".repeat(10_000).into_bytes()),
        ("a hundred thousand elements", with(&format!("<value><array><data>{}</data></array></value>", "<value/>".repeat(60_000)))),
        ("a hundred thousand attributes", format!("<methodCall {}/>", (0..30_000).map(|i| format!("a{i}='' ")).collect::<String>()).into_bytes()),
        ("a megabyte of text", with(&format!("<value>{}</value>", "x".repeat(1 << 20)))),
        ("seventeen parameters", asked(&"<param><value/></param>".repeat(17)).into_bytes()),
        ("an int that is a word", with("<value><int>many</int></value>")),
        ("an int beyond all", with("<value><int>99999999999999999999</int></value>")),
        ("an int in hexadecimal", with("<value><int>0x10</int></value>")),
        ("a boolean that is 2", with("<value><boolean>2</boolean></value>")),
        ("a double without end", with("<value><double>inf</double></value>")),
        ("base64 that is none", with("<value><base64>!!!!</base64></value>")),
        ("base64 cut off", with("<value><base64>AAA</base64></value>")),
        ("a type that is not there", with("<value><python>os.system</python></value>")),
        ("a type of another namespace", with("<value><s xmlns='urn:x'>a</s></value>")),
        ("two types", with("<value><int>1</int><int>2</int></value>")),
        ("text beside a type", with("<value>1<int>1</int></value>")),
        ("a member without a value", with("<value><struct><member><name>a</name></member></struct></value>")),
        ("a member with two values", with("<value><struct><member><name>a</name><value/><value/></member></struct></value>")),
        ("an element in a text", with("<value><string><b/></string></value>")),
        ("no method", b"<methodCall><params/></methodCall>".to_vec()),
        ("a method with blanks", b"<methodCall><methodName>a b</methodName></methodCall>".to_vec()),
        ("a method of a kilobyte", format!("<methodCall><methodName>{}</methodName></methodCall>", "a".repeat(1000)).into_bytes()),
        ("a response", response(&Value::Bool(true)).into_bytes()),
        ("an instruction in its place", b"<?xml version='1.0'?><?php x ?><methodCall/>".to_vec()),
        ("a prefix that nobody declared", b"<x:methodCall><methodName>ping</methodName></x:methodCall>".to_vec()),
    ]
}

#[test]
fn a_hostile_body_is_refused_and_nothing_breaks() {
    for (name, body) in corpus() {
        assert!(call(&body).is_err(), "{name} was taken");
    }
}

#[test]
fn every_prefix_of_a_call_is_refused() {
    let held = "<value><struct><member><name>a</name><value><array><data><value><int>1</int></value></data></array></value></member></struct></value>";
    let whole = asked(&format!("<param>{held}</param>"));
    assert!(call(whole.as_bytes()).is_ok());
    assert!((0..whole.len()).all(|end| call(&whole.as_bytes()[..end]).is_err()));
}

#[test]
fn as_deep_and_as_much_as_clients_send_is_read() {
    let deep = format!("{}x{}", "<value><array><data>".repeat(10), "</data></array></value>".repeat(10));
    assert!(param(&deep.replace('x', "<value/>")).is_ok());
    let cards: String = (0..63)
        .map(|i| {
            format!(
                "<member><name>eth{i}</name><value><struct>{}</struct></value></member>",
                "<member><name>mac_address</name><value><string>52:54:00:00:00:01</string></value></member>".repeat(5)
            )
        })
        .collect();
    assert!(param(&format!("<value><struct>{cards}</struct></value>")).is_ok());
    let piece = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![7; 256 * 1024]);
    assert!(param(&format!("<value><base64>{piece}</base64></value>")).is_ok());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 4000, ..Default::default() })]

    /// A call of which some bytes are others, or twice, or not there: read or refused, and what is read can be said again.
    #[test]
    fn a_call_that_was_tampered_with_breaks_nothing(
        changes in proptest::collection::vec((0usize..700, 0u8..4, proptest::prelude::any::<u8>()), 0..6),
    ) {
        let card = "<member><name>eth0</name><value><struct><member><name>ip</name><value>1</value></member></struct></value></member>";
        let values = ["<int>-7</int>", "<base64>YWJj</base64>", "<nil/>", "<double>1.5</double>", "a &amp; b", "<boolean>1</boolean>"];
        let values: String = values.iter().map(|value| format!("<value>{value}</value>")).collect();
        let params = format!("<param><value><struct>{card}</struct></value></param><param><value><array><data>{values}</data></array></value></param>");
        let mut body = asked(&params).into_bytes();
        for (at, how, byte) in changes {
            let at = at % body.len().max(1);
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 => drop(body.remove(at)),
                _ => body.splice(at..at, b"<![CDATA[<value>&#38;".iter().copied()).for_each(drop),
            }
        }
        let Ok(read) = call(&body) else { return Ok(()) };
        for value in read.params {
            let again = response(&value).replace("methodResponse", "methodCall").replacen("<params>", "<methodName>m</methodName><params>", 1);
            proptest::prop_assert!(call(again.as_bytes()).is_ok(), "{again}");
        }
    }
}
