//! Where Cobbler keeps what: the layouts of 2.8 and of 3.x, below a copy of `/` or of `/var/lib/cobbler`.

use super::Error;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One file, and all of one kind.
const BYTES: u64 = 4 << 20;
const FILES: usize = 100_000;
/// How deep folders of snippets nest.
const DEPTH: usize = 8;

/// A record as it lies there.
#[derive(Debug, Clone)]
pub struct Item {
    pub name: String,
    /// The file, for the report.
    pub place: String,
    pub fields: Map<String, Value>,
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Folder {
    /// By their kind: `distro`, `profile` and so on.
    pub items: BTreeMap<&'static str, Vec<Item>>,
    pub settings: Map<String, Value>,
    /// Answer files, by their paths below their folder.
    pub templates: BTreeMap<String, String>,
    pub snippets: BTreeMap<String, String>,
    /// Programs that Cobbler ran by itself.
    pub triggers: Vec<String>,
    /// What could not be read, and why: nothing of it is taken.
    pub unread: Vec<(String, String)>,
    /// Where a path of Cobbler's host lies here.
    pub root: Option<PathBuf>,
}

const COLLECTIONS: [(&str, &str); 9] = [
    ("distro", "distros"),
    ("profile", "profiles"),
    ("system", "systems"),
    ("image", "images"),
    ("menu", "menus"),
    ("repo", "repos"),
    ("mgmtclass", "mgmtclasses"),
    ("package", "packages"),
    ("file", "files"),
];

impl Folder {
    pub fn read(folder: &Path) -> Result<Folder, Error> {
        let below = folder.join("var/lib/cobbler");
        let (root, data) = match below.is_dir() {
            true => (Some(folder.to_owned()), below),
            // Only the folder that Cobbler itself works in names this very host's files.
            false => {
                let is_live = folder.canonicalize().is_ok_and(|folder| folder == Path::new("/var/lib/cobbler"));
                (is_live.then(|| PathBuf::from("/")), folder.to_owned())
            }
        };
        let has = |name: &str| data.join(name).is_dir();
        if !["config", "collections", "templates", "kickstarts", "snippets"].into_iter().any(has) {
            return Err(Error::NoCobbler(folder.display().to_string()));
        }
        let mut found = Folder { root, ..Folder::default() };
        let is_new = has("collections");
        for (kind, plural) in COLLECTIONS {
            let (new, old) = (format!("collections/{plural}"), format!("config/{plural}.d"));
            for place in found.folders(&data, is_new, &[&new], &[&old]) {
                found.collect(kind, &place)?;
            }
        }
        for place in found.folders(&data, is_new, &["templates", "autoinstall_templates"], &["kickstarts"]) {
            texts(&place, &place, 0, &mut found.templates, &mut found.unread)?;
        }
        for place in found.folders(&data, is_new, &["snippets"], &[]) {
            texts(&place, &place, 0, &mut found.snippets, &mut found.unread)?;
        }
        let mut triggers = BTreeMap::new();
        let place = data.join("triggers");
        texts(&place, &place, 0, &mut triggers, &mut Vec::new())?;
        found.triggers = triggers.into_keys().collect();
        found.settle(folder)?;
        Ok(found)
    }

    /// Those that are there, and no links: what 2.8 left beside the data of 3 is old.
    fn folders(&mut self, data: &Path, is_new: bool, new: &[&str], old: &[&str]) -> Vec<PathBuf> {
        let mut there = Vec::new();
        for (names, is_old) in [(new, false), (old, true)] {
            for place in names.iter().map(|name| data.join(name)) {
                let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|about| about.is_symlink());
                let above = place.parent().filter(|above| *above != data);
                let told = place.display().to_string();
                match () {
                    () if is_link(&place) || above.is_some_and(is_link) => {
                        self.unread.push((told, "a link leads there: it is not followed".into()));
                    }
                    () if !place.is_dir() => {}
                    () if is_old && is_new => {
                        self.unread.push((told, "Cobbler 2 left it: collections is what Cobbler 3 reads".into()));
                    }
                    () => there.push(place),
                }
            }
        }
        there
    }

    fn collect(&mut self, kind: &'static str, place: &Path) -> Result<(), Error> {
        for path in entries(place)? {
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let told = path.display().to_string();
            let text = match text(&path) {
                Ok(text) => text,
                Err(why) => {
                    self.unread.push((told, why));
                    continue;
                }
            };
            match serde_json::from_str::<Value>(&text) {
                Ok(Value::Object(fields)) => {
                    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
                    let name = fields.get("name").and_then(Value::as_str).map(str::to_owned).or(stem);
                    self.items.entry(kind).or_default().push(Item {
                        name: name.unwrap_or_default(),
                        place: told,
                        fields,
                    });
                }
                Ok(_) => self.unread.push((told, "it holds no record".into())),
                Err(error) => self.unread.push((told, format!("it is no JSON: {error}"))),
            }
        }
        Ok(())
    }

    fn settle(&mut self, folder: &Path) -> Result<(), Error> {
        for name in ["settings.yaml", "settings"] {
            for place in [folder.join("etc/cobbler").join(name), folder.join(name)] {
                if !place.is_file() || !self.settings.is_empty() {
                    continue;
                }
                let told = place.display().to_string();
                match text(&place).and_then(|text| super::yaml(&text)) {
                    Ok(Value::Object(settings)) => self.settings = settings,
                    Ok(_) => self.unread.push((told, "it holds no settings".into())),
                    Err(why) => self.unread.push((told, why)),
                }
            }
        }
        Ok(())
    }

    pub fn all(&self, kind: &str) -> &[Item] {
        self.items.get(kind).map(Vec::as_slice).unwrap_or_default()
    }
}

fn entries(place: &Path) -> Result<Vec<PathBuf>, Error> {
    let unread = |error: std::io::Error| Error::Unread { place: place.display().to_string(), why: error.to_string() };
    let mut found = Vec::new();
    for entry in fs::read_dir(place).map_err(unread)? {
        if found.len() >= FILES {
            return Err(Error::TooMany { place: place.display().to_string(), limit: FILES });
        }
        found.push(entry.map_err(unread)?.path());
    }
    found.sort();
    Ok(found)
}

/// A plain file's text: no link leads out of the folder.
fn text(path: &Path) -> Result<String, String> {
    let about = fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no plain file".into());
    }
    if about.len() > BYTES {
        return Err(format!("it has {} bytes, and {BYTES} are read", about.len()));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".into())
}

fn texts(
    root: &Path,
    place: &Path,
    depth: usize,
    found: &mut BTreeMap<String, String>,
    unread: &mut Vec<(String, String)>,
) -> Result<(), Error> {
    if !place.is_dir() || depth > DEPTH {
        return Ok(());
    }
    for path in entries(place)? {
        let about = fs::symlink_metadata(&path);
        if about.as_ref().is_ok_and(|about| about.is_dir()) {
            texts(root, &path, depth.saturating_add(1), found, unread)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        match text(&path) {
            Ok(text) => drop(found.insert(name, text)),
            Err(why) => unread.push((path.display().to_string(), why)),
        }
    }
    Ok(())
}
