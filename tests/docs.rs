//! The manual is true: its links lead somewhere, its command lines parse, and it has a reason for each dependency.

use clap::{CommandFactory, Parser};
use kickstand::cli::Cli;
use std::fs;
use std::path::{Path, PathBuf};

struct Page {
    /// From the root of the source tree.
    path: PathBuf,
    /// The text outside fenced blocks.
    prose: String,
    /// Language and text of each fenced block.
    blocks: Vec<(String, String)>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    assert!(paths.len() > 20, "the walk finds the manual: {}", paths.len());
    paths.iter().map(|path| page(path)).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            collect(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

fn page(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap();
    let (mut prose, mut blocks, mut inside) = (String::new(), Vec::<(String, String)>::new(), false);
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), inside) {
            (Some(_), true) => inside = false,
            (Some(language), false) => {
                inside = true;
                blocks.push((language.to_owned(), String::new()));
            }
            (None, true) => blocks.last_mut().unwrap().1 += &format!("{line}\n"),
            (None, false) => prose += &format!("{line}\n"),
        }
    }
    assert!(!inside, "{}: a block is not closed", path.display());
    Page { path: path.strip_prefix(root()).unwrap().to_owned(), prose, blocks }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut seen = 0;
    for page in pages() {
        let folder = root().join(page.path.parent().unwrap());
        for rest in page.prose.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            seen += 1;
            assert!(folder.join(target).exists(), "{}: {target} is not there", page.path.display());
        }
    }
    assert!(seen > 50, "the walk finds links: {seen}");
}

#[test]
fn every_command_line_parses() {
    let mut seen = 0;
    for page in pages() {
        for words in commands(&page) {
            seen += 1;
            let told = words.join(" ");
            if let Err(error) = Cli::try_parse_from(&words).map(drop)
                && !names_a_command(&words)
                && !asks_for_help(&error)
            {
                panic!("{}: `{told}` does not parse: {error}", page.path.display());
            }
        }
    }
    assert!(seen > 100, "the walk finds command lines: {seen}");
}

fn asks_for_help(error: &clap::Error) -> bool {
    matches!(error.kind(), clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion)
}

/// `kickstand machine replace` in a sentence speaks of the command, without its arguments.
fn names_a_command(words: &[String]) -> bool {
    let mut command = &Cli::command();
    words.iter().skip(1).all(|word| command.find_subcommand(word).inspect(|found| command = found).is_some())
}

/// From shell blocks, from console blocks behind their prompt, and from `…` in sentences.
fn commands(page: &Page) -> Vec<Vec<String>> {
    let mut lines: Vec<String> = page.prose.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " ")).collect();
    for (language, text) in &page.blocks {
        match language.as_str() {
            "sh" => lines.extend(text.lines().map(str::to_owned)),
            "console" => lines.extend(text.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned)),
            _ => {}
        }
    }
    let parts = lines.iter().flat_map(|line| words(line));
    parts.filter(|words| words.first().is_some_and(|word| word == "kickstand") && words.len() > 1).collect()
}

/// The words of each command of a shell line, with the manual's placeholders filled in.
fn words(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut word, mut quote) = (vec![Vec::new()], None::<String>, None);
    for c in line.chars().chain([' ']) {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            (c, None) if c.is_whitespace() => match word.take() {
                Some(end) if matches!(end.as_str(), "&&" | "&" | "||" | ";" | "|") => commands.push(Vec::new()),
                Some(end) => commands.last_mut().unwrap().push(filled(end)),
                None => {}
            },
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    commands
}

fn filled(word: String) -> String {
    match word.as_str() {
        "MAC" | "NEW" => "52:54:00:12:34:56".into(),
        "NAME" => "web1".into(),
        _ => word,
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let page = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    for manifest in ["Cargo.toml", "agent/Cargo.toml", "fuzz/Cargo.toml"] {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        let manifest: toml::Table = toml::from_str(&text).unwrap();
        let sections = ["dependencies", "dev-dependencies"].iter().filter_map(|section| manifest.get(*section));
        for section in sections {
            for name in section.as_table().unwrap().keys().filter(|name| *name != "kickstand") {
                assert!(page.contains(&format!("| {name} |")), "docs/dependencies.md has no line for {name}");
            }
        }
    }
}
