//! `kickstand profile`: how to install.

use super::agreed::Asking;
use super::secret::{Hidden, apart, new_secrets, secrets};
use super::session::Session;
use super::table::{self, maybe, variables as shown};
use super::values::{OrNone, Setting, Variable, clearable, new_variables, settings, variables};
use crate::http::api::catalogue::ReadyView;
use crate::http::api::profile::{ProfileDraft, ProfilePatch, ProfileView};
use crate::model::{DiskBoot, Name, Names};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use hyper::Method;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write down how machines are installed
    Add(Add),
    /// Change what is given, keep the rest
    Set(Set),
    /// Show one profile
    Show {
        /// Its name
        name: Name,
    },
    /// List all profiles
    List,
    /// List the ready-made profiles that new ones can be begun from
    Catalogue,
    /// Remove a profile that nothing refers to
    Remove {
        /// Its name
        name: Name,
        #[command(flatten)]
        asking: Asking,
    },
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its name, for example web
    name: Name,
    /// The ready-made profile to begin from, of `kickstand profile catalogue`; what is given here wins
    #[arg(long, value_name = "READY-MADE")]
    from: Option<String>,
    /// The profile that says what this one does not
    #[arg(long)]
    parent: Option<Name>,
    /// The distro to install; by default the parent's, or with --from the only one of its family
    #[arg(long)]
    distro: Option<Name>,
    /// The answer file's template below templates/, for example debian/web.cfg; by default the family's own
    #[arg(long, value_name = "PATH")]
    template: Option<String>,
    /// Kernel arguments after the distro's, for example "console=ttyS0"
    #[arg(long, default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    arguments: String,
    /// The activation keys with which installed systems join, with commas between them
    #[arg(long, default_value = "", hide_default_value = true)]
    key: Names,
    /// A variable for templates, for example disk=/dev/vda; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable, sealed and never shown: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    /// A DHCP option of its machines, for example ntp-servers=10.0.0.1; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<Setting>,
    /// The boot loader that its machines are given, of `kickstand loader list`; by default the parent's, then the distro's
    #[arg(long)]
    loader: Option<Name>,
    /// The way to its machines' own disk: auto, nothing, not-found, exit, exit-1, sanboot, efi-chain, grub-chain or localboot
    #[arg(long, value_name = "WAY")]
    disk_boot: Option<DiskBoot>,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Its name
    name: Name,
    /// The profile that says what this one does not; "" clears it
    #[arg(long)]
    parent: Option<OrNone<Name>>,
    /// The distro to install; "" leaves it to the parent
    #[arg(long)]
    distro: Option<OrNone<Name>>,
    /// The answer file's template below templates/; "" goes back to the family's own
    #[arg(long, value_name = "PATH")]
    template: Option<OrNone<String>>,
    /// Kernel arguments after the distro's; "" clears them
    #[arg(long, allow_hyphen_values = true)]
    arguments: Option<String>,
    /// The activation keys, with commas between them; "" clears them
    #[arg(long)]
    key: Option<Names>,
    /// A variable to set; NAME= removes it; may be repeated
    #[arg(long = "var", value_name = "NAME=VALUE")]
    variables: Vec<Variable>,
    /// A secret variable to set: NAME=@FILE, NAME=- to be asked for it, or NAME=VALUE; NAME= removes it; may be repeated
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<Hidden>,
    /// A DHCP option to set; NAME= removes it; may be repeated
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<Setting>,
    /// The boot loader that its machines are given, of `kickstand loader list`; "" leaves it to the parent
    #[arg(long)]
    loader: Option<OrNone<Name>>,
    /// The way to its machines' own disk: auto, nothing, not-found, exit, exit-1, sanboot, efi-chain, grub-chain or localboot; "" leaves it to the parent
    #[arg(long, value_name = "WAY")]
    disk_boot: Option<OrNone<DiskBoot>>,
    #[command(flatten)]
    asking: Asking,
}

pub async fn run(command: Command, session: &Session) -> Result<()> {
    match command {
        Command::Add(add) => {
            let from = add.from.clone();
            let mut draft = add.draft()?;
            if let Some(from) = from {
                begun(&mut draft, session.get(&format!("catalogue/{from}")).await?)?;
            }
            session.send(Method::POST, "profiles", &draft, |p: &ProfileView| format!("profile {} added", p.name)).await
        }
        Command::Set(set) => {
            let path = format!("profiles/{}", set.name);
            let (asking, said) = (set.asking, |p: &ProfileView| format!("profile {} changed", p.name));
            asking.send(session, Method::PATCH, &path, &set.patch()?, said).await
        }
        Command::Show { name } => session.show(&format!("profiles/{name}"), card).await,
        Command::List => {
            let row = |p: &ProfileView| card(p).into_iter().take(5).map(|(_, value)| value).collect();
            let empty = "No profile yet: `kickstand profile add web --distro NAME`";
            session.list("profiles", &["name", "parent", "distro", "template", "keys"], row, empty).await
        }
        Command::Catalogue => {
            let row = |r: &ReadyView| vec![r.name.clone(), r.family.to_string(), r.about.clone()];
            session.list("catalogue", &["name", "family", "installs"], row, "There is no ready-made profile").await
        }
        Command::Remove { name, asking } => asking.remove(session, "profile", &name).await,
    }
}

/// What was given stays, and the ready-made profile says the rest.
fn begun(draft: &mut ProfileDraft, ready: ReadyView) -> Result<()> {
    if draft.distro.is_none() && draft.parent.is_none() {
        let ReadyView { family, distros, .. } = &ready;
        draft.distro = match distros.as_slice() {
            [only] => Some(only.clone()),
            [] => {
                bail!("there is no distro of the {family} family yet: `kickstand distro add NAME --family {family} …`")
            }
            many => {
                let names: Vec<_> = many.iter().map(Name::as_str).collect();
                bail!("name the distro of the {family} family with --distro: {}", names.join(", "))
            }
        };
    }
    draft.template = draft.template.take().or(ready.template);
    let arguments = [ready.arguments, std::mem::take(&mut draft.arguments)];
    draft.arguments = arguments.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ");
    let own = std::mem::replace(&mut draft.variables, ready.variables);
    draft.variables.extend(own);
    Ok(())
}

impl Add {
    fn draft(self) -> Result<ProfileDraft> {
        apart(&self.variables, &self.secrets)?;
        let Add { name, parent, distro, template, arguments, key, variables, options, loader, disk_boot, .. } = self;
        let (variables, secrets, options) = (new_variables(variables), new_secrets(self.secrets)?, settings(options)?);
        Ok(ProfileDraft {
            name,
            parent,
            distro,
            template,
            arguments,
            keys: key,
            variables,
            secrets,
            options,
            loader,
            disk_boot,
        })
    }
}

impl Set {
    fn patch(self) -> Result<ProfilePatch> {
        apart(&self.variables, &self.secrets)?;
        Ok(ProfilePatch {
            parent: clearable(self.parent),
            distro: clearable(self.distro),
            template: clearable(self.template),
            arguments: self.arguments,
            keys: self.key,
            variables: variables(self.variables),
            secrets: secrets(self.secrets)?,
            options: settings(self.options)?,
            loader: clearable(self.loader),
            disk_boot: clearable(self.disk_boot),
        })
    }
}

fn card(p: &ProfileView) -> Vec<(&'static str, String)> {
    vec![
        ("name", p.name.to_string()),
        ("parent", maybe(&p.parent)),
        ("distro", maybe(&p.distro)),
        ("template", maybe(&p.template)),
        ("keys", p.keys.to_string()),
        ("arguments", p.arguments.clone()),
        ("variables", shown(&p.variables)),
        ("secrets", table::words(&p.secrets)),
        ("options", table::options(&p.options)),
        ("loader", maybe(&p.loader)),
        ("disk boot", maybe(&p.disk_boot)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn draft(value: Value) -> ProfileDraft {
        serde_json::from_value(value).unwrap()
    }

    fn ready(distros: &[&str]) -> ReadyView {
        let view = json!({
            "name": "redhat-9", "about": "RHEL 9", "family": "redhat", "template": "redhat/own.ks", "arguments": "quiet",
            "variables": {"release": "9", "packages": ["vim"]}, "distros": distros,
        });
        serde_json::from_value(view).unwrap()
    }

    #[test]
    fn what_is_given_wins_over_the_ready_made_profile() {
        let mut own = draft(json!({"name": "web", "arguments": "debug", "variables": {"packages": ["nginx"]}}));
        begun(&mut own, ready(&["alma-9"])).unwrap();
        assert_eq!(own.distro.unwrap().as_str(), "alma-9");
        assert_eq!((own.arguments.as_str(), own.template.as_deref()), ("quiet debug", Some("redhat/own.ks")));
        assert_eq!(json!(own.variables), json!({"release": "9", "packages": ["nginx"]}));
        let mut own = draft(json!({"name": "web", "distro": "rocky-9", "template": "redhat/web.ks"}));
        begun(&mut own, ready(&["alma-9", "rocky-9"])).unwrap();
        assert_eq!((own.distro.unwrap().as_str(), own.template.as_deref()), ("rocky-9", Some("redhat/web.ks")));
    }

    #[test]
    fn none_or_several_distros_of_the_family_are_a_question_to_the_operator() {
        let refused =
            |distros: &[&str]| begun(&mut draft(json!({"name": "web"})), ready(distros)).unwrap_err().to_string();
        assert!(refused(&[]).contains("kickstand distro add NAME --family redhat"));
        assert!(refused(&["alma-9", "rocky-9"]).contains("--distro: alma-9, rocky-9"));
    }
}
