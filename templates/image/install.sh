{## The install script of the image family: the live system fetches it, and kickstand-agent runs it as root.
    Variables: secure_server_url, secure_report_url, secure_image_url, server_ca (empty: no HTTPS), key, machine (name, ip, mac, system_id), disk (empty: the first one),
    kernel_arguments, root_password_hash (empty: no password), ssh_authorized_keys (a list), timezone, wiring. ##}
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

kickstand-agent report started
kickstand-agent report inventory

udevadm settle
[ -n "$disk" ] || disk=$(first_disk)
[ -n "$disk" ] || fail "no disk to install on: is its controller known to this kernel? (lsblk and dmesg tell)"
[ -b "$disk" ] || fail "$disk is not a disk of this machine: set the variable disk, or leave it empty for the first one"
disk=$(readlink -f "$disk")

step 3 "partitioning $disk"
# One disk for both firmwares: GRUB's own place for BIOS, a system partition for UEFI.
sfdisk --quiet --wipe always --wipe-partitions always "$disk" <<'LAYOUT'
label: gpt
size=1M, type=21686148-6449-6E6F-744E-656564454649
size=128M, type=U
type=L
LAYOUT
udevadm settle
mkfs.vfat -F 32 -n ESP "$(partition 2)" >/dev/null 2>&1
mkfs.ext4 -q -F -L root "$(partition 3)"
mount -o noatime "$(partition 3)" "$target"

# sh has no pipefail, and tar takes a short archive for a whole one: each part of the pipe leaves word of its failure.
broken=/run/kickstand/broken
rm -f "$broken"
echo "== unpacking"
{ kickstand-agent fetch {{ secure_image_url|shq }} --from 5 --to 60 "unpacking the system" || touch "$broken"; } |
    { zstd -dc || touch "$broken"; } |
    tar -x --numeric-owner --xattrs --xattrs-include='*.*' -C "$target"
[ ! -e "$broken" ] || fail "the image did not arrive whole"

step 62 "setting up the system"
mkdir -p "$target/boot/efi"
mount "$(partition 2)" "$target/boot/efi"
# Each by itself, not rbind: so they can be unmounted again and the disk is clean when the machine restarts.
mount -t proc proc "$target/proc"
mount -t sysfs sysfs "$target/sys"
mount --bind /dev "$target/dev"

cat >"$target/etc/fstab" <<FSTAB
UUID=$(blkid -s UUID -o value "$(partition 3)") / ext4 defaults,noatime,errors=remount-ro 0 1
UUID=$(blkid -s UUID -o value "$(partition 2)") /boot/efi vfat umask=0077 0 2
FSTAB
echo {{ machine.name|shq }} >"$target/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' {{ machine.name|shq }} >"$target/etc/hosts"
ln -sf /usr/share/zoneinfo/{{ timezone|shq }} "$target/etc/localtime"
systemd-machine-id-setup --root="$target" >/dev/null 2>&1
{% set files = wiring.networkd %}
{% set below = '"$target"' %}
{% include "snippets/files.sh" %}
{% if root_password_hash %}
printf 'root:%s\n' {{ root_password_hash|shq }} | chroot "$target" chpasswd -e
{% endif %}
{% if ssh_authorized_keys %}
mkdir -p "$target/root/.ssh"
chmod 0700 "$target/root/.ssh"
(umask 077 && printf '%s\n'{% for ssh_authorized_key in ssh_authorized_keys %} {{ ssh_authorized_key|line|shq }}{% endfor %} >"$target/root/.ssh/authorized_keys")
{% endif %}
# The image has no host keys, or all machines would share them.
chroot "$target" ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key

{% if key %}
install -m 0755 "$(command -v kickstand-agent)" "$target/usr/local/sbin/kickstand-agent"
chroot "$target" /bin/sh -eu <<'KICKSTAND_REGISTER'
{% include "snippets/register.sh" %}
KICKSTAND_REGISTER
{% endif %}

# The distributor's name is the folder that Debian's signed GRUB looks for its configuration in.
cat >"$target/etc/default/grub" <<'KICKSTAND_GRUB'
GRUB_DISTRIBUTOR=Debian
GRUB_TIMEOUT=1
GRUB_CMDLINE_LINUX_DEFAULT=
GRUB_CMDLINE_LINUX={{ kernel_arguments|shq }}
GRUB_TERMINAL=console
# Fewer entries: each one costs seconds to write.
GRUB_DISABLE_SUBMENU=true
GRUB_DISABLE_RECOVERY=true
GRUB_DISABLE_OS_PROBER=true
KICKSTAND_GRUB
step 68 "installing the boot loader for BIOS"
chroot "$target" grub-install --target=i386-pc "$disk"
step 76 "installing the boot loader for UEFI"
# No entry in the firmware's own list: it would put the disk before the network for good.
chroot "$target" grub-install --target=x86_64-efi --efi-directory=/boot/efi --no-nvram --force-extra-removable \
    --uefi-secure-boot
step 84 "writing the boot menu"
chroot "$target" update-grub

step 96 "writing everything to the disk"
sync
umount -R "$target"

# Only now, and only if the server took it: a restart without it would install again.
kickstand-agent report done
echo "== done, restarting from the disk"
# Nothing is mounted that a shutdown could save.
systemctl reboot --force --force
