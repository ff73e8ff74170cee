#!/bin/bash
# Installs what building, the demo and the tests need on a bare Debian 12 (as root, from this machine's own sources).
# Without anything missing it asks nobody and takes no time. Rust itself comes from rustup, not from here.
set -euo pipefail

packages=(
    # building: SQLite comes as C source
    gcc libc6-dev make pkg-config git curl ca-certificates
    # images
    mmdebstrap squashfs-tools zstd xz-utils
    # firmware, loaders and machines
    qemu-system-x86 qemu-utils seabios ovmf ipxe ipxe-qemu
    # networks
    iproute2
    # tests: the other database, clients to compare with
    postgresql tftp-hpa busybox dnsmasq-base procps python3 shellcheck
)

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
    echo "packages: missing ${missing[*]}; run this as root, or install them" >&2
    exit 1
fi
echo "packages: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install --yes --quiet=2 --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}")
# The lists that are here may do; old ones name packages that are gone.
"${install[@]}" >/dev/null 2>&1 || {
    apt-get update --quiet=2 >&2
    "${install[@]}" >&2
}
