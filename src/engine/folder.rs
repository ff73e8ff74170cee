//! A file below a folder: by one call of the kernel, which lets neither `..` nor a link lead out of it.

use crate::import::stage;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Component, Path};

/// How often a name is looked up again that somebody moves meanwhile.
const TRIES: usize = 4;

/// The open file of this name; none where there is none, and where the name leads out of the folder.
pub async fn open(folder: &Path, name: &str) -> io::Result<Option<(File, Metadata)>> {
    if !is_plain(name) {
        return Ok(None);
    }
    // What the kernel has in memory is opened at once; what it must ask a disk for is not waited for here.
    match opened(folder, name, ResolveFlags::CACHED) {
        Err(Errno::AGAIN | Errno::INVAL) => {
            let (folder, name) = (folder.to_owned(), name.to_owned());
            let slow = move || regular(patient(&folder, &name));
            tokio::task::spawn_blocking(slow).await.map_err(io::Error::other)?
        }
        quick => regular(quick),
    }
}

/// Every part of it is the name of a file or a folder, and none of them the place where imports are under way.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components().peekable();
    let is_name = |part| matches!(part, Component::Normal(name) if name != stage::FOLDER);
    parts.peek().is_some() && parts.all(is_name)
}

fn patient(folder: &Path, name: &str) -> Result<File, Errno> {
    for _ in 0..TRIES {
        match opened(folder, name, ResolveFlags::empty()) {
            Err(Errno::AGAIN) => continue,
            // An old kernel, or a filter of system calls that is older than this one.
            Err(Errno::NOSYS | Errno::PERM) => return compared(folder, name),
            opened => return opened,
        }
    }
    Err(Errno::NOENT)
}

/// A file that is a pipe, or a device, must not make us wait: hence NONBLOCK.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

fn opened(folder: &Path, name: &str, how: ResolveFlags) -> Result<File, Errno> {
    // Looked up each time: an operator may put another folder in its place.
    let root = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let how = how | ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(root, name, READ, Mode::empty(), how) {
        Err(Errno::NOSYS | Errno::PERM) if how.contains(ResolveFlags::CACHED) => Err(Errno::AGAIN),
        opened => opened.map(File::from),
    }
}

/// The same without the kernel's help. Who may write in the folder can win a race against it.
fn compared(folder: &Path, name: &str) -> Result<File, Errno> {
    let real = |path: &Path| std::fs::canonicalize(path).map_err(|_| Errno::NOENT);
    let folder = real(folder)?;
    let path = real(&folder.join(name))?;
    match path.starts_with(&folder) {
        true => openat(CWD, &path, READ | OFlags::NOFOLLOW, Mode::empty()).map(File::from),
        false => Err(Errno::XDEV),
    }
}

fn regular(opened: Result<File, Errno>) -> io::Result<Option<(File, Metadata)>> {
    match opened {
        Ok(file) => {
            let meta = file.metadata()?;
            Ok(meta.is_file().then_some((file, meta)))
        }
        // Ours to put right: no descriptor, no memory, a broken disk.
        Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::IO)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn scene() -> tempfile::TempDir {
        let scene = tempfile::tempdir().unwrap();
        let path = |name: &str| scene.path().join(name);
        std::fs::create_dir_all(path("files/d")).unwrap();
        std::fs::create_dir_all(path("files/d/.import")).unwrap();
        std::fs::write(path("files/d/.import/kernel"), "under way").unwrap();
        std::fs::write(path("files/d/kernel"), "inside").unwrap();
        std::fs::write(path("outside"), "secret").unwrap();
        symlink("d/kernel", path("files/link")).unwrap();
        symlink("../outside", path("files/out")).unwrap();
        symlink(path("files/d/kernel"), path("files/absolute")).unwrap();
        symlink("..", path("files/d/up")).unwrap();
        symlink("/proc/self/root", path("files/magic")).unwrap();
        scene
    }

    #[tokio::test]
    async fn only_what_is_below_the_folder_is_opened() {
        let scene = scene();
        let folder = scene.path().join("files");
        for (name, there) in [
            ("d/kernel", true),
            ("link", true),
            ("d/up/d/kernel", true),
            ("out", false),
            ("absolute", false),
            ("d/up/../outside", false),
            ("magic/etc/passwd", false),
            ("../outside", false),
            ("/etc/passwd", false),
            ("d", false),
            ("", false),
            ("d/kernel/", false),
            ("d/none", false),
            ("d\0/kernel", false),
            ("d/.import/kernel", false),
        ] {
            assert_eq!(open(&folder, name).await.unwrap().is_some(), there, "{name:?}");
        }
    }

    #[test]
    fn without_the_kernels_help_it_is_the_same_but_for_absolute_links() {
        let scene = scene();
        let folder = scene.path().join("files");
        for (name, there) in [
            ("d/kernel", true),
            ("link", true),
            ("out", false),
            ("d/up/../outside", false),
            ("magic/etc/passwd", false),
        ] {
            assert_eq!(compared(&folder, name).is_ok(), there, "{name:?}");
        }
    }

    #[tokio::test]
    async fn a_pipe_is_no_file_and_nobody_waits_for_it() {
        let scene = scene();
        let pipe = scene.path().join("files/pipe");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(open(&scene.path().join("files"), "pipe").await.unwrap().is_none());
    }
}
