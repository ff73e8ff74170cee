#!/bin/bash
# GRUB that reads by HTTP, which Debian's signed one can not: grub.sh prints a folder with grubx64.efi and grubaa64.efi, for
# `kickstand loader import --file FOLDER/grubx64.efi --into grub-http-x64`. Nobody has signed them.
#   KICKSTAND_CACHE   where they are kept (default: .demo/cache); delete grub-* in it to take in a newer GRUB
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lab/apt.sh
. "$lab/apt.sh"

# What signed GRUBs for the network have, and http.
modules=(
    efinet http tftp net normal linux echo configfile test all_video gzio minicmd ls reboot halt sleep regexp
    search search_fs_file part_gpt part_msdos fat ext2 chain
)

# grub FORMAT FILE
grub() {
    grub-mkimage --format="$1" --directory="$scratch/root/usr/lib/grub/$1" --prefix=/grub --config="$scratch/early.cfg" \
        --output="$2" "${modules[@]}"
}

build() {
    # shellcheck disable=SC2016  # for GRUB to expand
    echo 'configfile (http,$net_default_server)/grub/grub.cfg' >"$scratch/early.cfg"
    unpack amd64 "$scratch/root" grub-efi-amd64-bin
    unpack arm64 "$scratch/root" grub-efi-arm64-bin
    grub x86_64-efi "$1/grubx64.efi"
    grub arm64-efi "$1/grubaa64.efi"
}

part grub "$lab/grub.sh" -- build
