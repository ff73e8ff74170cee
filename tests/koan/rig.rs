//! A server and a host in two network namespaces, and the real koan on the host: what it says, writes and starts.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub const OWN: &str = "52:54:00:77:02:01";
pub const IP: &str = "10.77.2.10";
pub const SERVER: &str = "10.77.2.1";

/// Taken away when it is dropped, also when the test failed.
pub struct Stage {
    pub folder: PathBuf,
    net: String,
    host: String,
    koan: PathBuf,
    server: Option<Child>,
}

/// What koan said, and how it ended.
pub struct Said {
    pub text: String,
    pub ok: bool,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn lab(script: &str, args: &[&str]) -> String {
    let output = run(Command::new(root().join("lab").join(script)).args(args).stderr(Stdio::inherit()));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Stage {
    /// A machine `web-1` whose profile installs an image; `rocky`, `bookworm` and `leap` are profiles of other families.
    pub fn new(name: &str) -> Stage {
        let koan = PathBuf::from(lab("koan.sh", &[]));
        let folder = tempfile::Builder::new().prefix("koan-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        let net = format!("koan-{}-{name}", std::process::id());
        let mut stage = Stage { host: format!("{net}-h"), net, folder, koan, server: None };
        stage.lay();
        stage
    }

    fn lay(&mut self) {
        for (file, size) in
            [("vmlinuz", 70_000usize), ("initrd.img", 90_000), ("live.squashfs", 10), ("root.tar.zst", 10)]
        {
            let path = self.folder.join("files/d").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, (0..size).map(|i| (i % 251) as u8).collect::<Vec<_>>()).unwrap();
        }
        std::fs::create_dir_all(self.folder.join("files/d/tree")).unwrap();
        std::fs::create_dir_all(self.folder.join("files/agent")).unwrap();
        std::fs::write(self.folder.join("files/agent/kickstand-agent"), "agent").unwrap();
        let own = self.folder.join("etc/templates");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("motd.txt"), "I am {{ machine.name }}\n").unwrap();
        lab("net.sh", &["up", &self.net, &format!("{SERVER}/24")]);
        self.ip(&format!("netns add {}", self.host));
        self.ip(&format!("-n {} link add host type veth peer name eth0 netns {}", self.net, self.host));
        self.ip(&format!("-n {} link set host master br0 up", self.net));
        self.ip(&format!("-n {} link set eth0 address {OWN} up", self.host));
        self.ip(&format!("-n {} link set lo up", self.host));
        self.ip(&format!("-n {} address add {IP}/24 dev eth0", self.host));
        self.serve();
        self.records();
    }

    fn ip(&self, words: &str) {
        run(Command::new("ip").args(words.split(' ')));
    }

    fn serve(&mut self) {
        let at = self.folder.display();
        let settings = format!(
            "[database]\nurl = \"sqlite://{at}/kickstand.db\"\n[server]\nfiles = \"{at}/files\"\ntemplates = \"{at}/etc\"\nloaders = [\"/usr/lib/ipxe\"]\nsocket = \"{at}/socket\"\n[dhcp]\ninterfaces = [\"br0\"]\n[cobbler]\nserve = true\nregister = true\nlogs = \"{at}/logs\"\n"
        );
        std::fs::write(self.folder.join("kickstand.toml"), settings).unwrap();
        let log = std::fs::File::create(self.folder.join("kickstand.log")).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.net, env!("CARGO_BIN_EXE_kickstand"), "serve", "--config"]);
        self.server = Some(command.arg(self.folder.join("kickstand.toml")).stderr(log).spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(60);
        while !self.try_cli(&["machine", "list"]).status.success() {
            assert!(Instant::now() < end, "the server does not answer: {}/kickstand.log", self.folder.display());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn records(&self) {
        self.cli(&["network", "add", "lab", "--cidr", "10.77.2.0/24", "--gateway", SERVER, "--dns", SERVER]);
        self.cli(&["key", "add", "web"]);
        let kernel = ["--kernel", "d/vmlinuz", "--initrd", "d/initrd.img"];
        let distro = |name: &str, family: &str, variables: &[&str]| {
            let variables: Vec<&str> = variables.iter().flat_map(|variable| ["--var", variable]).collect();
            self.cli(&[&["distro", "add", name, "--family", family], &kernel[..], &variables].concat());
        };
        distro("debian-12", "image", &["live=d/live.squashfs", "image=d/root.tar.zst"]);
        distro("rocky-9", "redhat", &["tree=d/tree"]);
        distro("bookworm", "debian", &["mirror_host=deb.example.org"]);
        distro("leap-15", "suse", &["tree=d/tree"]);
        for (profile, distro) in
            [("web", "debian-12"), ("rocky", "rocky-9"), ("bookworm", "bookworm"), ("leap", "leap-15")]
        {
            self.cli(&["profile", "add", profile, "--distro", distro, "--key", "web"]);
        }
        self.cli(&["machine", "add", "web-1", "--mac", OWN, "--ip", IP, "--profile", "web"]);
        self.cli(&["machine", "add", "web-2", "--mac", "52:54:00:77:02:02", "--profile", "web"]);
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

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.cli(&[&["--output", "json"], args].concat())).unwrap()
    }

    pub fn state(&self, name: &str) -> String {
        self.json(&["machine", "show", name])["state"].as_str().unwrap().to_owned()
    }

    pub fn told(&self, text: &str) -> bool {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let events = self.json(&["events", "--limit", "500"]);
            if events.as_array().unwrap().iter().any(|event| event["text"].as_str().unwrap_or_default().contains(text))
            {
                return true;
            }
            if Instant::now() > end {
                return false;
            }
        }
    }

    /// This program of koan's on the host.
    fn program(&self, program: &str, args: &[&str]) -> Said {
        let mut command = Command::new(root().join("tests/koan/host.sh"));
        command.arg(&self.host).arg(&self.folder).arg(&self.koan);
        command.arg(self.koan.join("venv/bin/python")).arg(self.koan.join("venv/bin").join(program)).args(args);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Said { ok: output.status.success(), text }
    }

    pub fn koan(&self, args: &[&str]) -> Said {
        self.program("koan", &[&["--server", SERVER], args].concat())
    }

    pub fn register(&self, args: &[&str]) -> Said {
        self.program("cobbler-register", &[&["--server", SERVER], args].concat())
    }

    /// What this URL has for the host.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            &self.host,
            "curl",
            "--silent",
            "--path-as-is",
            "--write-out",
            "\n%{http_code}",
        ]);
        let output = run(command.arg(format!("http://{SERVER}{path}")));
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// What koan wrote, below the host's root.
    pub fn written(&self, path: &str) -> Vec<u8> {
        let path = self.folder.join("written").join(path);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// What koan started of this name, each time its words.
    pub fn asked(&self, program: &str) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.folder.join("asked").join(program)).unwrap_or_default();
        let start = format!("{program}\n");
        text.split(&start).skip(1).map(|words| words.trim_end().lines().map(str::to_owned).collect()).collect()
    }

    /// Another system on the host.
    pub fn is(&self, os_release: &str) {
        std::fs::write(self.folder.join("os-release"), os_release).unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        for name in [&self.host, &self.net] {
            lab("net.sh", &["down", name]);
        }
        match std::thread::panicking() {
            true => eprintln!("see {}", self.folder.display()),
            false => drop(std::fs::remove_dir_all(&self.folder)),
        }
    }
}
