#!/bin/bash
# Cobbler's own code, to compare with: `lab/cobbler.sh` prints a folder with its source and a Python with what that needs.
# It is GPL: it comes from PyPI when it is needed, into the cache, and none of it is kept here.
set -euo pipefail
shopt -s inherit_errexit
lab=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lab/apt.sh
. "$lab/apt.sh"
version=3.3.7

# source_and_python FOLDER
source_and_python() {
    python3 -m venv "$1/venv"
    local pip=("$1/venv/bin/pip" --quiet --disable-pip-version-check)
    "${pip[@]}" install 'setuptools<81' wheel
    "${pip[@]}" install CT3 netaddr pyyaml schema requests distro dnspython jinja2
    "${pip[@]}" download --no-deps --no-build-isolation --no-binary :all: --dest "$1" "cobbler==$version"
    tar --extract --file "$1/cobbler-$version.tar.gz" --directory "$1"
    mv "$1/cobbler-$version" "$1/source"
}

part cobbler "$lab/cobbler.sh" -- source_and_python
