//! The timeline as it is seen: whole installs, read as a person would.

use super::draw::{self, Look};
use super::ending::{self, Ending};
use super::screen::Screen;
use super::timeline::Timeline;
use super::{Until, situation};
use crate::http::api::event::EventView;
use crate::http::api::machine::MachineView;
use crate::model::{Kind, Time};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

const PLAIN: Look = Look { width: 110, colour: false };

fn event(secs: f64, kind: Kind, text: &str) -> EventView {
    let at = Time(1_800_000_000_000_000 + (secs * 1e6) as i64);
    let (machine, machine_id, mac, ip) = (None, None, None, None);
    EventView {
        id: Uuid::nil(),
        at,
        kind,
        machine,
        machine_id,
        mac,
        ip,
        text: text.into(),
        percent: None,
        revision: None,
    }
}

fn progress(secs: f64, percent: u8, text: &str) -> EventView {
    EventView { percent: Some(percent), ..event(secs, Kind::Progress, text) }
}

/// QEMU's card under SeaBIOS carries iPXE.
fn bios() -> Vec<EventView> {
    vec![
        event(-9.0, Kind::State, "armed by root@socket: the next network boot installs"),
        event(0.0, Kind::Offer, "10.77.0.10 offered to iPXE, BIOS"),
        event(1.0, Kind::Lease, "10.77.0.10 for iPXE, BIOS, first program: its script by HTTP: iPXE is running"),
        event(1.2, Kind::Script, "installer of profile web, boot 1 of at most 3"),
        event(1.9, Kind::Kernel, "debian-12/vmlinuz by HTTP, 8112 kB in 0.6 s"),
        event(4.6, Kind::File, "debian-12/initrd.img by HTTP, 41 MB in 2.6 s"),
        event(21.0, Kind::Offer, "10.77.0.10 offered to operating system"),
        event(21.1, Kind::Lease, "10.77.0.10 for operating system"),
        event(30.0, Kind::Answer, "answer file of demo-1, which carries a single-use key of web"),
        event(31.0, Kind::State, "the installer runs"),
        progress(32.0, 5, "partitioning /dev/vda"),
        event(60.0, Kind::File, "debian-12/root.tar.zst by HTTP, 160 MB in 25.0 s"),
        progress(61.0, 48, "unpacking the image"),
        progress(62.0, 52, "unpacking the image"),
        progress(75.0, 97, "installing the boot loader"),
        event(80.0, Kind::State, "installed"),
        event(95.0, Kind::Offer, "10.77.0.10 offered to iPXE, BIOS"),
        event(96.0, Kind::Lease, "10.77.0.10 for iPXE, BIOS, first program: its script by HTTP: iPXE is running"),
        event(96.2, Kind::Local, "sent to its own disk (own disk: machine demo-1 is installed, not armed)"),
        event(121.0, Kind::Offer, "10.77.0.10 offered to operating system"),
        event(121.1, Kind::Lease, "10.77.0.10 for operating system"),
        event(
            124.5,
            Kind::Registered,
            "demo-1 registered as 0190b0b0-0000-7000-8000-000000000001 with a key of web, now spent",
        ),
    ]
}

fn machine(state: &str) -> MachineView {
    let disk = json!({"name": "vda", "size_bytes": 8_589_934_592_u64});
    serde_json::from_value(json!({
        "id": "0190b0b0-0000-7000-8000-000000000001", "name": "demo-1",
        "interfaces": [{"mac": "52:54:00:12:34:56", "ip": "10.77.0.10", "leased": "10.77.0.10"}],
        "profile": null, "keys": [], "groups": [], "joined": [], "arguments": "", "variables": {},
        "chosen": {"profile": "web", "keys": ["web"], "why": "web, named by range web-rack (10.77.0.10-10.77.0.50), which holds 10.77.0.10"},
        "state": state, "state_at": "2027-01-15T08:02:04.500Z",
        "install": {"id": "0190b0b0-0000-7000-8000-000000000002", "armed_at": "2027-01-15T08:00:00Z", "boots": 1},
        "inventory": {"cpus": 2, "memory_bytes": 2_048_000_000_u64, "disks": [disk], "os": "Debian GNU/Linux 12 (bookworm)", "firmware": "bios"},
        "registered": state == "registered", "created_at": "2027-01-15T08:00:00Z",
    }))
    .unwrap()
}

fn told(events: &[EventView]) -> Timeline {
    let mut timeline = Timeline::default();
    events.iter().for_each(|event| assert!(timeline.take(event).is_some()));
    timeline
}

fn seen(timeline: &Timeline, state: &str, ending: &Ending) -> String {
    let machine = machine(state);
    let summary = draw::summary(&ending::summary(&machine, ending, timeline), PLAIN);
    format!("{}\n{summary}", draw::all(timeline, PLAIN).join("\n"))
}

#[test]
fn a_bios_install_from_power_on_to_registered() {
    insta::assert_snapshot!(seen(&told(&bios()), "registered", &Ending::Reached(Until::Registered)));
}

#[test]
fn under_uefi_the_loader_comes_by_tftp() {
    let events = [
        event(-9.0, Kind::State, "armed by root@socket: the next network boot installs"),
        event(
            0.0,
            Kind::Lease,
            "10.77.0.10 for boot ROM, x86-64 UEFI, first program: snponly.efi for boot ROM, x86-64 UEFI",
        ),
        event(0.4, Kind::Loader, "snponly.efi by TFTP, 312 kB in 0.3 s"),
        event(2.0, Kind::Offer, "10.77.0.10 offered to iPXE, x86-64 UEFI"),
        event(3.0, Kind::Lease, "10.77.0.10 for iPXE, x86-64 UEFI, first program: its script by HTTP: iPXE is running"),
        event(3.1, Kind::Script, "installer of profile web, boot 1 of at most 3"),
        event(80.0, Kind::State, "installed"),
        event(
            99.0,
            Kind::Lease,
            "10.77.0.10 for boot ROM, x86-64 UEFI, first program: a file that is not there, so that UEFI goes on to the disk",
        ),
        event(99.0, Kind::Local, "sent to its own disk"),
        event(99.8, Kind::Offer, "10.77.0.10 offered to HTTP boot, x86-64 UEFI HTTP"),
    ];
    insta::assert_snapshot!(seen(&told(&events), "installed", &Ending::Reached(Until::Installed)));
}

#[test]
fn an_install_that_goes_wrong_says_so_in_plain_words() {
    let timeout = Ending::TimedOut { until: Until::Registered, timeout: Duration::from_secs(1800) };
    let mut events = vec![
        event(0.0, Kind::Offer, "10.77.0.10 offered to iPXE, BIOS"),
        event(1.0, Kind::Offer, "10.77.0.10 offered to iPXE, BIOS"),
        event(3.0, Kind::Offer, "10.77.0.10 offered to iPXE, BIOS"),
    ];
    let stuck = seen(&told(&events), "armed", &timeout);
    events.extend([
        event(4.0, Kind::Nak, "10.9.9.9 is not on network lab"),
        event(5.0, Kind::Lease, "10.77.0.10 for iPXE, BIOS, first program: its script by HTTP: iPXE is running"),
        event(6.0, Kind::Script, "installer of profile web, boot 1 of at most 3"),
        event(7.0, Kind::Kernel, "d/vmlinuz by HTTP, 8112 kB in 0.6 s"),
        event(9.0, Kind::Kernel, "d/vmlinuz by HTTP, 8112 kB in 0.9 s"),
        event(30.0, Kind::Alarm, "the answer file of demo-1 was asked for with its token from 10.77.0.66, but the token is bound to 10.77.0.10"),
        event(31.0, Kind::State, "the installer gave up: no disk was found"),
    ]);
    insta::assert_snapshot!(format!("{stuck}\n=====\n{}", seen(&told(&events), "failed", &Ending::Failed)));
}

#[test]
fn without_a_terminal_each_line_is_written_once_and_the_bar_at_every_tenth() {
    let (mut timeline, mut screen, mut text) = (Timeline::default(), Screen::new(PLAIN, false), String::new());
    for event in bios() {
        if let Some(index) = timeline.take(&event) {
            text += &screen.appended(&timeline, index);
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn on_a_terminal_what_was_redrawn_is_what_a_pure_rendering_shows() {
    let (mut timeline, mut screen) = (Timeline::default(), Screen::new(PLAIN, true));
    let mut terminal: Vec<String> = Vec::new();
    for event in bios() {
        if timeline.take(&event).is_some() {
            play(&screen.redrawn(&timeline), &mut terminal);
            assert_eq!(terminal, draw::all(&timeline, PLAIN));
        }
    }
}

/// A terminal that knows what the screen uses: up, clear below, and lines.
fn play(text: &str, terminal: &mut Vec<String>) {
    let mut rest = text;
    if let Some((up, lines)) = text.strip_prefix("\x1b[").and_then(|tail| tail.split_once("A\r\x1b[J")) {
        terminal.truncate(terminal.len() - up.parse::<usize>().unwrap());
        rest = lines;
    }
    let lines = rest.lines().map(|line| line.replace("\x1b[?7l", "").replace("\x1b[?7h", ""));
    terminal.extend(lines);
}

#[test]
fn colours_change_no_letter() {
    let timeline = told(&bios());
    let colourful = draw::all(&timeline, Look { colour: true, ..PLAIN }).join("\n");
    assert!(colourful.contains("\x1b[36m"));
    let mut bare = String::new();
    let mut inside = false;
    for c in colourful.chars() {
        match c {
            '\x1b' => inside = true,
            'm' if inside => inside = false,
            c if !inside => bare.push(c),
            _ => {}
        }
    }
    let trimmed: Vec<_> = bare.lines().map(str::trim_end).collect();
    assert_eq!(trimmed.join("\n"), draw::all(&timeline, PLAIN).join("\n"));
}

#[test]
fn the_heading_says_what_to_do_next() {
    assert_eq!(situation(&machine("armed")), "52:54:00:12:34:56  armed: power it on  (times in UTC)");
    assert!(situation(&machine("ready")).contains("`kickstand machine arm demo-1`"));
}

#[test]
fn a_live_system_is_not_powered_on() {
    let mut live = machine("armed");
    let install = live.install.as_mut().unwrap();
    (install.inside_only, install.boots) = (true, 0);
    let said = situation(&live);
    assert!(said.contains("its running system takes it at its next check-in") && !said.contains("power"), "{said}");
    live.install.as_mut().unwrap().boots = 1;
    assert!(situation(&live).contains("has taken it"));
}

#[test]
fn a_machine_that_only_joined_was_not_installed() {
    let mut joined = machine("registered");
    joined.install = None;
    joined.joined = "base,web".parse().unwrap();
    let ending = Ending::Reached(Until::Registered);
    let text = draw::summary(&ending::summary(&joined, &ending, &Timeline::default()), PLAIN);
    assert!(text.contains("demo-1 is registered, and no install of it is under way"), "{text}");
    assert!(text.contains("joined with base,web") && !text.contains("installed") && !text.contains("spent"), "{text}");
}

#[test]
fn a_machine_that_went_further_has_reached_what_was_wanted() {
    assert_eq!(ending::of(&machine("registered"), Until::Installed), Some(Ending::Reached(Until::Registered)));
    assert_eq!(ending::of(&machine("installing"), Until::Installed), None);
    assert_eq!(ending::of(&machine("failed"), Until::Registered), Some(Ending::Failed));
}
