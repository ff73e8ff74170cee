//! Virtual metal: a network namespace, the true server in it, and machines with real firmware (lab/ does the work).

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Everything of one test: taken away when it is dropped, also when the test failed.
pub struct Lab {
    pub name: String,
    pub folder: PathBuf,
    server: Option<Child>,
    /// Those that were ever on.
    pub machines: Vec<String>,
    /// When the last of them was.
    pub powered: Instant,
    /// Other hosts on the network, each a namespace.
    hosts: Vec<String>,
    /// What is enrolled in the firmware of its machines.
    pub cacerts: Option<PathBuf>,
    /// Of each of its machines.
    pub memory_mib: u32,
    since: Instant,
}

/// Two trees on one host must not take each other's networks away.
fn mark(path: &Path) -> u16 {
    path.as_os_str().as_encoded_bytes().iter().fold(0, |sum: u16, byte| sum.rotate_left(5) ^ u16::from(*byte))
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a script of lab/; it must succeed.
pub fn lab(script: &str, args: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = Command::new(root().join("lab").join(script));
    let output = command.args(args).envs(env.iter().copied()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "lab/{script} {}", args.join(" "));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Lab {
    /// A network, a server on it, and what installing takes: profile `web` for the addresses .10 to .50.
    pub fn new(name: &str) -> Lab {
        let folder = root().join(".demo/metal").join(name);
        let lab = Lab {
            name: format!("metal-{name}-{:04x}", mark(root())),
            folder,
            server: None,
            machines: vec![],
            powered: Instant::now(),
            hosts: vec![],
            cacerts: None,
            memory_mib: 1536,
            since: Instant::now(),
        };
        lab.clean();
        let _ = std::fs::remove_dir_all(&lab.folder);
        std::fs::create_dir_all(lab.folder.join("files/agent")).unwrap();
        lab.lay()
    }

    fn lay(mut self) -> Lab {
        let agent = lab("agent.sh", &[], &[]);
        std::fs::copy(&agent, self.folder.join("files/agent/kickstand-agent")).unwrap();
        let images = self.folder.join("files/debian-12").display().to_string();
        lab("images.sh", &[&images], &[("KICKSTAND_AGENT", &agent)]);
        lab("net.sh", &["up", &self.name], &[]);
        let at = self.folder.display();
        let settings = format!(
            "[database]\nurl = \"sqlite://{at}/kickstand.db\"\n[server]\nfiles = \"{at}/files\"\ntemplates = \"{at}/etc\"\nloaders = [\"{at}/loaders\", \"/usr/lib/ipxe\"]\nsocket = \"{at}/socket\"\n[dhcp]\ninterfaces = [\"br0\"]\n"
        );
        std::fs::write(self.folder.join("kickstand.toml"), settings).unwrap();
        self.serve();
        self.cli(&[
            "network",
            "add",
            "lab",
            "--cidr",
            "10.77.0.0/24",
            "--dns",
            "10.77.0.1",
            "--pool",
            "10.77.0.100-10.77.0.120",
        ]);
        self.cli(&["key", "add", "web"]);
        let distro = ["distro", "add", "debian-12", "--family", "image", "--arguments", "console=ttyS0 tsc=reliable"];
        let files = ["--kernel", "debian-12/vmlinuz", "--initrd", "debian-12/initrd.img"];
        let variables = ["--var", "live=debian-12/live.squashfs", "--var", "image=debian-12/root.tar.zst"];
        self.cli(&[&distro[..], &files, &variables].concat());
        self.cli(&[
            "profile",
            "add",
            "web",
            "--distro",
            "debian-12",
            "--key",
            "web",
            "--var",
            "kernel_arguments=console=ttyS0",
        ]);
        self.cli(&["range", "add", "web-rack", "10.77.0.10-10.77.0.50", "--profile", "web"]);
        self
    }

    /// More settings, from a new start on.
    pub fn serve_with(&mut self, settings: &str) {
        let path = self.folder.join("kickstand.toml");
        let whole = std::fs::read_to_string(&path).unwrap() + settings;
        std::fs::write(path, whole).unwrap();
        self.kill_server();
        self.serve();
    }

    pub fn serve(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("kickstand.log")).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, env!("CARGO_BIN_EXE_kickstand"), "serve", "--config"]);
        self.server = Some(command.arg(self.folder.join("kickstand.toml")).stderr(log).spawn().unwrap());
        self.until("the server answers", 20, |lab| lab.try_cli(&["machine", "list"]).status.success());
    }

    /// dnsmasq as the DHCP server of the network, on a host of its own: this card gets this address.
    pub fn other_dhcp_server(&mut self, mac: &str, ip: &str) {
        let (switch, host) = (self.name.clone(), format!("{}-dhcp", self.name));
        lab("net.sh", &["down", &host], &[]);
        let run = |words: &str| {
            let status = Command::new("ip").args(words.split(' ')).status().unwrap();
            assert!(status.success(), "ip {words}");
        };
        run(&format!("netns add {host}"));
        self.hosts.push(host.clone());
        run(&format!("-n {switch} link add other type veth peer name eth0 netns {host}"));
        run(&format!("-n {switch} link set other master br0 up"));
        run(&format!("-n {host} link set eth0 up"));
        run(&format!("-n {host} address add 10.77.0.2/24 dev eth0"));
        let words =
            "dnsmasq --conf-file=/dev/null --port=0 --dhcp-range=10.77.0.60,10.77.0.90,1h --dhcp-leasefile=/dev/null";
        let mut dnsmasq = Command::new("ip");
        dnsmasq.args(["netns", "exec", &host]).args(words.split(' '));
        dnsmasq
            .args([&format!("--dhcp-host={mac},{ip}"), &format!("--pid-file={}/dnsmasq.pid", self.folder.display())]);
        assert!(dnsmasq.status().unwrap().success(), "dnsmasq starts");
        self.say("dnsmasq gives the addresses");
    }

    /// What a power cut or an out-of-memory killer does.
    pub fn kill_server(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
        self.say("the server is killed with SIGKILL");
    }

    pub fn try_cli(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kickstand"));
        command.arg("--socket").arg(self.folder.join("socket")).args(args).output().unwrap()
    }

    pub fn cli(&self, args: &[&str]) -> String {
        let output = self.try_cli(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn refused(&self, args: &[&str]) -> String {
        let output = self.try_cli(args);
        assert!(!output.status.success(), "{args:?} was not refused");
        String::from_utf8(output.stderr).unwrap()
    }

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.cli(&[&["--output", "json"], args].concat())).unwrap()
    }

    pub fn machine(&self, name: &str) -> Value {
        self.json(&["machine", "show", name])
    }

    /// The newest events, oldest first: kind, MAC and text.
    pub fn events(&self) -> Vec<(String, String, String)> {
        let word = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let all = self.json(&["events", "--limit", "1000"]);
        all.as_array().unwrap().iter().map(|e| (word(e, "kind"), word(e, "mac"), word(e, "text"))).collect()
    }

    pub fn count(&self, kind: &str, text: &str) -> usize {
        self.events().iter().filter(|(k, _, t)| k == kind && t.contains(text)).count()
    }

    /// Every address that this card was ever given since it was last armed, and how many times it was given one.
    pub fn addresses(&self, mac: &str) -> (Vec<String>, usize) {
        let events = self.events();
        let start = events.iter().rposition(|(k, _, t)| k == "state" && t.contains("armed")).unwrap_or(0);
        let leases = events[start..].iter().filter(|(k, m, t)| k == "lease" && m == mac && !t.contains("released"));
        let mut all: Vec<_> = leases.filter_map(|(_, _, text)| text.split(' ').next().map(str::to_owned)).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        (all, count)
    }

    /// Each kind comes after the one before it, from the newest arming on.
    pub fn assert_order(&self, kinds: &[(&str, &str)]) {
        let events = self.events();
        let start = events.iter().rposition(|(k, _, t)| k == "state" && t.contains("armed")).unwrap_or(0);
        let mut rest = events[start..].iter();
        for (kind, text) in kinds {
            let found = rest.any(|(k, _, t)| k == kind && t.contains(text));
            assert!(found, "no {kind} {text:?} at its place in {:#?}", &events[start..]);
        }
    }

    /// Waits until something is so, for at most so many seconds.
    pub fn until(&self, what: &str, secs: u64, so: impl Fn(&Lab) -> bool) {
        let end = Instant::now() + Duration::from_secs(secs);
        while !so(self) {
            if Instant::now() > end {
                self.explain();
                panic!("{what}: not within {secs} s");
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        self.say(what);
    }

    pub fn until_state(&self, machine: &str, state: &str, secs: u64) {
        self.until(&format!("{machine} is {state}"), secs, |lab| lab.machine(machine)["state"] == state);
    }

    pub fn say(&self, what: &str) {
        println!("  {:6.1} s  {}: {what}", self.since.elapsed().as_secs_f64(), self.name);
    }

    pub fn explain(&self) {
        println!("{}", self.cli(&["events", "--limit", "60"]));
        for name in &self.machines {
            let log = std::fs::read(self.folder.join("vm").join(format!("{name}.log"))).unwrap_or_default();
            let tail = String::from_utf8_lossy(&log[log.len().saturating_sub(3000)..]).into_owned();
            println!("--- console of {name}\n{tail}");
        }
    }

    fn clean(&self) {
        self.machines.iter().for_each(|name| self.vm("stop", name, &[]));
        self.hosts.iter().chain([&self.name]).for_each(|name| drop(lab("net.sh", &["down", name], &[])));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        self.clean();
        // Disks and images are large, and made anew each time.
        let _ = std::fs::remove_dir_all(self.folder.join("vm"));
        let _ = std::fs::remove_dir_all(self.folder.join("files"));
    }
}
