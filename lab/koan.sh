#!/bin/bash
# The koan that others use, as PyPI has it, and a system that carries it.
#   koan.sh                prints the folder of an environment with koan and cobbler-register. Its libvirt is left out:
#                          tests bring one that only writes down what it is asked
#   koan.sh FOLDER ROOT    puts root.tar.zst there: the root filesystem ROOT (root.tar.zst of images.sh) with koan in it,
#                          which starts `--replace-self --kexec` as soon as its server has armed the machine
# The first time takes a minute or two; afterwards it comes from the cache.
#
#   KICKSTAND_CACHE   where it is kept (default: .demo/cache)
set -euo pipefail
shopt -s inherit_errexit
lab=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lab/apt.sh
# shellcheck disable=SC2154
. "$lab/apt.sh"
# shellcheck source=lab/root.sh
. "$lab/root.sh"
version=3.0.1

# environment FOLDER: with the libraries that Debian has, since one of them would have to be compiled.
environment() {
    /usr/bin/python3 -m venv --system-site-packages "$1/venv"
    "$1/venv/bin/pip" install --quiet --disable-pip-version-check setuptools wheel
    "$1/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation "koan==$version"
}

# carrier ROOT KOAN FOLDER
carrier() {
    # shellcheck disable=SC2154  # apt.sh's
    local space=$scratch/space
    with_packages "$1" "$space" \
        python3-minimal python3-distro python3-netifaces python3-pkg-resources kexec-tools
    cp -r "$2"/venv/lib/python3*/site-packages/koan "$space/usr/lib/python3/dist-packages/"
    install -m 755 "$2/venv/bin/koan" "$space/usr/local/bin/koan"
    sed -i '1s,.*,#!/usr/bin/python3,' "$space/usr/local/bin/koan"
    cat >"$space/etc/systemd/system/koan.service" <<'UNIT'
[Unit]
Description=koan, once its server has armed this machine
Wants=network-online.target
After=network-online.target
[Service]
ExecStart=/usr/local/sbin/koan-when-armed
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
UNIT
    cat >"$space/usr/local/sbin/koan-when-armed" <<'SCRIPT'
#!/bin/sh
# netboot_enabled is what Cobbler calls it.
while ! koan --server 10.77.0.1 --display 2>/dev/null | grep -q 'netboot_enabled  : True'; do sleep 5; done
koan --server 10.77.0.1 --replace-self --kexec && echo "koan: starting it" && sync && exec kexec -e
SCRIPT
    chmod 755 "$space/usr/local/sbin/koan-when-armed"
    ln -s ../koan.service "$space/etc/systemd/system/multi-user.target.wants/koan.service"
    # Only koan starts kernels here.
    [ ! -e "$space/etc/default/kexec" ] || sed -i 's/^LOAD_KEXEC=.*/LOAD_KEXEC=false/' "$space/etc/default/kexec"
    tar -C "$space" --numeric-owner --xattrs --xattrs-include='*.*' -cf - . | zstd --quiet -T0 -6 -o "$3/root.tar.zst"
}

"$lab/packages.sh"
koan=$(part koan-environment "$lab/koan.sh" -- environment)
if [ $# -eq 0 ]; then
    echo "$koan"
    exit
fi
[ $# -eq 2 ] || {
    sed -n '2,6s/^# *//p' "$0" >&2
    exit 2
}
made=$(part koan-root "$lab/koan.sh" "$lab/root.sh" "$lab/apt.sh" "$lab/image/sources.sh" "$2" -- carrier "$2" "$koan")
mkdir -p "$1"
cp --link --force "$made/root.tar.zst" "$1/root.tar.zst" 2>/dev/null || cp --force "$made/root.tar.zst" "$1/root.tar.zst"
