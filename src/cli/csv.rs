//! `kickstand machine add --csv FILE`: a table of machines, taken as a whole or not at all.

use super::client::Error;
use super::session::Session;
use super::values::Variable;
use crate::http::api::machine::MachineView;
use crate::http::api::variables::is_name;
use anyhow::{Context, Result, bail};
use hyper::Method;
use serde_json::{Map, Value, json};
use std::path::Path;

const COLUMNS: &str = "name, mac, ip, profile, key, groups, arguments, var.NAME or secret.NAME";

pub async fn add(file: &Path, session: &Session) -> Result<()> {
    let place = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {place}"))?;
    let rows = match records(&text) {
        Ok(rows) if rows.is_empty() => bail!("{place} holds no machine: write a header and a line for each machine"),
        Ok(rows) => rows,
        Err(complaints) => bail!(told(&place.to_string(), complaints)),
    };
    let list = Value::Array(rows.iter().map(|row| row.machine.clone()).collect());
    match session.client.ask(Method::POST, "machines/batch", Some(&list)).await {
        Ok(value) => session.say(value, |all: &Vec<MachineView>| format!("{} machines added from {place}", all.len())),
        Err(Error::Refused(problem)) if !problem.errors.is_empty() => {
            let line_of = |index: Option<usize>| index.and_then(|i| rows.get(i)).map_or(0, |row| row.line);
            let complaints = problem.errors.iter().map(|one| (line_of(one.index), one.message.clone())).collect();
            bail!(told(&place.to_string(), complaints))
        }
        Err(error) => Err(error.into()),
    }
}

fn told(place: &str, complaints: Vec<(usize, String)>) -> String {
    let lines = complaints.iter().map(|(line, text)| format!("\n  {place}:{line}: {text}"));
    format!("nothing was added:{}", lines.collect::<String>())
}

/// Cells, and the line of the file that they begin on.
type Record = (usize, Vec<String>);

/// One machine, and the line of the file that it begins on.
#[derive(Debug, PartialEq)]
struct Row {
    line: usize,
    machine: Value,
}

/// Every machine of the file, or everything that is wrong with its form. What the values mean is the server's to judge.
fn records(text: &str) -> Result<Vec<Row>, Vec<(usize, String)>> {
    let lines = cells(text.trim_start_matches('\u{feff}')).map_err(|complaint| vec![complaint])?;
    let mut lines = lines.into_iter().filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()));
    let Some((at, header)) = lines.next() else { return Ok(Vec::new()) };
    check_header(&header).map_err(|text| vec![(at, text)])?;
    let (mut rows, mut complaints) = (Vec::new(), Vec::new());
    for (line, cells) in lines {
        match machine(&header, cells) {
            Ok(machine) => rows.push(Row { line, machine }),
            Err(text) => complaints.push((line, text)),
        }
    }
    if complaints.is_empty() { Ok(rows) } else { Err(complaints) }
}

fn check_header(header: &[String]) -> Result<(), String> {
    let known = |name: &str| {
        matches!(name, "name" | "mac" | "ip" | "profile" | "key" | "groups" | "arguments")
            || name.strip_prefix("var.").or(name.strip_prefix("secret.")).is_some_and(is_name)
    };
    if let Some(name) = header.iter().find(|name| !known(name)) {
        return Err(format!("unknown column {name:?}: use {COLUMNS}"));
    }
    if let Some((_, name)) = header.iter().enumerate().find(|(i, name)| header.iter().take(*i).any(|n| n == *name)) {
        return Err(format!("the column {name} is there twice"));
    }
    match ["name", "mac"].iter().find(|needed| !header.iter().any(|name| name == *needed)) {
        Some(needed) => {
            Err(format!("the header has no column {needed}: its first line must name the columns ({COLUMNS})"))
        }
        None => Ok(()),
    }
}

/// A machine as the API takes it, with the values as they stand in the file; empty cells are left out.
fn machine(header: &[String], cells: Vec<String>) -> Result<Value, String> {
    if cells.len() != header.len() {
        return Err(format!("{} cells, but the header names {}", cells.len(), header.len()));
    }
    let (mut machine, mut card, mut variables, mut secrets) = (Map::new(), Map::new(), Map::new(), Map::new());
    for (column, cell) in header.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        match (column.as_str(), column.strip_prefix("var.")) {
            (_, Some(_)) => {
                let given: Variable = format!("{}={cell}", column.trim_start_matches("var.")).parse()?;
                variables.insert(given.name, given.value);
            }
            (column, None) if column.starts_with("secret.") => {
                secrets.insert(column.trim_start_matches("secret.").to_owned(), Value::String(cell));
            }
            ("mac" | "ip", _) => drop(card.insert(column.clone(), Value::String(cell))),
            _ => drop(machine.insert(column.clone(), Value::String(cell))),
        }
    }
    machine.insert("interfaces".into(), json!([card]));
    machine.insert("variables".into(), Value::Object(variables));
    if !secrets.is_empty() {
        machine.insert("secrets".into(), Value::Object(secrets));
    }
    Ok(Value::Object(machine))
}

/// RFC 4180: cells with commas, quotes or line breaks stand in quotes, a quote in quotes is doubled.
/// Gives each record with the line that it begins on.
fn cells(text: &str) -> Result<Vec<Record>, (usize, String)> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun, mut quoted) = (1, 1, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => (quoted, cell) = (true, String::new()),
            ',' if !quoted => record.push(done(&mut cell)),
            '\n' if !quoted => {
                record.push(done(&mut cell));
                records.push((begun, std::mem::take(&mut record)));
                (line, begun) = (line + 1, line + 1);
            }
            c => {
                line += usize::from(c == '\n');
                cell.push(c);
            }
        }
    }
    if quoted {
        return Err((begun, "a quote is opened and never closed".into()));
    }
    if !record.is_empty() || !cell.trim().is_empty() {
        record.push(done(&mut cell));
        records.push((begun, record));
    }
    Ok(records)
}

fn done(cell: &mut String) -> String {
    std::mem::take(cell).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_becomes_a_machine_and_keeps_its_line() {
        let text =
            "name,mac,ip,var.disk\r\n\r\nweb1,52:54:00:00:00:01,10.0.0.11,/dev/vda\r\n\"web2\", 52:54:00:00:00:02,,\n";
        let secret = records("name,mac,secret.wifi\na,b,c\n").unwrap().remove(0).machine;
        assert_eq!(secret["secrets"], json!({"wifi": "c"}));
        let rows = records(text).unwrap();
        let lines: Vec<_> = rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [3, 4]);
        let card = json!([{"mac": "52:54:00:00:00:01", "ip": "10.0.0.11"}]);
        assert_eq!(rows[0].machine, json!({"name": "web1", "interfaces": card, "variables": {"disk": "/dev/vda"}}));
        assert_eq!(rows[1].machine["interfaces"], json!([{"mac": "52:54:00:00:00:02"}]));
    }

    #[test]
    fn quotes_hold_commas_quotes_and_line_breaks() {
        let read = cells("a,\"b,\"\"c\"\"\nd\"\ne,f").unwrap();
        assert_eq!(read, [(1, vec!["a".into(), "b,\"c\"\nd".into()]), (3, vec!["e".into(), "f".into()])]);
        assert_eq!(cells("a\n\"b").unwrap_err().0, 2);
    }

    #[test]
    fn every_line_that_is_wrong_is_named() {
        let text = "name,mac\nweb1\nweb2,52:54:00:00:00:02\nweb3,x,y\n";
        let complaints = records(text).unwrap_err();
        assert_eq!(
            told("m.csv", complaints),
            "nothing was added:\n  m.csv:2: 1 cells, but the header names 2\n  m.csv:4: 3 cells, but the header names 2"
        );
    }

    #[test]
    fn a_header_with_a_foreign_doubled_or_missing_column_is_refused() {
        let complaint = |text: &str| records(text).unwrap_err().remove(0);
        assert!(complaint("name,mac,colour\n").1.starts_with("unknown column \"colour\""));
        assert!(complaint("name,mac,name\n").1.contains("twice"));
        assert!(complaint("\nname,ip\n").1.contains("no column mac"));
    }
}
