//! Filters on addresses and networks.

use super::{refuses, says};

#[test]
fn a_network_tells_its_parts() {
    says("netmask", &[("10.0.0.5/24", "255.255.255.0"), ("fd00::1/64", "ffff:ffff:ffff:ffff::")]);
    says("prefix", &[("10.0.0.5/24", "24"), ("255.255.252.0", "22"), ("fd00::/48", "48")]);
    says("network", &[("10.0.0.5/24", "10.0.0.0"), ("fd00::5/64", "fd00::")]);
    says("network(16)", &[("10.1.2.3", "10.1.0.0"), ("fd00::5", "fd00::")]);
    says("broadcast", &[("10.0.0.5/24", "10.0.0.255")]);
    says("length|netmask", &[("x", "128.0.0.0")]);
}

#[test]
fn hosts_are_counted_from_both_ends() {
    says("host(1)", &[("10.0.0.5/24", "10.0.0.1"), ("fd00::/64", "fd00::1"), ("10.0.0.8/31", "10.0.0.9")]);
    says("host(-2)", &[("10.0.0.5/24", "10.0.0.254"), ("fd00::/126", "fd00::2")]);
    says("host(-1)", &[("::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]);
    says("host(7, 24)", &[("10.0.0.200", "10.0.0.7")]);
    refuses("host(255)", &[("10.0.0.5/24", "has no host 255"), ("10.0.0.0/25", "has no host 255")]);
    refuses("host(0)", &[("10.0.0.5/24", "has no host 0")]);
    refuses("host(-9223372036854775808)", &[("10.0.0.5/24", "has no host")]);
    refuses("host(9223372036854775807)", &[("255.255.255.0/24", "has no host")]);
}

#[test]
fn an_address_has_a_name_in_reverse_and_a_network_a_zone() {
    says("reverse_dns", &[("10.0.0.5", "5.0.0.10.in-addr.arpa"), ("10.1.0.0/16", "1.10.in-addr.arpa")]);
    says("reverse_dns", &[("fd00::/16", "0.0.d.f.ip6.arpa")]);
    assert!(super::filtered("reverse_dns", "fd00::1").unwrap().starts_with("1.0.0.0."));
    refuses("reverse_dns", &[("10.0.0.0/25", "ends between two labels"), ("web1", "neither an address nor a network")]);
}

#[test]
fn what_is_no_network_says_how_to_write_one() {
    refuses("netmask", &[("10.0.0.5", "has no prefix"), ("10.0.0.5/33", "is no network"), ("x/1", "is no network")]);
    refuses("network(33)", &[("10.0.0.5", "has no prefix of 33 bits"), ("10.0.0.5/8", "a prefix already")]);
    refuses("prefix", &[("255.0.255.0", "is no netmask")]);
    refuses("broadcast", &[("fd00::/64", "no broadcast")]);
    refuses("length|netmask", &[(&"x".repeat(33), "33 is no length")]);
}
