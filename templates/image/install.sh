{## The install script of the image family: the live system fetches it, and kickstand-agent runs it as root.
    Variables: secure_server_url, secure_report_url, secure_image_url, server_ca (empty: no HTTPS), key, machine (name, ip, mac, system_id), profile,
    image_kind (tar or raw) and image_packer (gzip, xz, zstd or empty) by the image's name, image_sha256 (empty: not compared), disk (empty: the first one),
    kernel_arguments, root_password_hash (empty: no password), ssh_authorized_keys (a list), timezone, user_data (empty: none), wiring. ##}
#!/bin/sh
# kickstand-report: {{ secure_report_url|line }}
# The line above is for the agent, which reports a failure of this script there.
set -eu
export KICKSTAND_REPORT={{ secure_report_url|shq }}
{% if server_ca %}
# By this CA the agent knows the server, and by no other.
export KICKSTAND_CA=/run/kickstand/ca.pem
mkdir -p /run/kickstand
printf '%s' {{ server_ca|shq }} >"$KICKSTAND_CA"
{% endif %}
export LC_ALL=C
target=/mnt
disk={{ disk|shq }}

step() { # step PERCENT MESSAGE
    echo "== $1 % $2"
    kickstand-agent report progress "$1" "$2"
}

fail() {
    echo "$*" >&2
    exit 1
}

first_disk() {
    for block in /sys/block/*; do
        case ${block##*/} in loop* | ram* | zram* | sr* | fd* | dm-* | md* | nbd*) continue ;; esac
        # The stick that somebody left in the machine is not what they want to lose.
        case $(readlink -f "$block") in */usb[0-9]*) continue ;; esac
        [ "$(cat "$block/removable")" = 0 ] || continue
        [ "$(cat "$block/size")" -gt 0 ] || continue
        echo "/dev/${block##*/}"
        return
    done
}

partition() { # partition NUMBER: /dev/sda1, but /dev/nvme0n1p1
    case $disk in
    *[0-9]) echo "${disk}p$1" ;;
    *) echo "$disk$1" ;;
    esac
}

numbers() { # of the partitions that the disk's own table names
    partx --noheadings --raw --output NR "$disk" 2>/dev/null || true
}

settle() { # until udev has looked at everything, where there is one
    ! command -v udevadm >/dev/null || udevadm settle || true
}

wipe() {
    # Acts on nothing yet: it refuses a disk that is in use, before any of it is lost.
    wipefs --all --no-act --quiet "$disk" || fail "$disk can not be wiped: is it in use? (lsblk and dmesg tell)"
    # RAIDs and ZFS keep notes at a partition's end, where another system would find them again.
    for each in $(numbers); do
        [ ! -b "$(partition "$each")" ] || wipefs --all --quiet "$(partition "$each")"
    done
    # What an old table says at the disk's end would outlive the new one.
    wipefs --all --quiet "$disk"
}

reread() { # until the kernel has the partitions as the disk's table has them, and each its node
    settle
    tries=30
    # As long as udev looks at one of them, the disk is busy.
    until blockdev --rereadpt "$disk" 2>/run/kickstand/reread; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "the kernel does not take the new partitions of $disk: $(cat /run/kickstand/reread)"
        sleep 1
        settle
    done
    settle
    tries=30
    for each in $(numbers); do
        until [ -b "$(partition "$each")" ] || [ "$tries" = 0 ]; do
            tries=$((tries - 1))
            sleep 1
            settle
        done
    done
}

kickstand-agent report started
kickstand-agent report inventory

settle
[ -n "$disk" ] || disk=$(first_disk)
[ -n "$disk" ] || fail "no disk to install on: is its controller known to this kernel? (lsblk and dmesg tell)"
[ -b "$disk" ] || fail "$disk is not a disk of this machine: set the variable disk, or leave it empty for the first one"
disk=$(readlink -f "$disk")

{% if image_packer %}
command -v {{ image_packer|shq }} >/dev/null || fail "the live system has no "{{ image_packer|shq }}": build it anew, or pack the image otherwise"
{% endif %}
# sh has no pipefail, and tar takes a short archive for a whole one: each part of the pipe leaves word of its failure.
broken=/run/kickstand/broken
rm -f "$broken"
{% if image_sha256 %}
summer=
trap '[ -z "$summer" ] || kill "$summer" 2>/dev/null || true' EXIT
{% endif %}

begin() { # before image: what runs beside it, and must not hold this script's output open when that has failed
{% if image_sha256 %}
    rm -f /run/kickstand/copy
    mkfifo /run/kickstand/copy
    sha256sum /run/kickstand/copy </dev/null >/run/kickstand/sum 2>/run/kickstand/unsummed &
    summer=$!
{% else %}
    :
{% endif %}
}

image() { # image MESSAGE: what is in it
    { kickstand-agent fetch {{ secure_image_url|shq }} --from 5 --to 60 "$1" || touch "$broken"; }
{%- if image_sha256 %} |
        { tee /run/kickstand/copy || touch "$broken"; }
{%- endif %}
{%- if image_packer %} |
        { {{ image_packer|shq }} -dc || touch "$broken"; }
{%- endif %}

}

arrived() {
    [ ! -e "$broken" ] || fail "the image did not arrive whole"
{% if image_sha256 %}
    wait "$summer" || fail "the image's sum is not known: $(cat /run/kickstand/unsummed)"
    summer=
    read -r sum _ </run/kickstand/sum
    [ "$sum" = {{ image_sha256|lower|shq }} ] || fail "the image is another than the variable image_sha256 says: its sum is $sum"
{% endif %}
}

{% if image_kind == "raw" %}
{% include "image/raw.sh" %}
{% else %}
{% include "image/tar.sh" %}
{% endif %}

step 62 "setting up the system"
# Each by itself, not rbind: so they can be unmounted again and the disk is clean when the machine restarts.
mount -t proc proc "$target/proc"
mount -t sysfs sysfs "$target/sys"
mount --bind /dev "$target/dev"

{% include "image/seed.sh" %}
# An id that comes with an image is that of every machine that has it, too.
: >"$target/etc/machine-id"
systemd-machine-id-setup --root="$target" >/dev/null 2>&1
{% if root_password_hash %}
printf 'root:%s\n' {{ root_password_hash|shq }} | chroot "$target" chpasswd -e
{% endif %}

{% if key %}
install -D -m 0755 "$(command -v kickstand-agent)" "$target/usr/local/sbin/kickstand-agent"
chroot "$target" /bin/sh -eu <<'KICKSTAND_REGISTER'
{% include "snippets/register.sh" %}
KICKSTAND_REGISTER
{% endif %}

{% if image_kind == "raw" %}
# What is written from here is not labelled, where SELinux wants that: the system's first boot does it.
! grep -qsE '^SELINUX=(enforcing|permissive)' "$target/etc/selinux/config" || touch "$target/.autorelabel"
{% else %}
{% include "image/grub.sh" %}
{% endif %}

step 96 "writing everything to the disk"
sync
umount -R "$target"

# Only now, and only if the server took it: a restart without it would install again.
kickstand-agent report done
echo "== done, restarting from the disk"
# Nothing is mounted that a shutdown could save.
systemctl reboot --force --force
