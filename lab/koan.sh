#!/bin/bash
# The koan that others use, as PyPI has it: `lab/koan.sh` puts it into .demo/cache/koan and prints that folder. Its libvirt
# is left out: tests bring one that only writes down what it is asked.
set -euo pipefail

version=3.0.1
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/.demo/cache/koan-$version
if [ -e "$folder/complete" ]; then
    echo "$folder"
    exit 0
fi

mkdir -p "$root/.demo/cache"
exec 9>"$root/.demo/cache/koan.lock"
flock 9
rm -rf "$folder"
mkdir -p "$folder"
{
    # Debian's own Python: it is the one that virtual machines have, too.
    /usr/bin/python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check distro netifaces setuptools wheel
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "koan==$version"
} >&2
touch "$folder/complete"
echo "$folder"
