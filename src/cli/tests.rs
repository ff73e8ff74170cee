//! The command line as operators see it: the help of every command, and which lines are refused.

use super::Cli;
use clap::{CommandFactory, Parser};

/// Every command's short help, one after the other, in the order of the listing.
fn helps(command: &mut clap::Command, path: &str, texts: &mut Vec<(String, String)>) {
    let path = format!("{path} {}", command.get_name()).trim().to_owned();
    texts.push((path.clone(), command.render_help().to_string()));
    for sub in command.get_subcommands_mut() {
        helps(sub, &path, texts);
    }
}

fn all_helps() -> Vec<(String, String)> {
    let (mut command, mut texts) = (Cli::command().term_width(100), Vec::new());
    command.build();
    helps(&mut command, "", &mut texts);
    texts
}

/// The options that every command has are shown once, in the first help.
fn own_part(text: &str) -> &str {
    text.split("\nGlobal options:").next().unwrap_or(text).trim_end()
}

#[test]
fn help_of_the_program() {
    insta::assert_snapshot!(all_helps().remove(0).1);
}

#[test]
fn help_of_every_command() {
    let texts = all_helps().split_off(1);
    let all = texts.iter().map(|(path, text)| format!("$ {path} --help\n{}\n", own_part(text)));
    insta::assert_snapshot!(all.collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_argument_is_explained() {
    fn walk(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some(), "{path}");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{path}: {}", argument.get_id());
        }
        command.get_subcommands().for_each(|sub| walk(sub, &path));
    }
    walk(&Cli::command(), "");
}

#[test]
fn the_tree_of_commands_contradicts_itself_nowhere() {
    Cli::command().debug_assert();
}

#[test]
fn a_token_in_the_environment_is_not_shown_by_help() {
    let hidden = |id: &str| {
        let command = Cli::command();
        command.get_arguments().any(|argument| argument.get_id() == id && argument.is_hide_env_values_set())
    };
    assert!(hidden("token") && hidden("server"));
}

fn refusal(line: &str) -> String {
    let error = Cli::try_parse_from(line.split_whitespace()).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{line}");
    error.to_string()
}

#[test]
fn a_bad_value_is_refused_before_anything_is_sent_and_says_how_to_write_it() {
    for (line, words) in [
        ("kickstand machine add web1 --mac 52:54:00", "write it like 52:54:00:12:34:56"),
        ("kickstand machine add Web1 --mac 52:54:00:00:00:01", "is not a name"),
        ("kickstand machine add web1", "--mac"),
        ("kickstand machine add --csv m.csv --profile web", "cannot be used with"),
        (
            "kickstand machine add web1 --mac 52:54:00:00:00:01 --interface 52:54:00:00:00:02=x",
            "write it like 52:54:00:12:34:57=10.0.0.12",
        ),
        ("kickstand network add lab --cidr 10.0.0.0/33", "--cidr"),
        ("kickstand network add lab --cidr 10.0.0.0/24 --pool 10.0.0.9-10.0.0.1", "the lower first"),
        ("kickstand network add lab --cidr 10.0.0.0/24 --unknown maybe", "ignore, show, discover, install"),
        ("kickstand key add web --expires tomorrow", "write it like 2026-12-31T23:59:59Z"),
        ("kickstand profile add web --var disk", "write it like disk=/dev/vda"),
        ("kickstand watch web1 --timeout soon", "write it like 30m or 2h"),
        ("kickstand watch web1 --until armed", "installing, installed, registered"),
        ("kickstand why 52:54:00:00:00:01 --arch arm", "bios, uefi"),
        ("kickstand network set lab --dhcp sideways", "one of full, proxy, relayed, off"),
        ("kickstand network set lab --relay 10.1.0.7/24", "write it like 10.1.0.1"),
        ("kickstand network set lab --option ntp-servers=soon", "IPv4 addresses, with commas"),
        ("kickstand network set lab --pool 10.0.0.9-10.0.0.12=phones", "one of all, machines, unknown"),
        ("kickstand machine set web1 --option no-such=1", "kickstand option list"),
        ("kickstand machine add --csv m.csv --option host-name=x", "cannot be used with"),
        ("kickstand option set dhcp-lease-time=60", "kickstand option list"),
        ("kickstand option set", "NAME=VALUE"),
        ("kickstand option unset", "NAME"),
        ("kickstand class add phones --arch 0xx", "write it like 11 or 0x0b"),
        ("kickstand class add phones --mac 52:54:0", "write it like 52:54:00"),
        ("kickstand reservation add 10.0.0.60", "--for"),
        ("kickstand reservation add 10.0.0.60 --for 52:54:00:00:00:01", "write it like mac:52:54:00:12:34:56"),
        ("kickstand reservation add lab --for id:01", "write it like 10.0.0.12"),
        ("kickstand lease show web1", "neither an IPv4 address nor a MAC"),
        ("kickstand capture Web1", "neither a MAC"),
    ] {
        let text = refusal(line);
        assert!(text.contains(words), "{line}:\n{text}");
    }
}

#[test]
fn usual_lines_are_read() {
    for line in [
        "kickstand --output json machine show web1",
        "kickstand machine show web1 --output json",
        "kickstand network add lab --cidr 10.77.0.0/24 --dns 10.77.0.1 --dns 10.77.0.2 --pool 10.77.0.100-10.77.0.199",
        "kickstand network set lab --gateway= --pool=",
        "kickstand range add rack 10.77.0.10-10.77.0.50 --profile web",
        "kickstand distro add d --family image --kernel d/vmlinuz --initrd d/i --arguments console=ttyS0 --var a=b --var c=1",
        "kickstand distro set d --arguments -quiet",
        "kickstand machine add web1 --mac 5254.0000.0001 --ip 10.77.0.10 --interface 52:54:00:00:00:02",
        "kickstand machine add --csv machines.csv",
        "kickstand machine replace web1 --mac 52:54:00:00:00:09 --arm",
        "kickstand key set web --limit= --expires 2030-01-01 --enabled false",
        "kickstand events --follow --machine web1 --kind alarm --limit 5",
        "kickstand watch web1 --until installed --timeout 2h",
        "kickstand serve --interface eth1 --interface eth2",
        "kickstand --server http://10.0.0.2:8080 --token x lease list",
        "kickstand network add lab --cidr 10.0.0.0/24 --dhcp relayed --relay 10.0.0.1 --relay 10.9.0.0/16 --probe false",
        "kickstand network add lab --cidr 10.0.0.0/24 --pool 10.0.0.9-10.0.0.12=machines --pool 10.0.0.13-10.0.0.14=unknown",
        "kickstand network set lab --link= --relay= --exclude= --unknown-lease-secs= --option ntp-servers= --option 224=0x01",
        "kickstand class set phones --vendor= --arch 0x0b --option 66=10.0.0.9",
        "kickstand reservation set 10.0.0.60 --ip 10.0.0.61 --for circuit:\"eth0/1\" --description=",
        "kickstand option unset ntp-servers 224",
        "kickstand lease list --network lab --active",
        "kickstand lease show 5254.0000.0001",
        "kickstand lease release 10.0.0.9",
        "kickstand capture web1 -w web1.pcap",
        "kickstand capture 52:54:00:00:00:01 -w -",
    ] {
        let read = Cli::try_parse_from(line.split_whitespace());
        assert!(read.is_ok(), "{line}: {}", read.unwrap_err());
    }
}
