//! One rendering on its way: what it may still use, whose snippets it takes, and which templates it came by.
//!
//! It belongs to the thread that renders. Loops, macros, includes, assignments and output report here, so that a template
//! is stopped where it stands: no thread is given up, and its memory is bounded by what it was allowed to make.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long one rendering may take.
pub const TIME: Duration = Duration::from_millis(1000);
/// Bytes that all its loops, assignments and outputs may make: some are gone already, but never are there more.
pub const BYTES: usize = 128 << 20;
/// Bytes that one value may have.
pub const VALUE_BYTES: usize = 4 << 20;
/// Elements that one value may have, those of its elements included.
pub const ELEMENTS: usize = 100_000;

thread_local! {
    static COURSE: RefCell<Option<Course>> = const { RefCell::new(None) };
}

struct Course {
    ends_at: Instant,
    bytes_left: usize,
    folders: Vec<String>,
    used: BTreeSet<String>,
    /// Why it must not go on, where that could not be said at once.
    stopped: Option<Error>,
}

/// Renders within the limits; also tells the names of all templates that had a part in it.
pub fn run<T>(folders: &[String], render: impl FnOnce() -> Result<T, Error>) -> (Result<T, Error>, BTreeSet<String>) {
    let course = Course {
        ends_at: Instant::now().checked_add(TIME).unwrap_or_else(Instant::now),
        bytes_left: BYTES,
        folders: folders.to_vec(),
        used: BTreeSet::new(),
        stopped: None,
    };
    COURSE.with_borrow_mut(|place| *place = Some(course));
    let done = render();
    let course = COURSE.with_borrow_mut(Option::take);
    let (stopped, used) = course.map(|course| (course.stopped, course.used)).unwrap_or_default();
    (stopped.map_or(done, Err), used)
}

/// Counts what was made, and looks at the clock.
pub fn spend(bytes: usize) -> Result<(), Error> {
    COURSE.with_borrow_mut(|course| course.as_mut().map_or(Ok(()), |course| course.spend(bytes)))
}

impl Course {
    fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        if Instant::now() >= self.ends_at {
            return Err(too_much(format!("takes longer than {} ms: look for an endless loop", TIME.as_millis())));
        }
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.ok_or_else(|| {
            too_much(format!("makes more than {} MiB of text: look for what grows in a loop", BYTES >> 20))
        })?;
        Ok(())
    }

    /// A snippet of the machine, its profiles or its distro before the one for all.
    fn name(&self, name: &str, sizes: &BTreeMap<String, usize>) -> String {
        let full = match name.split_once('/') {
            Some(("templates" | "pxe", _)) => name.to_owned(),
            _ => format!("templates/{name}"),
        };
        let snippet = full.strip_prefix(SNIPPETS).filter(|rest| !OWNERS.iter().any(|owner| rest.starts_with(owner)));
        let own = snippet.and_then(|rest| {
            let mut own = self.folders.iter().map(|folder| format!("{SNIPPETS}{folder}/{rest}"));
            own.find(|name| sizes.contains_key(name))
        });
        own.unwrap_or(full)
    }
}

const SNIPPETS: &str = "templates/snippets/";
/// Folders of snippets that are somebody's own.
const OWNERS: [&str; 3] = ["machine/", "profile/", "distro/"];

/// The whole name of what a template includes, which counts as used.
pub fn join(name: &str, sizes: &BTreeMap<String, usize>) -> String {
    COURSE.with_borrow_mut(|course| {
        let Some(course) = course else { return name.to_owned() };
        let name = course.name(name, sizes);
        let spent = course.spend(sizes.get(&name).copied().unwrap_or_default());
        course.used.insert(name.clone());
        match spent {
            Ok(()) => name,
            // Only a name can be given back: one that no template has ends it, and what is told is the reason.
            Err(error) => {
                course.stopped.get_or_insert(error);
                String::new()
            }
        }
    })
}

pub fn too_much(text: String) -> Error {
    Error::new(ErrorKind::OutOfFuel, text)
}

/// Counts a value with all that it holds; one that is too large is refused before it grows on.
pub fn keep(value: &Value) -> Result<(), Error> {
    let mut seen = Seen::default();
    seen.look(value, 0)?;
    spend(seen.bytes.saturating_add(seen.elements.saturating_mul(16)))
}

#[derive(Default)]
struct Seen {
    bytes: usize,
    elements: usize,
}

impl Seen {
    fn look(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(value.as_str().map_or(0, str::len));
        self.elements = self.elements.saturating_add(1);
        let more = match value.kind() {
            ValueKind::Seq | ValueKind::Iterable | ValueKind::Map if depth < 16 => value.len().unwrap_or_default(),
            _ => 0,
        };
        if self.bytes > VALUE_BYTES {
            return Err(too_much(format!("has a value of more than {} MiB", VALUE_BYTES >> 20)));
        }
        if self.elements.saturating_add(more) > ELEMENTS {
            return Err(too_much(format!("has a value of more than {ELEMENTS} elements")));
        }
        if more == 0 {
            return Ok(());
        }
        let is_map = value.kind() == ValueKind::Map;
        for key in value.try_iter()? {
            if is_map {
                self.look(&value.get_item(&key)?, depth.saturating_add(1))?;
            }
            self.look(&key, depth.saturating_add(1))?;
        }
        Ok(())
    }
}
