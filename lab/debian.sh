#!/bin/bash
# Debian's own installer for network boots: debian.sh prints a folder as netboot.tar.gz unpacks, for `kickstand distro import`.
#   KICKSTAND_CACHE   where it is kept (default: .demo/cache); delete debian-installer-* in it to take in a newer one
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lab/apt.sh
# shellcheck disable=SC2154
. "$lab/apt.sh"

build() {
    local package=debian-installer-12-netboot-amd64
    unpack amd64 "$scratch/package" $package
    # Besides the installer on a console the package has one with windows.
    mv "$scratch/package/usr/lib/debian-installer/images/12/amd64/text"/* "$1"
}

part debian-installer "$lab/debian.sh" -- build
