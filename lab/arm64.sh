#!/bin/bash
# What an arm64 machine boots in tests: arm64.sh [FOLDER] puts vmlinuz and initrd.gz there (default: arm64/ in the cache)
# and prints the folder. Debian's signed kernel, and a busybox that takes an address, fetches its answer file and runs it.
#   KICKSTAND_CACHE   where downloads are kept (default: .demo/cache); delete arm64/ in it to take in newer packages
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
cache=${KICKSTAND_CACHE:-$lab/../.demo/cache}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
folder=${1:-$cache/arm64}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# apt of another architecture, with lists of its own: this host's package database knows nothing of it.
arm64() {
    local command=$1
    shift
    "$command" -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Acquire::Languages=none \
        -o Dir::State="$scratch/state" -o Dir::State::status="$scratch/status" -o Dir::Cache="$scratch/cache" \
        -o Dir::Etc::SourceList="$scratch/sources.list" -o Dir::Etc::SourceParts=- -o APT::Sandbox::User=root "$@"
}

fetch() {
    local sources kernel
    mkdir -p "$scratch"/{state/lists/partial,cache/archives/partial,root}
    touch "$scratch/status"
    sources=$("$lab/image/sources.sh")
    echo "${sources:-deb http://deb.debian.org/debian bookworm main}" >"$scratch/sources.list"
    arm64 apt-get update --quiet=2
    kernel=$(arm64 apt-cache depends linux-image-cloud-arm64 | awk '/Depends: linux-image-/ { print $2; exit }')
    (cd "$scratch" && arm64 apt-get download --quiet=2 "$kernel" busybox-static)
    for package in "$scratch"/*.deb; do
        dpkg -x "$package" "$scratch/root"
    done
}

# In Debian's arm64 cloud kernel all of virtio is a module.
modules=(virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net)

build() {
    local tree=$scratch/tree module
    mkdir -p "$tree"/{bin,dev,etc,proc,sys,tmp}
    cp "$scratch/root/bin/busybox" "$tree/bin/busybox"
    for module in "${modules[@]}"; do
        find "$scratch/root/lib/modules" -name "$module.ko" -exec cp {} "$tree" \;
    done
    install -m 755 "$lab/image/arm64-init" "$tree/init"
    (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -9
}

exec 9>"$cache/lock"
flock 9
key=$(cat "$lab/arm64.sh" "$lab/image/arm64-init" | sha256sum | cut -c1-12)
built=$cache/arm64-$key
if [ ! -e "$built" ]; then
    echo "arm64: fetching and building …" >&2
    fetch >&2
    mkdir "$scratch/new"
    cp "$scratch"/root/boot/vmlinuz-* "$scratch/new/vmlinuz"
    build >"$scratch/new/initrd.gz"
    rm -rf "$cache"/arm64-*
    mv "$scratch/new" "$built"
fi
mkdir -p "$folder"
cp "$built"/* "$folder"
echo "$folder"
