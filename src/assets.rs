//! Templates, boot scripts and ready-made profiles shipped inside the binary; the operator's file of the same name wins.

use include_dir::{Dir, include_dir};
use std::borrow::Cow;
use std::io;
use std::path::{Component, Path, PathBuf};

static TEMPLATES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");
static PXE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/pxe");
static PROFILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/profiles");

/// Where texts come from. Names are `templates/…`, `pxe/…` or `profiles/…`.
#[derive(Debug, Clone, Default)]
pub struct Assets {
    /// The operator's folder, which holds `templates/`, `pxe/` and `profiles/` of its own.
    pub operator: Option<PathBuf>,
}

impl Assets {
    /// The text of this name, read anew each time: an edited file counts from its next use.
    pub fn text(&self, name: &str) -> Option<Cow<'static, str>> {
        if !is_plain(name) {
            return None;
        }
        match self.own(name) {
            Ok(own) => own.map(Cow::Owned).or_else(|| shipped(name).map(Cow::Borrowed)),
            // The built-in text in its place would be another install than the operator wrote.
            Err(error) => {
                tracing::error!(place = self.place(name), %error, "cannot read the operator's text");
                None
            }
        }
    }

    /// The operator's text of this name. Only a file that is not there is none: one that cannot be read is an error.
    pub fn own(&self, name: &str) -> io::Result<Option<String>> {
        let Some(dir) = self.operator.as_ref().filter(|_| is_plain(name)) else { return Ok(None) };
        match std::fs::read_to_string(dir.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// The names of a folder's `.toml` files, without that, built in and the operator's.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let built_in = shipped_folder(folder).into_iter().flat_map(Dir::files).map(|file| file.path().to_owned());
        let own = self.operator.iter().filter_map(|dir| std::fs::read_dir(dir.join(folder)).ok()).flatten();
        let own = own.flatten().map(|entry| PathBuf::from(entry.file_name()));
        let is_toml = |path: &PathBuf| path.extension().is_some_and(|end| end == "toml");
        let stem = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let names: std::collections::BTreeSet<_> = built_in.chain(own).filter(is_toml).filter_map(stem).collect();
        names.into_iter().collect()
    }

    /// The text that is built in.
    pub fn shipped(&self, name: &str) -> Option<&'static str> {
        shipped(name)
    }

    /// Every template that is built in, by its name.
    pub fn all_shipped() -> impl Iterator<Item = (String, &'static str)> {
        let all = [("templates", &TEMPLATES), ("pxe", &PXE)].into_iter().flat_map(|(folder, dir)| {
            let mut found = Vec::new();
            collect(folder, dir, &mut found);
            found
        });
        all.filter(|(name, _)| is_template(name))
    }

    /// Whose text it is, for error messages.
    pub fn place(&self, name: &str) -> String {
        let may_be = |path: &PathBuf| is_plain(name) && path.try_exists().unwrap_or(true);
        let own = self.operator.as_ref().map(|dir| dir.join(name)).filter(may_be);
        match own {
            Some(path) => path.display().to_string(),
            None if shipped(name).is_some() => format!("{name} (built in)"),
            None => name.to_owned(),
        }
    }
}

fn shipped(name: &str) -> Option<&'static str> {
    let (folder, rest) = name.split_once('/')?;
    shipped_folder(folder)?.get_file(rest)?.contents_utf8()
}

fn shipped_folder(folder: &str) -> Option<&'static Dir<'static>> {
    match folder {
        "templates" => Some(&TEMPLATES),
        "pxe" => Some(&PXE),
        "profiles" => Some(&PROFILES),
        _ => None,
    }
}

fn collect(folder: &str, dir: &Dir<'static>, found: &mut Vec<(String, &'static str)>) {
    let files = dir.files().filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?)));
    found.extend(files.map(|(path, text)| (format!("{folder}/{path}"), text)));
    dir.dirs().for_each(|dir| collect(folder, dir, found));
}

/// Whether a file of this name below `templates/` or `pxe/` is a template. Settings are not, and neither is what editors leave.
pub fn is_template(name: &str) -> bool {
    let left = |part: &str| part.starts_with(['.', '#']) || part.ends_with(['~', '#']);
    let apart = [".toml", ".swp", ".bak", ".orig", ".rej", ".tmp", ".md"].iter().any(|end| name.ends_with(end));
    let below = name.starts_with("templates/") || name.starts_with("pxe/");
    below && is_plain(name) && !apart && !name.split('/').any(|part| part.is_empty() || left(part))
}

/// No way out of the folder.
fn is_plain(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_file_wins_and_no_name_leaves_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let assets = Assets { operator: Some(dir.path().join("own")) };
        assert!(assets.text("pxe/ipxe/disk.ipxe").unwrap().starts_with("#!ipxe"));
        std::fs::create_dir_all(dir.path().join("own/pxe/ipxe")).unwrap();
        std::fs::write(dir.path().join("own/pxe/ipxe/disk.ipxe"), "mine").unwrap();
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        assert_eq!(assets.text("pxe/ipxe/disk.ipxe").unwrap(), "mine");
        for name in ["../secret", "templates/../../secret", "/etc/passwd", ""] {
            assert_eq!(assets.text(name), None, "{name}");
        }
    }

    #[test]
    fn a_text_that_cannot_be_read_is_not_the_built_in_one() {
        let dir = tempfile::tempdir().unwrap();
        let assets = Assets { operator: Some(dir.path().to_owned()) };
        assert_eq!(assets.own("pxe/loaders.toml").unwrap(), None);
        std::fs::create_dir(dir.path().join("pxe")).unwrap();
        std::fs::write(dir.path().join("pxe/loaders.toml"), b"not UTF-8: \xff").unwrap();
        assert!(assets.own("pxe/loaders.toml").is_err());
        assert_eq!(assets.text("pxe/loaders.toml"), None);
    }
}
