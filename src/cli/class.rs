//! `kickstand class`: options for clients that have something in common.

use super::agreed::Asking;
use super::session::Session;
use super::table::{maybe, options as shown};
use super::values::{OrNone, Setting, clearable, number, settings};
use crate::http::api::class::{ClassDraft, ClassPatch, ClassView};
use crate::model::{Arch, MacPrefix, Name, Program};
use anyhow::Result;
use clap::{Args, Subcommand};
use hyper::Method;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what clients with something in common are told; without any criterion it is everybody
    Add(Add),
    /// Change what is given, keep the rest
    Set(Set),
    /// Show one class
    Show {
        /// Its name
        name: Name,
    },
    /// List all classes
    List,
    /// Remove a class
    Remove {
        /// Its name
        name: Name,
        #[command(flatten)]
        asking: Asking,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its name, for example phones
    name: Name,
    /// Only on this network
    #[arg(long)]
    network: Option<Name>,
    /// The program that asks: rom, http, ipxe or system
    #[arg(long)]
    program: Option<Program>,
    /// Its architecture, the number of option 93, for example 0x0b
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    arch: Option<u16>,
    /// How its vendor class (option 60) begins, for example "Cisco Systems, Inc. IP Phone"
    #[arg(long, value_name = "PREFIX")]
    vendor: Option<String>,
    /// A user class (option 77) that it has
    #[arg(long, value_name = "TEXT")]
    user_class: Option<String>,
    /// How its MAC begins, for example 52:54:00
    #[arg(long, value_name = "PREFIX")]
    mac: Option<MacPrefix>,
    /// How the circuit-id of its relay or switch begins, for example eth0/1
    #[arg(long, value_name = "TEXT")]
    circuit: Option<String>,
    /// A DHCP option that they get, for example ntp-servers=10.0.0.1; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<Setting>,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Its name
    name: Name,
    /// Only on this network; "" means all
    #[arg(long)]
    network: Option<OrNone<Name>>,
    /// The program that asks: rom, http, ipxe or system; "" means any
    #[arg(long)]
    program: Option<OrNone<Program>>,
    /// Its architecture, the number of option 93, for example 0x0b; "" means any
    #[arg(long, value_name = "NUMBER")]
    arch: Option<OrNone<Number>>,
    /// How its vendor class (option 60) begins; "" means any
    #[arg(long, value_name = "PREFIX")]
    vendor: Option<OrNone<String>>,
    /// A user class (option 77) that it has; "" means any
    #[arg(long, value_name = "TEXT")]
    user_class: Option<OrNone<String>>,
    /// How its MAC begins; "" means any
    #[arg(long, value_name = "PREFIX")]
    mac: Option<OrNone<MacPrefix>>,
    /// How the circuit-id of its relay or switch begins; "" means any
    #[arg(long, value_name = "TEXT")]
    circuit: Option<OrNone<String>>,
    /// A DHCP option that they get; NAME= removes it; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<Setting>,
    #[command(flatten)]
    asking: Asking,
}

/// Decimal, or hexadecimal behind 0x.
#[derive(Debug, Clone, Copy)]
pub struct Number(u16);

impl std::str::FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        number(text).map(Number)
    }
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Add(add) => {
            let said = |c: &ClassView| format!("class {} added: {}", c.name, criteria(c));
            session.send(Method::POST, "classes", &add.draft()?, said).await
        }
        Command::Set(set) => {
            let path = format!("classes/{}", set.name);
            let said = |c: &ClassView| format!("class {} changed: {}", c.name, criteria(c));
            let asking = set.asking;
            asking.send(session, Method::PATCH, &path, &set.patch()?, said).await
        }
        Command::Show { name } => session.show(&format!("classes/{name}"), card).await,
        Command::List => {
            let row = |c: &ClassView| {
                vec![c.name.to_string(), maybe(&c.network), criteria(c), shown(&c.options).replace('\n', "; ")]
            };
            let empty = "No class yet: `kickstand class add NAME --vendor PREFIX --option NAME=VALUE`";
            session.list("classes", &["name", "network", "clients", "options"], row, empty).await
        }
        Command::Remove { name, asking } => asking.remove(session, "class", &name).await,
    }
}

impl Add {
    fn draft(self) -> Result<ClassDraft> {
        let Add { name, network, program, arch, vendor, user_class, mac, circuit, options } = self;
        let options = settings(options)?;
        Ok(ClassDraft { name, network, program, arch, vendor, user_class, mac, circuit, options })
    }
}

impl Set {
    fn patch(self) -> Result<ClassPatch> {
        Ok(ClassPatch {
            network: clearable(self.network),
            program: clearable(self.program),
            arch: clearable(self.arch).map(|arch| arch.map(|Number(arch)| arch)),
            vendor: clearable(self.vendor),
            user_class: clearable(self.user_class),
            mac: clearable(self.mac),
            circuit: clearable(self.circuit),
            options: settings(self.options)?,
        })
    }
}

/// What its clients are like, in one line.
fn criteria(c: &ClassView) -> String {
    let all = [
        c.program.map(|program| format!("program {program}")),
        c.arch.map(|arch| Arch(arch).to_string()),
        c.vendor.as_ref().map(|vendor| format!("vendor {vendor:?}…")),
        c.user_class.as_ref().map(|class| format!("user class {class:?}")),
        c.mac.as_ref().map(|mac| format!("MAC {mac}:…")),
        c.circuit.as_ref().map(|circuit| format!("circuit {circuit:?}…")),
    ];
    let all: Vec<_> = all.into_iter().flatten().collect();
    if all.is_empty() { "everybody".into() } else { all.join(", ") }
}

fn card(c: &ClassView) -> Vec<(&'static str, String)> {
    vec![
        ("name", c.name.to_string()),
        ("network", maybe(&c.network)),
        ("program", maybe(&c.program)),
        ("architecture", c.arch.map(|arch| format!("0x{arch:02x}, {}", Arch(arch))).unwrap_or_default()),
        ("vendor", maybe(&c.vendor)),
        ("user class", maybe(&c.user_class)),
        ("mac", maybe(&c.mac)),
        ("circuit", maybe(&c.circuit)),
        ("options", shown(&c.options)),
    ]
}
