#!/bin/bash
# The main job before your eyes: a virtual machine with an empty disk powers on, installs, reboots from its disk and
# registers, served by nobody but Kickstand. Exit code 0 only if all of it happened.
#   FIRMWARE=bios|uefi   the machine's firmware (default: bios)
#   KEEP=1               leave everything running, and say how to look around
set -euo pipefail
cd "$(dirname "$0")/.."

firmware=${FIRMWARE:-bios}
network=kickstand-demo
run=$PWD/.demo/run
mac=52:54:00:77:00:10
began=$SECONDS
export VM_FOLDER=$run/vm VM_NETWORK=$network VM_MAC=$mac VM_FIRMWARE=$firmware
export KICKSTAND_SOCKET=$run/kickstand.sock

case $firmware in bios | uefi) ;; *)
    echo "demo: FIRMWARE is bios or uefi, not $firmware" >&2
    exit 2
    ;;
esac
[ "$(id -u)" = 0 ] || {
    echo "demo: it lays a network namespace and starts virtual machines in it: run it as root" >&2
    exit 2
}

say() {
    printf '\n\033[1m%s\033[0m\n' "$*"
}

kickstand() {
    target/release/kickstand "$@"
}

# Shows a command as an operator would type it, and runs it.
does() {
    printf '  \033[2m$\033[0m %s\n' "$*"
    "$@"
}

clean() {
    lab/vm.sh stop demo
    lab/net.sh down "$network"
}

leave() {
    local code=$?
    trap - EXIT
    if [ "${KEEP:-}" = 1 ]; then
        look_around
    else
        clean
    fi
    exit "$code"
}

look_around() {
    say "Everything is left running. Look around:"
    cat <<LOOK
  export KICKSTAND_SOCKET=$KICKSTAND_SOCKET PATH=$PWD/target/release:\$PATH
  kickstand machine show demo-1          kickstand events --machine demo-1
  kickstand why $mac        kickstand lease list
  less +F $run/vm/demo.log               # the machine's console
  less +F $run/kickstand.log             # the server's log
End it with:  lab/net.sh down $network
LOOK
}

say "1  Building"
lab/packages.sh
cargo build --locked --release --bin kickstand
agent=$(lab/agent.sh)
clean
rm -rf "$run"
mkdir -p "$run/files/agent"
cp "$agent" "$run/files/agent/kickstand-agent"
KICKSTAND_AGENT=$agent lab/images.sh "$run/files/debian-12" >/dev/null

say "2  A network, and Kickstand on it"
lab/net.sh up "$network"
cat >"$run/kickstand.toml" <<SETTINGS
[database]
url = "sqlite://$run/kickstand.db"
[server]
files = "$run/files"
templates = "$run/etc"
socket = "$KICKSTAND_SOCKET"
[dhcp]
interfaces = ["br0"]
SETTINGS
lab/net.sh run "$network" target/release/kickstand serve --config "$run/kickstand.toml" >"$run/kickstand.log" 2>&1 &
server=$!
trap leave EXIT
trap 'exit 130' INT TERM
until [ -S "$KICKSTAND_SOCKET" ]; do
    kill -0 $server 2>/dev/null || {
        cat "$run/kickstand.log" >&2
        exit 1
    }
    sleep 0.1
done

does kickstand network add lab --cidr 10.77.0.0/24 --dns 10.77.0.1
does kickstand key add web --description "Web servers" --group web --limit 10
does kickstand distro add debian-12 --family image --kernel debian-12/vmlinuz --initrd debian-12/initrd.img \
    --arguments "console=ttyS0 tsc=reliable" --var live=debian-12/live.squashfs --var image=debian-12/root.tar.zst
does kickstand profile add web --distro debian-12 --key web --var kernel_arguments=console=ttyS0
does kickstand range add web-rack 10.77.0.10-10.77.0.50 --profile web
does kickstand machine add demo-1 --mac $mac --ip 10.77.0.10
does kickstand machine arm demo-1

say "3  Power on: an empty disk, $firmware firmware, network first"
lab/vm.sh start demo
does kickstand watch demo-1 --until registered --timeout 30m

say "4  Looking again"
# The watch has seen it all; ask the record too, as an operator would.
kickstand --output json machine show demo-1 >"$run/machine.json"
python3 - "$run/machine.json" <<'CHECK'
import json, sys
machine = json.load(open(sys.argv[1]))
assert machine["state"] == "registered", machine["state"]
assert machine["inventory"]["hostname"] == "demo-1", machine["inventory"]
print(f"  {machine['name']} is {machine['state']}: {machine['inventory']['os']}, "
      f"{machine['inventory']['cpus']} CPUs, {machine['inventory']['memory_bytes'] // 2**20} MiB")
CHECK
kickstand --output json key show web | grep -q '"used": *1' || {
    echo "demo: the key was not spent once" >&2
    exit 1
}
echo "  the activation key was used once; all of it took $((SECONDS - began)) s, building included"
