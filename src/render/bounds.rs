//! minijinja's own filters where they would make much of little, and its output: each asks first how much it comes to.

use super::course::{ELEMENTS, VALUE_BYTES, keep, spend, too_much};
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, Output, State, Value, escape_formatter, filters};

pub fn add_to(env: &mut Environment<'static>) {
    env.set_formatter(write);
    env.add_filter("format", format);
    env.add_filter("indent", indent);
    env.add_filter("join", join);
    env.add_filter("replace", replace);
    env.add_filter("list", |state: &State<'_, '_>, value: Value| filters::list(state, sized(value)?));
    env.add_filter("reverse", |value: Value| filters::reverse(&sized(value)?));
    env.add_filter("sort", |state: &State<'_, '_>, value: Value, how: Kwargs| filters::sort(state, sized(value)?, how));
    env.add_filter("unique", |state: &State<'_, '_>, value: Value, how: Kwargs| {
        filters::unique(state, sized(value)?, how)
    });
    env.add_filter("min", |state: &State<'_, '_>, value: Value, how: Kwargs| filters::min(state, sized(value)?, how));
    env.add_filter("max", |state: &State<'_, '_>, value: Value, how: Kwargs| filters::max(state, sized(value)?, how));
    env.add_filter("slice", |state: &State<'_, '_>, value: Value, count: usize, fill: Option<Value>| {
        filters::slice(state, sized(value)?, few(count)?, fill)
    });
    env.add_filter("batch", |state: &State<'_, '_>, value: Value, count: usize, fill: Option<Value>| {
        filters::batch(state, sized(value)?, few(count)?, fill)
    });
}

/// `none` and `True` would be words that nobody wrote, and nobody reads.
fn write(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Undefined => {
            spend(value.as_str().map_or(8, str::len))?;
            escape_formatter(out, state, value)
        }
        // As its author saw Cobbler write it.
        ValueKind::Bool if super::python::is_home(state.name()) => escape_formatter(out, state, value),
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        ValueKind::None => super::filters::text_of(value).map(drop),
        _ => {
            keep(value)?;
            escape_formatter(out, state, value)
        }
    }
}

fn sized(value: Value) -> Result<Value, Error> {
    match value.len().filter(|_| value.kind() != ValueKind::String) {
        Some(elements) if elements > ELEMENTS => {
            Err(too_much(format!("has a value of {elements} elements, and {ELEMENTS} are allowed")))
        }
        elements => spend(elements.unwrap_or_default().saturating_mul(32)).map(|()| value),
    }
}

fn few(count: usize) -> Result<usize, Error> {
    match count > ELEMENTS {
        true => Err(too_much(format!("would make {count} parts, and {ELEMENTS} are allowed"))),
        false => Ok(count),
    }
}

/// A filter that would give so many bytes.
pub fn gives(bytes: usize) -> Result<(), Error> {
    match bytes > VALUE_BYTES {
        true => Err(too_much(format!("has a filter that would give {bytes} bytes, and {VALUE_BYTES} are allowed"))),
        false => spend(bytes),
    }
}

fn text(value: &Value) -> Result<String, Error> {
    keep(value)?;
    Ok(value.to_string())
}

fn replace(value: Value, from: Value, to: Value) -> Result<String, Error> {
    let (value, from, to) = (text(&value)?, text(&from)?, text(&to)?);
    gives(value.len().saturating_add(value.matches(from.as_str()).count().saturating_mul(to.len())))?;
    Ok(value.replace(&from, &to))
}

fn join(
    state: &mut State<'_, '_>,
    value: Value,
    joiner: Option<Value>,
    attribute: Option<Value>,
    how: Kwargs,
) -> Result<Value, Error> {
    let value = sized(value)?;
    keep(&value)?;
    let between = joiner.clone().map_or_else(|| how.peek::<Option<Value>>("d"), |joiner| Ok(Some(joiner)))?;
    let between = between.as_ref().and_then(Value::as_str).map_or(0, str::len);
    gives(value.len().unwrap_or_default().saturating_mul(between))?;
    let args = [value, joiner.unwrap_or_default(), attribute.unwrap_or_default(), Value::from(how)];
    let (value, joiner, attribute, how) = minijinja::value::from_args(&args)?;
    filters::join(state, value, joiner, attribute, how)
}

fn indent(
    value: Value,
    width: Option<usize>,
    first: Option<bool>,
    blank: Option<bool>,
    how: Kwargs,
) -> Result<Value, Error> {
    let width = match width {
        Some(width) => width,
        None => how.get::<Option<usize>>("width")?.unwrap_or(4),
    };
    let first = first.map_or_else(|| how.get::<Option<bool>>("first"), |first| Ok(Some(first)))?;
    let blank = blank.map_or_else(|| how.get::<Option<bool>>("blank"), |blank| Ok(Some(blank)))?;
    how.assert_all_used()?;
    let text = text(&value)?;
    let lines = text.matches('\n').count().saturating_add(1);
    gives(text.len().saturating_add(lines.saturating_mul(width)))?;
    let text = Value::from(text);
    let args = [text, Value::from(width), Value::from(first), Value::from(blank)];
    let (text, width, first, blank, how) = minijinja::value::from_args(&args)?;
    filters::indent(text, width, first, blank, how)
}

/// A width of many digits is the one way to much that a format has.
fn format(state: &mut State<'_, '_>, how: Value, args: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    let said = how.as_str().unwrap_or_default();
    let wide = said.contains('*') || said.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 4);
    if wide {
        return Err(too_much("has a format with a width of more than four digits".into()));
    }
    gives(said.matches('%').count().saturating_mul(9999))?;
    let mut all: Vec<Value> = std::iter::once(how).chain(args.0).collect();
    if named.args().next().is_some() {
        all.push(Value::from(named));
    }
    all.iter().try_for_each(keep)?;
    let (how, args) = minijinja::value::from_args(&all)?;
    filters::format(state, how, args)
}
