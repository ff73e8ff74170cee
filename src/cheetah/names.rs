//! The names that Cobbler gives to every template, and that each converted one finds here.

/// In the order of the alphabet: `engine/cheetah.rs` gives every one of them.
pub const GIVEN: &[&str] = &[
    "anamon_enabled",
    "arch",
    "autoinstall",
    "breed",
    "default_password_crypted",
    "directory",
    "distro",
    "distro_name",
    "gateway",
    "hostname",
    "http_port",
    "http_server",
    "install_source_directory",
    "interfaces",
    "ipv6_autoconfiguration",
    "ipv6_default_device",
    "kernel_options",
    "kernel_options_post",
    "kickstart",
    "machine",
    "name",
    "name_servers",
    "name_servers_search",
    "os_version",
    "profile",
    "profile_name",
    "proxy",
    "pxe_just_once",
    "redhat_management_key",
    "redhat_management_server",
    "redhat_management_type",
    "register_new_installs",
    "repo_data",
    "repos",
    "run_install_triggers",
    "server",
    "server_url",
    "source_repos",
    "system_name",
    "template_files",
    "tree",
    "tree_url",
    "yum_config_stanza",
    "yum_repo_stanza",
];

/// Snippets of Cobbler's that only keep its own house. The appliance's take their place.
pub const OURS: &[(&str, &str)] = &[
    ("autoinstall_start", "reports that the installer runs, where Cobbler ran its triggers"),
    ("kickstart_start", "reports that the installer runs, where Cobbler ran its triggers"),
    (
        "autoinstall_done",
        "registers the machine and reports the end of the install, where Cobbler stopped the next network boot, saved the answer file and ran its triggers",
    ),
    (
        "kickstart_done",
        "registers the machine and reports the end of the install, where Cobbler stopped the next network boot, saved the answer file and ran its triggers",
    ),
    ("post_install_network_config_deb", "writes /etc/network/interfaces from the machine's record"),
];

pub fn ours(snippet: &str) -> Option<&'static str> {
    OURS.iter().find(|(name, _)| *name == snippet).map(|(_, why)| *why)
}
