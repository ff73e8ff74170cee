#!/bin/bash
# Fetches Debian's boot loaders without installing them: loaders.sh [arm64] unpacks the packages into loaders/root in the
# cache and prints that folder, for `kickstand loader import --all --root FOLDER`. What was fetched stays in the cache.
#
#   arm64             shim and GRUB for arm64 as well; this host's dpkg need not know that architecture
#   KICKSTAND_CACHE   where it is kept (default: .demo/cache); delete loaders/ there to take in newer packages
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
cache=${KICKSTAND_CACHE:-$lab/../.demo/cache}
mkdir -p "$cache/loaders"
cache=$(cd "$cache/loaders" && pwd)
packages=(shim-signed shim-helpers-amd64-signed grub-efi-amd64-signed pxelinux syslinux-common ipxe)

archs=(-o APT::Architectures::=amd64)
case ${1:-} in
'') ;;
arm64)
    archs+=(-o APT::Architectures::=arm64)
    packages+=(shim-signed:arm64 shim-helpers-arm64-signed:arm64 grub-efi-arm64-signed:arm64)
    ;;
*)
    echo "loaders: there is no group $1: give arm64, or nothing" >&2
    exit 2
    ;;
esac

exec 9>"$cache/lock"
flock 9

missing=()
for package in "${packages[@]}"; do
    [ -e "$cache/unpacked/$package" ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "$cache/root"
    exit 0
fi

echo "loaders: fetching ${missing[*]}" >&2
rm -rf "$cache/new"
mkdir -p "$cache/new" "$cache/unpacked" "$cache/root/var/lib/dpkg/info"
# Lists of our own, which may have an architecture more than this host's; as root, apt would warn that its own user can not write here.
mkdir -p "$cache/apt/partial"
apt=(apt-get --quiet=2 -o APT::Sandbox::User=root -o "Dir::State::lists=$cache/apt"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o APT::Architecture=amd64 "${archs[@]}")
(
    cd "$cache/new"
    "${apt[@]}" update
    "${apt[@]}" download "${missing[@]}"
) >&2

# What dpkg would have written down: import reads versions there.
for deb in "$cache"/new/*.deb; do
    dpkg -x "$deb" "$cache/root"
    package=$(dpkg-deb --field "$deb" Package)
    arch=$(dpkg-deb --field "$deb" Architecture)
    {
        dpkg-deb --field "$deb" Package Architecture Version
        printf 'Status: install ok installed\n\n'
    } >>"$cache/root/var/lib/dpkg/status"
    dpkg-deb --fsys-tarfile "$deb" | tar --list | sed 's,^\.,,' >"$cache/root/var/lib/dpkg/info/$package:$arch.list"
done
for package in "${missing[@]}"; do
    touch "$cache/unpacked/$package"
done
rm -rf "$cache/new" "$cache/apt"
echo "$cache/root"
