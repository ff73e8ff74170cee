#!/bin/bash
# Builds the root filesystem that the image family puts on a disk: root.sh FOLDER makes root.tar.zst there.
# Debian 12, boots under BIOS and UEFI, DHCP on every Ethernet port, no password for anyone.
# The agent is not in it: the install script brings the one that belongs to its server.
# $1 in the hooks is for mmdebstrap: the folder of the system being made.
# shellcheck disable=SC2016
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# shellcheck source=lab/image/common.sh
. "$here/common.sh"

# grub-pc and grub-efi-amd64 conflict; their -bin halves do not, and one disk then boots both ways.
packages=(
    "$(kernel_package)" initramfs-tools zstd systemd-sysv udev dbus kmod
    systemd-resolved systemd-timesyncd iproute2 openssh-server ca-certificates
    grub2-common grub-pc-bin grub-efi-amd64-bin grub-efi-amd64-signed shim-signed
    e2fsprogs less nano tzdata
    # the ways by which a running system starts its own reinstallation
    kexec-tools efibootmgr
)

# Two cores of emulated hardware feel every unit; none of these matters before the first operator does.
masked=(
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
    e2scrub_reap.service systemd-pcrphase.service systemd-pcrphase-sysinit.service
)

bootstrap minbase "$scratch/root.tar" "${packages[@]}" -- \
    --customize-hook="sync-in '$here/root' /" \
    --customize-hook='chroot "$1" systemctl --quiet enable systemd-networkd systemd-resolved' \
    --customize-hook="chroot \"\$1\" systemctl --quiet mask ${masked[*]}" \
    --customize-hook='sed -i s/^LOAD_KEXEC=.*/LOAD_KEXEC=false/ "$1/etc/default/kexec"' \
    --customize-hook='ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"' \
    --customize-hook='rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname"; : >"$1/etc/machine-id"'

# Long-range matching and high levels gain little here and cost the emulated machine memory.
zstd --quiet --force -T0 -6 "$scratch/root.tar" -o "$folder/root.tar.zst"
