//! AutoYaST files: well-formed XML, the right root, and what an install without questions takes.

use super::{Fault, shell, without_nul};
use crate::model::Variables;
use roxmltree::{Document, Node, ParsingOptions};

const PROFILE: &str = "http://www.suse.com/1.0/yast2ns";

/// The resources of a profile.
const PARTS: &[&str] = &[
    "add-on",
    "audit-laf",
    "auth-client",
    "autofs",
    "bootloader",
    "ca_mgm",
    "configuration_management",
    "deploy_image",
    "dhcp-server",
    "dns-server",
    "fcoe-client",
    "files",
    "firewall",
    "firstboot",
    "ftp-server",
    "general",
    "groups",
    "groups_settings",
    "host",
    "http-server",
    "inetd",
    "iscsi-client",
    "isns",
    "kdump",
    "keyboard",
    "language",
    "ldap",
    "login_settings",
    "mail",
    "networking",
    "nfs",
    "nfs_server",
    "nis",
    "nis_server",
    "ntp-client",
    "partitioning",
    "partitioning_advanced",
    "printer",
    "proxy",
    "report",
    "runlevel",
    "samba-client",
    "samba-server",
    "scripts",
    "security",
    "services-manager",
    "software",
    "sound",
    "squid",
    "ssh_import",
    "suse_register",
    "support",
    "sysconfig",
    "tftp-server",
    "timezone",
    "upgrade",
    "user_defaults",
    "users",
];

pub fn check(_: &str, text: &str, _: &Variables) -> Result<(), Fault> {
    without_nul(text)?;
    let options = ParsingOptions { allow_dtd: true, nodes_limit: 100_000, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| Fault::new(usize::try_from(error.pos().row).unwrap_or(1), format!("no XML: {error}")))?;
    let line = |node: Node<'_, '_>| usize::try_from(document.text_pos_at(node.range().start).row).unwrap_or(1);
    let root = document.root_element();
    if root.tag_name().name() != "profile" || root.tag_name().namespace() != Some(PROFILE) {
        return Err(Fault::new(line(root), format!("the root is <profile xmlns=\"{PROFILE}\">")));
    }
    for part in root.children().filter(Node::is_element) {
        let name = part.tag_name().name();
        if !PARTS.contains(&name) {
            return Err(Fault::new(line(part), format!("a profile has no part <{name}>")));
        }
    }
    let confirm = root.descendants().find(|node| node.has_tag_name((PROFILE, "confirm")));
    match confirm.and_then(|node| node.text()) {
        Some("false") => {}
        _ => {
            let at = confirm.map_or(1, line);
            return Err(Fault::new(
                at,
                "general, mode, confirm must be false, or the install waits for somebody to agree",
            ));
        }
    }
    let scripts = root.descendants().filter(|node| node.has_tag_name((PROFILE, "script")));
    scripts.into_iter().try_for_each(|script| source(script, line(script)))
}

/// Of a script that stands in the profile itself.
fn source(script: Node<'_, '_>, line: usize) -> Result<(), Fault> {
    let of = |name| script.children().find(|node| node.has_tag_name((PROFILE, name))).and_then(|node| node.text());
    match (of("source"), of("location"), of("interpreter")) {
        (None, None, _) => Err(Fault::new(line, "a script has a source or a location")),
        (Some(text), _, None | Some("shell")) => {
            shell::whole(text).map_err(|fault| fault.inside(line, of("filename").unwrap_or("a script")))
        }
        _ => Ok(()),
    }
}
