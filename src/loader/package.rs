//! Which package a file is from, as dpkg's own text files tell: no program is run.

use std::fs;
use std::path::Path;

/// `package version`, when dpkg below `root` says that this package is installed and holds `path`.
pub fn origin(root: &Path, package: &str, path: &str) -> Option<String> {
    let status = fs::read_to_string(root.join("var/lib/dpkg/status")).ok()?;
    let info = root.join("var/lib/dpkg/info");
    status.split("\n\n").find_map(|paragraph| {
        let field = |name: &str| {
            let found = paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            found.map(str::trim)
        };
        let installed = field("Package") == Some(package) && field("Status")?.ends_with(" installed");
        let names = [format!("{package}:{}.list", field("Architecture")?), format!("{package}.list")];
        let holds = || names.iter().any(|name| lists(&info.join(name), path));
        (installed && holds()).then(|| format!("{package} {}", field("Version").unwrap_or("?")))
    })
}

/// Whether a list of paths has this one. It has links, too, which the list of checksums has not.
fn lists(file: &Path, path: &str) -> bool {
    fs::read_to_string(file).unwrap_or_default().lines().any(|held| held == path)
}
