#!/bin/bash
# Installs what is needed on a bare Debian 12 (as root, from this machine's own sources):
#   packages.sh          for building, the demo and the tests
#   packages.sh bench    for building and the benchmarks, with the peers that they compare with
#   packages.sh fai      what lab/fai.sh makes FAI's live system with
# Without anything missing it asks nobody and takes no time. Rust itself comes from rustup, not from here.
set -euo pipefail

# building: SQLite comes as C source
packages=(gcc libc6-dev make pkg-config git curl ca-certificates)
# networks
packages+=(iproute2)

case ${1:-} in
'')
    packages+=(
        # images
        mmdebstrap squashfs-tools zstd xz-utils
        # firmware, loaders and machines
        qemu-system-x86 qemu-utils seabios ovmf ipxe ipxe-qemu qemu-system-arm qemu-efi-aarch64
        # GRUB as EFI programs, and what reads its scripts
        grub-common
        # tests: the other database, clients to compare with
        postgresql tftp-hpa busybox openssl dnsmasq-base tcpdump procps python3 python3-venv python3-netifaces python3-distro shellcheck libxml2-utils
        # clients and relays that are not ours, and what makes system calls fail
        isc-dhcp-client isc-dhcp-relay dhcpcd-base systemd strace atftp nftables
        # images of discs, and who signs what is in them
        xorriso genisoimage gpg gpg-agent
        # images of disks
        fdisk e2fsprogs dosfstools mtools
    )
    ;;
bench) packages+=(kea-dhcp4-server kea-admin tftpd-hpa nginx-light wrk) ;;
fai) packages=(fai-server fai-setup-storage mmdebstrap squashfs-tools zstd xorriso dosfstools mtools apt-utils) ;;
*)
    echo "packages: there is no group $1: give bench or fai, or nothing" >&2
    exit 2
    ;;
esac

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
