//! What the installers' own tools say of our answer files, of each ready-made profile and each way to be wired.

mod house;
#[path = "house/program.rs"]
mod program;

use base64::Engine as _;
use house::*;
use kickstand::family::check;
use kickstand::model::*;
use kickstand::store::Edit;
use program::program;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The folder of what `lab/validators.sh` fetches; none without a network and without a cache.
static TOOLS: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/validators.sh")).output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end());
    output.status.success().then_some(folder)
});

/// What a machine's profile was made for, and the files that it was given.
struct Given {
    what: String,
    family: Family,
    release: String,
    files: Vec<(String, String)>,
}

/// Every ready-made profile, then every family wired in each way.
async fn all() -> Vec<Given> {
    let house = House::new().await;
    let mut all = Vec::new();
    for (number, name) in house.engine.ready_names().into_iter().enumerate() {
        let ready = house.engine.ready(&name).unwrap();
        let machine = house.ready(&name, u8::try_from(number).unwrap() + 100).await;
        let (_, files) = house.fetch(&machine).await;
        let release = ready.variables.get("release").and_then(|v| v.as_str()).unwrap_or("9").to_owned();
        all.push(Given { what: name, family: ready.family, release, files });
    }
    for (number, family) in Family::ALL.iter().enumerate() {
        for (way, wiring) in wirings() {
            let machine = house.wired(*family, way, wiring, u8::try_from(number).unwrap() + 150).await;
            let (_, files) = house.fetch(&machine).await;
            all.push(Given { what: machine.name.to_string(), family: *family, release: "9".into(), files });
            house.edit(Edit::RemoveMachine(machine.name)).await;
        }
    }
    all
}

/// Runs a tool on a text in a file; what it says when it is not content. None where it is not there.
fn complaint(command: &mut Command, text: &str) -> Option<Result<(), String>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let output = command.arg(file.path()).stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    // debconf only warns of what it will skip.
    let is_content = output.status.success() && !said.starts_with("warning:");
    Some(if is_content { Ok(()) } else { Err(said) })
}

fn content(what: &str, command: &mut Command, text: &str) -> bool {
    match complaint(command, text) {
        None => eprintln!("skipped: {:?} is not installed", command.get_program()),
        Some(Ok(())) => return true,
        Some(Err(said)) => panic!("{what}: {said}\n{text}"),
    }
    false
}

/// By its interpreter: the first line of a program of a venv names the folder that the venv was made in.
fn ksvalidator(tools: &Path, version: &str) -> Command {
    let mut command = Command::new(tools.join("venv/bin/python"));
    command.arg(tools.join("venv/bin/ksvalidator")).args(["-v", version]);
    command
}

fn cloud_init(tools: &Path) -> Command {
    cloud_init_to(tools, &["schema", "--config-file"])
}

fn cloud_init_to(tools: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(tools.join("venv/bin/python"));
    command.env("PYTHONPATH", tools.join("cloud-init/usr/lib/python3/dist-packages"));
    command.args(["-m", "cloudinit.cmd.main"]).args(args);
    command
}

/// A file of the cloud-init seed that an install script carries.
fn seed(script: &str, name: &str) -> String {
    let end = format!(" | base64 -d >\"$target\"'/var/lib/cloud/seed/nocloud/{name}'");
    let carried =
        script.lines().find_map(|line| line.strip_suffix(end.as_str())?.strip_prefix("echo '")?.strip_suffix('\''));
    let bytes = base64::engine::general_purpose::STANDARD.decode(carried.expect("it carries a seed")).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// cloud-init reads its seed, and makes of its network configuration what each kind of system wants: how many were read.
fn seeds(tools: &Path, what: &str, script: &str) -> usize {
    let mut checked = ["vendor-data", "user-data"]
        .iter()
        .filter(|name| content(what, &mut cloud_init(tools), &seed(script, name)))
        .count();
    for (system, kind) in [
        ("debian", "eni"),
        ("debian", "netplan"),
        ("debian", "networkd"),
        ("rhel", "sysconfig"),
        ("rhel", "network-manager"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = cloud_init_to(tools, &["devel", "net-convert", "-k", "yaml", "-D", system, "-O", kind, "-d"]);
        command.arg(folder.path()).arg("-p");
        checked += usize::from(content(what, &mut command, &seed(script, "network-config")));
    }
    checked
}

#[tokio::test]
async fn the_installers_own_tools_find_nothing() {
    let Some(tools) = &*TOOLS else { return eprintln!("skipped: lab/validators.sh got no tools") };
    let mut checked = 0;
    for Given { what, family, release, files } in all().await {
        let text = &files[0].1;
        match family {
            Family::Redhat => {
                let system = if release.len() > 1 && release != "10" { "F" } else { "RHEL" };
                checked += usize::from(content(&what, &mut ksvalidator(tools, &format!("{system}{release}")), text));
            }
            Family::Debian => {
                checked += usize::from(content(&what, Command::new("debconf-set-selections").arg("-c"), text));
            }
            Family::Ubuntu => {
                for (_, text) in files.iter().filter(|(name, _)| name != "meta-data") {
                    checked += usize::from(content(&what, &mut cloud_init(tools), text));
                }
                // What the installed system's cloud-init is given, by itself.
                let (_, own) = text.split_once("  user-data:\n").unwrap();
                let own: String = own
                    .lines()
                    .take_while(|line| line.starts_with("    "))
                    .map(|l| format!("{}\n", l.trim()))
                    .collect();
                checked += usize::from(content(&what, &mut cloud_init(tools), &format!("#cloud-config\n{own}")));
            }
            Family::Image => checked += seeds(tools, &what, text),
            Family::Suse => checked += usize::from(content(&what, Command::new("xmllint").arg("--noout"), text)),
            _ => {}
        }
    }
    assert!(checked >= 50, "{checked} files only");
    // And they would say so: a tool that never complains proves nothing.
    for (command, text) in [
        (&mut ksvalidator(tools, "RHEL9"), "install\n"),
        (&mut cloud_init(tools), "#cloud-config\nusers: 5\n"),
        (
            &mut cloud_init_to(
                tools,
                &["devel", "net-convert", "-k", "yaml", "-D", "debian", "-O", "networkd", "-d", "/nowhere", "-p"],
            ),
            "version: 2\nethernets: 5\n",
        ),
        (Command::new("debconf-set-selections").arg("-c"), "d-i a/b strign x\n"),
        (Command::new("xmllint").arg("--noout"), "<a>"),
    ] {
        assert!(complaint(command, text).is_none_or(|said| said.is_err()), "{command:?} takes {text:?}");
    }
}

/// Every script inside an answer file, wherever it stands.
fn scripts(family: Family, text: &str) -> Vec<String> {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let unpack = |word: &str| {
        base64::engine::general_purpose::STANDARD.decode(word).ok().and_then(|b| String::from_utf8(b).ok())
    };
    let carried = |text: &str| {
        text.split(|c| !is_base64(c)).filter(|word| word.len() > 200).filter_map(unpack).collect::<Vec<_>>()
    };
    match family {
        Family::Redhat => {
            let bodies = text.split("\n%").filter(|part| part.starts_with("pre") || part.starts_with("post"));
            bodies.map(|part| part.split_once('\n').unwrap().1.to_owned()).collect()
        }
        Family::Suse => {
            let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
            let document = roxmltree::Document::parse_with_options(text, options).unwrap();
            let sources = document.descendants().filter(|node| node.tag_name().name() == "source");
            sources.filter_map(|node| node.text().map(str::to_owned)).collect()
        }
        Family::Agama => {
            let whole: serde_json::Value = serde_json::from_str(text).unwrap();
            let all = whole["scripts"].as_object().unwrap().values().flat_map(|list| list.as_array().unwrap());
            all.map(|script| script["content"].as_str().unwrap().to_owned()).collect()
        }
        Family::Image => vec![text.to_owned()],
        Family::Fai => [vec![text.to_owned()], carried(text)].concat(),
        Family::Ignition => {
            let outer = carried(text);
            let inner = outer.iter().flat_map(|text| carried(text)).collect();
            [outer, inner].concat().into_iter().filter(|text| text.starts_with("#!")).collect()
        }
        Family::Debian | Family::Ubuntu => carried(text),
        Family::Esxi => vec![],
    }
}

#[tokio::test]
async fn a_shell_can_read_every_script_that_an_answer_file_carries() {
    let mut checked = 0;
    for Given { what, family, files, .. } in all().await {
        let found = scripts(family, &files[0].1);
        assert!(
            !found.is_empty() || family == Family::Esxi || what.contains("preseed") || family == Family::Debian,
            "{what}"
        );
        for script in found {
            checked += usize::from(content(&what, Command::new("bash").arg("-n"), &script));
            let is_sh = !script.starts_with("#!/bin/bash");
            checked += usize::from(is_sh && content(&what, Command::new("sh").arg("-n"), &script));
        }
    }
    assert!(checked >= 100, "{checked} scripts only");
}

/// The table of commands is pykickstart's, release by release.
#[test]
fn the_commands_of_a_kickstart_are_those_that_anaconda_knows() {
    let Some(tools) = &*TOOLS else { return eprintln!("skipped: lab/validators.sh got no tools") };
    const PROGRAM: &str = "
from pykickstart.version import makeVersion
for version in ['RHEL7', 'RHEL8', 'RHEL9', 'RHEL10', 'F40', 'F41', 'F42', 'F43', 'F44', 'F45']:
    handler = makeVersion(version)
    removed = lambda c: any(k.__name__ == 'RemovedCommand' for k in type(handler.commands[c]).__mro__)
    print(version, *[c for c in handler.commands if not removed(c)])
";
    let output = Command::new(tools.join("venv/bin/python")).args(["-c", PROGRAM]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let known: Vec<(u32, Vec<&str>)> = text
        .lines()
        .map(|line| {
            let (version, commands) = line.split_once(' ').unwrap();
            let number = version.trim_start_matches(|c: char| c.is_alphabetic()).parse().unwrap();
            (number, commands.split(' ').collect())
        })
        .collect();
    assert_eq!(known.len(), 10);
    let every: std::collections::BTreeSet<&str> = known.iter().flat_map(|(_, commands)| commands.clone()).collect();
    let mut wrong = Vec::new();
    for (release, commands) in &known {
        for command in every.iter().filter(|c| check::kickstart_knows(*release, c) != commands.contains(*c)) {
            wrong.push(format!(
                "{release}: {command} is {}",
                if commands.contains(command) { "known" } else { "unknown" }
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Runs a script as root of a system whose /etc, /root and /usr/local are empty, and whose network is a fake.
fn installed(script: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        program(&folder.path().join(name), text);
    };
    put("curl", "#!/bin/sh\nwhile [ $# -gt 1 ]; do [ \"$1\" = -o ] && : >\"$2\"; shift; done\n");
    put("systemctl", "#!/bin/sh\necho \"systemctl $*\"\n");
    put("chpasswd", "#!/bin/sh\nsed 's/^/chpasswd /'\n");
    put("update-grub", "#!/bin/sh\ncat /etc/default/grub.d/*\n");
    put("script", script);
    let enter = format!(
        "for place in /etc /root /usr/local; do mount -t tmpfs none $place; done; mkdir -p /etc/systemd/system
        export PATH={place}:$PATH; sh -eu {place}/script && stat -c '%a %n' /etc/kickstand \
        /etc/kickstand/agent.json /usr/local/sbin/kickstand-agent && cat /root/.ssh/authorized_keys /etc/kickstand/agent.json || [ ! -e /root/.ssh ]",
        place = folder.path().display()
    );
    let output = Command::new("unshare").args(["--mount", "sh", "-eu", "-c", &enter]).output().ok()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let is_allowed = !said.contains("unshare failed") && !said.contains("permission denied");
    is_allowed.then(|| {
        assert!(output.status.success(), "{said}\n{script}");
        said
    })
}

#[tokio::test]
async fn what_runs_in_the_installed_system_leaves_keys_and_a_registration() {
    let house = House::new().await;
    let mut run = 0;
    for family in [Family::Redhat, Family::Debian, Family::Suse, Family::Ubuntu, Family::Agama, Family::Fai] {
        let (_, files) = house.fetch(&machine(family)).await;
        let late = scripts(family, &files[0].1)
            .into_iter()
            .find(|text| text.contains("kickstand-agent.service") && !text.contains("base64 -d"));
        let late = late.unwrap_or_else(|| panic!("{family} has one"));
        // A section of a kickstart ends before this line.
        let late = late.split("\n%end").next().unwrap();
        let Some(said) = installed(late) else { return eprintln!("skipped: only root may mount") };
        assert!(said.contains("systemctl enable kickstand-agent.service"), "{family}: {said}");
        assert!(
            said.contains("600 /etc/kickstand/agent.json") && said.contains("700 /etc/kickstand\n"),
            "{family}: {said}"
        );
        let known = "\"server\": \"https://10.0.0.1\", \"ca\": \"-----BEGIN CERTIFICATE-----\\n";
        assert!(said.contains(known) && said.contains("\"key\": \""), "{family}: {said}");
        // RHEL's keys are the installer's own to write.
        if family != Family::Redhat {
            assert!(said.contains("\nssh-ed25519 AAAA it's me\n"), "{family}: {said}");
        }
        run += 1;
    }
    assert_eq!(run, 6);
}
