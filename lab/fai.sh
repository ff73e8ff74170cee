#!/bin/bash
# Makes what FAI, the Fully Automatic Installation, boots and installs: fai.sh FOLDER ROOT puts there
#   vmlinuz, initrd.img, squash.img   its live system, made by its own tools
#   config.tar.gz                     the configuration space fai/config, with the base system ROOT (root.tar.zst of images.sh)
#   repo/                             packages that ROOT lacks
# Two minutes the first time; afterwards most of it comes from the cache.
#
#   KICKSTAND_CACHE   where it is kept (default: .demo/cache); delete fai-* there to take in newer packages
set -euo pipefail
shopt -s inherit_errexit
lab=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lab/apt.sh
# shellcheck disable=SC2154
. "$lab/apt.sh"
# What the installed system gets from the repository: the agent is fetched with it.
wanted=(curl)

# nfsroot FOLDER: FAI's live system, as fai-make-nfsroot and fai-cd make it.
nfsroot() {
    local sources mirror etc=$scratch/etc boot=$scratch/boot
    sources=$("$lab/image/sources.sh")
    sources=${sources:-deb http://deb.debian.org/debian bookworm main}
    mirror=$(awk '$3 == "bookworm" { print $2; exit }' <<<"$sources")
    # Quicker than debootstrap, and what fai-make-nfsroot takes instead.
    mmdebstrap --quiet --mode=root --variant=important --format=tar --aptopt='Acquire::Languages "none"' \
        --dpkgopt=force-unsafe-io bookworm "$scratch/base.tar" - <<<"$sources"
    zstd --quiet --rm -T0 -3 "$scratch/base.tar"

    cp -r /etc/fai "$etc"
    cp "$lab/fai/NFSROOT" "$etc/NFSROOT"
    echo "$sources" >"$etc/apt/sources.list"
    mkdir -p "$scratch/config/class" "$boot"
    cat >>"$etc/nfsroot.conf" <<CONF
FAI_DEBOOTSTRAP="bookworm $mirror"
NFSROOT=$scratch/nfsroot
TFTPROOT=$boot
NFSROOT_HOOKS=
FAI_CONFIGDIR=$scratch/config
CONF
    # What it mounts there goes when it ends, whatever happens.
    unshare --mount fai-make-nfsroot -v -C "$etc" -B "$scratch/base.tar.zst"
    rm "$scratch/nfsroot/var/tmp/base.tar.zst"
    # -d: where the configuration space comes from unless the kernel's command line names one.
    fai-cd -C "$etc" -f -M -S -d http://localhost/config.tar.gz "$1/squash.img"
    mv "$boot"/vmlinuz-* "$1/vmlinuz"
    mv "$boot"/initrd.img-* "$1/initrd.img"
}

# repository ROOT FOLDER: what `wanted` needs and the base system ROOT lacks.
repository() {
    local own=$scratch/amd64
    foreign amd64 true
    tar --zstd -xOf "$1" ./var/lib/dpkg/status >"$own/status"
    foreign amd64 apt-get install --quiet=2 --yes --download-only --no-install-recommends "${wanted[@]}"
    mkdir "$2/repo"
    mv "$own"/cache/archives/*.deb "$2/repo"
    (cd "$2/repo" && apt-ftparchive packages . >Packages && apt-ftparchive release . >"$scratch/Release" && mv "$scratch/Release" .)
}

"$lab/packages.sh" fai
sources=("$lab/fai.sh" "$lab/image/sources.sh")
live=$(part fai-live "${sources[@]}" "$lab/fai/NFSROOT" -- nfsroot)
repo=$(part fai-repo "${sources[@]}" "$lab/image/root.sh" -- repository "$2")
mkdir -p "$1"
cp -r --link --force "$live"/. "$repo"/. "$1" 2>/dev/null || cp -r --force "$live"/. "$repo"/. "$1"

space=$scratch/space
cp -r "$lab/fai/config" "$space"
mkdir "$space/basefiles"
cp "$2" "$space/basefiles/FAIBASE.tar.zst"
# What is in it is compressed already.
tar --create --owner=0 --group=0 --directory="$space" . | gzip -1 >"$1/config.tar.gz"
