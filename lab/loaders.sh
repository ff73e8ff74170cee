#!/bin/bash
<<<<<<< HEAD
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
=======
# Boot loaders of Debian 12, signed and not, for x86-64 and arm64, without installing them here: loaders.sh prints the
# folder that their packages are unpacked in, as they would lie below /. In its grub-http/ are grubx64.efi and grubaa64.efi
# that read by HTTP: made from the same packages, and signed by nobody.
#   KICKSTAND_CACHE   where they are kept (default: .demo/cache); delete loaders-* in it to take in newer packages
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lab/apt.sh
. "$lab/apt.sh"

packages=(
    amd64:shim-signed amd64:shim-helpers-amd64-signed amd64:grub-efi-amd64-signed amd64:pxelinux amd64:syslinux-common
    arm64:shim-signed arm64:shim-helpers-arm64-signed arm64:grub-efi-arm64-signed
    amd64:grub-efi-amd64-bin arm64:grub-efi-arm64-bin
)

# What signed GRUBs for the network have, and http.
modules=(
    efinet http tftp net normal linux echo configfile test all_video gzio minicmd ls reboot halt sleep regexp
    search search_fs_file part_gpt part_msdos fat ext2 chain
)

# grub_http FORMAT FOLDER FILE
grub_http() {
    # shellcheck disable=SC2016  # for GRUB to expand
    echo 'configfile (http,$net_default_server)/grub/grub.cfg' >"$scratch/early.cfg"
    mkdir -p "$2/grub-http"
    grub-mkimage --format="$1" --directory="$2/usr/lib/grub/$1" --prefix=/grub --config="$scratch/early.cfg" \
        --output="$2/grub-http/$3" "${modules[@]}"
}

unpack_all() {
    local architecture wanted
    for architecture in amd64 arm64; do
        wanted=()
        for package in "${packages[@]}"; do
            [ "${package%%:*}" != "$architecture" ] || wanted+=("${package#*:}")
        done
        unpack "$architecture" "$1" "${wanted[@]}"
    done
    grub_http x86_64-efi "$1" grubx64.efi
    grub_http arm64-efi "$1" grubaa64.efi
}

part loaders "$lab/loaders.sh" -- unpack_all
>>>>>>> ae9e400 (lab: Loaders and an arm64 system, unpacked from packages of either architecture)
