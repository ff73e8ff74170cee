{## Leaves the agent and its key on the installed system, which registers at its first boot.
    Runs inside the installed system (chroot, %post, in-target) as root, with sh -eu; needs server_url and key.
    A system that keeps /usr to itself names another place in agent_place. ##}
{% set place = agent_place if agent_place is defined else "/usr/local/sbin/kickstand-agent" %}
# An installer that has brought the agent along (the live system) spares the download.
agent={{ place }}
if [ ! -x "$agent" ]; then
    mkdir -p "$(dirname "$agent")"
    if command -v curl >/dev/null; then
        curl -fsS --retry 5 -o "$agent" {{ (server_url ~ "/files/agent/kickstand-agent")|shq }}
    else
        wget -q -O "$agent" {{ (server_url ~ "/files/agent/kickstand-agent")|shq }}
    fi
    chmod 0755 "$agent"
fi

# The key is good for one registration of this machine; nobody else may read it until it is spent.
mkdir -p /etc/kickstand
chmod 0700 /etc/kickstand
(umask 077 && cat >/etc/kickstand/agent.json) <<'KICKSTAND_SETTINGS'
{"server": {{ server_url|tojson }}, "key": {{ key|tojson }}}
KICKSTAND_SETTINGS

cat >/etc/systemd/system/kickstand-agent.service <<'KICKSTAND_UNIT'
[Unit]
Description=Register with Kickstand, and tell it this machine's inventory
Wants=network-online.target
After=network-online.target
ConditionPathExists=/etc/kickstand/agent.json

[Service]
Type=oneshot
ExecStart={{ place }} register
StandardOutput=journal+console
# 75: the server was away. 1: it said no, and would say it again.
Restart=on-failure
RestartSec=60
RestartPreventExitStatus=1 2

[Install]
WantedBy=multi-user.target
KICKSTAND_UNIT
systemctl enable kickstand-agent.service

# SELinux lets systemd start only what carries its label.
if command -v restorecon >/dev/null; then
    restorecon -R "$agent" /etc/kickstand /etc/systemd/system/kickstand-agent.service || true
fi
