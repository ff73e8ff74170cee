//! The page that Apache, nginx and their like make of a folder: the names that it links to.

use super::address::decoded;

/// Names right below the folder, those of folders with a slash behind them.
pub fn names(page: &str, folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    // Attributes are written in capitals by some.
    let links = page.split(['<', ' ', '\n', '\t']).filter_map(|part| {
        let (head, link) = (part.get(..5)?, part.get(5..)?);
        head.eq_ignore_ascii_case("href=").then_some(link)
    });
    for link in links {
        let quoted = link.trim_start_matches(['"', '\'']);
        let link = quoted.split(['"', '\'', '>']).next().unwrap_or_default();
        let link = link.strip_prefix("./").or_else(|| link.strip_prefix(folder)).unwrap_or(link);
        let name = decoded(link);
        let stem = name.strip_suffix('/').unwrap_or(&name);
        let is_name =
            !stem.is_empty() && stem != "." && stem != ".." && !stem.contains(['/', '?', '#', ':', '&', '\0']);
        if is_name && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
