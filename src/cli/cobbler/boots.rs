//! Kernels and initrds: from Cobbler's folders to the files of the server.

use crate::cli::import::demand_files;
use crate::cli::session::Session;
use crate::cobbler::{Boot, Line, What};
use anyhow::{Context, Result, bail};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub struct Boots {
    /// Below the server's files, and where each comes from.
    pub found: Vec<(Boot, [PathBuf; 2])>,
    pub missing: Vec<Boot>,
    pub files: PathBuf,
}

/// What was put there, each with what lay there before.
#[derive(Default)]
pub struct Copied(Vec<(PathBuf, Option<PathBuf>)>);

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

    /// Each file that is given to clients from now on.
    pub fn told(&self) -> Vec<Line> {
        let line = |boot: &Boot, (from, to): (&PathBuf, &String)| {
            let text = format!("{} is copied to {to}: whoever boots can fetch it", from.display());
            Line::new(What::Note, &format!("distro {}", boot.distro), &text)
        };
        self.found.iter().flat_map(|(boot, from)| from.iter().zip(&boot.to).map(|pair| line(boot, pair))).collect()
    }

    /// What is copied anywhere else would boot nobody: known before a folder is made.
    pub async fn demand(&self, session: &Session) -> Result<()> {
        if self.found.is_empty() { Ok(()) } else { demand_files(session, &self.files).await }
    }

    /// Whether nothing else lies where they would go.
    pub fn fit(&self, replace: bool) -> Result<()> {
        let pairs = self.found.iter().flat_map(|(boot, from)| from.iter().zip(&boot.to));
        pairs.map(|(from, to)| is_same(from, &self.files.join(to), replace)).try_for_each(|found| found.map(drop))
    }

    /// All of them, or none.
    pub fn copy(&self, replace: bool) -> Result<Copied> {
        let mut copied = Copied::default();
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
        for (path, before) in self.0.iter().rev() {
            if let Some(before) = before {
                let _ = fs::rename(before, path);
                continue;
            }
            let _ = fs::remove_file(path);
            // A folder that others use stays.
            path.parent().map(fs::remove_dir);
        }
    }

    /// What lay there before goes.
    pub fn keep(&self) {
        self.0.iter().filter_map(|(_, before)| before.as_ref()).for_each(|before| drop(fs::remove_file(before)));
    }
}

/// Below the copy: its paths are somebody else's words, and no link leads out of it.
fn place(root: Option<&Path>, path: &str) -> Option<PathBuf> {
    let inside = path.trim_start_matches('/');
    if inside.is_empty() || inside.split('/').any(|part| matches!(part, "." | "..")) {
        return None;
    }
    let root = root?.canonicalize().ok()?;
    let found = root.join(inside).canonicalize().ok()?;
    (found.starts_with(&root) && found.is_file()).then_some(found)
}

fn take(from: &Path, to: &Path, replace: bool, copied: &mut Copied) -> Result<()> {
    if is_same(from, to, replace)? {
        return Ok(());
    }
    let is_there = to.exists();
    let folder = to.parent().context("a file lies in a folder")?;
    folders(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (part, before) = (to.with_extension("part"), is_there.then(|| to.with_extension("before")));
    let said = || format!("cannot copy {} to {}", from.display(), to.display());
    let done = write(from, &part).and_then(|()| before.as_ref().map_or(Ok(()), |before| aside(to, before)));
    if let Err(error) = done.and_then(|()| fs::rename(&part, to)) {
        let _ = fs::remove_file(&part);
        before.iter().for_each(|before| drop(fs::remove_file(before)));
        return Err(error).with_context(said);
    }
    copied.0.push((to.to_owned(), before));
    Ok(())
}

/// Whether it lies there already; another file there must be meant.
fn is_same(from: &Path, to: &Path, replace: bool) -> Result<bool> {
    if !to.exists() || same(from, to)? {
        return Ok(to.exists());
    }
    if !replace {
        bail!("{} is there already and is another file than {}: --replace it", to.display(), from.display());
    }
    Ok(false)
}

/// A second name for what lies there, which stays until the other is in its place.
fn aside(to: &Path, before: &Path) -> io::Result<()> {
    gone(before)?;
    fs::hard_link(to, before)
}

fn gone(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Readable for the service, whatever mask and mode there were.
fn write(from: &Path, part: &Path) -> io::Result<()> {
    gone(part)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(part)?;
    io::copy(&mut File::open(from)?, &mut file)?;
    file.set_permissions(Permissions::from_mode(0o644))
}

fn folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), folders)?;
    DirBuilder::new().mode(0o755).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

fn same(a: &Path, b: &Path) -> Result<bool> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let size = |path: &Path| fs::metadata(path).map(|about| about.len()).unwrap_or_default();
    Ok(size(a) == size(b) && read(a)? == read(b)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn boot(from: &str) -> Boot {
        let to = ["distros/d/kernel", "distros/d/initrd"].map(str::to_owned);
        Boot { distro: "d".into(), from: [from.to_owned(), "/boot/initrd".into()], to }
    }

    fn scene() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (root, files) = (folder.path().join("copy"), folder.path().join("files"));
        fs::create_dir_all(root.join("boot")).unwrap();
        fs::create_dir_all(&files).unwrap();
        fs::write(root.join("boot/kernel"), "new").unwrap();
        fs::write(root.join("boot/initrd"), "initrd").unwrap();
        (folder, root, files)
    }

    #[test]
    fn nothing_outside_of_the_copy_is_taken() {
        let (folder, root, files) = scene();
        let own = folder.path().join("secret");
        fs::write(&own, "s3cret").unwrap();
        symlink(&own, root.join("boot/link")).unwrap();
        symlink(folder.path(), root.join("up")).unwrap();
        symlink("kernel", root.join("boot/inner")).unwrap();
        let found = |root: Option<&Path>, path: &str| Boots::find(&files, root, &[boot(path)]).found.len();
        assert_eq!((found(Some(&root), "/boot/kernel"), found(Some(&root), "/boot/inner")), (1, 1));
        for path in [own.to_str().unwrap(), "/boot/link", "/up/secret", "/boot/../../secret", "/etc/passwd"] {
            assert_eq!((found(Some(&root), path), found(None, path)), (0, 0), "{path}");
        }
    }

    #[test]
    fn what_lay_there_comes_back_or_goes() {
        let (_folder, root, files) = scene();
        let kernel = files.join("distros/d/kernel");
        let boots = Boots::find(&files, Some(&root), &[boot("/boot/kernel")]);
        assert_eq!(boots.told().len(), 2);
        fs::set_permissions(root.join("boot/initrd"), Permissions::from_mode(0o600)).unwrap();
        folders(kernel.parent().unwrap()).unwrap();
        fs::write(&kernel, "old").unwrap();
        assert!(boots.copy(false).is_err(), "it is another file");
        boots.copy(true).unwrap().undo();
        assert_eq!(fs::read_to_string(&kernel).unwrap(), "old");
        assert_eq!(fs::read_dir(kernel.parent().unwrap()).unwrap().count(), 1, "nothing else stays");
        boots.copy(true).unwrap().keep();
        assert_eq!(fs::read_to_string(&kernel).unwrap(), "new");
        assert_eq!(fs::read_dir(kernel.parent().unwrap()).unwrap().count(), 2);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&files.join("distros/d/initrd")), mode(&files.join("distros"))), (0o644, 0o755));
    }
}
