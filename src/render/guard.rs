//! What is put into a template before it is compiled, so that whatever grows while it renders is counted.
//!
//! minijinja counts instructions, and twenty-six of them double a string to 1 GiB. Its operators can not be watched, but
//! what they make goes on only by a name: of an assignment, a loop or an argument. So behind each tag that gives a name,
//! and at the beginning of each body that runs again, a tag is put that reports the value and the size of the body.
//! It ends in the line that it began in, with the same mark for white space: nothing else of the template changes.

use minijinja::machinery::{Span, Token, tokenize};
use minijinja::syntax::SyntaxConfig;

/// The function that such a tag calls.
pub const CALL: &str = "__counted";

/// What a tag gives a name to, and what it begins.
enum Tag {
    Names(String),
    /// A body that may run again.
    Loop(String),
    EndLoop,
    /// `{% set x %}…{% endset %}`
    Capture(String),
    EndCapture,
    Other,
}

/// Where a tag is put in, what it names, and the size of its body.
struct Put<'s> {
    at: usize,
    end: &'s str,
    names: String,
    bytes: usize,
}

type Part<'s> = (Token<'s>, Span);

/// A filter that there is not, and its line: told at once, and not when a machine asks.
pub struct Unknown {
    pub filter: String,
    pub line: usize,
}

/// The text with its tags.
pub fn guarded(text: &str, syntax: SyntaxConfig, has_filter: impl Fn(&str) -> bool) -> Result<String, Unknown> {
    let (mut puts, mut open, mut captures) = (Vec::new(), Vec::new(), Vec::new());
    let mut tag: Vec<Part<'_>> = Vec::new();
    for part in tokenize(text, false, syntax) {
        // The compiler says it better, with the name of the template.
        let Ok((token, span)) = part else { return Ok(text.to_owned()) };
        match token {
            Token::TemplateData(data) => {
                let body: Option<&mut Put<'_>> = open.last().and_then(|place| puts.get_mut(*place));
                body.into_iter().for_each(|put| put.bytes = put.bytes.saturating_add(data.len()));
            }
            Token::BlockStart | Token::VariableStart => tag.clear(),
            Token::VariableEnd => filters(&tag, &has_filter)?,
            Token::BlockEnd => {
                filters(&tag, &has_filter)?;
                let place = |names| {
                    let end = text.get(offset(span.start_offset)..offset(span.end_offset)).unwrap_or("%}");
                    Put { at: offset(span.end_offset), end, names, bytes: 0 }
                };
                match read(text, &tag) {
                    Tag::Names(names) => puts.push(place(names)),
                    Tag::Loop(names) => {
                        open.push(puts.len());
                        puts.push(place(names));
                    }
                    Tag::EndLoop => drop(open.pop()),
                    Tag::Capture(names) => captures.push(names),
                    Tag::EndCapture => puts.extend(captures.pop().map(place)),
                    Tag::Other => {}
                }
            }
            token => tag.push((token, span)),
        }
    }
    Ok(put_in(text, &puts))
}

fn offset(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn put_in(text: &str, puts: &[Put<'_>]) -> String {
    let (mut out, mut done) = (String::with_capacity(text.len().saturating_mul(2)), 0);
    for Put { at, end, names, bytes } in puts {
        out.push_str(text.get(done..*at).unwrap_or_default());
        let names = if names.is_empty() { String::new() } else { format!(", {names}") };
        out.push_str(&format!("{{% do {CALL}({bytes}{names}) {end}"));
        done = *at;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

fn filters(tag: &[Part<'_>], has_filter: &impl Fn(&str) -> bool) -> Result<(), Unknown> {
    for pair in tag.windows(2) {
        let [(Token::Pipe, _), (Token::Ident(name), span)] = pair else { continue };
        if !has_filter(name) {
            return Err(Unknown { filter: (*name).to_owned(), line: usize::from(span.start_line) });
        }
    }
    Ok(())
}

fn read(text: &str, tag: &[Part<'_>]) -> Tag {
    let Some(((Token::Ident(word), _), rest)) = tag.split_first() else { return Tag::Other };
    match *word {
        "set" => match targets(text, rest) {
            Some(names) => Tag::Names(names),
            // Behind the name a capture may have a filter.
            None => Tag::Capture(before(text, rest, |token| matches!(token, Token::Pipe))),
        },
        "with" => Tag::Names(targets(text, rest).unwrap_or_default()),
        "endset" => Tag::EndCapture,
        "for" => Tag::Loop(before(text, rest, |token| matches!(token, Token::Ident("in")))),
        "macro" => Tag::Loop(parameters(rest.get(1..).unwrap_or_default())),
        "call" => Tag::Loop(parameters(rest)),
        "endfor" | "endmacro" | "endcall" => Tag::EndLoop,
        _ => Tag::Other,
    }
}

/// The text from the first token to the one in front of which to stop.
fn before(text: &str, tokens: &[Part<'_>], stops: impl Fn(&Token<'_>) -> bool) -> String {
    let count = tokens.iter().position(|(token, _)| stops(token)).unwrap_or(tokens.len());
    span_of(text, tokens.get(..count).unwrap_or_default()).to_owned()
}

fn span_of<'s>(text: &'s str, tokens: &[Part<'s>]) -> &'s str {
    let (Some((_, first)), Some((_, last))) = (tokens.first(), tokens.last()) else { return "" };
    text.get(offset(first.start_offset)..offset(last.end_offset)).unwrap_or_default()
}

/// What stands in front of each `=`: `x`, `a, b`, `ns.x`.
fn targets(text: &str, tokens: &[Part<'_>]) -> Option<String> {
    let (mut names, mut begin, mut depth) = (Vec::new(), 0usize, 0usize);
    for (place, (token, _)) in tokens.iter().enumerate() {
        depth = deeper(depth, token);
        match token {
            Token::Assign if depth == 0 => names.push(span_of(text, tokens.get(begin..place).unwrap_or_default())),
            // In front of the first `=` it parts the targets of one value.
            Token::Comma if depth == 0 && !names.is_empty() => begin = place.saturating_add(1),
            _ => {}
        }
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// `a, b` of `(a, b=1)`; none where no parenthesis opens.
fn parameters(tokens: &[Part<'_>]) -> String {
    let (mut names, mut depth) = (Vec::new(), 0usize);
    for pair in tokens.windows(2) {
        let [(token, _), (next, _)] = pair else { continue };
        depth = deeper(depth, token);
        match (token, next) {
            (Token::ParenOpen | Token::Comma, Token::Ident(name)) if depth == 1 => names.push(*name),
            _ if depth == 0 => break,
            _ => {}
        }
    }
    names.join(", ")
}

fn deeper(depth: usize, token: &Token<'_>) -> usize {
    match token {
        Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth.saturating_add(1),
        Token::ParenClose | Token::BracketClose | Token::BraceClose => depth.saturating_sub(1),
        _ => depth,
    }
}
