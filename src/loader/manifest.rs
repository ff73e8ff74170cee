//! The catalogue: `loaders.toml`, built in and the operator's, as written and as needed.

use crate::model::{By, Digest, Imported, Language, Loader, LoaderFile, Name, Target, Time};
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// Its name among the assets, and below the operator's folder.
pub const NAME: &str = "pxe/loaders.toml";

/// `loader/file` must fit the `file` field of a DHCP header, with its NUL.
const LONGEST_PATH: usize = 127;

const HEAD: &str = "# Boot loaders of this host. `kickstand loader` writes this file anew and keeps no comments but these;\n\
    # rows of your own stay. A row of the same name as one that is built in speaks over it, field by field.\n";

/// Where a catalogue is broken, and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}:{line}: {text}")]
pub struct Error {
    pub place: String,
    pub line: usize,
    pub text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "loader")]
    loaders: Vec<Spanned<Row>>,
}

/// A loader as written: what is absent, an earlier file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<Language>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arch: Option<Vec<Target>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Vec<By>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secure: Option<String>,
    #[serde(default, rename = "file", skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileRow>,
}

/// A file as written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRow {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    optional: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imported_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sbat: Option<Vec<String>>,
    /// Written by import into a row that says nothing else and that it found there: removing leaves that row.
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<bool>,
}

/// All loaders of these texts, each with the place that errors name; a later text speaks over an earlier one.
pub fn catalogue(texts: &[(&str, &str)]) -> Result<Vec<Loader>, Error> {
    let mut merged: Vec<(Row, &str, usize)> = Vec::new();
    for (place, text) in texts {
        for (line, row) in rows(place, text)? {
            match merged.iter_mut().find(|(known, ..)| known.name == row.name) {
                Some(known) => {
                    known.0.overlay(row);
                    (known.1, known.2) = (place, line);
                }
                None => merged.push((row, place, line)),
            }
        }
    }
    let needed = merged
        .into_iter()
        .map(|(row, place, line)| row.needed().map_err(|text| Error { place: place.to_owned(), line, text }));
    needed.collect()
}

/// The rows of one text, each with its line.
fn rows(place: &str, text: &str) -> Result<Vec<(usize, Row)>, Error> {
    let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
    let error = |line, text| Error { place: place.to_owned(), line, text };
    let written: Written =
        toml::from_str(text).map_err(|e| error(e.span().map_or(1, |span| line(span.start)), e.message().to_owned()))?;
    let mut rows: Vec<(usize, Row)> = Vec::new();
    for row in written.loaders {
        let at = line(row.span().start);
        let row = row.into_inner();
        if rows.iter().any(|(_, known)| known.name == row.name) {
            return Err(error(at, format!("there is a loader {} already: give each a name of its own", row.name)));
        }
        let twice = row.files.iter().enumerate().find(|(nth, f)| row.files.iter().take(*nth).any(|g| g.name == f.name));
        if let Some((_, file)) = twice {
            return Err(error(at, format!("loader {} has the file {} twice", row.name, file.name)));
        }
        rows.push((at, row));
    }
    Ok(rows)
}

impl Row {
    fn overlay(&mut self, over: Row) {
        speak(&mut self.language, over.language);
        speak(&mut self.arch, over.arch);
        speak(&mut self.by, over.by);
        speak(&mut self.first, over.first);
        speak(&mut self.secure, over.secure);
        for file in over.files {
            match self.files.iter_mut().find(|known| known.name == file.name) {
                Some(known) => known.overlay(file),
                None => self.files.push(file),
            }
        }
    }

    fn needed(self) -> Result<Loader, String> {
        let name = self.name;
        let lacks = |field| format!("loader {name} has no {field}, and none of that name is built in");
        let language = self.language.ok_or_else(|| lacks("language"))?;
        let arch = self.arch.filter(|list| !list.is_empty()).ok_or_else(|| lacks("arch"))?;
        let by = self.by.filter(|list| !list.is_empty()).ok_or_else(|| lacks("by"))?;
        let files = self.files.into_iter().map(|file| file.needed(&name)).collect::<Result<Vec<_>, _>>()?;
        match &self.first {
            None if language == Language::Extlinux => {}
            None => return Err(lacks("first")),
            Some(first) if files.iter().any(|file| file.name == *first) => {}
            Some(first) => return Err(format!("loader {name} has no [[loader.file]] of the name {first:?}")),
        }
        // Empty takes away what an earlier text says.
        let secure = self.secure.filter(|by| !by.is_empty());
        Ok(Loader { name, language, arch, by, first: self.first, secure, files })
    }
}

impl FileRow {
    fn overlay(&mut self, over: FileRow) {
        speak(&mut self.package, over.package);
        speak(&mut self.path, over.path);
        speak(&mut self.optional, over.optional);
        speak(&mut self.sha256, over.sha256);
        speak(&mut self.size, over.size);
        speak(&mut self.origin, over.origin);
        speak(&mut self.imported_at, over.imported_at);
        speak(&mut self.sbat, over.sbat);
    }

    fn needed(self, loader: &Name) -> Result<LoaderFile, String> {
        check_name(loader, &self.name)?;
        let imported = match (self.sha256, self.size, self.origin, self.imported_at) {
            (Some(sha256), Some(size), Some(origin), Some(imported_at)) => {
                Some(Imported { sha256, size, origin, imported_at, sbat: self.sbat.unwrap_or_default() })
            }
            (None, None, None, None) => None,
            _ => {
                let name = self.name;
                return Err(format!(
                    "file {name} has one of sha256, size, origin and imported_at, but not all: import it"
                ));
            }
        };
        let path = self.path.filter(|path| !path.is_empty());
        if let Some(path) = path.as_ref().filter(|path| !path.starts_with('/') || path.contains("/../")) {
            return Err(format!("file {}: {path:?} is not the whole path of a file in a package", self.name));
        }
        let optional = self.optional.unwrap_or_default();
        Ok(LoaderFile { name: self.name, package: self.package, path, optional, imported })
    }

    /// Whether it says no more than a name.
    fn is_bare(&self) -> bool {
        *self == FileRow { name: self.name.clone(), ..FileRow::default() }
    }

    fn remember(&mut self, facts: Option<Imported>) {
        let facts = facts.map(|f| (f.sha256, f.size, f.origin, f.imported_at, f.sbat));
        (self.sha256, self.size, self.origin, self.imported_at, self.sbat) = match facts {
            Some((sha256, size, origin, at, sbat)) => (Some(sha256), Some(size), Some(origin), Some(at), Some(sbat)),
            None => (None, None, None, None, None),
        };
    }
}

fn speak<T>(known: &mut Option<T>, over: Option<T>) {
    if over.is_some() {
        *known = over;
    }
}

/// A file of a loader lies flat in its folder, and its path fits a DHCP header.
pub fn check_name(loader: &Name, file: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let first = file.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if !first || !file.chars().all(inner) {
        return Err(format!(
            "{file:?} is not the name of a loader's file: use letters, digits and . - _ +, and no folder"
        ));
    }
    let length = loader.as_str().len() + 1 + file.len();
    if length > LONGEST_PATH {
        return Err(format!("{loader}/{file} has {length} bytes, and a DHCP header holds {LONGEST_PATH}: shorten it"));
    }
    Ok(())
}

/// The operator's own file.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    rows: Vec<Row>,
}

impl Own {
    pub fn parse(place: &str, text: &str) -> Result<Own, Error> {
        Ok(Own { rows: rows(place, text)?.into_iter().map(|(_, row)| row).collect() })
    }

    /// What was imported as this file of this loader.
    pub fn remember(&mut self, loader: &Name, file: &str, facts: Imported) {
        let at = self.rows.iter().position(|row| row.name == *loader).unwrap_or_else(|| {
            self.rows.push(Row::only(loader));
            self.rows.len() - 1
        });
        let mut added = false;
        let files = &mut self.rows[at].files;
        let at = files.iter().position(|row| row.name == file).unwrap_or_else(|| {
            files.push(FileRow { name: file.to_owned(), ..FileRow::default() });
            added = true;
            files.len() - 1
        });
        if !added && files[at].is_bare() {
            files[at].keep = Some(true);
        }
        files[at].remember(Some(facts));
    }

    /// Nothing of this loader is imported. What the operator wrote stays.
    pub fn forget(&mut self, loader: &Name) {
        for row in self.rows.iter_mut().filter(|row| row.name == *loader) {
            // Import writes rows of its own beside those of a loader that is built in.
            let by_import = row.language.is_none();
            row.files.retain_mut(|file| {
                let kept = file.keep.take().unwrap_or_default() || file.sha256.is_none();
                file.remember(None);
                kept || !by_import || !file.is_bare()
            });
        }
        self.rows.retain(|row| *row != Row::only(&row.name));
    }

    /// The whole file, in order.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        #[derive(Serialize)]
        struct All<'a> {
            loader: &'a [Row],
        }
        let mut rows = self.rows.clone();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows.iter_mut().for_each(|row| row.files.sort_by(|a, b| a.name.cmp(&b.name)));
        let body = if rows.is_empty() { String::new() } else { toml::to_string(&All { loader: &rows })? };
        Ok(format!("{HEAD}\n{body}"))
    }
}

impl Row {
    fn only(name: &Name) -> Row {
        Row { name: name.clone(), language: None, arch: None, by: None, first: None, secure: None, files: Vec::new() }
    }
}
