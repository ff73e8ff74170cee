#!/bin/bash
# What other people's tools say of our answer files: `lab/validators.sh` prints a folder with them. pykickstart comes from
# PyPI, cloud-init from Debian, unpacked and not installed: it would take over this machine's own set-up at the next start.
set -euo pipefail
shopt -s inherit_errexit
lab=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lab/apt.sh
. "$lab/apt.sh"

# tools FOLDER
tools() {
    python3 -m venv "$1/venv"
    "$1/venv/bin/pip" install --quiet --disable-pip-version-check \
        pykickstart jinja2 configobj requests jsonpatch jsonschema oauthlib pyyaml
    (cd "$1" && apt-get download --quiet=2 cloud-init)
    dpkg-deb --extract "$1"/cloud-init_*.deb "$1/cloud-init"
    rm "$1"/cloud-init_*.deb
}

part validators "$lab/validators.sh" -- tools
