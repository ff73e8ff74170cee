//! The scripts of an answer file, taken out of it by a reader of its format, and where its installer runs them.

use base64::Engine as _;
use kickstand::model::Family;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use yaml_rust2::{Yaml, YamlLoader};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place {
    Installer,
    System,
}

/// A script, and the program that its installer gives it to; none where its own first line says.
#[derive(Debug)]
pub struct Step {
    pub place: Place,
    pub with: String,
    pub text: String,
}

fn step(place: Place, with: &str, text: impl Into<String>) -> Step {
    Step { place, with: with.to_owned(), text: text.into() }
}

/// What ran, in its order. `url` is the answer file's, for those that fetch it from a script.
pub fn steps(family: Family, answer: &str, url: &str, folder: &Path) -> Vec<Step> {
    match family {
        Family::Redhat => kickstart(answer, folder),
        Family::Debian => preseed(answer, folder),
        Family::Ubuntu => autoinstall(answer),
        Family::Suse => autoyast(answer),
        Family::Agama => agama(answer),
        Family::Ignition => ignition(answer),
        Family::Fai => vec![fai(url)],
        Family::Esxi => esxi(answer),
        Family::Image => panic!("its script is for the live system: disks.rs and make metal"),
    }
}

fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn lab(script: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab").join(script);
    PathBuf::from(output(&mut Command::new(script)).trim_end())
}

/// As Anaconda reads it: by pykickstart.
fn kickstart(answer: &str, folder: &Path) -> Vec<Step> {
    const PROGRAM: &str = "
import json, sys
from pykickstart.parser import KickstartParser
from pykickstart.version import makeVersion
handler = makeVersion('RHEL9')
KickstartParser(handler).readKickstart(sys.argv[1])
print(json.dumps([{'in_system': s.type == 1 and s.inChroot, 'with': s.interp, 'text': s.script} for s in handler.scripts]))
";
    let file = folder.join("answer.ks");
    std::fs::write(&file, answer).unwrap();
    let python = lab("validators.sh").join("venv/bin/python");
    let all: Value = serde_json::from_str(&output(Command::new(python).args(["-c", PROGRAM]).arg(file))).unwrap();
    let read = |s: &Value| {
        let place = if s["in_system"] == true { Place::System } else { Place::Installer };
        step(place, s["with"].as_str().unwrap(), s["text"].as_str().unwrap())
    };
    all.as_array().unwrap().iter().map(read).collect()
}

/// As debconf reads it, into a database of its own.
fn preseed(answer: &str, folder: &Path) -> Vec<Step> {
    let file = folder.join("preseed.cfg");
    std::fs::write(&file, answer).unwrap();
    let database = format!("File{{{}/debconf}}", folder.display());
    let debconf = |script: &str| {
        let mut command = Command::new("sh");
        output(command.args(["-c", script, "sh"]).arg(&file).env("DEBCONF_DB_REPLACE", &database))
    };
    debconf("debconf-set-selections \"$1\"");
    let read = |question: &str| {
        let said = debconf(&format!("echo GET {question} | debconf-communicate"));
        // The code of success, and the value.
        step(Place::Installer, "sh", said.strip_prefix("0 ").expect("debconf knows it"))
    };
    ["preseed/early_command", "preseed/late_command"].map(read).into()
}

fn autoinstall(answer: &str) -> Vec<Step> {
    let whole = YamlLoader::load_from_str(answer).unwrap().remove(0);
    let quoted = |word: &Yaml| format!("'{}' ", word.as_str().unwrap().replace('\'', r"'\''"));
    let list = |name: &str| whole["autoinstall"][name].as_vec().unwrap().clone();
    let commands = [list("early-commands"), list("late-commands")].concat();
    let run = |command: &Yaml| -> String { command.as_vec().unwrap().iter().map(quoted).collect() };
    commands.iter().map(|command| step(Place::Installer, "sh", run(command))).collect()
}

fn autoyast(answer: &str) -> Vec<Step> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(answer, options).unwrap();
    let scripts =
        document.descendants().filter(|node| node.has_tag_name(("http://www.suse.com/1.0/yast2ns", "script")));
    let read = |node: roxmltree::Node<'_, '_>| {
        let part = |name: &str| node.children().find(|child| child.tag_name().name() == name).and_then(|n| n.text());
        assert_eq!(part("interpreter"), Some("shell"));
        let place = if part("chrooted") == Some("true") { Place::System } else { Place::Installer };
        step(place, "/bin/sh", part("source").unwrap())
    };
    scripts.map(read).collect()
}

/// Those of `post` run in the new system unless they say otherwise.
fn agama(answer: &str) -> Vec<Step> {
    let whole: Value = serde_json::from_str(answer).unwrap();
    let read = |group: &str, place| -> Vec<Step> {
        let all = whole["scripts"][group].as_array().unwrap();
        all.iter().map(|script| step(place, "", script["content"].as_str().unwrap())).collect()
    };
    read("pre", Place::Installer).into_iter().chain(read("post", Place::System)).collect()
}

/// The live system's files and unit, then what its program was given for the installed one.
fn ignition(answer: &str) -> Vec<Step> {
    let live: Value = serde_json::from_str(answer).unwrap();
    let files = live["storage"]["files"].as_array().unwrap();
    let given = contents(files.iter().find(|file| file["path"] == "/etc/kickstand/system.ign").unwrap());
    let given = String::from_utf8(given).unwrap();
    let mut all = configured(&live, Place::Installer);
    all.push(step(Place::System, "sh", format!("cmp /root/system.ign - <<'IGNITION'\n{given}IGNITION\n")));
    let system: Value = serde_json::from_str(&given).expect("the installed system's is one, too");
    all.extend(configured(&system, Place::System));
    all
}

fn contents(file: &Value) -> Vec<u8> {
    let source = file["contents"]["source"].as_str().unwrap();
    base64::engine::general_purpose::STANDARD.decode(source.strip_prefix("data:;base64,").unwrap()).unwrap()
}

/// What Ignition does with files, and systemd with services that start at each boot.
fn configured(whole: &Value, place: Place) -> Vec<Step> {
    let write = |file: &Value| {
        let (path, mode) = (file["path"].as_str().unwrap(), file["mode"].as_u64().unwrap());
        let packed = base64::engine::general_purpose::STANDARD.encode(contents(file));
        format!("mkdir -p \"$(dirname '{path}')\"\necho {packed} | base64 -d >'{path}'\nchmod {mode:o} '{path}'\n")
    };
    let files: String = whole["storage"]["files"].as_array().unwrap().iter().map(write).collect();
    let start = |unit: &Value| {
        assert_eq!(unit["enabled"], true);
        let lines = unit["contents"].as_str().unwrap().lines();
        let command: Vec<_> = lines.filter_map(|line| line.strip_prefix("ExecStart=")).collect();
        step(place, "sh", command.join("\n"))
    };
    let units = whole["systemd"]["units"].as_array().unwrap().iter().map(start);
    std::iter::once(step(place, "sh -eu", files)).chain(units).collect()
}

/// As FAI goes through its tasks, with the class script of our own configuration space.
fn fai(url: &str) -> Step {
    let class = include_str!("../../lab/fai/config/class/95-kickstand");
    let tasks = format!(
        "export FAI=/var/lib/fai/config LOGDIR=/tmp/fai target=/target ROOTCMD='chroot /target' KICKSTAND_ANSWER={url}
        mkdir -p $FAI/class $LOGDIR
        echo 0 >$LOGDIR/task_error
        cat >$FAI/class/95-kickstand <<'CLASS'\n{class}CLASS
        [ \"$(sh $FAI/class/95-kickstand | tail -n 1)\" = KICKSTAND ]
        . $LOGDIR/additional.var
        echo $HOSTNAME >/target/etc/hostname
        for script in $FAI/scripts/KICKSTAND/*; do $script; done
        $FAI/hooks/chboot.KICKSTAND\n"
    );
    step(Place::Installer, "sh -eu", tasks)
}

/// A section ends where the next one begins.
fn esxi(answer: &str) -> Vec<Step> {
    let sections = answer.split("\n%").skip(1).map(|part| part.split_once('\n').unwrap());
    let python = sections.filter(|(head, _)| head.contains("--interpreter=python"));
    python.map(|(_, text)| step(Place::Installer, "python3", text)).collect()
}
