//! `kickstand rehearse`: virtual clients boot and install, with real packets, from a copy of the configuration on this host.

use super::import::progress::Progress;
use super::loader::Settings as Local;
use super::session::{Output, Unfinished, json, print, width};
use super::table::{self, maybe};
use crate::boot::lifecycle::Lifetimes;
use crate::config::Config;
use crate::daemon::{http_limits, raise_file_limit, tftp_limits};
use crate::model::Mac;
use crate::rehearsal::cast::Selector;
use crate::rehearsal::firmware::Firmware;
use crate::rehearsal::report::{Failure, Group, Lap, Report};
use crate::rehearsal::{Settings, Who, Wish, rehearse};
use anyhow::{Context, Result};
use clap::Args;
use std::net::{IpAddr, Ipv4Addr};

#[derive(Debug, Args)]
pub struct Rehearse {
    /// Only these machines: names with * and ?, profile=NAME, network=NAME, with commas between them
    #[arg(long, value_name = "SELECTOR", conflicts_with = "count")]
    machines: Option<Selector>,
    /// Instead of machines so many newcomers, on the networks that have a pool
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: Option<u32>,
    /// How many per cent of the datagrams are lost, each way
    #[arg(long, value_name = "P", default_value = "0", value_parser = percent)]
    loss: f64,
    /// Which ones are lost: the same number loses the same ones
    #[arg(long, value_name = "NUMBER", default_value = "1")]
    seed: u64,
    /// As which firmware, with commas: bios, uefi, uefi-http, ipxe, arm64, u-boot
    /// [default: as known of each machine, else a mixture of what the loaders can boot]
    #[arg(long, value_name = "FIRMWARE", value_delimiter = ',')]
    firmware: Vec<Firmware>,
    /// How many clients are under way at a time
    #[arg(long, value_name = "N", default_value = "400", value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
    /// Fetch kernels and initrds to their ends, not only their beginnings
    #[arg(long)]
    whole: bool,
    #[command(flatten)]
    settings: Local,
}

/// More is no network.
const MOST_LOSS: f64 = 60.0;

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim().parse::<f64>().ok();
    let fine = number.filter(|percent| (0.0..=MOST_LOSS).contains(percent));
    fine.ok_or_else(|| format!("write it as per cent from 0 to {MOST_LOSS}, like 5"))
}

pub fn run(wanted: Rehearse, output: Output) -> Result<()> {
    raise_file_limit();
    let config = wanted.settings.config()?;
    let wish = Wish {
        who: match wanted.count {
            Some(count) => Who::Newcomers(count as usize),
            None => Who::Machines(wanted.machines),
        },
        firmware: wanted.firmware,
        loss: wanted.loss,
        seed: wanted.seed,
        at_once: wanted.at_once.into(),
        whole: wanted.whole,
    };
    let mut progress = Progress::new(output);
    progress.begin("rehearsing");
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let heard = |done, all| progress.count(done, all, "clients");
    let report = runtime.block_on(rehearse(settings(&config), wish, heard))?;
    progress.end();
    match output {
        Output::Json => json(&report.json())?,
        Output::Table => print(&told(&report, width()))?,
    }
    match report.failed() {
        0 => Ok(()),
        _ => Err(Unfinished.into()),
    }
}

/// What of the server's settings counts here: no interface, no port and no key of it.
fn settings(config: &Config) -> Settings {
    let v4 = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    };
    let named = config.listen.iter().copied().chain(config.dhcp.address.map(|at| at.ip())).filter_map(v4);
    let servers: Vec<Ipv4Addr> = named.chain(config.dhcp.relay_addresses.iter().copied()).collect();
    Settings {
        database: config.database.clone(),
        files: config.files.clone(),
        loaders: config.loaders.clone(),
        templates: config.templates.clone(),
        servers,
        lifetimes: Lifetimes { unused_secs: config.answers.unused_secs, used_secs: config.answers.used_secs },
        tftp: tftp_limits(&config.tftp),
        http: http_limits(config.http),
        // With a certificate of the operator's and no CA, machines are told http:// URLs.
        https: config.https.serve && (config.https.certificate.is_none() || config.https.ca.is_some()),
    }
}

fn told(report: &Report, width: Option<usize>) -> String {
    let heads = ["count", "outcome", "profile", "loader", "firmware", "network"];
    let mut parts = vec![table::table(&heads, &report.groups().iter().map(group).collect::<Vec<_>>(), width)];
    parts.extend(report.failures().iter().map(failure));
    let laps: Vec<_> = report.laps().iter().map(lap).collect();
    if !laps.is_empty() {
        parts.push(table::table(&["step", "times", "p50 ms", "p99 ms", "max ms"], &laps, width));
    }
    let notes = report.notes.iter().map(|note| format!("  {note}\n")).collect::<String>();
    let sum = format!(
        "{} clients in {:.1} s, {} failed; {} packets were sent again, {} clients switched on again\n",
        report.clients,
        report.took.as_secs_f64(),
        report.failed(),
        report.repeats,
        report.power_ons
    );
    parts.push(sum + &notes);
    parts.join("\n")
}

fn group(group: &Group) -> Vec<String> {
    let Group { outcome, profile, loader, firmware, network, count } = group;
    vec![count.to_string(), outcome.clone(), maybe(profile), maybe(loader), maybe(firmware), maybe(network)]
}

fn lap(lap: &Lap) -> Vec<String> {
    let ms = |ms: f64| format!("{ms:.1}");
    vec![lap.step.into(), lap.count.to_string(), ms(lap.p50_ms), ms(lap.p99_ms), ms(lap.max_ms)]
}

/// As many names as a line bears.
const NAMES: usize = 8;

fn failure(failure: &Failure) -> String {
    let Failure { step, text, machines } = failure;
    let names: Vec<_> = machines.iter().take(NAMES).map(String::as_str).collect();
    let more = machines.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let first = machines.first().map(String::as_str).unwrap_or_default();
    // A newcomer is no machine that could be armed, and not known outside of the rehearsal.
    let closer = match first.parse::<Mac>() {
        Ok(_) => String::new(),
        Err(_) => format!("  look closer: kickstand why {first} --armed\n"),
    };
    format!(
        "{step} failed for {} ({}{more})\n  {}\n{closer}",
        machines.len(),
        names.join(", "),
        text.replace('\n', "\n  ")
    )
}
