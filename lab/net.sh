#!/bin/bash
# A network for virtual machines, apart from the host's: a namespace with a bridge that is its only link.
#   net.sh up NAME [CIDR]     makes it; the bridge br0 gets CIDR (default 10.77.0.1/24). Harmless when it is there
#   net.sh tap NAME TAP       makes TAP on the bridge, for one machine. Harmless when it is there
#   net.sh down NAME          ends the processes inside, and takes it away. Harmless when it is gone
#   net.sh run NAME COMMAND…  runs COMMAND inside (as `ip netns exec`)
set -euo pipefail

usage() {
    sed -n '2,6s/^# *//p' "$0" >&2
    exit 2
}

[ $# -ge 2 ] || usage
command=$1 name=$2
inside=(ip netns exec "$name")

exists() {
    [ -e "/run/netns/$name" ]
}

# A link that exists already is what was asked for.
inside_has() {
    "${inside[@]}" ip link show "$1" >/dev/null 2>&1
}

up() {
    exists || ip netns add "$name"
    # No IPv6 of our own: firmware would wait for routers that nobody plays.
    echo 1 | "${inside[@]}" tee /proc/sys/net/ipv6/conf/{all,default}/disable_ipv6 >/dev/null
    "${inside[@]}" ip link set lo up
    # A port that learns for 15 s first would swallow the first DHCP packets.
    inside_has br0 || "${inside[@]}" ip link add br0 type bridge stp_state 0 forward_delay 0
    "${inside[@]}" ip address replace "$1" dev br0
    "${inside[@]}" ip link set br0 up
}

down() {
    exists || return 0
    local pids
    for signal in TERM KILL; do
        pids=$(ip netns pids "$name")
        [ -n "$pids" ] || break
        # shellcheck disable=SC2086  # one word for each process
        kill -"$signal" $pids 2>/dev/null || true
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            [ -n "$(ip netns pids "$name")" ] || break
            sleep 0.1
        done
    done
    ip netns delete "$name"
}

case $command in
up) up "${3:-10.77.0.1/24}" ;;
down) down ;;
tap)
    [ $# -eq 3 ] || usage
    inside_has "$3" || "${inside[@]}" ip tuntap add "$3" mode tap
    "${inside[@]}" ip link set "$3" master br0 up
    ;;
run) exec "${inside[@]}" "${@:3}" ;;
*) usage ;;
esac
