//! The machines of a lab: their firmware, their plug, their console, and how long they take.

use crate::rig::{Lab, lab};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Firmware {
    /// SeaBIOS, and iPXE on the card.
    Bios,
    /// OVMF, which has HTTP boot after PXE.
    Uefi,
    /// OVMF that starts only what Microsoft has signed.
    Secure,
    /// OVMF without PXE: HTTP is its only way to the network.
    Http,
    /// AAVMF: UEFI on another processor.
    Arm64,
    /// The same without PXE.
    Arm64Http,
}

impl Firmware {
    fn word(self) -> &'static str {
        match self {
            Firmware::Bios => "bios",
            Firmware::Uefi => "uefi",
            Firmware::Secure => "secure",
            Firmware::Http => "http",
            Firmware::Arm64 => "arm64",
            Firmware::Arm64Http => "arm64-http",
        }
    }
}

#[derive(Clone, Copy)]
pub enum Order {
    NetworkFirst,
    DiskFirst,
}

impl Lab {
    pub fn vm(&self, command: &str, name: &str, env: &[(&str, &str)]) {
        let folder = self.folder.join("vm").display().to_string();
        let cacerts = self.cacerts.as_ref().map_or(String::new(), |path| path.display().to_string());
        let memory = self.memory_mib.to_string();
        let own = [
            ("VM_FOLDER", folder.as_str()),
            ("VM_NETWORK", self.name.as_str()),
            ("VM_CACERTS", cacerts.as_str()),
            ("VM_MEMORY", memory.as_str()),
        ];
        lab("vm.sh", &[command, name], &[&own[..], env].concat());
    }

    pub fn power_on(&mut self, name: &str, mac: &str, firmware: Firmware, order: Order) {
        self.power_on_captured(name, mac, firmware, order, "");
    }

    pub fn power_on_captured(&mut self, name: &str, mac: &str, firmware: Firmware, order: Order, capture: &str) {
        let firmware = firmware.word();
        let order = match order {
            Order::NetworkFirst => "network",
            Order::DiskFirst => "disk",
        };
        let env = [("VM_MAC", mac), ("VM_FIRMWARE", firmware), ("VM_BOOT", order), ("VM_CAPTURE", capture)];
        self.machines.push(name.to_owned());
        // The console of its last life is none of this one's.
        let _ = std::fs::remove_file(self.log(name));
        self.powered = Instant::now();
        self.vm("start", name, &env);
        self.say(&format!("{name} ({mac}, {firmware}, {order} first) is on"));
    }

    pub fn power_off(&self, name: &str) {
        self.vm("stop", name, &[]);
    }

    fn log(&self, name: &str) -> std::path::PathBuf {
        self.folder.join("vm").join(format!("{name}.log"))
    }

    /// How much of its console a machine has shown.
    pub fn console(&self, name: &str) -> String {
        let log = std::fs::read(self.log(name)).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// How many seconds after power-on a machine's console showed this text.
    pub fn seconds_until_it_says(&self, name: &str, text: &str, limit_secs: u64) -> f64 {
        while !self.console(name).contains(text) {
            if self.powered.elapsed() > Duration::from_secs(limit_secs) {
                self.explain();
                panic!("{name} does not say {text:?} within {limit_secs} s");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let secs = self.powered.elapsed().as_secs_f64();
        self.say(&format!("{name} says {text:?} {secs:.1} s after power-on, {}", load()));
        secs
    }
}

/// What else this host has to do: a figure without it says little.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load {}", text.split(' ').next().unwrap_or_default())
}
