#!/bin/bash
# Cobbler's own code, to compare with: `lab/cobbler.sh` puts its source and a Python with what that needs into
# .demo/cache/cobbler and prints that folder. It is GPL: it comes from PyPI when it is needed, and none of it is kept here.
set -euo pipefail

version=3.3.7
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/.demo/cache/cobbler
if [ -e "$folder/complete-$version" ]; then
    echo "$folder"
    exit 0
fi

mkdir -p "$root/.demo/cache"
exec 9>"$root/.demo/cache/cobbler.lock"
flock 9
rm -rf "$folder"
mkdir -p "$folder"
{
    python3 -m venv "$folder/venv"
    pip=("$folder/venv/bin/pip" --quiet --disable-pip-version-check)
    "${pip[@]}" install 'setuptools<81' wheel
    "${pip[@]}" install CT3 netaddr pyyaml schema requests distro dnspython jinja2
    "${pip[@]}" download --no-deps --no-build-isolation --no-binary :all: --dest "$folder" "cobbler==$version"
    tar --extract --file "$folder/cobbler-$version.tar.gz" --directory "$folder"
    mv "$folder/cobbler-$version" "$folder/source"
} >&2
touch "$folder/complete-$version"
echo "$folder"
