//! What becomes of each field of Cobbler's: one table for each kind.

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A field of ours.
    Kept(&'static str),
    /// A variable of the same name.
    Variable,
    /// A secret variable of the same name.
    Secret,
    /// Nothing, for this reason. Told where it was set.
    Left(&'static str),
    /// Cobbler's own book-keeping: nobody set it.
    Inner,
}

use Fate::{Inner, Kept, Left, Secret, Variable};

pub type Field = (&'static str, Fate);

pub const KINDS: [&str; 8] = ["distro", "profile", "system", "interface", "image", "menu", "repo", "settings"];

const LOADERS: Fate = Left("loaders are chosen from the catalogue: `kickstand loader list`");
const OUR_SERVER: Fate = Left("machines are told of this server");
const NO_MENU: Fate = Left("there is no menu at boot: a machine is armed by name");
const TREES: Fate = Left("files of loaders are the catalogue's");

/// Of every item.
const COMMON: &[Field] = &[
    ("name", Kept("name")),
    ("comment", Variable),
    ("owners", Left("who may change what is the tokens' matter")),
    ("ctime", Inner),
    ("mtime", Inner),
    ("uid", Inner),
    ("depth", Inner),
    ("is_subobject", Inner),
    ("has_initialized", Inner),
    ("last_cached_mtime", Inner),
    ("inmemory", Inner),
    ("cached_dict", Inner),
    ("cache", Inner),
    ("item_type", Inner),
    ("kernel_options", Kept("arguments")),
    ("kernel_options_post", Kept("variable kernel_arguments, and of the same name")),
    ("ks_meta", Kept("variables")),
    ("autoinstall_meta", Kept("variables")),
    ("mgmt_classes", Variable),
    ("mgmt_parameters", Variable),
    ("template_files", Variable),
    ("boot_files", TREES),
    ("fetchable_files", TREES),
    ("boot_loaders", LOADERS),
    ("boot_loader", LOADERS),
    ("supported_boot_loaders", Inner),
    ("redhat_management_key", Secret),
    ("redhat_management_server", Variable),
    ("arch", Variable),
    ("breed", Kept("family, and a variable")),
    ("os_version", Kept("variable release, and of the same name")),
];

const DISTRO: &[Field] = &[
    ("kernel", Kept("kernel")),
    ("initrd", Kept("initrd")),
    ("source_repos", Variable),
    ("tree_build_time", Inner),
    ("parent", Inner),
    ("remote_boot_kernel", Left("the kernel is served from here")),
    ("remote_boot_initrd", Left("the initrd is served from here")),
    ("remote_grub_kernel", Inner),
    ("remote_grub_initrd", Inner),
];

const VIRT: &[Field] = &[
    ("virt_auto_boot", Variable),
    ("virt_bridge", Variable),
    ("virt_cpus", Variable),
    ("virt_disk_driver", Variable),
    ("virt_file_size", Variable),
    ("virt_path", Variable),
    ("virt_ram", Variable),
    ("virt_type", Variable),
    ("virt_pxe_boot", Variable),
    ("virt_host", Variable),
    ("virt_group", Variable),
    ("virt_guests", Inner),
];

const PROFILE: &[Field] = &[
    ("parent", Kept("parent")),
    ("distro", Kept("distro")),
    ("kickstart", Kept("template")),
    ("autoinstall", Kept("template")),
    ("dhcp_tag", Left("a network says who is on it")),
    ("enable_gpxe", LOADERS),
    ("enable_ipxe", LOADERS),
    ("enable_menu", NO_MENU),
    ("menu", NO_MENU),
    ("display_name", NO_MENU),
    ("name_servers", Variable),
    ("name_servers_search", Variable),
    ("next_server", OUR_SERVER),
    ("next_server_v4", OUR_SERVER),
    ("next_server_v6", OUR_SERVER),
    ("server", OUR_SERVER),
    ("filename", LOADERS),
    ("proxy", Variable),
    ("repos", Variable),
    ("template_remote_kickstarts", Left("templates are here: none is fetched")),
];

const SYSTEM: &[Field] = &[
    ("profile", Kept("profile")),
    ("image", Left("images are not converted")),
    ("parent", Inner),
    ("interfaces", Kept("interfaces, and a variable")),
    ("hostname", Variable),
    ("gateway", Kept("the network's gateway, and a variable")),
    ("kickstart", Kept("a profile of its own")),
    ("autoinstall", Kept("a profile of its own")),
    ("netboot_enabled", Left("nothing is armed by this: `kickstand machine arm` says who installs")),
    ("status", Variable),
    ("name_servers", Variable),
    ("name_servers_search", Variable),
    ("ipv6_autoconfiguration", Variable),
    ("ipv6_default_device", Variable),
    ("power_type", Variable),
    ("power_address", Variable),
    ("power_user", Variable),
    ("power_pass", Secret),
    ("power_id", Variable),
    ("power_options", Variable),
    ("power_identity_file", Variable),
    ("proxy", Variable),
    ("repos_enabled", Variable),
    ("serial_device", Variable),
    ("serial_baud_rate", Variable),
    ("enable_gpxe", LOADERS),
    ("enable_ipxe", LOADERS),
    ("enable_menu", NO_MENU),
    ("menu", NO_MENU),
    ("display_name", NO_MENU),
    ("filename", LOADERS),
    ("next_server", OUR_SERVER),
    ("next_server_v4", OUR_SERVER),
    ("next_server_v6", OUR_SERVER),
    ("server", OUR_SERVER),
    ("ldap_enabled", Variable),
    ("ldap_type", Variable),
    ("monit_enabled", Variable),
    ("template_remote_kickstarts", Left("templates are here: none is fetched")),
];

/// All of it is in the variable `interfaces`; what is kept is a field as well.
const INTERFACE: &[Field] = &[
    ("mac_address", Kept("interfaces")),
    ("ip_address", Kept("interfaces")),
    ("netmask", Kept("the network, and a variable")),
    ("subnet", Kept("the network, and a variable")),
    ("if_gateway", Kept("the network's gateway, and a variable")),
    ("interface_type", Kept("variable bond, and of the same name")),
    ("interface_master", Kept("variable bond, and of the same name")),
    ("bonding_opts", Kept("variable bond, and of the same name")),
    ("static", Kept("variable addressing, and of the same name")),
    ("bonding", Variable),
    ("bonding_master", Variable),
    ("bridge_opts", Variable),
    ("cnames", Variable),
    ("connected_mode", Variable),
    ("dhcp_tag", Variable),
    ("dns_name", Variable),
    ("management", Variable),
    ("mtu", Variable),
    ("static_routes", Variable),
    ("virt_bridge", Variable),
    ("ipv6_address", Variable),
    ("ipv6_default_gateway", Variable),
    ("ipv6_mtu", Variable),
    ("ipv6_prefix", Variable),
    ("ipv6_secondaries", Variable),
    ("ipv6_static_routes", Variable),
    ("has_initialized", Inner),
];

const IMAGE: &[Field] = &[("parent", Inner)];
const MENU: &[Field] = &[("parent", Inner)];

/// Repositories are told to templates whole, as `repo_data` of the profiles that name them.
const REPO: &[Field] = &[
    ("parent", Inner),
    ("mirror", Kept("variable repo_data")),
    ("mirror_type", Kept("variable repo_data")),
    ("mirror_locally", Kept("variable repo_data")),
    ("keep_updated", Kept("variable repo_data")),
    ("apt_components", Kept("variable repo_data")),
    ("apt_dists", Kept("variable repo_data")),
    ("createrepo_flags", Kept("variable repo_data")),
    ("environment", Kept("variable repo_data")),
    ("priority", Kept("variable repo_data")),
    ("proxy", Kept("variable repo_data")),
    ("rpm_list", Kept("variable repo_data")),
    ("rsyncopts", Kept("variable repo_data")),
    ("yumopts", Kept("variable repo_data")),
];

/// Those that templates name. All others are how Cobbler itself runs.
const SETTINGS: &[Field] = &[
    ("default_password_crypted", Secret),
    ("redhat_management_key", Secret),
    ("redhat_management_server", Variable),
    ("redhat_management_type", Variable),
    ("kernel_options", Kept("arguments of each distro")),
    ("puppet_auto_setup", Variable),
    ("puppet_server", Variable),
    ("puppet_version", Variable),
    ("anamon_enabled", Variable),
    ("register_new_installs", Variable),
    ("default_name_servers", Kept("variable name_servers")),
    ("default_name_servers_search", Kept("variable name_servers_search")),
    ("server", Kept("where trees still are")),
];

const HOW_IT_RUNS: Fate = Left("how Cobbler itself runs");

/// What becomes of a field of such an item.
pub fn fate(kind: &str, field: &str) -> Option<Fate> {
    let own = fields(kind);
    let found = own.iter().find(|(name, _)| *name == field).map(|(_, fate)| *fate);
    match kind {
        "settings" => found.or(Some(HOW_IT_RUNS)),
        "image" | "menu" => found.or_else(|| common(field)).or(Some(Left("the whole record is left"))),
        "interface" => found,
        "profile" | "system" => found
            .or_else(|| VIRT.iter().find(|(name, _)| *name == field).map(|(_, fate)| *fate))
            .or_else(|| common(field)),
        "repo" => found.or_else(|| common(field)),
        _ => found.or_else(|| common(field)),
    }
}

fn common(field: &str) -> Option<Fate> {
    COMMON.iter().find(|(name, _)| *name == field).map(|(_, fate)| *fate)
}

/// The kind's own table.
pub fn fields(kind: &str) -> &'static [Field] {
    match kind {
        "distro" => DISTRO,
        "profile" => PROFILE,
        "system" => SYSTEM,
        "interface" => INTERFACE,
        "image" => IMAGE,
        "menu" => MENU,
        "repo" => REPO,
        "settings" => SETTINGS,
        _ => &[],
    }
}
