#!/bin/bash
# Builds the live system without the agent: live.sh FOLDER makes base.tar, vmlinuz and initrd.img there.
# A machine fetches all of it into memory at each install, so only what installing needs is in it.
# $1 in the hooks is for mmdebstrap: the folder of the system being made.
# shellcheck disable=SC2016
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# shellcheck source=lab/image/common.sh
. "$here/common.sh"

packages=(
    "$(kernel_package)" initramfs-tools busybox zstd systemd-sysv udev kmod iproute2
    fdisk e2fsprogs dosfstools xz-utils login passwd
)

masked=(
    getty.target getty-static.service apt-daily.timer apt-daily-upgrade.timer e2scrub_reap.service e2scrub_all.timer dpkg-db-backup.timer
    fstrim.timer systemd-tmpfiles-clean.timer systemd-timesyncd.service systemd-pcrphase.service
    systemd-pcrphase-sysinit.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
    systemd-journal-flush.service systemd-random-seed.service systemd-networkd-wait-online.service
    systemd-user-sessions.service systemd-logind.service modprobe@.service keyboard-setup.service
)

bootstrap minbase "$scratch/live.tar" "${packages[@]}" -- \
    --essential-hook='mkdir -p "$1/etc/initramfs-tools"' \
    --essential-hook="sync-in '$here/initramfs' /etc/initramfs-tools" \
    --customize-hook="sync-in '$here/live' /" \
    --customize-hook='chroot "$1" systemctl --quiet enable systemd-networkd kickstand-install kickstand-rescue' \
    --customize-hook="chroot \"\$1\" systemctl --quiet mask ${masked[*]}" \
    --customize-hook="copy-out /boot '$scratch'" \
    --customize-hook='cd "$1" && rm -rf boot/* var/lib/apt var/lib/dpkg/info var/cache/* \
        usr/share/perl usr/lib/*/perl usr/lib/*/gconv usr/lib/udev/hwdb.bin usr/lib/udev/hwdb.d usr/share/zoneinfo'

mv "$scratch"/boot/vmlinuz-* "$folder/vmlinuz"
mv "$scratch"/boot/initrd.img-* "$folder/initrd.img"
mv "$scratch/live.tar" "$folder/base.tar"
