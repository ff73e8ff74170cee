//! The shelf as the files of `pxe/` and the folders of loaders have it: read anew when one of them changed.

use super::{Engine, Error, stopped};
use crate::boot::Tale;
use crate::loader::{manifest, place};
use crate::model::*;
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;

/// The quirks' name among the assets.
const QUIRKS: &str = "pxe/quirks.toml";
/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was read last, and from which texts.
#[derive(Default)]
pub struct Shelves {
    shelf: RwLock<Arc<Shelf>>,
    texts: Mutex<Texts>,
}

/// The operator's files; none until they were looked at.
#[derive(Default)]
struct Texts {
    loaders: Option<Text>,
    quirks: Option<Text>,
}

/// None where there is no such file; the error says why it cannot be read.
type Text = Result<Option<String>, String>;

impl Engine {
    pub fn shelf(&self) -> Arc<Shelf> {
        self.shelves.shelf.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the files until told to stop.
    pub async fn watch_shelf(self: Arc<Engine>, mut stop: watch::Receiver<bool>) {
        loop {
            let engine = self.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || engine.read_shelf()).await {
                tracing::error!(%error, "the loaders were not looked at: this is a bug, please report it");
            }
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// A file that cannot be read leaves the shelf as it was, and an event says why: once for each of its versions.
    pub fn read_shelf(&self) {
        // Held to the end: who read first must not put an older shelf over a newer one.
        let mut known = self.shelves.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.shelf();
        let loaders = self.rows(manifest::NAME, &mut known.loaders, |own| self.catalogue(own));
        let quirks = self.rows(QUIRKS, &mut known.quirks, |own| self.quirks(own));
        let loaders = loaders.unwrap_or_else(|| old.loaders.iter().map(|row| row.loader.clone()).collect());
        let shelved = |loader| Shelved { there: place::is_there(&self.folders, &loader), loader };
        let new = Shelf {
            loaders: loaders.into_iter().map(shelved).collect(),
            quirks: quirks.unwrap_or_else(|| old.quirks.clone()),
        };
        if new != *old {
            *self.shelves.shelf.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        }
    }

    /// What the operator's file of this name says now, with what is built in; none where the old rows stay.
    fn rows<T>(
        &self,
        name: &str,
        known: &mut Option<Text>,
        read: impl Fn(Option<&str>) -> Result<Vec<T>, String>,
    ) -> Option<Vec<T>> {
        let own = self.assets.own(name).map_err(|error| format!("cannot read {}: {error}", self.assets.place(name)));
        if known.as_ref() == Some(&own) {
            return None;
        }
        let rows = own.as_ref().map_err(Clone::clone).and_then(|own| read(own.as_deref()));
        let first = known.replace(own).is_none();
        let text = match rows {
            Ok(rows) => return Some(rows),
            Err(text) => text,
        };
        // At the start there are no old rows, and without any nothing boots.
        let instead = if first { "the built-in rows count alone" } else { "the old rows stay" };
        self.tell(Tale::new(self.now(), Kind::Appliance, format!("{name}: {instead}: {text}")));
        first.then(|| read(None).unwrap_or_default())
    }

    /// Looks at the files at once. Other tasks of this thread go on meanwhile, where there is another thread for them.
    pub(super) fn read_shelf_now(&self) {
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| self.read_shelf()),
            _ => self.read_shelf(),
        }
    }

    /// Says what is wrong with a loader that a record names. Who just imported one has not waited for the next look.
    pub fn check_loader(&self, name: Option<&Name>) -> Result<(), Error> {
        let Some(name) = name else { return Ok(()) };
        if self.shelf().loader(name.as_str()).is_none() {
            self.read_shelf_now();
        }
        match self.shelf().loader(name.as_str()) {
            Some(_) => Ok(()),
            None => {
                Err(Error::Invalid(format!("loader: there is no loader {name}: `kickstand loader list` shows them")))
            }
        }
    }

    fn catalogue(&self, own: Option<&str>) -> Result<Vec<Loader>, String> {
        let (built_in, place) = (self.assets.shipped(manifest::NAME), self.assets.place(manifest::NAME));
        let own = own.map(|text| (place.as_str(), text));
        let built_in = built_in.map(|text| ("pxe/loaders.toml (built in)", text));
        let all: Vec<_> = built_in.into_iter().chain(own).collect();
        manifest::catalogue(&all).map_err(|error| error.to_string())
    }

    fn quirks(&self, own: Option<&str>) -> Result<Vec<Quirk>, String> {
        let own = own.map(|text| quirks(&self.assets.place(QUIRKS), text)).transpose()?;
        let built_in =
            self.assets.shipped(QUIRKS).map(|text| quirks("pxe/quirks.toml (built in)", text)).transpose()?;
        Ok(own.into_iter().chain(built_in).flatten().collect())
    }
}

/// The rows of one text; the error names its line.
pub fn quirks(place: &str, text: &str) -> Result<Vec<Quirk>, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        #[serde(default, rename = "quirk")]
        quirks: Vec<toml::Spanned<Quirk>>,
    }
    let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
    let written: Written = toml::from_str(text)
        .map_err(|e| format!("{place}:{}: {}", e.span().map_or(1, |span| line(span.start)), e.message()))?;
    for row in &written.quirks {
        let quirk = row.get_ref();
        if quirk.matches.is_empty() {
            let text = "match says nothing, so it would fit everybody: say it of a network instead";
            return Err(format!("{place}:{}: quirk {}: {text}", line(row.span().start), quirk.name));
        }
        if let Some(what) = quirk.unheard() {
            let text =
                "counts when a file is sent, and then no more is known than mac and product: match by these alone";
            return Err(format!("{place}:{}: quirk {}: {what} {text}", line(row.span().start), quirk.name));
        }
    }
    Ok(written.quirks.into_iter().map(toml::Spanned::into_inner).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quirk_is_read_and_a_mistake_is_named_with_its_line() {
        let text = "[[quirk]]\nname = \"old\"\nsays = \"loses blocks\"\nmatch = { mac = \"94:57:a5\" }\nwindow = 1\n";
        let read = quirks("q.toml", text).unwrap();
        assert_eq!((read[0].window, read[0].name.as_str()), (Some(1), "old"));
        let wrong = quirks("q.toml", &text.replace("window", "windows")).unwrap_err();
        assert!(wrong.starts_with("q.toml:") && wrong.contains("windows"), "{wrong}");
        let empty = quirks("q.toml", &text.replace("mac = \"94:57:a5\"", "")).unwrap_err();
        assert!(empty.starts_with("q.toml:1:") && empty.contains("everybody"), "{empty}");
    }

    #[test]
    fn what_counts_only_where_a_client_is_not_heard_cannot_match_by_what_it_said() {
        let row = |mark: &str, says: &str| {
            let text = format!(
                "\n[[quirk]]\nname = \"old\"\nsays = \"why\"\nmatch = {{ mac = \"94:57:a5\", {mark} }}\n{says}\n"
            );
            quirks("q.toml", &text)
        };
        let heard = ["vendor = \"PXE\"", "arch = 7", "program = \"rom\"", "user_class = \"x\""];
        let late = ["window = 1", "block_bytes = 512"].into_iter().map(str::to_owned);
        let ways = ["exit", "exit-1", "sanboot", "efi-chain"].map(|way| format!("disk_boot = \"{way}\""));
        for says in late.chain(ways) {
            for mark in heard {
                let error = row(mark, &says).unwrap_err();
                let word = says.split(" = \"").last().unwrap().trim_matches('"');
                assert!(
                    error.starts_with("q.toml:2: quirk old: ") && error.contains(word.split(' ').next().unwrap()),
                    "{error}"
                );
            }
            row("product = \"ProLiant\"", &says).unwrap();
        }
        for says in ["nul = false", "loader = \"ipxe-x64\"", "disk_boot = \"not-found\"", "disk_boot = \"grub-chain\""]
        {
            heard.iter().for_each(|mark| drop(row(mark, says).unwrap()));
        }
    }

    #[test]
    fn the_shipped_quirks_are_sound() {
        let text = crate::assets::Assets::default().shipped(QUIRKS).unwrap();
        quirks(QUIRKS, text).unwrap();
    }
}
