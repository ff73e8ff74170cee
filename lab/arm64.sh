#!/bin/bash
# What an arm64 machine boots in tests: arm64.sh prints a folder with vmlinuz and initrd.gz. Debian's signed kernel, and
# a busybox that takes an address, fetches its answer file and runs it.
#   KICKSTAND_CACHE   where it is kept (default: .demo/cache); delete arm64-* in it to take in newer packages
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lab/apt.sh
. "$lab/apt.sh"

# In Debian's arm64 cloud kernel all of virtio is a module.
modules=(virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net)

build() {
    local root=$scratch/root tree=$scratch/tree kernel module
    kernel=$(foreign arm64 apt-cache depends linux-image-cloud-arm64 | awk '/Depends: linux-image-/ { print $2; exit }')
    unpack arm64 "$root" "$kernel" busybox-static
    mkdir -p "$tree"/{bin,dev,etc,proc,sys,tmp}
    cp "$root/bin/busybox" "$tree/bin"
    for module in "${modules[@]}"; do
        find "$root/lib/modules" -name "$module.ko" -exec cp {} "$tree" \;
    done
    install -m 755 "$lab/image/arm64-init" "$tree/init"
    cp "$root"/boot/vmlinuz-* "$1/vmlinuz"
    (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -9 >"$1/initrd.gz"
}

part arm64 "$lab/arm64.sh" "$lab/image/arm64-init" -- build
