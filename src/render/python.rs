//! Methods of texts, lists and maps as Python and Jinja2 have them, and patterns: what templates that come from elsewhere need.

use super::bounds::gives;
use super::course::{ELEMENTS, keep, too_much};
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use regex::{Regex, RegexBuilder};

/// Bytes that a pattern may have, and what is made of it.
const PATTERN: usize = 1 << 10;
const COMPILED: usize = 1 << 18;

pub fn add_to(env: &mut Environment<'static>) {
    env.set_unknown_method_callback(|_: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]| {
        call(value, method, args)
    });
    env.add_filter("pystr", written);
    env.add_filter("re_sub", |value: Value, pattern: String, with: String| replaced(&value, &pattern, &with));
    env.add_test("matching", |value: Value, pattern: String| is_found(&value, &pattern, true));
    env.add_test("finding", |value: Value, pattern: String| is_found(&value, &pattern, false));
    env.add_function("not_converted", |text: String| {
        Err::<Value, _>(Error::new(ErrorKind::InvalidOperation, format!("was not converted: {text}")))
    });
}

/// Whether templates lie there that were Cobbler's: `templates/cobbler/…` and snippets below a folder of that name.
pub fn is_home(template: &str) -> bool {
    let below = |rest: &str| rest.starts_with("cobbler/");
    let Some(rest) = template.strip_prefix("templates/") else { return false };
    let Some(snippet) = rest.strip_prefix("snippets/") else { return below(rest) };
    // Those of one machine, profile or distro have two folders more.
    let mut parts = snippet.splitn(3, '/');
    let kind = parts.next().unwrap_or_default();
    match matches!(kind, "machine" | "profile" | "distro") {
        true => parts.nth(1).is_some_and(below),
        false => below(snippet),
    }
}

fn refused(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, text)
}

/// `str()`: true is `True` there, and nothing is nothing.
fn written(value: Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok(String::new()),
        ValueKind::Bool => Ok(if value.is_true() { "True" } else { "False" }.to_owned()),
        _ => {
            keep(&value)?;
            Ok(value.to_string())
        }
    }
}

fn call(value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    keep(value)?;
    args.iter().try_for_each(keep)?;
    let done = match value.kind() {
        ValueKind::String => of_text(value.as_str().unwrap_or_default(), method, args)?,
        ValueKind::Map => of_map(value, method, args)?,
        ValueKind::Seq | ValueKind::Iterable => of_list(value, method, args)?,
        _ => None,
    };
    done.ok_or_else(|| Error::new(ErrorKind::UnknownMethod, format!("{} has no method {method}", value.kind())))
}

fn text(args: &[Value], at: usize) -> Result<&str, Error> {
    args.get(at).and_then(Value::as_str).ok_or_else(|| refused("takes a text"))
}

/// How often, where it says so; negative is without a limit.
fn limit(args: &[Value], at: usize) -> Result<Option<usize>, Error> {
    match args.get(at) {
        None => Ok(None),
        Some(limit) => {
            let limit = limit.as_i64().ok_or_else(|| refused("takes a number of times"))?;
            Ok(usize::try_from(limit).ok())
        }
    }
}

fn of_text(said: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let stripped = |args: &[Value]| -> Result<Box<dyn Fn(char) -> bool>, Error> {
        match args.first() {
            None => Ok(Box::new(char::is_whitespace)),
            Some(_) => {
                let of: Vec<char> = text(args, 0)?.chars().collect();
                Ok(Box::new(move |c| of.contains(&c)))
            }
        }
    };
    gives(said.len().saturating_mul(3))?;
    Ok(Some(match method {
        "upper" => said.to_uppercase().into(),
        "lower" => said.to_lowercase().into(),
        "capitalize" => capitalized(said).into(),
        "title" => titled(said).into(),
        "strip" => said.trim_matches(stripped(args)?).into(),
        "lstrip" => said.trim_start_matches(stripped(args)?).into(),
        "rstrip" => said.trim_end_matches(stripped(args)?).into(),
        "startswith" => any_of(args, |with| said.starts_with(with))?.into(),
        "endswith" => any_of(args, |with| said.ends_with(with))?.into(),
        "isdigit" => (!said.is_empty() && said.chars().all(|c| c.is_ascii_digit())).into(),
        "find" => {
            let at = said.find(text(args, 0)?).and_then(|at| said.get(..at)).map(|before| before.chars().count());
            at.map_or(Value::from(-1), Value::from)
        }
        "count" => said.matches(text(args, 0)?).count().into(),
        "replace" => exchanged(said, args)?,
        "split" => split(said, args)?,
        "splitlines" => listed(said.lines())?,
        "join" => {
            let Some(parts) = args.first() else { return Err(refused("takes a list")) };
            joined(said, parts)?
        }
        _ => return Ok(None),
    }))
}

fn any_of(args: &[Value], is: impl Fn(&str) -> bool) -> Result<bool, Error> {
    match args.first() {
        Some(all) if all.kind() == ValueKind::Seq => Ok(all.try_iter()?.any(|one| one.as_str().is_some_and(&is))),
        _ => Ok(is(text(args, 0)?)),
    }
}

fn capitalized(said: &str) -> String {
    let mut chars = said.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars.flat_map(char::to_lowercase)).collect()
}

fn titled(said: &str) -> String {
    let mut inside = false;
    let mut titled = String::with_capacity(said.len());
    for c in said.chars() {
        match inside {
            true => titled.extend(c.to_lowercase()),
            false => titled.extend(c.to_uppercase()),
        }
        inside = c.is_alphabetic();
    }
    titled
}

fn exchanged(said: &str, args: &[Value]) -> Result<Value, Error> {
    let (from, to, limit) = (text(args, 0)?, text(args, 1)?, limit(args, 2)?);
    let count = said.matches(from).count().min(limit.unwrap_or(usize::MAX));
    gives(said.len().saturating_add(count.saturating_mul(to.len())))?;
    Ok(said.replacen(from, to, count).into())
}

fn listed<'t>(parts: impl Iterator<Item = &'t str>) -> Result<Value, Error> {
    let mut list: Vec<Value> = Vec::new();
    for part in parts {
        if list.len() >= ELEMENTS {
            return Err(too_much(format!("would make more than {ELEMENTS} parts")));
        }
        list.push(part.into());
    }
    let list = Value::from(list);
    keep(&list)?;
    Ok(list)
}

fn split(said: &str, args: &[Value]) -> Result<Value, Error> {
    let parts = limit(args, 1)?.map_or(usize::MAX, |limit| limit.saturating_add(1));
    if args.first().is_none_or(Value::is_none) {
        return match parts {
            usize::MAX => listed(said.split_whitespace()),
            _ => Err(refused("split at blanks has no limit here: name what to split at")),
        };
    }
    match text(args, 0)? {
        "" => Err(refused("split at nothing")),
        at => listed(said.splitn(parts, at)),
    }
}

fn joined(between: &str, parts: &Value) -> Result<Value, Error> {
    let (mut whole, mut count) = (String::new(), 0_usize);
    for part in parts.try_iter()? {
        let part = part.as_str().map(str::to_owned).ok_or_else(|| refused("joins texts alone"))?;
        gives(whole.len().saturating_add(between.len()).saturating_add(part.len()))?;
        if count > 0 {
            whole.push_str(between);
        }
        whole.push_str(&part);
        count = count.saturating_add(1);
    }
    Ok(whole.into())
}

fn of_map(map: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let entries = || -> Result<Vec<(Value, Value)>, Error> {
        map.try_iter()?.map(|key| Ok((key.clone(), map.get_item(&key)?))).collect()
    };
    Ok(Some(match method {
        "keys" => entries()?.into_iter().map(|(key, _)| key).collect(),
        "values" => entries()?.into_iter().map(|(_, value)| value).collect(),
        "items" => entries()?.into_iter().map(|(key, value)| Value::from(vec![key, value])).collect(),
        "get" => {
            let Some(key) = args.first() else { return Err(refused("takes a key")) };
            let found = map.get_item(key)?;
            match found.is_undefined() {
                true => args.get(1).cloned().unwrap_or(Value::from(())),
                false => found,
            }
        }
        _ => return Ok(None),
    }))
}

fn of_list(list: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let Some(of) = args.first() else { return Ok(None) };
    Ok(match method {
        "count" => Some(list.try_iter()?.filter(|one| one == of).count().into()),
        "index" => match list.try_iter()?.position(|one| one == *of) {
            Some(at) => Some(at.into()),
            None => return Err(refused("is not in the list")),
        },
        _ => None,
    })
}

/// Takes time in proportion to the text, whatever the pattern.
fn pattern(said: &str, at_start: bool) -> Result<Regex, Error> {
    if said.len() > PATTERN {
        return Err(too_much(format!("has a pattern of more than {PATTERN} bytes")));
    }
    // What making it takes, in the measure of what a rendering may.
    gives(COMPILED / 16)?;
    let whole = if at_start { format!("^(?:{said})") } else { said.to_owned() };
    let built = RegexBuilder::new(&whole).size_limit(COMPILED).dfa_size_limit(COMPILED).nest_limit(32).build();
    built.map_err(|_| refused(format!("has a pattern that is none here: {said:?}")))
}

fn is_found(value: &Value, said: &str, at_start: bool) -> Result<bool, Error> {
    let text = value.as_str().ok_or_else(|| refused("is no text to compare with a pattern"))?;
    keep(value)?;
    Ok(pattern(said, at_start)?.is_match(text))
}

fn replaced(value: &Value, said: &str, with: &str) -> Result<String, Error> {
    let text = value.as_str().ok_or_else(|| refused("is no text to compare with a pattern"))?;
    if with.contains('\\') {
        return Err(refused("a replacement names no part of what was found here"));
    }
    let pattern = pattern(said, false)?;
    let count = pattern.find_iter(text).count();
    gives(text.len().saturating_add(count.saturating_mul(with.len())))?;
    Ok(pattern.replace_all(text, regex::NoExpand(with)).into_owned())
}
