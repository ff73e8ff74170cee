//! How many answer files are rendered in a second: the built-in kickstart with its snippets, beside Cheetah, which
//! compiles and fills one of the same size at each request as Cobbler has it do.

#[path = "../dhcp/report.rs"]
#[expect(dead_code, reason = "the other benches judge in other ways")]
mod report;

use anyhow::{Context, Result, ensure};
use kickstand::assets::Assets;
use kickstand::boot::lifecycle;
use kickstand::family::network::{Place, Wiring};
use kickstand::model::*;
use kickstand::render::{Templates, Whose};
use report::{Bar, Report};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const TEMPLATE: &str = "templates/redhat/kickstart.ks";
const TIME: Duration = Duration::from_secs(5);
const THREADS: usize = 2;

/// What the engine puts in, over the family's defaults.
fn context() -> Result<Value> {
    let defaults = Assets::default().text("templates/redhat/defaults.toml").context("no defaults")?;
    let mut context: Value = toml::from_str(&defaults)?;
    let given = json!({
        "server_url": "http://10.0.0.1", "report_url": format!("http://10.0.0.1/report/{}", "0".repeat(64)),
        "secure_server_url": "https://10.0.0.1", "secure_report_url": format!("https://10.0.0.1/report/{}", "0".repeat(64)),
        "server_ca": include_str!("../../tests/house/ca.pem"),
        "tree_url": "http://mirror.example/alma/9/BaseOS", "image_url": "", "key": "1".repeat(64),
        "machine": {
            "name": "web1", "system_id": "0192f0c1-0000-7000-8000-000000000000", "mac": "52:54:00:00:00:01",
            "ip": "10.0.0.9", "prefix": 24, "netmask": "255.255.255.0", "gateway": "10.0.0.1", "dns": ["10.0.0.2"],
            "domain": "lab.example",
        },
        "profile": "web", "distro": "alma-9", "boot_arguments": "console=ttyS0",
        "root_password_hash": "$6$salt$hash", "packages": ["vim", "tmux"], "disk": "vda",
        "ssh_authorized_keys": ["ssh-ed25519 AAAA one", "ssh-ed25519 AAAA two"],
    });
    let given = given.as_object().context("an object")?.clone();
    let context = context.as_object_mut().context("defaults are a table")?;
    context.extend(given);
    context.insert("wiring".into(), wiring()?);
    Ok(Value::Object(context.clone()))
}

/// A machine with an address from DHCP.
fn wiring() -> Result<Value> {
    let mac = Mac([0x52, 0x54, 0, 0, 0, 1]);
    let machine = lifecycle::newcomer(mac, State::Ready, [uuid::Uuid::nil(); 2], Time::from_secs(1));
    let network = Network {
        name: "lab".parse()?,
        cidr: "10.0.0.0/24".parse()?,
        gateway: None,
        dns: Vec::new(),
        domain: None,
        pools: Vec::new(),
        lease_secs: 3600,
        profile: None,
        unknown: Unknown::Ignore,
        variables: Variables::new(),
        secrets: Default::default(),
        dhcp: Dhcp::default(),
    };
    let place = Place { machine: &machine, mac, network: &network, further: &[] };
    Ok(Wiring::read(&place, &Variables::new()).map_err(anyhow::Error::msg)?.facts())
}

fn whose() -> Result<Whose> {
    let name = |text: &str| text.parse::<Name>();
    Ok(Whose::new(&name("web1")?, &[name("web")?, name("base")?], &name("alma-9")?))
}

/// Renderings in a second on that many threads, and the bytes of each.
fn ours(context: &Value) -> Result<(f64, usize)> {
    let (templates, whose) = (Templates::of(Assets::all_shipped()).map_err(|e| anyhow::anyhow!("{e:?}"))?, whose()?);
    let bytes = templates.render(TEMPLATE, context, &whose)?.len();
    let began = Instant::now();
    let count: u64 = std::thread::scope(|scope| {
        let render = || {
            let mut count = 0;
            while began.elapsed() < TIME {
                std::hint::black_box(templates.render(TEMPLATE, context, &whose).expect("it rendered before"));
                count += 1;
            }
            count
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(render)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no rendering panics")).sum()
    });
    Ok((count as f64 / began.elapsed().as_secs_f64(), bytes))
}

/// The same of Cheetah, were both processors its own; none where it can not be installed.
fn cheetah(context: &Value) -> Result<Option<(f64, usize)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/render");
    let Some(python) = venv()? else { return Ok(None) };
    let mut command = Command::new(python);
    command.arg(folder.join("cheetah.py")).arg(folder.join("kickstart.cheetah")).arg(context.to_string());
    let out = command.output().context("cannot run Cheetah")?;
    ensure!(out.status.success(), "Cheetah failed: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout)?;
    let (secs, bytes) = text.trim().split_once(' ').context("two numbers")?;
    Ok(Some((THREADS as f64 / secs.parse::<f64>()?, bytes.parse()?)))
}

/// A Python with Cheetah: it is kept beside what is built.
fn venv() -> Result<Option<PathBuf>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cheetah");
    let python = folder.join("bin/python");
    if !python.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
        if !made.is_ok_and(|status| status.success()) {
            return Ok(None);
        }
    }
    let install = Command::new(&python).args(["-m", "pip", "install", "--quiet", "CT3"]).status()?;
    Ok(install.success().then_some(python))
}

fn main() -> Result<()> {
    let (context, mut report) = (context()?, Report::default());
    let (each_second, bytes) = ours(&context)?;
    report.add("render.redhat.at-least-20000", 20_000.0 / each_second, None, "of 1", Bar::AtMost(1.0));
    match cheetah(&context)? {
        Some((theirs, their_bytes)) => {
            println!("{bytes} bytes each of ours, {their_bytes} of theirs");
            report.add("render.redhat", each_second, Some(theirs), "1/s", Bar::RatioAtLeast(100.0));
        }
        None => {
            println!("skipped: Cheetah can not be installed here");
            report.add("render.redhat", each_second, None, "1/s", Bar::None);
        }
    }
    report.print();
    report.write()
}
