# Packages of Debian 12 for any architecture, unpacked into a folder: this host's package database knows nothing of it.
# Sourced by arm64.sh and grub.sh, which set $lab.
# shellcheck shell=bash
# shellcheck disable=SC2154
cache=${KICKSTAND_CACHE:-$lab/../.demo/cache}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# foreign ARCHITECTURE COMMAND…: apt with lists of its own.
foreign() {
    local own=$scratch/$1
    [ -e "$own/sources.list" ] || {
        mkdir -p "$own"/{state/lists/partial,cache/archives/partial}
        touch "$own/status"
        sources=$("$lab/image/sources.sh")
        echo "${sources:-deb http://deb.debian.org/debian bookworm main}" >"$own/sources.list"
        foreign "$1" apt-get update --quiet=2 >&2
    }
    "$2" -o APT::Architecture="$1" -o APT::Architectures="$1" -o Acquire::Languages=none \
        -o Dir::State="$own/state" -o Dir::State::status="$own/status" -o Dir::Cache="$own/cache" \
        -o Dir::Etc::SourceList="$own/sources.list" -o Dir::Etc::SourceParts=- -o APT::Sandbox::User=root "${@:3}"
}

# unpack ARCHITECTURE FOLDER PACKAGE…
unpack() {
    local package downloads=$scratch/$1/downloads
    mkdir -p "$downloads"
    (cd "$downloads" && foreign "$1" apt-get download --quiet=2 "${@:3}" >&2)
    for package in "$downloads"/*.deb; do
        dpkg -x "$package" "$2"
        rm "$package"
    done
}

# part NAME FILE… -- COMMAND…: runs COMMAND FOLDER unless the cache has that part, made by the same files; prints its folder.
part() {
    local name=$1 files=()
    shift
    while [ "$1" != -- ]; do
        files+=("$1")
        shift
    done
    local folder
    folder=$cache/$name-$(cat "${files[@]}" | sha256sum | cut -c1-12)
    exec 9>"$cache/$name.lock"
    flock 9
    if [ ! -e "$folder" ]; then
        echo "$name: fetching and building …" >&2
        mkdir "$scratch/new"
        "${@:2}" "$scratch/new" >&2
        rm -rf "$cache/$name"-*
        mv "$scratch/new" "$folder"
    fi
    echo "$folder"
}
