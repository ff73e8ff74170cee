#!/bin/bash
# What other people's tools say of our answer files: `lab/validators.sh` puts them into .demo/cache/validators and prints
# that folder. pykickstart comes from PyPI, cloud-init from Debian, unpacked and not installed: it would take over this
# machine's own set-up at the next start.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/.demo/cache/validators
if [ -e "$folder/complete" ]; then
    echo "$folder"
    exit 0
fi

mkdir -p "$root/.demo/cache"
exec 9>"$root/.demo/cache/validators.lock"
flock 9
rm -rf "$folder"
mkdir -p "$folder"
{
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
        pykickstart jinja2 configobj requests jsonpatch jsonschema oauthlib pyyaml
    (cd "$folder" && apt-get download --quiet=2 cloud-init)
    dpkg-deb --extract "$folder"/cloud-init_*.deb "$folder/cloud-init"
    rm "$folder"/cloud-init_*.deb
} >&2
touch "$folder/complete"
echo "$folder"
