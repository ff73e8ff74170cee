//! The log as operators follow it: one line for each step of a boot.

use crate::engine::{Engine, stopped};
use crate::model::{Event, Kind, Name};
use std::sync::Arc;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;

/// How long a line of the log may wait for others.
const LOG_EVERY: std::time::Duration = std::time::Duration::from_millis(20);
/// How many are written before others get their turn.
const LOG_BATCH: usize = 1024;

/// What an operator follows: one line in the log for each step of a boot.
pub(super) async fn log_events(engine: Arc<Engine>, mut stop: watch::Receiver<bool>) {
    let mut feed = engine.store.feed();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            event = feed.recv() => match event {
                Ok(event) => log_event(&engine, &event),
                Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "too many events at once for the log"),
                Err(RecvError::Closed) => return,
            }
        }
        // Under load, to be woken for each costs more than to write it.
        for _ in 0..LOG_BATCH {
            match feed.try_recv() {
                Ok(event) => log_event(&engine, &event),
                Err(TryRecvError::Lagged(missed)) => tracing::warn!(missed, "too many events at once for the log"),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        tokio::time::sleep(LOG_EVERY).await;
    }
}

fn log_event(engine: &Engine, event: &Event) {
    use tracing::Level;
    let level = match event.kind {
        // Each packet of each client: the log would be nothing else.
        Kind::Offer | Kind::Silence | Kind::Progress => Level::DEBUG,
        Kind::Lease if event.machine.is_none() => Level::DEBUG,
        Kind::Alarm => Level::WARN,
        _ => Level::INFO,
    };
    if tracing::level_filters::LevelFilter::current() < level {
        return;
    }
    let name = event.machine.and_then(|id| engine.store.world().machine(id).map(|m| m.name.clone()));
    let name = name.as_ref().map(Name::as_str).unwrap_or_default();
    let mac = event.mac.map(|mac| mac.to_string()).unwrap_or_default();
    // What a machine says of itself is text from outside: no line of it may look like a line of ours.
    let text: String = event.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match level {
        Level::DEBUG => tracing::debug!(kind = %event.kind, machine.name = name, machine.mac = mac, "{text}"),
        Level::WARN => tracing::warn!(kind = %event.kind, machine.name = name, machine.mac = mac, "{text}"),
        _ => tracing::info!(kind = %event.kind, machine.name = name, machine.mac = mac, "{text}"),
    }
}
