{## Tells the installed system below $target who it is: cloud-init where it has that, files otherwise. ##}
{% set below = '"$target"' %}
if [ -x "$target/usr/bin/cloud-init" ] && [ ! -e "$target/etc/cloud/cloud-init.disabled" ]; then
    echo "== seeding cloud-init"
    # It may have run before the image was taken: what it remembers is another machine's.
    for known in instance instances data sem seed; do
        rm -rf "$target/var/lib/cloud/$known"
    done
    # What the image's maker said of the network overrules every seed, and would give this machine another's address.
    for file in "$target"/etc/cloud/cloud.cfg.d/*.cfg "$target"/etc/netplan/00-installer-config*.yaml; do
        grep -qsE "^([{][[:space:]]*)?[\"']?network[\"']?[[:space:]]*:" "$file" || continue
        mv "$file" "$file.before-kickstand"
        echo "== ${file#"$target"} says another network: it is ${file#"$target"}.before-kickstand now"
    done
{% set vendor_data %}
{% include "image/cloud-config.yaml" %}
{% endset %}
{% set meta_data = {"instance-id": machine.system_id ~ "-" ~ profile, "local-hostname": machine.name} %}
{% set seed = "/var/lib/cloud/seed/nocloud/" %}
{% set files = [
    {"path": "/etc/cloud/cloud.cfg.d/99_kickstand.cfg", "text": "datasource_list: [NoCloud, None]\n"},
    {"path": seed ~ "meta-data", "text": meta_data|tojson ~ "\n"},
    {"path": seed ~ "network-config", "text": wiring.netplan|tojson ~ "\n"},
    {"path": seed ~ "vendor-data", "text": vendor_data},
    {"path": seed ~ "user-data", "text": user_data if user_data else "#cloud-config\n{}\n"},
] %}
    # Its user-data is nobody else's business.
    umask 077
{% include "snippets/files.sh" %}
    umask 022
{% if not wiring.is_bare %}
    # For networkd cloud-init makes neither bonds nor VLANs: where it has nobody else to tell, the files are ours.
    others=
    for other in usr/sbin/netplan sbin/ifup usr/sbin/ifup usr/sbin/NetworkManager; do
        [ ! -x "$target/$other" ] || others=yes
    done
    if [ -z "$others" ]; then
        echo 'network: {config: disabled}' >>"$target/etc/cloud/cloud.cfg.d/99_kickstand.cfg"
{% set files = wiring.networkd %}
{% include "snippets/files.sh" %}
    fi
{% endif %}
else
{% if user_data %}
    fail "the image has no cloud-init, or it is disabled: nobody would read the variable user_data"
{% endif %}
    echo {{ machine.name|shq }} >"$target/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' {{ machine.name|shq }} >"$target/etc/hosts"
    ln -sf /usr/share/zoneinfo/{{ timezone|shq }} "$target/etc/localtime"
{% set files = wiring.networkd %}
{% include "snippets/files.sh" %}
{% if ssh_authorized_keys %}
    mkdir -p "$target/root/.ssh"
    chmod 0700 "$target/root/.ssh"
    (umask 077 && printf '%s\n'{% for ssh_authorized_key in ssh_authorized_keys %} {{ ssh_authorized_key|line|shq }}{% endfor %} >"$target/root/.ssh/authorized_keys")
{% endif %}
    # Keys that come with an image are those of every machine that has it.
    rm -f "$target"/etc/ssh/ssh_host_*
    [ ! -x "$target/usr/bin/ssh-keygen" ] || chroot "$target" ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
fi
