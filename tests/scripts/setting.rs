//! Every template of pxe/ with values that disturb nothing, and with one of them replaced.

use kickstand::assets::Assets;
use kickstand::render::{Error, Templates, Whose};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// What stands in a variable when nothing is to happen, and is found again in the script.
pub const MARK: &str = "mark";

type Commands = fn(&str) -> Result<Vec<Vec<String>>, String>;

pub struct Template {
    pub name: &'static str,
    pub commands: Commands,
    pub context: Value,
    /// Where any text may stand, as JSON pointers.
    pub variables: Vec<&'static str>,
}

pub static TEMPLATES: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let ipxe = |name, variables: &[&'static str]| template(name, super::ipxe::commands, variables);
    let grub = |name, variables: &[&'static str]| template(name, super::grub::commands, variables);
    let pxelinux = |name, variables: &[&'static str]| template(name, super::syslinux::commands, variables);
    let urls = ["/kernel_url", "/initrd_url", "/arguments", "/profile"];
    let paths = ["/kernel_path", "/initrd_path", "/arguments", "/profile", "/name"];
    let mut all = vec![
        ipxe("pxe/ipxe/install.ipxe", &[&urls[..], &["/machine/name"]].concat()),
        ipxe("pxe/ipxe/disk.ipxe", &["/name"]),
        ipxe("pxe/ipxe/show.ipxe", &["/mac"]),
        ipxe("pxe/ipxe/autoexec.ipxe", &["/script_url"]),
        grub("pxe/grub/install.cfg", &[&paths[..], &["/server"]].concat()),
        grub("pxe/grub/disk.cfg", &["/name"]),
        grub("pxe/grub/show.cfg", &["/mac"]),
        pxelinux("pxe/pxelinux/install.cfg", &paths),
        // mboot is told where its boot.cfg is, and nothing of an operator's.
        ipxe("pxe/ipxe/mboot.ipxe", &["/kernel_url", "/profile", "/machine/name"]),
        grub("pxe/grub/mboot.cfg", &["/kernel_path", "/profile", "/name", "/server"]),
        pxelinux("pxe/pxelinux/mboot.cfg", &["/kernel_path", "/profile", "/name"]),
        pxelinux("pxe/pxelinux/disk.cfg", &["/name"]),
        pxelinux("pxe/pxelinux/show.cfg", &["/mac"]),
    ];
    let mut by_http = grub("pxe/grub/install.cfg", &[&paths[..], &["/server", "/http_port"]].concat());
    by_http.context["by"] = json!("http");
    by_http.context["http_port"] = json!(8080);
    all.push(by_http);
    let mut by_http = pxelinux("pxe/pxelinux/install.cfg", &[&urls[..], &["/name"]].concat());
    by_http.context["by"] = json!("http");
    all.push(by_http);
    let mut uboot = pxelinux("pxe/pxelinux/install.cfg", &paths);
    uboot.context["language"] = json!("extlinux");
    all.push(uboot);
    for method in ["exit", "exit-1", "sanboot", "efi-chain"] {
        let mut disk = ipxe("pxe/ipxe/disk.ipxe", &["/name"]);
        disk.context["method"] = json!(method);
        all.push(disk);
    }
    all
});

fn template(name: &'static str, commands: Commands, variables: &[&'static str]) -> Template {
    let context = json!({
        "name": "web1",
        "mac": "52:54:00:00:00:01",
        "profile": "image",
        "machine": { "name": "web1" },
        "kernel_path": "debian-12/vmlinuz",
        "initrd_path": "debian-12/initrd.img",
        "kernel_url": "http://10.0.0.2/files/debian-12/vmlinuz",
        "initrd_url": "http://10.0.0.2/files/debian-12/initrd.img",
        "script_url": "http://10.0.0.2/boot/52-54-00-00-00-01/script.ipxe",
        "arguments": "ip=dhcp console=ttyS0",
        "server": "10.0.0.2",
        "http_port": 80,
        "by": "tftp",
        "method": "auto",
    });
    Template { name, commands, context, variables: variables.to_vec() }
}

/// Everything that is built in.
pub static COMPILED: LazyLock<Templates> = LazyLock::new(|| Templates::of(Assets::all_shipped()).unwrap());

impl Template {
    /// The script with this text in one variable.
    pub fn with(&self, variable: &str, text: &str) -> Result<String, Error> {
        let mut context = self.context.clone();
        *context.pointer_mut(variable).unwrap() = text.into();
        COMPILED.render(self.name, &context, &Whose::default())
    }

    pub fn rendered(&self) -> String {
        COMPILED.render(self.name, &self.context, &Whose::default()).unwrap()
    }
}

/// Texts that people and attackers have put into names before.
pub const NAUGHTY: &[&str] = &[
    "",
    " ",
    "a b",
    "it's",
    "\"",
    "a=\"b c\"",
    "a=\"b  c\"",
    "a=\"b",
    "\"\"",
    "\\",
    "a\\",
    "'; reboot; '",
    "\n reboot",
    "\r\nreboot",
    "a\u{0}b",
    "a || shell",
    "a && shell",
    "a ; shell",
    "a #b",
    "#",
    "-",
    "--name x",
    "${net0/mac}",
    "$(reboot)",
    "$root",
    "`reboot`",
    "initrd=x",
    "\"initrd=x\"",
    "a,b",
    "*",
    "?",
    "[a]",
    "{ reboot }",
    "a|b>c<d&e",
    "!",
    "fi",
    "}}{{",
    "{% raw %}",
    "à",
    "\u{a0}",
    "\u{2028}",
    "\u{202e}txt",
    "𝕏",
    "\u{feff}",
    "--- quiet",
    "%s%n",
    "../../etc/passwd",
];
