//! Templates, boot scripts and ready-made profiles shipped inside the binary; the operator's file of the same name wins.

use include_dir::{Dir, include_dir};
use std::path::{Component, Path, PathBuf};

static TEMPLATES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");
static PXE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/pxe");

/// Where texts come from. Names are `templates/…` or `pxe/…`.
#[derive(Debug, Clone, Default)]
pub struct Assets {
    /// The operator's folder, which holds `templates/` and `pxe/` of its own.
    pub operator: Option<PathBuf>,
}

impl Assets {
    /// The text of this name, read anew each time: an edited file counts from its next use.
    pub fn text(&self, name: &str) -> Option<String> {
        if !is_plain(name) {
            return None;
        }
        self.own(name).or_else(|| shipped(name).map(str::to_owned))
    }

    /// The operator's text of this name.
    pub fn own(&self, name: &str) -> Option<String> {
        let dir = self.operator.as_ref().filter(|_| is_plain(name))?;
        std::fs::read_to_string(dir.join(name)).ok()
    }

    /// The text that is built in.
    pub fn shipped(&self, name: &str) -> Option<&'static str> {
        shipped(name)
    }

    /// Whose text it is, for error messages.
    pub fn place(&self, name: &str) -> String {
        let own = self.operator.as_ref().map(|dir| dir.join(name)).filter(|path| is_plain(name) && path.exists());
        match own {
            Some(path) => path.display().to_string(),
            None if shipped(name).is_some() => format!("{name} (built in)"),
            None => name.to_owned(),
        }
    }
}

fn shipped(name: &str) -> Option<&'static str> {
    let (folder, rest) = name.split_once('/')?;
    let dir = match folder {
        "templates" => &TEMPLATES,
        "pxe" => &PXE,
        _ => return None,
    };
    dir.get_file(rest)?.contents_utf8()
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
}
