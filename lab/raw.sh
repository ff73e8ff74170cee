#!/bin/bash
# Makes a raw disk image as clouds have it: raw.sh FOLDER ROOT puts disk.raw.zst there, with the root filesystem ROOT
# (root.tar.zst of images.sh) and cloud-init in it. It boots under UEFI: a system partition with Debian's signed shim and
# GRUB, then an ext4 that is just large enough. Two minutes the first time; afterwards it comes from the cache.
#
#   KICKSTAND_CACHE   where it is kept (default: .demo/cache); delete raw-* there to take in a newer cloud-init
set -euo pipefail
shopt -s inherit_errexit
lab=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lab/apt.sh
# shellcheck disable=SC2154
. "$lab/apt.sh"
# shellcheck source=lab/root.sh
. "$lab/root.sh"
root_id=7a6f6c6b-0000-4000-8000-6b69636b7374

# system ROOT FOLDER: what is on its root partition.
system() {
    with_packages "$1" "$2" cloud-init
    # As an image that was booted before it was taken: none of this may be on a machine that gets it.
    echo 0123456789abcdef0123456789abcdef >"$2/etc/machine-id"
    echo golden >"$2/etc/hostname"
    mkdir -p "$2/var/lib/cloud/instances/golden"
    ln -s /var/lib/cloud/instances/golden "$2/var/lib/cloud/instance"
    echo "UUID=$root_id / ext4 defaults,noatime,errors=remount-ro 0 1" >"$2/etc/fstab"
}

# loader SYSTEM FILE: an EFI system partition that finds the system by its file system's id.
loader() {
    truncate -s 32M "$2"
    mkfs.vfat -n ESP "$2" >&2
    cat >"$scratch/grub.cfg" <<CONF
search --no-floppy --fs-uuid --set=root $root_id
linux /vmlinuz root=UUID=$root_id ro console=ttyS0
initrd /initrd.img
boot
CONF
    mmd -i "$2" ::/EFI ::/EFI/BOOT ::/EFI/debian
    mcopy -i "$2" "$1/usr/lib/shim/shimx64.efi.signed" ::/EFI/BOOT/BOOTX64.EFI
    mcopy -i "$2" "$1/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" ::/EFI/BOOT/grubx64.efi
    mcopy -i "$2" "$scratch/grub.cfg" ::/EFI/debian/grub.cfg
}

# disk ROOT FOLDER
disk() {
    local space=$scratch/space sectors raw=$scratch/disk.raw
    system "$1" "$space"
    loader "$space" "$scratch/esp"
    # Its own tables and journal, and a little to live on until it grows.
    sectors=$((($(du -sm "$space" | cut -f1) * 115 / 100 + 64) * 2048))
    truncate -s $((sectors * 512)) "$scratch/root"
    mkfs.ext4 -q -L root -U $root_id -d "$space" "$scratch/root"
    truncate -s $(((sectors + 65536 + 4096) * 512)) "$raw"
    sfdisk --quiet "$raw" <<LAYOUT
label: gpt
start=2048, size=65536, type=U
start=67584, size=$sectors, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709
LAYOUT
    dd if="$scratch/esp" of="$raw" bs=1M seek=1 conv=notrunc,sparse status=none
    dd if="$scratch/root" of="$raw" bs=1M seek=33 conv=notrunc,sparse status=none
    zstd --quiet -T0 -6 "$raw" -o "$2/disk.raw.zst"
}

"$lab/packages.sh"
raw=$(part raw "$lab/raw.sh" "$lab/root.sh" "$lab/apt.sh" "$lab/image/sources.sh" "$2" -- disk "$2")
mkdir -p "$1"
cp -r --link --force "$raw"/. "$1" 2>/dev/null || cp -r --force "$raw"/. "$1"
