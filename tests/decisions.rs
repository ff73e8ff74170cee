//! Tables: given facts and a question, expect a reply and why. One .toml below `decisions/` for each question.

#[path = "decisions/case.rs"]
mod case;

use case::{Case, Table};

/// Plays each row of a table, and names all rows that came out otherwise.
fn play(file: &str, answer: fn(&Case) -> Vec<String>) {
    let path = format!("{}/tests/decisions/{file}", env!("CARGO_MANIFEST_DIR"));
    let table: Table =
        toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{file}: {e}"));
    assert!(!table.case.is_empty(), "{file} has rows");
    let mut wrong = String::new();
    for case in &table.case {
        let got = answer(case);
        for expected in &case.expect {
            if !got.iter().any(|line| line.contains(expected.as_str())) {
                wrong += &format!("\n{file}: {}\n  expected {expected:?} in\n  {}\n", case.says, got.join("\n  "));
            }
        }
        for unwanted in &case.never {
            if got.iter().any(|line| line.contains(unwanted.as_str())) {
                wrong += &format!("\n{file}: {}\n  never {unwanted:?}, but\n  {}\n", case.says, got.join("\n  "));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn offers() {
    play("offer.toml", Case::offer);
}

#[test]
fn first_programs() {
    play("loader.toml", Case::offer);
}

#[test]
fn names_of_files() {
    play("file.toml", Case::file);
}

#[test]
fn scripts() {
    play("script.toml", Case::script);
}

#[test]
fn answer_files() {
    play("autoinstall.toml", Case::answer);
}

#[test]
fn reports() {
    play("report.toml", Case::report);
}

#[test]
fn registrations() {
    play("register.toml", Case::register);
}

#[test]
fn announcements() {
    play("announce.toml", Case::announce);
}

#[test]
fn leave_takings() {
    play("leave.toml", Case::leave);
}

#[test]
fn reinstallations() {
    play("reinstall.toml", Case::reinstall);
}
