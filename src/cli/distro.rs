//! `kickstand distro`: the files that boot an installer.

use super::agreed::Asking;
use super::import::Import;
use super::secret::{Hidden, apart, new_secrets, secrets};
use super::session::Session;
use super::table::{maybe, variables as shown, words};
use super::values::{OrNone, Variable, clearable, new_variables, variables};
use crate::http::api::distro::{DistroDraft, DistroPatch, DistroView};
use crate::model::{Family, Name};
use anyhow::Result;
use clap::{Args, Subcommand};
use hyper::Method;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take in an installer from a folder, an image or a server, and write it down
    Import(Import),
    /// Write down the kernel and initrd of an installer
    Add(Add),
    /// Change what is given, keep the rest
    Set(Set),
    /// Show one distro
    Show {
        /// Its name
        name: Name,
    },
    /// List all distros
    List,
    /// Remove a distro that no profile names
    Remove {
        /// Its name
        name: Name,
        #[command(flatten)]
        asking: Asking,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its name, for example debian-12
    name: Name,
    /// How its installer is driven: image, redhat, debian, ubuntu, suse, agama, ignition, esxi or fai
    #[arg(long)]
    family: Family,
    /// The kernel, below the server's folder of files, for example debian-12/linux
    #[arg(long, value_name = "PATH")]
    kernel: String,
    /// The initrd, below the same folder, for example debian-12/initrd.gz
    #[arg(long, value_name = "PATH")]
    initrd: String,
    /// Kernel arguments of the installer, for example "console=ttyS0"
    #[arg(long, default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    arguments: String,
    /// A variable for templates, for example disk=/dev/vda; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable, sealed and never shown: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    /// The boot loader that starts its kernel, of `kickstand loader list`: Secure Boot wants the one of its own family
    #[arg(long)]
    loader: Option<Name>,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Its name
    name: Name,
    /// How its installer is driven: image, redhat, debian, ubuntu, suse, agama, ignition, esxi or fai
    #[arg(long)]
    family: Option<Family>,
    /// The kernel, below the server's folder of files
    #[arg(long, value_name = "PATH")]
    kernel: Option<String>,
    /// The initrd, below the same folder
    #[arg(long, value_name = "PATH")]
    initrd: Option<String>,
    /// Kernel arguments of the installer; "" clears them
    #[arg(long, allow_hyphen_values = true)]
    arguments: Option<String>,
    /// A variable to set; NAME= removes it; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable to set: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; NAME= removes it; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    /// The boot loader that starts its kernel; "" clears it
    #[arg(long)]
    loader: Option<OrNone<Name>>,
    #[command(flatten)]
    asking: Asking,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        // It works on this host, and asks the server in between.
        Command::Import(_) => Ok(()),
        Command::Add(Add { name, family, kernel, initrd, arguments, variables, secrets, loader }) => {
            apart(&variables, &secrets)?;
            let (variables, secrets) = (new_variables(variables), new_secrets(secrets)?);
            let draft = DistroDraft { name, family, kernel, initrd, arguments, variables, secrets, loader };
            session.send(Method::POST, "distros", &draft, |d: &DistroView| format!("distro {} added", d.name)).await
        }
        Command::Set(set) => {
            let Set { name, family, kernel, initrd, arguments, variables: given, secrets: hidden, loader, asking } =
                set;
            apart(&given, &hidden)?;
            let patch = DistroPatch {
                family,
                kernel,
                initrd,
                arguments,
                variables: variables(given),
                secrets: secrets(hidden)?,
                loader: clearable(loader),
            };
            let said = |d: &DistroView| format!("distro {} changed", d.name);
            asking.send(session, Method::PATCH, &format!("distros/{name}"), &patch, said).await
        }
        Command::Show { name } => session.show(&format!("distros/{name}"), card).await,
        Command::List => {
            let row = |d: &DistroView| card(d).into_iter().take(4).map(|(_, value)| value).collect();
            let empty = "No distro yet: `kickstand distro add debian-12 --family debian --kernel PATH --initrd PATH`";
            session.list("distros", &["name", "family", "kernel", "initrd"], row, empty).await
        }
        Command::Remove { name, asking } => asking.remove(session, "distro", &name).await,
    }
}

fn card(d: &DistroView) -> Vec<(&'static str, String)> {
    vec![
        ("name", d.name.to_string()),
        ("family", d.family.to_string()),
        ("kernel", d.kernel.clone()),
        ("initrd", d.initrd.clone()),
        ("arguments", d.arguments.clone()),
        ("variables", shown(&d.variables)),
        ("secrets", words(&d.secrets)),
        ("loader", maybe(&d.loader)),
    ]
}
