//! Kernels and initrds: from Cobbler's folders to the files of the server.

use crate::cobbler::Boot;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

pub struct Boots {
    /// Below the server's files, and where each comes from.
    pub found: Vec<(Boot, [PathBuf; 2])>,
    pub missing: Vec<Boot>,
    files: PathBuf,
}

/// What was put there and was not before.
pub struct Copied(Vec<PathBuf>);

impl Boots {
    pub fn find(files: &Path, root: Option<&Path>, wanted: &[Boot]) -> Boots {
        let mut boots = Boots { found: Vec::new(), missing: Vec::new(), files: files.to_owned() };
        for boot in wanted {
            let [kernel, initrd] = boot.from.each_ref().map(|path| place(root, path));
            match (kernel, initrd) {
                (Some(kernel), Some(initrd)) => boots.found.push((boot.clone(), [kernel, initrd])),
                _ => boots.missing.push(boot.clone()),
            }
        }
        boots
    }

    pub fn complaint(&self) -> String {
        let line = |boot: &Boot| format!("\n  distro {}: {} or {}", boot.distro, boot.from[0], boot.from[1]);
        let lines: String = self.missing.iter().map(line).collect();
        format!(
            "files that boot are not here:{lines}\ncopy them below the folder as they lie on Cobbler's host, import the trees with `kickstand distro import PATH --name NAME` first, or leave such distros out with --partial; nothing was changed"
        )
    }

    /// All of them, or none.
    pub fn copy(&self, replace: bool) -> Result<Copied> {
        let mut copied = Copied(Vec::new());
        for (boot, from) in &self.found {
            for (from, to) in from.iter().zip(&boot.to) {
                if let Err(error) = take(from, &self.files.join(to), replace, &mut copied) {
                    copied.undo();
                    return Err(error);
                }
            }
        }
        Ok(copied)
    }
}

impl Copied {
    pub fn undo(&self) {
        for path in self.0.iter().rev() {
            let _ = fs::remove_file(path);
            // A folder that others use stays.
            path.parent().map(fs::remove_dir);
        }
    }
}

/// Below the copy, or on this very host.
fn place(root: Option<&Path>, path: &str) -> Option<PathBuf> {
    let inside = path.trim_start_matches('/');
    if inside.is_empty() || inside.split('/').any(|part| matches!(part, "." | "..")) {
        return None;
    }
    let below = root.map(|root| root.join(inside));
    let own = path.starts_with('/').then(|| PathBuf::from(path));
    below.into_iter().chain(own).find(|path| path.is_file())
}

fn take(from: &Path, to: &Path, replace: bool, copied: &mut Copied) -> Result<()> {
    let is_there = to.exists();
    if is_there && !replace {
        if same(from, to)? {
            return Ok(());
        }
        bail!("{} is there already and is another file than {}: --replace it", to.display(), from.display());
    }
    let folder = to.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let part = to.with_extension("part");
    let said = || format!("cannot copy {} to {}", from.display(), to.display());
    if !is_there {
        copied.0.push(to.to_owned());
    }
    let done = fs::copy(from, &part).and_then(|_| fs::rename(&part, to));
    if done.is_err() {
        let _ = fs::remove_file(&part);
    }
    done.with_context(said)
}

fn same(a: &Path, b: &Path) -> Result<bool> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let size = |path: &Path| fs::metadata(path).map(|about| about.len()).unwrap_or_default();
    Ok(size(a) == size(b) && read(a)? == read(b)?)
}
