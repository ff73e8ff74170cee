{## Leaves the agent and its key on the installed system, which registers at its first boot.
    Runs inside the installed system (chroot, %post, in-target) as root, with sh -eu; needs key, server_url, secure_server_url and
    server_ca, which the agent always verifies by; whether the client that fetches it does, curl_verifies says as in report.sh.
    A system that keeps /usr to itself names another place in agent_place. ##}
{% set ca = server_ca if curl_verifies is not defined or curl_verifies else "" %}
{% set agent_url = (secure_server_url if ca else server_url) ~ "/files/agent/kickstand-agent" %}
{% set place = agent_place if agent_place is defined else "/usr/local/sbin/kickstand-agent" %}
# An installer that has brought the agent along (the live system) spares the download.
agent={{ place }}
if [ ! -x "$agent" ]; then
    mkdir -p "$(dirname "$agent")"
{% if ca %}
    ca=$(mktemp -d)
    printf '%s' {{ ca|shq }} >"$ca/ca.pem"
{% endif %}
    if command -v curl >/dev/null; then
        curl -fsS --retry 5{% if ca %} --cacert "$ca/ca.pem" --capath "$ca"{% endif %} -o "$agent" {{ agent_url|shq }}
    else
        wget -q{% if ca %} --ca-certificate="$ca/ca.pem" --ca-directory="$ca"{% endif %} -O "$agent" {{ agent_url|shq }}
    fi
{% if ca %}
    rm -r "$ca"
{% endif %}
    chmod 0755 "$agent"
fi

# The key is good for one registration of this machine; nobody else may read it until it is spent.
mkdir -p /etc/kickstand
chmod 0700 /etc/kickstand
(umask 077 && cat >/etc/kickstand/agent.json) <<'KICKSTAND_SETTINGS'
{"server": {{ secure_server_url|tojson }}, {% if server_ca %}"ca": {{ server_ca|tojson }}, {% endif %}"key": {{ key|tojson }}}
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
# Later it checks in, by a timer. An agent that is older than this server has none, and registers all the same.
"$agent" timer install || echo "this agent does not check in: put the server's own below its files" >&2

# SELinux lets systemd start only what carries its label.
if command -v restorecon >/dev/null; then
    restorecon -R "$agent" /etc/kickstand /etc/systemd/system/kickstand-*.service /etc/systemd/system/kickstand-agent.timer || true
fi
