//! An expression in the language of our templates.

use super::cursor::begins_name;
use super::expr::Expr;
use std::collections::BTreeSet;

/// How tightly an operator binds; what binds less needs parentheses.
mod binds {
    pub const CHOICE: u8 = 0;
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const COMPARES: u8 = 4;
    pub const SUM: u8 = 5;
    pub const PRODUCT: u8 = 6;
    pub const MINUS: u8 = 7;
    pub const FILTER: u8 = 8;
    pub const VALUE: u8 = 9;
}

/// Methods of Python's texts, lists and maps that our templates have, too.
pub const METHODS: [&str; 20] = [
    "capitalize",
    "count",
    "endswith",
    "find",
    "get",
    "isdigit",
    "items",
    "join",
    "keys",
    "lower",
    "lstrip",
    "replace",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "title",
    "upper",
    "values",
];
/// Those that Cheetah calls of itself where no parentheses stand behind.
const SELF_CALLED: [&str; 10] =
    ["capitalize", "items", "keys", "lower", "lstrip", "rstrip", "strip", "title", "upper", "values"];
/// Words that mean something of their own.
const RESERVED: [&str; 16] = [
    "loop",
    "self",
    "super",
    "namespace",
    "range",
    "dict",
    "true",
    "false",
    "none",
    "not",
    "and",
    "or",
    "in",
    "is",
    "if",
    "else",
];

/// What names are here.
pub struct Names<'a> {
    /// Those in the namespace.
    pub kept: &'a BTreeSet<String>,
    pub macros: &'a BTreeSet<String>,
}

type Said = Result<String, String>;

impl Names<'_> {
    /// The expression as it may stand alone.
    pub fn say(&self, read: &Expr) -> Said {
        self.bound(read, binds::CHOICE)
    }

    /// As it may stand in front of a filter.
    pub fn operand(&self, read: &Expr) -> Said {
        self.bound(read, binds::FILTER)
    }

    /// Whether a template may give it a value.
    pub fn settable(&self, name: &str) -> Result<(), String> {
        match name {
            "True" | "False" | "None" => Err(format!("{name} means something else in our templates")),
            name => self.name(name).map(drop),
        }
    }

    pub fn name(&self, name: &str) -> Said {
        match name {
            "True" => Ok("true".into()),
            "False" => Ok("false".into()),
            "None" => Ok("none".into()),
            // That of the appliance may be a path: what Cobbler calls so is always an address.
            "tree" => Ok("tree_url".into()),
            name if self.kept.contains(name) => Ok(format!("kept.{name}")),
            // What a text names may be anything.
            name if !is_name(name) => Err(format!("{name:?} is no name of a variable")),
            name if RESERVED.contains(&first(name)) => Err(format!("{name} means something else in our templates")),
            name => Ok(name.to_owned()),
        }
    }

    fn bound(&self, read: &Expr, at_least: u8) -> Said {
        let (said, binds) = self.said(read)?;
        Ok(if binds < at_least { format!("({said})") } else { said })
    }

    fn all(&self, all: &[Expr]) -> Said {
        Ok(all.iter().map(|one| self.say(one)).collect::<Result<Vec<_>, _>>()?.join(", "))
    }

    fn said(&self, read: &Expr) -> Result<(String, u8), String> {
        let value = |said: String| Ok((said, binds::VALUE));
        match read {
            Expr::Name(name) => value(self.name(name)?),
            Expr::Number(number) => value(number.clone()),
            Expr::Text(text) => match super::convert::late(text) {
                Some((_, name, _)) => Err(format!("@@{name}@@ in a text: write the parts side by side")),
                None => value(quoted(text)),
            },
            Expr::List(all) | Expr::Tuple(all) => value(format!("[{}]", self.all(all)?)),
            Expr::Map(all) => {
                let pair = |(key, of): &(Expr, Expr)| Ok(format!("{}: {}", self.say(key)?, self.say(of)?));
                value(format!("{{{}}}", all.iter().map(pair).collect::<Result<Vec<_>, String>>()?.join(", ")))
            }
            Expr::Attribute(of, name) if SELF_CALLED.contains(&name.as_str()) => {
                value(format!("{}.{name}()", self.bound(of, binds::VALUE)?))
            }
            Expr::Attribute(of, name) => value(format!("{}.{name}", self.bound(of, binds::VALUE)?)),
            Expr::Item(of, index) => value(format!("{}[{}]", self.bound(of, binds::VALUE)?, self.say(index)?)),
            Expr::Slice(of, from, to) => {
                let end = |end: &Option<Box<Expr>>| end.as_ref().map_or(Ok(String::new()), |end| self.say(end));
                value(format!("{}[{}:{}]", self.bound(of, binds::VALUE)?, end(from)?, end(to)?))
            }
            Expr::Call(of, args, named) => self.call(of, args, named),
            Expr::Unary("not", of) => Ok((format!("not {}", self.bound(of, binds::NOT)?), binds::NOT)),
            Expr::Unary(sign, of) => Ok((format!("{sign}{}", self.bound(of, binds::FILTER)?), binds::MINUS)),
            Expr::Binary(sign, left, right) => self.binary(sign, left, right),
            Expr::Choice { test, then, otherwise } => {
                let said = format!(
                    "{} if {} else {}",
                    self.bound(then, binds::OR)?,
                    self.bound(test, binds::OR)?,
                    self.say(otherwise)?
                );
                Ok((said, binds::CHOICE))
            }
        }
    }

    fn binary(&self, sign: &'static str, left: &Expr, right: &Expr) -> Result<(String, u8), String> {
        let binds = match sign {
            "or" => binds::OR,
            "and" => binds::AND,
            "==" | "!=" | "<" | ">" | "<=" | ">=" | "in" | "not in" => binds::COMPARES,
            "+" | "-" => binds::SUM,
            "%" if is_format(left) => {
                let filled = match right {
                    Expr::Tuple(all) => self.all(all)?,
                    one => self.say(one)?,
                };
                return Ok((format!("{}|format({filled})", self.bound(left, binds::FILTER)?), binds::FILTER));
            }
            "**" => {
                return Ok((
                    format!("{}**{}", self.bound(left, binds::VALUE)?, self.bound(right, binds::VALUE)?),
                    binds::MINUS,
                ));
            }
            _ => binds::PRODUCT,
        };
        // Of what binds alike the left comes first; comparisons do not come in rows.
        let left = self.bound(left, if binds == binds::COMPARES { binds::SUM } else { binds })?;
        let right = self.bound(right, binds.saturating_add(1))?;
        Ok((format!("{left} {sign} {right}"), binds))
    }

    fn call(&self, of: &Expr, args: &[Expr], named: &[(String, Expr)]) -> Result<(String, u8), String> {
        if let Some((name, _)) = named.first().filter(|_| !matches!(of, Expr::Name(name) if self.macros.contains(name)))
        {
            return Err(format!("an argument by its name ({name}=)"));
        }
        match of {
            Expr::Name(name) => self.function(name, args, named),
            Expr::Attribute(of, method) => self.method(of, method, args),
            _ => Err("what is called has no name".into()),
        }
    }

    fn function(&self, name: &str, args: &[Expr], named: &[(String, Expr)]) -> Result<(String, u8), String> {
        let filter = |of: &Expr, filter: &str| Ok((format!("{}|{filter}", self.operand(of)?), binds::FILTER));
        match (name, args) {
            ("getVar", [Expr::Text(name)]) => Ok((self.name(name.trim_start_matches('$'))?, binds::VALUE)),
            ("getVar", [Expr::Text(name), default]) => {
                let name = self.name(name.trim_start_matches('$'))?;
                Ok((format!("{name}|default({})", self.say(default)?), binds::FILTER))
            }
            ("varExists" | "hasVar", [Expr::Text(name)]) => {
                Ok((format!("{} is defined", self.name(name.trim_start_matches('$'))?), binds::COMPARES))
            }
            ("str" | "unicode", [of]) => filter(of, "pystr"),
            ("int", [of]) => filter(of, "int"),
            ("float", [of]) => filter(of, "float"),
            ("len", [of]) => filter(of, "length"),
            ("list", [of]) => filter(of, "list"),
            ("sorted", [of]) => filter(of, "sort"),
            ("reversed", [of]) => filter(of, "reverse"),
            ("bool", [of]) => filter(of, "bool"),
            ("min", [of]) => filter(of, "min"),
            ("max", [of]) => filter(of, "max"),
            ("abs", [of]) => filter(of, "abs"),
            ("range", args @ ([_] | [_, _] | [_, _, _])) => Ok((format!("range({})", self.all(args)?), binds::VALUE)),
            (name, args) if self.macros.contains(name) => {
                let mut all = vec![self.all(args)?];
                for (name, arg) in named {
                    all.push(format!("{name}={}", self.say(arg)?));
                }
                all.retain(|one| !one.is_empty());
                Ok((format!("{name}({})", all.join(", ")), binds::VALUE))
            }
            ("SNIPPET", _) => Err("a snippet within an expression".into()),
            (name, _) => Err(format!("the function {name} is none of ours")),
        }
    }

    fn method(&self, of: &Expr, method: &str, args: &[Expr]) -> Result<(String, u8), String> {
        let is = |name: &str| matches!(of, Expr::Name(of) if of == name);
        match (method, args) {
            ("compile", [pattern]) if is("re") => self.said(pattern),
            ("match", [pattern, text]) if is("re") => self.test(text, "matching", pattern),
            ("search", [pattern, text]) if is("re") => self.test(text, "finding", pattern),
            ("sub", [pattern, with, text]) if is("re") => {
                let said = format!("{}|re_sub({}, {})", self.operand(text)?, self.say(pattern)?, self.say(with)?);
                Ok((said, binds::FILTER))
            }
            (function, _) if ["re", "time", "random", "netaddr", "os", "stat", "string"].into_iter().any(is) => {
                Err(format!("the function {} is none of ours", format_args!("{}.{function}", self.say(of)?)))
            }
            ("match", [text]) => self.test(text, "matching", of),
            ("search", [text]) => self.test(text, "finding", of),
            ("has_key", [key]) => self.binary("in", key, of),
            ("format", _) => Err("the method format: write the parts side by side".into()),
            (method, args) if METHODS.contains(&method) => {
                Ok((format!("{}.{method}({})", self.bound(of, binds::VALUE)?, self.all(args)?), binds::VALUE))
            }
            (method, _) => Err(format!("the method {method} is none of ours")),
        }
    }

    fn test(&self, text: &Expr, test: &str, pattern: &Expr) -> Result<(String, u8), String> {
        Ok((format!("{} is {test}({})", self.operand(text)?, self.say(pattern)?), binds::COMPARES))
    }
}

fn first(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

/// Names with dots between them, as `getVar` takes them.
fn is_name(name: &str) -> bool {
    let fits = |c: char| begins_name(c) || c.is_ascii_digit();
    name.split('.').all(|part| part.starts_with(begins_name) && part.chars().all(fits))
}

/// Whether `%` fills in a text here.
fn is_format(left: &Expr) -> bool {
    match left {
        Expr::Text(_) => true,
        Expr::Binary("+", left, right) => is_format(left) || is_format(right),
        _ => false,
    }
}

/// A text in double quotes.
pub fn quoted(text: &str) -> String {
    let mut said = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => said.extend(['\\', c]),
            '\n' => said.push_str("\\n"),
            '\t' => said.push_str("\\t"),
            '\r' => said.push_str("\\r"),
            c if c.is_control() => said.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => said.push(c),
        }
    }
    said.push('"');
    said
}
