//! What check-ins cost: 10,000 systems by HTTPS, each with a connection of its own, from another process; a round of them, with all
//! that is written of it, against the quarter of an hour that it takes.

use crate::report::{Bar, Report, say};
use crate::start_with;
use anyhow::{Context, Result, ensure};
use kickstand::boot::lifecycle;
use kickstand::config::Https;
use kickstand::model::*;
use kickstand::store::Edit;
use kickstand_agent::client::Client;
use kickstand_agent::kit::{CheckIn, digest};
use kickstand_agent::retry::{Failure, Patience};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use uuid::Uuid;

const SYSTEMS: u32 = 10_000;
const EVERY_SECS: f64 = 900.0;
/// How many ask at the same time.
const TOGETHER: usize = 16;
/// Tells the process that asks where the server is, and by which CA it is known.
const CLIENT: &str = "KICKSTAND_BENCH_CHECK_INS";

/// This process is the systems, if it was started as that.
pub fn is_client() -> Option<Result<()>> {
    let told = std::env::var(CLIENT).ok()?;
    Some(told.split_once('\n').context("a server and its CA").and_then(|(server, ca)| systems(server, ca)))
}

fn credential(number: u32) -> String {
    format!("{number:064x}")
}

fn systems(server: &str, ca: &str) -> Result<()> {
    let url = format!("{server}/agent/check-in");
    let next = AtomicU32::new(0);
    let check_in = CheckIn {
        boot_id: Uuid::from_u128(1).to_string(),
        up_secs: 86_400,
        inventory_sha256: digest(&serde_json::Value::Null),
    };
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= SYSTEMS {
                    return Ok(());
                }
                // A client of its own, as each host has: a whole handshake, nothing is taken up again.
                let (client, bearer) = (Client::new(Some(ca))?, credential(number));
                let post = || client.post(&url, Some(&bearer), &check_in);
                let told = kickstand_agent::retry::retry(Patience::SHORT, post).map_err(Failure::into_inner)?;
                ensure!(told.contains("nothing"), "{told}");
            }
        };
        let threads: Vec<_> = (0..TOGETHER).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no system panics"))
    })
}

fn machine(number: u32) -> Result<Machine> {
    let [_, a, b, c] = number.to_be_bytes();
    let ids = [Uuid::now_v7(), Uuid::now_v7()];
    let machine = lifecycle::newcomer(Mac([2, 0, 0, a, b, c]), State::Registered, ids, Time::from_secs(1));
    let credential = Some(Secret::new(credential(number)).hash());
    Ok(Machine { name: format!("m-{number}").parse()?, credential, ..machine })
}

/// User and system time of this process.
fn processor_secs() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).context("no such field");
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

pub fn check_ins() -> Result<Report> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let https = Https { serve: true, port: 0, ..Https::default() };
    let running = runtime.block_on(start_with(folder.path(), https))?;
    let machines = (0..SYSTEMS).map(machine).collect::<Result<Vec<_>>>()?;
    let store = &running.engine.store;
    runtime.block_on(store.edit(Edit::AddMachines(machines), "bench", running.engine.now()))?;
    let server = running.https.first().context("it listens by HTTPS")?;
    let ca = running.engine.trust().context("it has a CA")?.pem.clone();
    let (began, before) = (Instant::now(), processor_secs()?);
    let told = format!("https://{server}\n{ca}");
    let asked = Command::new(std::env::current_exe()?).env(CLIENT, told).status()?;
    ensure!(asked.success(), "not every system was answered");
    let heard = {
        let world = running.engine.store.world();
        world.machines().filter(|machine| world.check_in(machine.id).is_some()).count()
    };
    ensure!(heard == SYSTEMS as usize, "{heard} of {SYSTEMS} were heard");
    // What is still to be written is written now.
    runtime.block_on(running.stop());
    let (spent, took) = (processor_secs()? - before, began.elapsed().as_secs_f64());
    let share = spent / EVERY_SECS * 100.0;
    say(format!(
        "check-ins: {SYSTEMS} by HTTPS in {took:.1} s, {spent:.2} s of processor time: {share:.2} % of one core"
    ));
    let mut report = Report::default();
    report.add("agents.check-ins.10000.https", share, None, "% of a core", Bar::AtMost(2.0));
    Ok(report)
}
