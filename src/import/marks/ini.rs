//! `name = value` below `[section]`, as `.treeinfo` has it.

/// The pairs of one section.
pub fn section<'a>(text: &'a str, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let lines = text.lines().map(str::trim);
    let of_section =
        lines.skip_while(move |line| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) != Some(name));
    let inside = of_section.skip(1).take_while(|line| !line.starts_with('['));
    inside.filter(|line| !line.starts_with(['#', ';'])).filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        Some((name.trim(), value.trim()))
    })
}

pub fn value<'a>(text: &'a str, part: &str, name: &str) -> Option<&'a str> {
    section(text, part).find(|(given, _)| *given == name).map(|(_, value)| value)
}
