//! The house rules as tests: who may import whom, and what lives where.

use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "agent/src", "tests", "benches", "fuzz/fuzz_targets"] {
        collect(&root.join(folder), root, &mut found);
    }
    assert!(found.len() > 40, "the walk finds the sources");
    found
}

fn collect(folder: &Path, root: &Path, found: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, root, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push((path.strip_prefix(root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The text without its comments and without its inline tests.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn room(path: &Path) -> Option<String> {
    let rest = path.strip_prefix("src").ok()?;
    let first = rest.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

/// Who may import whom: the rows of ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &["model"]),
    ("boot", &["boot", "model"]),
    ("family", &["family", "boot", "model"]),
    ("render", &["render", "model"]),
    ("loader", &["loader", "model"]),
    ("import", &["import", "model"]),
    ("cheetah", &["cheetah"]),
    ("cobbler", &["cobbler", "model", "cheetah"]),
    ("assets", &["assets"]),
    ("vault", &["vault", "model"]),
    ("ca", &["ca"]),
    ("metrics", &["metrics"]),
    ("capture", &["capture", "model"]),
    ("store", &["store", "model", "boot", "metrics", "vault"]),
    (
        "engine",
        &[
            "engine", "model", "boot", "family", "render", "cheetah", "loader", "import", "store", "assets", "metrics",
            "capture", "compat",
        ],
    ),
    ("dhcp", &["dhcp", "model", "boot", "engine", "store", "metrics", "capture"]),
    ("tftp", &["tftp", "model", "boot", "engine", "metrics"]),
    ("http", &["http", "model", "boot", "engine", "compat", "store", "metrics"]),
    ("rehearsal", &["rehearsal", "model", "boot", "loader", "assets", "ca", "store", "engine", "dhcp", "tftp", "http"]),
    ("compat", &["compat", "model", "boot"]),
    ("config", &["config"]),
];

#[test]
fn the_arrows_point_down() {
    for (path, text) in sources() {
        let Some(room) = room(&path) else { continue };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else { continue };
        for (at, _) in code(&text).match_indices("crate::") {
            let body = code(&text);
            let target: String = body[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(
                target.is_empty() || allowed.contains(&target.as_str()),
                "{}: {room} must not import {target}",
                path.display()
            );
        }
    }
}

/// What answers machines knows of no rehearsal: nobody can switch one on in it.
#[test]
fn a_rehearsal_is_the_command_lines_alone() {
    let may = ["src/rehearsal", "src/cli", "src/lib.rs"];
    for (path, text) in sources().into_iter().filter(|(path, _)| path.starts_with("src")) {
        let speaks = code(&text).contains("crate::rehearsal") || code(&text).contains("in_memory()");
        let fine = may.iter().any(|place| path.starts_with(place)) || path.starts_with("src/store");
        assert!(fine || !speaks, "{}: rehearsals are for the command line", path.display());
    }
}

#[test]
fn the_core_does_no_io_and_reads_no_clock() {
    let forbidden = [
        "std::fs",
        "std::net::Udp",
        "std::net::Tcp",
        "tokio",
        "SystemTime",
        "Instant",
        "getrandom",
        "now_v7",
        "async ",
    ];
    for (path, text) in sources().into_iter().filter(|(p, _)| p.starts_with("src/boot")) {
        for word in forbidden {
            assert!(!code(&text).contains(word), "{}: {word} in the core", path.display());
        }
    }
}

#[test]
fn sockets_are_opened_only_where_servers_and_clients_live() {
    let allowed = [
        "src/dhcp/server.rs",
        "src/dhcp/link.rs",
        "src/dhcp/probe.rs",
        "src/tftp/lane.rs",
        "src/tftp/mtu.rs",
        "src/http/server.rs",
        "src/cli/client.rs",
        "src/import/remote/client.rs",
        "src/daemon/mod.rs",
        "src/rehearsal/post.rs",
    ];
    let openers = [
        "UdpSocket::bind",
        "TcpListener::bind",
        "UnixListener::bind",
        "TcpStream::connect",
        "UnixStream::connect",
        "Socket::new",
    ];
    for (path, text) in sources().into_iter().filter(|(p, _)| p.starts_with("src")) {
        if allowed.iter().any(|a| path == Path::new(a)) || path.components().any(|c| c.as_os_str() == "tests") {
            continue;
        }
        for word in openers {
            assert!(!code(&text).contains(word), "{}: {word} outside a server", path.display());
        }
    }
}

/// The lints deny it to the appliance and forbid it to the agent; what may be allowed again is one file.
#[test]
fn unsafe_code_lives_in_one_small_module() {
    let word = concat!("un", "safe");
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '"';
    let mut found = Vec::new();
    for (path, text) in sources() {
        let body = code(&text);
        let allows = body.contains(&format!("allow({word}_code"));
        if allows || body.split(|c| !is_word(c)).any(|part| part == word) {
            found.push(path);
        }
    }
    assert_eq!(found, [Path::new("src/dhcp/link.rs")]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = |path| fs::read_to_string(root.join(path)).unwrap();
    assert!(manifest("Cargo.toml").contains(&format!("[workspace.lints.rust]\n{word}_code = \"forbid\"")));
    assert!(manifest("Cargo.toml").contains(&format!("[lints.rust]\n{word}_code = \"deny\"")));
    assert!(manifest("agent/Cargo.toml").contains("[lints]\nworkspace = true"));
}

#[test]
fn sql_lives_in_the_store_alone() {
    for (path, text) in sources().into_iter().filter(|(p, _)| p.starts_with("src") && !p.starts_with("src/store")) {
        for word in ["SELECT ", "INSERT INTO", "DELETE FROM", "sqlx::"] {
            assert!(!code(&text).contains(word), "{}: {word:?} outside the store", path.display());
        }
    }
}

#[test]
fn only_the_lifecycle_decides_a_state() {
    let deciders = ["Step {", "state: State::"];
    for (path, text) in sources().into_iter().filter(|(p, _)| p.starts_with("src")) {
        let fine = ["src/boot/lifecycle.rs", "src/boot/decision.rs", "src/model", "src/store"]
            .iter()
            .any(|a| path.starts_with(a));
        for word in deciders {
            let body = code(&text);
            let built = body
                .lines()
                .any(|line| line.contains(word) && !line.contains("Next::Step(") && !line.contains("struct"));
            assert!(fine || !built, "{}: {word} outside the lifecycle", path.display());
        }
    }
}

#[test]
fn the_server_runs_no_other_program() {
    let is_test = |path: &Path| path.components().any(|c| c.as_os_str() == "tests");
    // The operator's own command, in the operator's own shell.
    let is_operators = |path: &Path| path == Path::new("src/cli/check/answers.rs");
    let served = |path: &Path| path.starts_with("src") && !is_test(path) && !is_operators(path);
    for (path, text) in sources().into_iter().filter(|(path, _)| served(path)) {
        assert!(
            !code(&text).contains("process::Command") && !code(&text).contains("Command::new("),
            "{}",
            path.display()
        );
    }
}

#[test]
fn every_file_says_what_lives_there() {
    for (path, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 20, "{}: begin with one //! sentence", path.display());
    }
}

#[test]
fn nothing_is_left_undone_in_the_code() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("unimplemented", "!(")];
    for (path, text) in sources() {
        for word in words {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}
