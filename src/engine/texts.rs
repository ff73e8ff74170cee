//! Which templates are in use: the operator's file, else the stored text, else what is built in.
//!
//! All of them are compiled in one [`Book`], which never changes: another one takes its place. `look` brings in the
//! operator's files, `versions` what the API changes, `compare` tells what a change would do.

use super::{Engine, Error};
use crate::assets::{self, Assets};
use crate::model::*;
use crate::render::{self, Rendered, Secrets, Templates, Whose, Words};
use crate::store::World;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Renderings that the event loop does not feel take no longer in the mean.
const QUICK: Duration = Duration::from_micros(500);
/// One that it does feel.
const SLOW: Duration = Duration::from_millis(10);
/// So often a template may be slow.
const SLIPS: u8 = 3;

/// How long somebody waits for another's comparison: less than the command line waits.
const COMPARE_WAIT: Duration = Duration::from_secs(20);

/// What is built in, compiled once for all.
static SHIPPED: LazyLock<Templates> = LazyLock::new(|| {
    let texts = Assets::all_shipped();
    Templates::of(texts).unwrap_or_else(|errors| panic!("a template that is built in is broken: {errors:?}"))
});

pub struct Texts {
    book: RwLock<Arc<Book>>,
    /// Who changes what is in use waits here for the others.
    turn: Mutex<super::look::Files>,
    /// As many renderings at once as there are processors: the others wait, and nobody else does.
    rooms: Arc<Semaphore>,
    /// One comparison at a time.
    comparing: Semaphore,
}

/// Every template that is in use.
pub struct Book {
    pub templates: Templates,
    /// Those that are not the built-in ones.
    pub own: BTreeMap<String, Own>,
    /// How long each takes, since it is in use.
    times: std::sync::Mutex<BTreeMap<String, Times>>,
}

/// The last ones count most: the first rendering of all takes long, and so does each in a new thread.
#[derive(Default)]
struct Times {
    mean: Duration,
    slips: u8,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    pub text: Arc<str>,
    pub from: From,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The operator's file.
    File,
    /// What was last good of it: as it is now it is broken.
    LastGood,
    Api,
    Shipped,
}

impl Default for Texts {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, Into::into);
        Texts {
            book: RwLock::new(Arc::new(Book::of(SHIPPED.clone(), BTreeMap::new()))),
            turn: Mutex::default(),
            rooms: Arc::new(Semaphore::new(processors)),
            comparing: Semaphore::new(1),
        }
    }
}

impl Texts {
    pub fn book(&self) -> Arc<Book> {
        self.book.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn turn(&self) -> MutexGuard<'_, super::look::Files> {
        self.turn.lock().await
    }

    /// A place to render in, as soon as there is one.
    pub(super) async fn room(&self) -> Result<OwnedSemaphorePermit, Error> {
        let room = self.rooms.clone().acquire_owned().await;
        room.map_err(|e| Error::Internal(format!("nothing is rendered any more: {e}")))
    }

    pub(super) async fn comparing(&self) -> Result<SemaphorePermit<'_>, Error> {
        let turn = tokio::time::timeout(COMPARE_WAIT, self.comparing.acquire()).await;
        let busy = "somebody else is comparing just now, and one goes after the other: try again in a moment";
        turn.map_err(|_| Error::Conflict(busy.into()))?
            .map_err(|e| Error::Internal(format!("nothing is compared any more: {e}")))
    }

    pub(super) fn put(&self, book: Book) {
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
    }
}

impl Book {
    fn of(templates: Templates, own: BTreeMap<String, Own>) -> Book {
        Book { templates, own, times: Default::default() }
    }

    fn is_quick(&self, name: &str) -> bool {
        let all = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(name).is_some_and(|times| times.mean < QUICK && times.slips < SLIPS)
    }

    /// To change threads takes as long as a short rendering: what was quick is rendered where it is asked for. What was slow
    /// there a few times, for whichever machine, is so no more. A changed template is measured anew.
    fn took(&self, name: &str, time: Duration) {
        let mut all = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(name) {
            Some(times) => {
                times.mean = (times.mean * 7 + time) / 8;
                times.slips = times.slips.saturating_add(u8::from(time >= SLOW));
            }
            None => drop(all.insert(name.to_owned(), Times { mean: time, slips: 0 })),
        }
    }

    /// The text that is in use, and whence it is.
    pub fn text(&self, name: &str) -> Option<(&str, From)> {
        let own = self.own.get(name).map(|own| (&*own.text, own.from));
        own.or_else(|| {
            Assets::default().shipped(name).filter(|_| self.templates.has(name)).map(|text| (text, From::Shipped))
        })
    }

    /// What is meant, for error messages.
    pub fn place(&self, name: &str, folder: Option<&Path>) -> String {
        match (self.text(name).map(|(_, from)| from), folder) {
            (Some(From::File), Some(folder)) => folder.join(name).display().to_string(),
            (Some(From::LastGood), Some(folder)) => {
                format!("{} (its last good version)", folder.join(name).display())
            }
            (Some(From::Api), _) => format!("{name} (stored)"),
            (Some(From::Shipped), _) => format!("{name} (built in)"),
            _ => name.to_owned(),
        }
    }

    /// The same with these texts for the operators' own; those that do not compile are errors.
    pub fn with(&self, own: BTreeMap<String, Own>) -> Result<Book, Vec<render::Error>> {
        let gone = self.own.keys().filter(|name| !own.contains_key(*name));
        let gone = gone.map(|name| (name.clone(), Assets::default().shipped(name).map(str::to_owned)));
        let differs = |(name, new): &(&String, &Own)| self.own.get(*name).is_none_or(|old| old.text != new.text);
        let new = own.iter().filter(differs).map(|(name, own)| (name.clone(), Some(own.text.to_string())));
        let templates = self.templates.with(gone.chain(new).collect::<Vec<_>>())?;
        Ok(Book::of(templates, own))
    }
}

/// Of this thread's own processor time: on a busy host another thread's turn is no fault of a template.
fn worked() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// What the API wrote, of each template that it wrote last.
pub(super) fn stored(world: &World) -> BTreeMap<String, Own> {
    let api = world.templates().filter(|version| version.whence == Whence::Api);
    let own = |version: &TemplateVersion| {
        let text = version.text.as_deref()?.into();
        Some((version.name.clone(), Own { text, from: From::Api }))
    };
    api.filter_map(own).collect()
}

/// The whole name of a template that an operator names: `redhat/kickstart.ks` lies below `templates/`.
pub fn whole_name(name: &str) -> Result<String, Error> {
    let whole = match name.split_once('/') {
        Some(("templates" | "pxe", _)) => name.to_owned(),
        _ => format!("templates/{name}"),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+/".contains(c);
    match assets::is_template(&whole) && whole.len() <= 255 && whole.chars().all(plain) {
        true => Ok(whole),
        false => Err(Error::Invalid(format!(
            "{name:?} is no name of a template: write a path below templates/ or pxe/, such as redhat/web.ks, with letters, \
             digits and . _ - +; files of settings (.toml) and what editors leave are none"
        ))),
    }
}

impl Engine {
    pub fn book(&self) -> Arc<Book> {
        self.texts.book()
    }

    pub(super) async fn rendered(&self, name: &str, context: Value, whose: Whose) -> Result<String, Error> {
        let whole = move |templates: &Templates, name: &str| templates.render(name, &context, &whose);
        self.off_the_loop(name.to_owned(), whole).await
    }

    /// Off the event loop, unless it is known to be quick: a template may take its second.
    async fn off_the_loop<T: Send + 'static>(
        &self,
        name: String,
        render: impl FnOnce(&Templates, &str) -> Result<T, render::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let book = self.book();
        let used = book.clone();
        let timed = move |name: &str| {
            let began = worked();
            let done = render(&used.templates, name);
            used.took(name, worked().saturating_sub(began));
            done
        };
        let done = if book.is_quick(&name) {
            timed(&name)
        } else {
            let room = self.texts.room().await?;
            let cut_off = format!("rendering {name} was cut off");
            let done = tokio::task::spawn_blocking(move || {
                let _room = room;
                timed(&name)
            });
            done.await.map_err(|e| Error::Internal(format!("{cut_off}: {e}")))?
        };
        done.map_err(|e| Error::Template(self.placed(&book, e)))
    }

    /// The same with secrets, which are opened as they are named.
    pub(super) async fn rendered_with(
        &self,
        name: &str,
        words: Words,
        whose: Whose,
        secrets: Secrets,
    ) -> Result<Rendered, Error> {
        let whole = move |templates: &Templates, name: &str| templates.render_with(name, words, &whose, secrets);
        self.off_the_loop(name.to_owned(), whole).await
    }

    pub(super) fn placed(&self, book: &Book, error: render::Error) -> render::Error {
        render::Error { place: book.place(&error.place, self.assets.operator.as_deref()), ..error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_to_compare_is_told_that_somebody_else_does() {
        let texts = Texts::default();
        let first = texts.comparing().await.unwrap();
        let waits = tokio::time::timeout(Duration::from_secs(30), texts.comparing()).await.expect("it has an end");
        assert!(waits.err().unwrap().to_string().contains("somebody else is comparing"));
        drop(first);
        assert!(texts.comparing().await.is_ok());
    }

    #[test]
    fn what_is_slow_leaves_the_loop() {
        let book = Book::of(SHIPPED.clone(), BTreeMap::new());
        assert!(!book.is_quick("a"), "nobody knows yet");
        book.took("a", SLOW * 10);
        assert!(!book.is_quick("a"), "as the first time often is");
        for _ in 0..60 {
            book.took("a", QUICK / 2);
        }
        book.took("a", QUICK * 2);
        assert!(book.is_quick("a") && !book.is_quick("b"), "once is no habit");
        (0..60).for_each(|_| book.took("a", QUICK * 2));
        assert!(!book.is_quick("a"), "it is now");
        for _ in 0..SLIPS {
            (0..60).for_each(|_| book.took("a", QUICK / 2));
            assert!(book.is_quick("a"));
            book.took("a", SLOW);
        }
        (0..60).for_each(|_| book.took("a", QUICK / 2));
        assert!(!book.is_quick("a"), "another machine's may be slow again");
        book.took("b", QUICK / 2);
        assert!(
            book.is_quick("b") && !book.with(BTreeMap::new()).unwrap().is_quick("b"),
            "after a change nobody knows"
        );
    }
}
