# A root filesystem of Debian 12 with more packages in it. Sourced behind apt.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154

# with_packages ROOT FOLDER PACKAGE…: unpacks the root filesystem there, and installs the packages in it.
with_packages() {
    local own=$scratch/amd64
    mkdir "$2"
    tar --zstd -xpf "$1" --numeric-owner --xattrs --xattrs-include='*.*' -C "$2"
    foreign amd64 true
    cp "$2/var/lib/dpkg/status" "$own/status"
    foreign amd64 apt-get install --quiet=2 --yes --download-only --no-install-recommends "${@:3}"
    # Beside the database, so that nothing of this host's sources gets into the image.
    mkdir "$2/packages"
    mv "$own"/cache/archives/*.deb "$2/packages"
    # shellcheck disable=SC2016
    unshare --mount sh -eu -c '
        mount -t proc proc "$1/proc"
        chroot "$1" sh -c "DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends \
            -o Dpkg::Options::=--force-unsafe-io -o APT::Sandbox::User=root /packages/*.deb"
    ' sh "$2"
    rm -r "$2/packages" "$2"/var/cache/apt/*.bin
}
