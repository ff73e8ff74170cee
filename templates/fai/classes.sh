{## What a class script of the operator's configuration space runs: it prints classes, writes their variables, and adds
    the class KICKSTAND with its hooks and scripts. Variables: defaults.toml beside it, and report_url, server_url, key,
    machine, wiring. FAI gives LOGDIR and FAI; the configuration space is a copy in memory. ##}
#!/bin/sh
# {{ machine.name }}: made by Kickstand from profile {{ profile }}, for one install.
set -eu
: "${FAI:=/var/lib/fai/config}" "${LOGDIR:=/tmp/fai}"
{% include "snippets/report.sh" %}
kickstand_report started 10 >&2

mkdir -p "$FAI/hooks" "$FAI/scripts/KICKSTAND"
cat >>"$LOGDIR/additional.var" <<'KICKSTAND_VARIABLES'
HOSTNAME={{ machine.name|shq }}
TIMEZONE={{ timezone|shq }}
UTC=yes
STOP_ON_ERROR=700
{% if root_password_hash %}
ROOTPW={{ root_password_hash|line|shq }}
{% endif %}
{% if disk %}
# As FAI's own list has it: the last word of a path, and no link.
disklist=$(basename "$(readlink -f {{ disk|line|shq }})")
{% endif %}
KICKSTAND_VARIABLES

{% set late %}
#!/bin/sh
set -eu
{% set files = wiring.interfaces %}
{% set below = "" %}
{% include "snippets/files.sh" %}
{% if kernel_arguments %}
mkdir -p /etc/default/grub.d
echo {{ ("GRUB_CMDLINE_LINUX=" ~ kernel_arguments|shq)|shq }} >/etc/default/grub.d/90-kickstand.cfg
if command -v update-grub >/dev/null; then update-grub; fi
{% endif %}
{% include "snippets/root.sh" %}
{% endset %}
{% set done %}
#!/bin/sh
{% include "snippets/report.sh" %}
# From 400 on FAI calls it an error. Without this report the next network boot installs again.
[ "$(cat "$LOGDIR/task_error")" -lt 400 ] && kickstand_report done 60
{% endset %}
echo {{ late|b64 }} | base64 -d >"$FAI/hooks/kickstand-late"
printf '%s\n' '#!/bin/sh' 'cp "$FAI/hooks/kickstand-late" "$target/root/kickstand-late"' \
    '$ROOTCMD sh -eu /root/kickstand-late' 'rm "$target/root/kickstand-late"' >"$FAI/scripts/KICKSTAND/90-kickstand"
# The last word: from here on a network boot leads to the disk.
echo {{ done|b64 }} | base64 -d >"$FAI/hooks/chboot.KICKSTAND"
chmod 0755 "$FAI/scripts/KICKSTAND/90-kickstand" "$FAI/hooks/chboot.KICKSTAND"

# The scripts of the last class run last.
{% for class in classes %}
echo {{ class|line|shq }}
{% endfor %}
echo KICKSTAND
