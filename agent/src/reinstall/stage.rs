//! Kernel and initrd on their way to the disk: each compared with the digest that the server named.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use crate::fetch;
use crate::kit::{Kit, Part, hex};
use crate::retry::Patience;
use crate::session::Session;

/// What is started, on the disk.
pub struct Staged {
    pub kernel: PathBuf,
    /// All of them, one after the other: kernels take them so.
    pub initrd: PathBuf,
    pub command_line: String,
}

pub fn fetch(session: &Session, patience: Patience, kit: &Kit, folder: &Path) -> Result<Staged, String> {
    let staged = Staged {
        kernel: folder.join("vmlinuz"),
        initrd: folder.join("initrd.img"),
        command_line: kit.command_line.clone(),
    };
    let failed = |cause: io::Error| format!("cannot write to {}: {cause}", folder.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let create = |path: &Path| fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut kernel = create(&staged.kernel).map_err(failed)?;
    take(session, patience, &kit.kernel, &mut kernel)?;
    let mut initrd = create(&staged.initrd).map_err(failed)?;
    for part in &kit.initrds {
        take(session, patience, part, &mut initrd)?;
    }
    kernel.sync_all().and_then(|()| initrd.sync_all()).map_err(failed)?;
    Ok(staged)
}

fn take(session: &Session, patience: Patience, part: &Part, file: &mut File) -> Result<(), String> {
    let mut output = Measured { file, sha: Context::new(&SHA256), left: part.size_bytes };
    let url = format!("{}{}", session.server, part.path);
    fetch::stream(&session.client, patience, &url, &mut output, |_, _| {}).map_err(|cause| cause.to_string())?;
    let sha256 = hex(output.sha.finish().as_ref());
    match (output.left, sha256 == part.sha256) {
        (0, true) => Ok(()),
        (0, false) => Err(format!(
            "{} is another file than the server named: its SHA-256 is {sha256}, not {}",
            part.path, part.sha256
        )),
        (left, _) => Err(format!("{} is {left} bytes shorter than the server said", part.path)),
    }
}

/// Sums what goes through, and takes no more than was said: the disk was asked for that.
struct Measured<'a> {
    file: &'a mut File,
    sha: Context,
    left: u64,
}

impl Write for Measured<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        let longer = || io::Error::other("the file is longer than the server said");
        self.left = self.left.checked_sub(count as u64).ok_or_else(longer)?;
        self.sha.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
