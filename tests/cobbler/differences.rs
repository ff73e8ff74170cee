//! Where our rendering differs from Cobbler's, and why that is meant so.

/// A difference that is meant.
#[derive(Debug)]
pub struct Rule {
    /// The files that it is of: a text in their names.
    pub file: &'static str,
    /// What the line has: `-` before Cobbler's, `+` before ours, `!` before an error of ours, `?` before one of Cobbler's.
    pub line: &'static str,
    pub why: &'static str,
}

pub const EXPLAINED: &[Rule] = &[
    Rule {
        file: "sample_old.seed",
        line: "`hostname` is undefined",
        why: "a profile alone has no host name, which Cobbler leaves as it is written; here a text is made for a machine, which has one",
    },
    Rule {
        file: "preseed_late_default",
        line: "bridge_slaves",
        why: "post_install_network_config_deb sets elements of a map in Python for bridges; the appliance's snippet takes its place",
    },
];

pub fn explained(file: &str, difference: &str) -> Option<&'static str> {
    EXPLAINED.iter().find(|rule| file.contains(rule.file) && difference.contains(rule.line)).map(|rule| rule.why)
}

/// Lines that one of both has alone.
pub fn lines(theirs: &str, ours: &str) -> Vec<String> {
    if theirs == ours {
        return Vec::new();
    }
    let diff = similar::TextDiff::from_lines(theirs, ours);
    let changes = diff.iter_all_changes().filter_map(|change| {
        let sign = match change.tag() {
            similar::ChangeTag::Delete => '-',
            similar::ChangeTag::Insert => '+',
            similar::ChangeTag::Equal => return None,
        };
        Some(format!("{sign}{:?}", change.value()))
    });
    changes.collect()
}
