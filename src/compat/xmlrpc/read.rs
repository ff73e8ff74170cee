//! A call as anybody may send it: no document type, no entity, and limits on its size, its depth and its parts.

use super::{Call, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node, ParsingOptions};
use std::borrow::Cow;

/// A piece of a log of 256 KiB in base64, with room around it.
pub const BODY_BYTES: usize = 512 * 1024;
/// Elements and texts: a registration with 64 cards has a tenth of it.
const NODES: u32 = 20_000;
/// Values in values.
const DEPTH: usize = 12;
const PARAMS: usize = 16;
const METHOD_BYTES: usize = 100;

/// Why it is no call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the body is larger than {BODY_BYTES} bytes")]
    TooLarge,
    #[error("the body is no UTF-8")]
    NoText,
    #[error("document types and entities are not read")]
    DocumentType,
    #[error("no well-formed XML: {0}")]
    Xml(String),
    #[error("values lie deeper than {DEPTH} in each other")]
    TooDeep,
    #[error("more than {PARAMS} parameters")]
    TooMany,
    #[error("no XML-RPC: {0}")]
    Shape(&'static str),
}

/// Reads a call. What it takes in memory is bounded by the body's size and the number of parts.
pub fn call(body: &[u8]) -> Result<Call, Malformed> {
    if body.len() > BODY_BYTES {
        return Err(Malformed::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| Malformed::NoText)?;
    // The parser refuses what a document type says, and takes one that says nothing.
    if text.contains("<!DOCTYPE") || text.contains("<!ENTITY") {
        return Err(Malformed::DocumentType);
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, entity_resolver: None };
    let document = Document::parse_with_options(text, options).map_err(|error| Malformed::Xml(error.to_string()))?;
    let root = document.root_element();
    if !is(root, "methodCall") {
        return Err(Malformed::Shape("the root is not methodCall"));
    }
    let mut parts = elements(root)?.into_iter();
    let name = parts.next().filter(|part| is(*part, "methodName")).ok_or(Malformed::Shape("no methodName"))?;
    let params = match parts.next() {
        None => Vec::new(),
        Some(all) if is(all, "params") && parts.next().is_none() => params(all)?,
        Some(_) => return Err(Malformed::Shape("something beside params")),
    };
    Ok(Call { method: method(&content(name)?)?, params })
}

fn method(name: &str) -> Result<String, Malformed> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.:/".contains(c);
    match (1..=METHOD_BYTES).contains(&name.len()) && name.chars().all(fits) {
        true => Ok(name.to_owned()),
        false => Err(Malformed::Shape("methodName is no name of a method")),
    }
}

fn params(all: Node<'_, '_>) -> Result<Vec<Value>, Malformed> {
    let all = elements(all)?;
    if all.len() > PARAMS {
        return Err(Malformed::TooMany);
    }
    let one = |param: Node<'_, '_>| match is(param, "param") {
        true => value(only(param)?, 0),
        false => Err(Malformed::Shape("something beside param")),
    };
    all.into_iter().map(one).collect()
}

fn value(node: Node<'_, '_>, depth: usize) -> Result<Value, Malformed> {
    if !is(node, "value") {
        return Err(Malformed::Shape("no value where one belongs"));
    }
    if depth >= DEPTH {
        return Err(Malformed::TooDeep);
    }
    // Without a type it is a string, blanks and all.
    if !node.children().any(|child| child.is_element()) {
        return content(node).map(|text| Value::Text(text.into_owned()));
    }
    typed(only(node)?, depth)
}

fn typed(node: Node<'_, '_>, depth: usize) -> Result<Value, Malformed> {
    if node.tag_name().namespace().is_some() {
        return match node.tag_name().name() {
            "nil" => Ok(Value::Nil),
            _ => Err(Malformed::Shape("a type that is not read")),
        };
    }
    match node.tag_name().name() {
        "string" => Ok(Value::Text(content(node)?.into_owned())),
        "int" | "i4" | "i8" | "i1" | "i2" => number(&content(node)?).map(Value::Int),
        "boolean" => match content(node)?.trim() {
            "0" => Ok(Value::Bool(false)),
            "1" => Ok(Value::Bool(true)),
            _ => Err(Malformed::Shape("boolean is neither 0 nor 1")),
        },
        "double" => {
            let parsed: Option<f64> = content(node)?.trim().parse().ok();
            parsed.filter(|number| number.is_finite()).map(Value::Double).ok_or(Malformed::Shape("double is no number"))
        }
        "base64" => bytes(&content(node)?).map(Value::Bytes),
        "dateTime.iso8601" => Ok(Value::Text(content(node)?.into_owned())),
        "nil" => Ok(Value::Nil),
        "array" => {
            let data = only(node)?;
            if !is(data, "data") {
                return Err(Malformed::Shape("array without data"));
            }
            elements(data)?
                .into_iter()
                .map(|each| value(each, depth.saturating_add(1)))
                .collect::<Result<_, _>>()
                .map(Value::List)
        }
        "struct" => {
            elements(node)?.into_iter().map(|each| member(each, depth)).collect::<Result<_, _>>().map(Value::Struct)
        }
        _ => Err(Malformed::Shape("a type that is not read")),
    }
}

fn member(node: Node<'_, '_>, depth: usize) -> Result<(String, Value), Malformed> {
    let wrong = Malformed::Shape("a member that is not a name and a value");
    match elements(node)?.as_slice() {
        [name, held] if is(node, "member") && is(*name, "name") => {
            Ok((content(*name)?.into_owned(), value(*held, depth.saturating_add(1))?))
        }
        _ => Err(wrong),
    }
}

fn number(text: &str) -> Result<i64, Malformed> {
    text.trim().parse().map_err(|_| Malformed::Shape("int is no number"))
}

fn bytes(text: &str) -> Result<Vec<u8>, Malformed> {
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(packed).map_err(|_| Malformed::Shape("base64 is none"))
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name && node.tag_name().namespace().is_none()
}

/// Its elements, between which only blanks and comments may stand.
fn elements<'a, 'b>(node: Node<'a, 'b>) -> Result<Vec<Node<'a, 'b>>, Malformed> {
    let stray = |child: &Node<'_, '_>| child.is_text() && child.text().is_some_and(|text| !text.trim().is_empty());
    match node.children().any(|child| stray(&child)) {
        true => Err(Malformed::Shape("text between elements")),
        false => Ok(node.children().filter(Node::is_element).collect()),
    }
}

fn only<'a, 'b>(node: Node<'a, 'b>) -> Result<Node<'a, 'b>, Malformed> {
    match elements(node)?.as_slice() {
        [one] => Ok(*one),
        _ => Err(Malformed::Shape("not one element where one belongs")),
    }
}

/// All of its text: a comment in between splits it.
fn content<'a>(node: Node<'a, '_>) -> Result<Cow<'a, str>, Malformed> {
    let mut parts = node.children().filter(|child| !child.is_comment());
    let text = |child: Node<'a, '_>| match child.is_text() {
        true => Ok(child.text().unwrap_or_default()),
        false => Err(Malformed::Shape("an element where a text belongs")),
    };
    let Some(first) = parts.next() else { return Ok(Cow::Borrowed("")) };
    let mut all = Cow::Borrowed(text(first)?);
    for part in parts {
        all.to_mut().push_str(text(part)?);
    }
    Ok(all)
}
