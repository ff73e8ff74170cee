//! `kickstand loader`: boot loaders on this host, no server needed: where they are from and which bytes are served.

use super::session::{Output, json, line, print, width};
use super::table::{self, words};
use crate::assets::Assets;
use crate::config::{Config, DEFAULT_PATH};
use crate::loader::import::{self, How, Places, Report, Wanted};
use crate::loader::{manifest, state};
use crate::model::{Loader, LoaderFile, Name, Time};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copy loaders from packages or a file, after a look at them, and remember what they are
    Import(Import),
    /// List all loaders, and whether they are imported
    List {
        #[command(flatten)]
        settings: Settings,
    },
    /// Show one loader with its files
    Show {
        /// Its name
        name: Name,
        #[command(flatten)]
        settings: Settings,
    },
    /// Forget what was imported of loaders, and remove their files
    Remove {
        /// Their names
        #[arg(required = true)]
        names: Vec<Name>,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Args)]
pub struct Import {
    /// Loaders whose packages are installed, for example debian-12-secure
    #[arg(required_unless_present_any = ["all", "file"], conflicts_with_all = ["all", "file"])]
    names: Vec<Name>,
    /// All loaders whose packages are installed
    #[arg(long, conflicts_with = "file")]
    all: bool,
    /// Where packages are unpacked, when it is not this host
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// One file of a loader, when it is in no package
    #[arg(long, value_name = "PATH", requires = "into")]
    file: Option<PathBuf>,
    /// The loader that it belongs to
    #[arg(long, value_name = "LOADER", requires = "file")]
    into: Option<Name>,
    /// Its name there, when it is another
    #[arg(long = "as", value_name = "NAME", requires = "file")]
    name: Option<String>,
    /// A revocation list of UEFI (dbxupdate.bin, or the variable in efivarfs) to compare with
    #[arg(long, value_name = "FILE")]
    dbx: Option<PathBuf>,
    /// Take loaders that Secure Boot refuses, too
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
pub struct Settings {
    /// The server's settings [default: /etc/kickstand/kickstand.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(command: Command, output: Output) -> Result<()> {
    match command {
        Command::Import(import) => take(import, output),
        Command::List { settings } => list(&settings.places()?, output),
        Command::Show { name, settings } => show(&settings.places()?, &name, output),
        Command::Remove { names, settings } => {
            import::remove(&settings.places()?, &names)?;
            match output {
                Output::Json => json(&json!({ "removed": names })),
                Output::Table => names.iter().try_for_each(|name| line(&format!("loader {name} removed"))),
            }
        }
    }
}

impl Settings {
    pub fn config(&self) -> Result<Config> {
        Ok(match &self.config {
            Some(path) => Config::read(path)?,
            None if Path::new(DEFAULT_PATH).exists() => Config::read(Path::new(DEFAULT_PATH))?,
            None => Config::default(),
        })
    }

    /// The first folder of loaders is the one that import fills.
    fn places(&self) -> Result<Places> {
        let config = self.config()?;
        let folder = config.loaders.first().cloned().context("no folder is set under [server] loaders: name one")?;
        let built_in = Assets::default().text(manifest::NAME).unwrap_or_default();
        Ok(Places {
            built_in: built_in.into_owned(),
            manifest: config.templates.join(manifest::NAME),
            folder,
            folders: config.loaders,
        })
    }
}

fn take(import: Import, output: Output) -> Result<()> {
    let places = import.settings.places()?;
    let wanted = match (import.file, import.into) {
        (Some(path), Some(into)) => {
            let own = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            Wanted::File { name: import.name.unwrap_or(own), path, into }
        }
        _ if import.all => Wanted::All,
        _ => Wanted::Named(import.names),
    };
    let now = Time::from(SystemTime::now());
    let how = How { root: import.root, dbx: import.dbx, force: import.force, now };
    let report = import::import(&places, &wanted, &how)?;
    match output {
        Output::Json => json(&told(&report)),
        Output::Table => print(&text(&report)),
    }
}

fn told(report: &Report) -> serde_json::Value {
    let taken = report.taken.iter().map(|taken| {
        json!({
            "loader": taken.loader,
            "file": taken.file,
            "origin": taken.origin,
            "secure_boot": taken.trust.to_string(),
            "warning": taken.objection,
        })
    });
    let passed = report.passed.iter().map(|(name, why)| json!({ "loader": name, "why": why }));
    json!({ "imported": taken.collect::<Vec<_>>(), "not_imported": passed.collect::<Vec<_>>() })
}

fn text(report: &Report) -> String {
    let rows = report
        .taken
        .iter()
        .map(|taken| vec![format!("{}/{}", taken.loader, taken.file), taken.origin.clone(), taken.trust.to_string()]);
    let rows: Vec<_> = rows.collect();
    let mut text = match rows.is_empty() {
        true => "nothing was imported\n".into(),
        false => table::table(&["imported", "from", "secure boot"], &rows, width()),
    };
    let warnings = report.taken.iter().filter_map(|taken| {
        taken.objection.as_ref().map(|why| format!("warning: {}/{} {why}\n", taken.loader, taken.file))
    });
    text.extend(warnings);
    text.extend(report.passed.iter().map(|(_, why)| format!("not imported: {why}\n")));
    text
}

fn list(places: &Places, output: Output) -> Result<()> {
    let loaders = import::catalogue(places)?;
    if output == Output::Json {
        let all = loaders.iter().map(|loader| with_state(places, loader)).collect::<Result<Vec<_>>>()?;
        return json(&all.into());
    }
    let rows = loaders.iter().map(|loader| {
        let secure = loader.secure.clone().unwrap_or_else(|| "no".into());
        let state = state::summary(&places.folders, loader);
        vec![
            loader.name.to_string(),
            loader.language.to_string(),
            words(&loader.arch),
            words(&loader.by),
            secure,
            state,
        ]
    });
    let heads = ["name", "language", "arch", "by", "secure boot", "state"];
    print(&table::table(&heads, &rows.collect::<Vec<_>>(), width()))
}

fn with_state(places: &Places, loader: &Loader) -> Result<serde_json::Value> {
    let mut value = serde_json::to_value(loader)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("state".into(), state::summary(&places.folders, loader).into());
    }
    Ok(value)
}

fn show(places: &Places, name: &Name, output: Output) -> Result<()> {
    let loaders = import::catalogue(places)?;
    let unknown = || import::Error::Unknown { name: name.clone(), manifest: places.manifest.clone() };
    let loader = loaders.iter().find(|loader| loader.name == *name).ok_or_else(unknown)?;
    if output == Output::Json {
        return json(&with_state(places, loader)?);
    }
    let mut rows = vec![
        ("name", loader.name.to_string()),
        ("language", loader.language.to_string()),
        ("arch", words(&loader.arch)),
        ("reads by", words(&loader.by)),
        ("first", loader.first.clone().unwrap_or_default()),
        ("secure boot", loader.secure.clone().unwrap_or_else(|| "no".into())),
    ];
    rows.extend(loader.files.iter().map(|file| ("file", file_card(places, loader, file))));
    print(&table::card(&rows))
}

fn file_card(places: &Places, loader: &Loader, file: &LoaderFile) -> String {
    let mut text = format!("{}: {}", file.name, state::state(&places.folders, loader, file).word());
    if let Some(imported) = &file.imported {
        let at = table::moment(imported.imported_at);
        text.push_str(&format!("\n  {} bytes, {at}, from {}", imported.size, imported.origin));
        text.push_str(&format!("\n  sha256 {}", imported.sha256));
        if !imported.sbat.is_empty() {
            text.push_str(&format!("\n  sbat {}", imported.sbat.join(" ")));
        }
    } else if let (Some(package), Some(path)) = (&file.package, &file.path) {
        text.push_str(&format!("\n  {path} of the package {package}"));
    }
    text
}
