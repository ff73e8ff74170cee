//! Text for people: tables that fit the terminal, and cards for one record. Pure functions.

/// Two blanks between columns.
const GAP: usize = 2;
/// No column is squeezed below this.
const LEAST: usize = 8;

/// Rows under their heads, at most `width` wide, without trailing blanks.
pub fn table(heads: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let head: Vec<String> = heads.iter().map(|head| head.to_uppercase()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let mut widths: Vec<usize> = (0..heads.len())
        .map(|column| all.iter().filter_map(|row| row.get(column)).map(|cell| length(cell)).max().unwrap_or(0))
        .collect();
    if let Some(width) = width {
        squeeze(&mut widths, width);
    }
    all.iter().map(|row| line(row, &widths)).collect()
}

/// Takes from the widest column until the line fits.
fn squeeze(widths: &mut [usize], limit: usize) {
    let line = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    while line(widths) > limit {
        match widths.iter_mut().max() {
            Some(widest) if *widest > LEAST => *widest -= 1,
            _ => return,
        }
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in row.iter().zip(widths) {
        text.push_str(&pad(&clip(cell, *width), width + GAP));
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// One record: a label and its value on each line, empty values left out.
pub fn card(rows: &[(&str, String)]) -> String {
    let rows: Vec<_> = rows.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = rows.iter().map(|(label, _)| length(label)).max().unwrap_or(0) + GAP;
    let indent = format!("\n{}", " ".repeat(width));
    rows.iter().map(|(label, value)| format!("{}{}\n", pad(label, width), value.replace('\n', &indent))).collect()
}

/// At most `width` characters, the last one an ellipsis where something is missing.
pub fn clip(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(std::iter::once('…')).collect()
}

pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(length(text))))
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Words of a list, or nothing.
pub fn words<T: ToString>(list: &[T]) -> String {
    list.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A value that may be absent.
pub fn maybe<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map(T::to_string).unwrap_or_default()
}

/// A moment without its fractions: `2026-12-31 23:59:59`.
pub fn moment(time: crate::model::Time) -> String {
    time.to_string().chars().take(19).collect::<String>().replace('T', " ")
}

/// Variables, one on a line.
pub fn variables(variables: &crate::model::Variables) -> String {
    variables.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("\n")
}

/// DHCP options, one on a line.
pub fn options(options: &crate::model::OptionSet) -> String {
    options.written().iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        vec![row(["web1", "", "a long story that never seems to come to an end"]), row(["db", "ready", ""])]
    }

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        insta::assert_snapshot!(table(&["name", "state", "text"], &rows(), None), @r"
        NAME  STATE  TEXT
        web1         a long story that never seems to come to an end
        db    ready
        ");
    }

    #[test]
    fn a_narrow_terminal_squeezes_the_widest_column() {
        insta::assert_snapshot!(table(&["name", "state", "text"], &rows(), Some(32)), @r"
        NAME  STATE  TEXT
        web1         a long story that …
        db    ready
        ");
    }

    #[test]
    fn a_card_leaves_out_what_is_empty() {
        let text = card(&[("name", "web1".into()), ("profile", String::new()), ("variables", "a = 1\nb = 2".into())]);
        insta::assert_snapshot!(text, @r"
        name       web1
        variables  a = 1
                   b = 2
        ");
    }
}
