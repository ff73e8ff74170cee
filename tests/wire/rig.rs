//! Namespaces with a link between them, what is run inside, and a witness who writes down every frame.

use kickstand::model::Mac;
use pnet::datalink::{self, Channel, Config};
use pnet::packet::Packet;
use pnet::packet::ethernet::{EtherType, EthernetPacket};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A network namespace, with its loopback and nothing else. Taken away when it is dropped.
pub struct Space(String);

/// Two spaces whose interfaces `eth0` are joined by a cable.
pub fn cable() -> (Space, Space) {
    let (a, b) = (Space::new(), Space::new());
    a.join("eth0", &b, "eth0");
    (a, b)
}

impl Space {
    pub fn new() -> Space {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wire-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run(Command::new("ip").args(["netns", "add", &name]));
        let space = Space(name);
        space.run("sh -c", &["echo 1 | tee /proc/sys/net/ipv6/conf/*/disable_ipv6"]);
        space.ip("link set lo up");
        space
    }

    /// `ip`, inside.
    pub fn ip(&self, args: &str) -> String {
        let output = run(Command::new("ip").args(["-n", &self.0]).args(args.split(' ')));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A cable to another space; both ends are up.
    pub fn join(&self, own: &str, other: &Space, theirs: &str) {
        self.ip(&format!("link add {own} type veth peer name {theirs} netns {}", other.0));
        self.ip(&format!("link set {own} up"));
        other.ip(&format!("link set {theirs} up"));
    }

    /// A cable from this space's bridge `br0` to another's `eth0`.
    pub fn plug(&self, port: &str, other: &Space) {
        self.join(port, other, "eth0");
        self.ip(&format!("link set {port} master br0"));
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).args(program.split(' '));
        command
    }

    /// It must succeed.
    pub fn run(&self, program: &str, args: &[&str]) -> Output {
        run(self.command(program).args(args))
    }

    /// Until the guard is dropped.
    pub fn spawn(&self, program: &str, args: &[&str]) -> Running {
        Running(self.command(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// On a thread of its own inside, with a runtime.
    pub fn start<T, F>(&self, body: impl FnOnce() -> F + Send + 'static) -> JoinHandle<T>
    where
        T: Send + 'static,
        F: Future<Output = T>,
    {
        let space = File::open(format!("/run/netns/{}", self.0)).unwrap();
        thread::spawn(move || {
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { body().await })
        })
    }

    pub fn inside<T, F>(&self, body: impl FnOnce() -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T>,
    {
        self.start(body).join().unwrap()
    }

    pub fn mac(&self, interface: &str) -> Mac {
        let text = self.ip(&format!("-brief link show {interface}"));
        text.split_whitespace().nth(2).unwrap().parse().unwrap()
    }

    /// Writes down what comes in on `eth0` from now on.
    pub fn witness(&self) -> Witness {
        let (over, ready) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (stop, up) = (over.clone(), ready.clone());
        let thread = self.start(|| async move { watch(&stop, &up) });
        until("the witness listens", || ready.load(Ordering::Relaxed));
        Witness { over, thread }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text} (these tests need root: make wire)");
    output
}

pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A frame as it came over the cable.
pub struct Frame {
    pub to: Mac,
    pub from: Mac,
    pub kind: EtherType,
    pub packet: Vec<u8>,
}

pub struct Witness {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Frame>>,
}

impl Witness {
    pub fn frames(self) -> Vec<Frame> {
        // What was sent is there already; the witness only has to read it.
        thread::sleep(Duration::from_millis(100));
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// pnet's own channel: it sees the whole frame, with both addresses.
fn watch(over: &AtomicBool, ready: &AtomicBool) -> Vec<Frame> {
    let interface = datalink::interfaces().into_iter().find(|i| i.name == "eth0").unwrap();
    let wait = Some(Duration::from_millis(20));
    let config = Config { read_timeout: wait, promiscuous: false, ..Config::default() };
    let Ok(Channel::Ethernet(_, mut frames)) = datalink::channel(&interface, config) else { panic!("no channel") };
    ready.store(true, Ordering::Relaxed);
    let own = Mac(interface.mac.unwrap().octets());
    let mut seen = Vec::new();
    while !over.load(Ordering::Relaxed) {
        if let Some(frame) = frames.next().ok().and_then(EthernetPacket::new) {
            let [to, from] = [frame.get_destination(), frame.get_source()].map(|mac| Mac(mac.octets()));
            let (kind, packet) = (frame.get_ethertype(), frame.payload().to_vec());
            seen.push(Frame { to, from, kind, packet });
        }
    }
    seen.retain(|frame| frame.from != own);
    seen
}

pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
