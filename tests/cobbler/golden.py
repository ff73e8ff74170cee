"""Renders Cobbler's stock templates and snippets by its own code for a set of systems, and tells both as JSON.

Takes the folder of lab/cobbler.sh and a folder for the snippets.
"""

import io
import json
import logging
import os
import pathlib
import re
import shutil
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
folder, snippets = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
source = folder / "source"
sys.path.insert(0, str(source))
said, sys.stdout = sys.stdout, io.StringIO()
os.chdir(source)

from cobbler import templar  # noqa: E402


class Settings:
    cheetah_import_whitelist = ["random", "re", "time", "netaddr", "os", "stat"]
    default_template_type = "cheetah"
    jinja2_includedir = ""
    server = "10.0.0.1"


class Api:
    def settings(self):
        return Settings()


def card(mac, **more):
    plain = {
        "mac_address": mac, "ip_address": "", "netmask": "", "if_gateway": "", "dns_name": "", "static": False,
        "static_routes": [], "mtu": "", "management": False, "interface_type": "na", "interface_master": "",
        "bonding_opts": "", "bridge_opts": "", "cnames": [], "connected_mode": False, "dhcp_tag": "", "virt_bridge": "",
        "ipv6_address": "", "ipv6_prefix": "", "ipv6_default_gateway": "", "ipv6_mtu": "", "ipv6_secondaries": [],
        "ipv6_static_routes": [],
    }
    return {**plain, **more}


STATIC = {"static": True, "ip_address": "10.0.0.11", "netmask": "255.255.255.0"}
NETWORKS = {
    "dhcp": {"eth0": card("52:54:00:00:00:01", dns_name="web1.example.com")},
    "static": {
        "eth0": card("52:54:00:00:00:01", **STATIC, dns_name="web1.example.com", mtu="9000",
                     static_routes=["10.9.0.0/16:10.0.0.254"]),
        "eth1": card("52:54:00:00:00:02", if_gateway="10.2.0.1", static=True, ip_address="10.2.0.11",
                     netmask="255.255.255.0"),
    },
    "bond": {
        "bond0": card("", **STATIC, interface_type="bond", bonding_opts="mode=active-backup miimon=100"),
        "eth0": card("52:54:00:00:00:01", interface_type="bond_slave", interface_master="bond0"),
        "eth1": card("52:54:00:00:00:02", interface_type="bond_slave", interface_master="bond0"),
    },
    "vlan": {
        "eth0": card("52:54:00:00:00:01"),
        "eth0.100": card("", **STATIC),
    },
    "bridge": {
        "br0": card("", **STATIC, interface_type="bridge", bridge_opts="stp=no"),
        "eth0": card("52:54:00:00:00:01", interface_type="bridge_slave", interface_master="br0"),
    },
    "ipv6": {
        "eth0": card("52:54:00:00:00:01", **STATIC, ipv6_address="2001:db8::11/64",
                     ipv6_default_gateway="2001:db8::1", ipv6_secondaries=["2001:db8::12/64"],
                     ipv6_static_routes=["2001:db8:9::/48,2001:db8::fe"]),
    },
    "bmc": {
        "bmc0": card("52:54:00:00:00:09", interface_type="bmc"),
        "eth0": card("52:54:00:00:00:01", **STATIC),
    },
}
SYSTEMS = {
    "rhel7": ("redhat", "rhel7"), "rhel8": ("redhat", "rhel8"), "rhel9": ("redhat", "rhel9"),
    "debian": ("debian", "bookworm"), "ubuntu": ("ubuntu", "focal"), "suse": ("suse", "sles15"),
    "sles12": ("suse", "sles12sp5"), "esxi": ("vmware", "esxi7"),
}
REPO = {
    "name": "extra", "mirror": "http://repo.example.com/extra", "mirror_locally": True, "arch": "x86_64",
    "breed": "apt", "comment": "more of it", "apt_dists": ["stable"], "apt_components": ["main", "contrib"],
    "proxy": "", "priority": 99,
}


def words(breed, version, network, more):
    first = dict(sorted(NETWORKS[network].items()))
    plain = {
        "server": "10.0.0.1", "http_server": "10.0.0.1", "http_port": "80", "name": "web1", "system_name": "web1",
        "profile_name": "web", "profile": "web", "distro_name": "the-distro", "distro": "the-distro", "breed": breed,
        "os_version": version, "arch": "x86_64", "hostname": "web1.example.com", "gateway": "10.0.0.254",
        "name_servers": ["10.0.0.2", "10.0.0.3"], "name_servers_search": ["example.com"], "interfaces": first,
        "default_password_crypted": "$6$salt$hash", "kernel_options_post": "", "kernel_options": "",
        "repo_data": [], "repos": [], "source_repos": [], "template_files": {}, "proxy": "",
        "autoinstall": "sample.ks", "kickstart": "sample.ks", "pxe_just_once": True, "run_install_triggers": True,
        "anamon_enabled": False, "register_new_installs": False, "redhat_management_key": "",
        "redhat_management_server": "", "redhat_management_type": "off", "install_source_directory": "/debian",
        "tree": "http://10.0.0.1/tree", "yum_repo_stanza": "", "yum_config_stanza": "", "directory": "/debian",
        "ipv6_autoconfiguration": False, "ipv6_default_device": "", "suite": version, "preserve_files": "ssh",
    }
    for nic, of in first.items():
        plain.update({f"{key}_{nic}": value for key, value in of.items()})
    return {**plain, **more}


RICH = {
    "kernel_options_post": "console=ttyS0 quiet", "anamon_enabled": True, "repo_data": [REPO], "repos": ["extra"],
    "template_files": {"/var/lib/cobbler/motd": "/etc/motd"}, "redhat_management_key": "1-abc",
    "redhat_management_server": "uyuni.example.com", "mycert": "/usr/share/rhn/CA", "puppet_auto_setup": True,
    "puppet_server": "puppet.example.com", "puppet_version": 3, "proxy": "http://proxy.example.com:3128",
    "name_servers": ["10.0.0.2"], "name_servers_search": ["example.com", "example.org"],
}


def cases():
    for system, (breed, version) in SYSTEMS.items():
        for network in NETWORKS:
            yield f"{system}-{network}", words(breed, version, network, {})
        yield f"{system}-rich", words(breed, version, "static", RICH)
        profile = words(breed, version, "dhcp", {"name": "web", "register_new_installs": True})
        gone = [name for name in profile if name.endswith("_eth0")]
        for name in ["system_name", "interfaces", "hostname", "gateway", *gone]:
            del profile[name]
        yield f"{system}-profile", profile


def fields():
    """Every field that an item is kept with, by kind, as the source has them."""
    found = {}
    for kind in ["distro", "profile", "system", "image", "menu", "repo"]:
        texts = [(source / "cobbler/items" / f"{name}.py").read_text() for name in [kind, "item"]]
        # Cards have a class of their own in the same file.
        texts[0] = texts[0][max(texts[0].find("class System("), 0):]
        names = {name for text in texts for name in re.findall(r"self\._([a-z][a-z0-9_]*)\s*(?::[^=\n]*)?=[^=]", text)}
        found[kind] = sorted(names | {"ks_meta"} | ({"kickstart"} if "autoinstall" in names else set()))
    text = (source / "cobbler/items/system.py").read_text()
    cards = text[text.index("class NetworkInterface"):text.index("class System(")]
    found["interface"] = sorted(set(re.findall(r"self\._([a-z][a-z0-9_]*)\s*(?::[^=\n]*)?=[^=]", cards)))
    return found


# Values that no stock text writes.
VALUES = {"yes": True, "no": False, "number": 3, "list": ["a", True, 1.5], "map": {"a": False}, "nic": {"static": True}}
WRITTEN = [
    "$yes ${no} $number $list $map $nic.static $nic['static']", "#echo '%s and %d' % ($yes, $number)#",
    "#set $x = $yes and $no\n$x $str($yes)", "#def f($x)\n$x#slurp\n#end def\n$f($no)", "$getVar('no', 'x') $yes.",
    "#if $yes == True and $no != True#yes#end if#", "#if $yes then $no else $yes#", "#for $x in $list\n$x\n#end for\n",
]


def main():
    snippets.mkdir(parents=True, exist_ok=True)
    texts = {}
    for path in sorted((source / "autoinstall_snippets").rglob("*")):
        if path.is_file():
            shutil.copy(path, snippets / path.name)
            texts["snippets/" + path.name] = path.read_text()
    for kind in ["autoinstall_templates", "autoinstall_scripts"]:
        for path in sorted((source / kind).iterdir()):
            texts["templates/" + path.name] = path.read_text()
    render = templar.Templar(Api())
    told = []
    for name, given in cases():
        done = {}
        for file, text in texts.items():
            try:
                meta = {**json.loads(json.dumps(given)), "autoinstall_snippets_dir": str(snippets)}
                done[file] = {"text": render.render(text, meta, None)}
            except Exception as error:
                done[file] = {"error": f"{type(error).__name__}: {error}"}
        told.append({"case": name, "given": given, "done": done})
    written = {text: render.render(text, json.loads(json.dumps(VALUES)), None) for text in WRITTEN}
    json.dump({"texts": texts, "cases": told, "fields": fields(), "values": VALUES, "written": written}, said)


main()
