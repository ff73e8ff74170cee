//! Every template, compiled once: what rendering takes, while another set of them may already be in the making.

use super::course::{self, keep, spend};
use super::guard::{self, Unknown};
use super::{Error, explain, filters};
use crate::model::Name;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, Serde};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

/// Instructions that one rendering may take.
const FUEL: u64 = 2_000_000;
/// Bytes that one rendering may give.
const SIZE_LIMIT: usize = 4 << 20;
/// Bytes that one template may have.
pub const TEXT_BYTES: usize = 1 << 20;

/// A set that never changes. A clone costs little, and the templates that both have are there once.
#[derive(Debug, Clone)]
pub struct Templates {
    env: Environment<'static>,
    sizes: Arc<BTreeMap<String, usize>>,
}

/// Whose text is rendered: snippets of this machine, of its profiles (the nearest first) and of its distro come before
/// those for all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Whose {
    folders: Vec<String>,
}

impl Whose {
    pub fn new(machine: &Name, profiles: &[Name], distro: &Name) -> Whose {
        let profiles = profiles.iter().map(|profile| format!("profile/{profile}"));
        let folders = std::iter::once(format!("machine/{machine}")).chain(profiles);
        Whose { folders: folders.chain([format!("distro/{distro}")]).collect() }
    }
}

/// Names of templates.
pub type Used = BTreeSet<String>;

impl Default for Templates {
    fn default() -> Self {
        Templates { env: environment(), sizes: Arc::default() }
    }
}

impl Templates {
    /// These texts, by their whole names: `templates/…` and `pxe/…`.
    pub fn of<N: Into<String>, T: Into<String>>(
        texts: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Templates, Vec<Error>> {
        let changes = texts.into_iter().map(|(name, text)| (name.into(), Some(text.into())));
        Templates::default().with(changes)
    }

    /// The same with some of them changed, or gone: all of them, or what is wrong with each that does not compile.
    pub fn with(&self, changes: impl IntoIterator<Item = (String, Option<String>)>) -> Result<Templates, Vec<Error>> {
        let (mut env, mut sizes, mut errors) = (self.env.clone(), BTreeMap::clone(&self.sizes), Vec::new());
        for (name, text) in changes {
            let Some(text) = text else {
                env.remove_template(&name);
                sizes.remove(&name);
                continue;
            };
            match add(&mut env, &name, &text) {
                Ok(()) => drop(sizes.insert(name, text.len())),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let sizes = Arc::new(sizes);
        let known = sizes.clone();
        env.set_path_join_callback(move |name, _| Cow::Owned(course::join(name, &known)));
        Ok(Templates { env, sizes })
    }

    pub fn has(&self, name: &str) -> bool {
        self.sizes.contains_key(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sizes.keys().map(String::as_str)
    }

    /// Renders one template. Nothing is escaped by guess: each language has its filter.
    pub fn render(&self, name: &str, context: &serde_json::Value, whose: &Whose) -> Result<String, Error> {
        self.render_telling(name, context, whose).0
    }

    /// The same, and every template that had a part in it.
    pub fn render_telling(
        &self,
        name: &str,
        context: &serde_json::Value,
        whose: &Whose,
    ) -> (Result<String, Error>, Used) {
        self.render_value(name, Value::from(Serde(context)), whose)
    }

    pub(super) fn render_value(&self, name: &str, root: Value, whose: &Whose) -> (Result<String, Error>, Used) {
        let mut out = Limited(Vec::new());
        let (done, mut used) = course::run(&whose.folders, || {
            let template = self.env.get_template(name)?;
            template.render_captured_to(root, &mut out).map(drop)
        });
        used.insert(name.to_owned());
        let text = done.map_err(|error| explain(name, &error)).and_then(|()| {
            String::from_utf8(out.0).map_err(|_| Error { place: name.into(), line: None, text: "is not UTF-8".into() })
        });
        (text, used)
    }
}

fn add(env: &mut Environment<'static>, name: &str, text: &str) -> Result<(), Error> {
    let wrong = |line, text| Error { place: name.to_owned(), line, text };
    if text.len() > TEXT_BYTES {
        return Err(wrong(None, format!("has {} bytes, and {TEXT_BYTES} are allowed", text.len())));
    }
    let known = |filter: &str| !matches!(unknown(env, filter), Some(ErrorKind::UnknownFilter));
    let guarded = guard::guarded(text, syntax(), known).map_err(|Unknown { filter, line }| {
        wrong(Some(line), format!("there is no filter {filter}: docs/templates.md lists them"))
    })?;
    env.add_template_owned(name.to_owned(), guarded).map_err(|error| explain(name, &error))
}

/// What a filter says when it is given nothing.
fn unknown(env: &Environment<'static>, filter: &str) -> Option<ErrorKind> {
    env.empty_state().apply_filter(filter, &[]).err().map(|error| error.kind())
}

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_auto_reload(false);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(64);
    // So that an error knows the expression that it stands for.
    env.set_debug(true);
    env.set_syntax(syntax());
    // Its text would be the whole context, and in it what must not be printed.
    env.remove_global("debug");
    env.add_function(guard::CALL, |bytes: usize, values: Rest<Value>| {
        spend(bytes.saturating_add(16))?;
        values.iter().try_for_each(keep).map(|()| Value::UNDEFINED)
    });
    super::bounds::add_to(&mut env);
    filters::add_to(&mut env);
    super::python::add_to(&mut env);
    env
}

fn syntax() -> SyntaxConfig {
    // `{#` is Bash: ${#array[@]}.
    let mut syntax = SyntaxConfig::builder();
    syntax.comment_delimiters("{##", "##}").keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true);
    syntax.build().expect("the delimiters are fixed and different")
}

/// Stops a template that writes for ever.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > SIZE_LIMIT {
            return Err(io::Error::other(format!("gives more than {SIZE_LIMIT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
