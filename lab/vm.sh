#!/bin/bash
# One virtual machine with real firmware, in a network of net.sh.
#   vm.sh start NAME     powers it on (all else comes from the environment, below)
#   vm.sh stop NAME      pulls the plug. Harmless when it is off
#   vm.sh running NAME   exit code 0 while it is on
#   vm.sh wait NAME SECONDS   returns when it is off; 1 when it is not by then
#
#   VM_FOLDER    for its disk, variables, log and process id (default: .demo/vm)
#   VM_NETWORK   the namespace (default: lab)          VM_MAC    (default: 52:54:00:77:00:01)
#   VM_FIRMWARE  bios (default), uefi, secure (UEFI with Secure Boot), http (UEFI whose only way to the network is HTTP),
#                arm64 or arm64-http (UEFI as well)    VM_BOOT   network (default) or disk: which comes first
#   VM_DISK      its disk (default: FOLDER/NAME.qcow2) VM_DISK_SIZE  for a new one (default: 4G)
#   VM_SERIAL    log of its console (default: FOLDER/NAME.log; each start begins it anew)
#   VM_MEMORY    in MiB (default: 1536)                VM_CAPTURE    writes its packets to this pcap file
#   VM_CACERTS   signature list of the CAs that UEFI HTTP boot believes
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)

usage() {
    sed -n '2,15s/^# *//p' "$0" >&2
    exit 2
}

[ $# -ge 2 ] || usage
command=$1 name=$2
folder=${VM_FOLDER:-$lab/../.demo/vm}
network=${VM_NETWORK:-lab}
mac=${VM_MAC:-52:54:00:77:00:01}
firmware=${VM_FIRMWARE:-bios}
boot=${VM_BOOT:-network}
disk=${VM_DISK:-$folder/$name.qcow2}
serial=${VM_SERIAL:-$folder/$name.log}
memory=${VM_MEMORY:-1536}
pidfile=$folder/$name.pid
# Names of interfaces end at 15 characters: the MAC's digits are as good a name.
tap=t${mac//:/}

# flash CODE VARIABLES: the firmware, and its variables, which outlive a restart as on a real board.
# Without a ROM on the card UEFI boots from the network by itself, as a real board does.
flash() {
    local variables=$folder/$name.$firmware.vars
    [ -e "$variables" ] || cp "$2" "$variables"
    board+=(
        -drive "if=pflash,format=raw,readonly=on,file=$1"
        -drive "if=pflash,format=raw,file=$variables"
    )
    card_rom=,romfile=
}

# Fills system, board and card_rom.
choose_firmware() {
    local ovmf=/usr/share/OVMF aavmf=/usr/share/AAVMF
    # Its IPv6 attempts would cost a minute each.
    local no_ipv6=(-fw_cfg "name=opt/org.tianocore/IPv6Support,string=n")
    local no_pxe=(-fw_cfg "name=opt/org.tianocore/IPv4PXESupport,string=n")
    case $firmware in
    # The card's own ROM is iPXE.
    bios) board=(-machine pc -cpu max) ;;
    uefi)
        board=(-machine q35 -cpu max "${no_ipv6[@]}")
        flash $ovmf/OVMF_CODE_4M.fd $ovmf/OVMF_VARS_4M.fd
        ;;
    # Microsoft's keys are enrolled, and only the firmware itself may write its flash.
    secure)
        board=(-machine "q35,smm=on" -cpu max -global "driver=cfi.pflash01,property=secure,value=on" "${no_ipv6[@]}")
        flash $ovmf/OVMF_CODE_4M.secboot.fd $ovmf/OVMF_VARS_4M.ms.fd
        ;;
    http)
        board=(-machine q35 -cpu max "${no_ipv6[@]}" "${no_pxe[@]}")
        flash $ovmf/OVMF_CODE_4M.fd $ovmf/OVMF_VARS_4M.fd
        ;;
    arm64 | arm64-http)
        system=aarch64
        board=(-machine virt -cpu cortex-a72 -fw_cfg "name=opt/org.tianocore/IPv6PXESupport,string=n")
        [ "$firmware" = arm64 ] || board+=("${no_pxe[@]}")
        flash $aavmf/AAVMF_CODE.fd $aavmf/AAVMF_VARS.fd
        ;;
    *) usage ;;
    esac
}

running() {
    [ -s "$pidfile" ] && grep -qs "qemu-system" "/proc/$(cat "$pidfile")/comm"
}

start() {
    if running; then
        echo "vm: $name is on already" >&2
        return
    fi
    mkdir -p "$folder"
    [ -e "$disk" ] || qemu-img create -q -f qcow2 "$disk" "${VM_DISK_SIZE:-4G}"
    "$lab/net.sh" tap "$network" "$tap"
    case $boot in
    network) local card_first=1 disk_first=2 ;;
    disk) local card_first=2 disk_first=1 ;;
    *) usage ;;
    esac
    local digits=${mac//:/} system=x86_64 board=() card_rom=
    choose_firmware
    # Whose certificates UEFI HTTP boot believes.
    [ -z "${VM_CACERTS:-}" ] || board+=(-fw_cfg "name=etc/edk2/https/cacerts,file=$VM_CACERTS")
    local capture=()
    [ -z "${VM_CAPTURE:-}" ] || capture=(-object "filter-dump,id=capture,netdev=n0,file=$VM_CAPTURE")
    # No KVM even where /dev/kvm exists: nested, it may hang the guest. cache=unsafe: disks here are thrown away.
    local card="virtio-net-pci,netdev=n0,mac=$mac,bootindex=$card_first$card_rom"
    "$lab/net.sh" run "$network" "qemu-system-$system" \
        -name "$name" -daemonize -pidfile "$pidfile" \
        -accel tcg,thread=multi -smp 2 -m "$memory" \
        -display none -nodefaults -serial "file:$serial" -qmp "unix:$folder/$name.qmp,server=on,wait=off" \
        "${board[@]}" \
        -uuid "77777777-0000-4000-8000-$digits" \
        -smbios "type=1,manufacturer=Kickstand,product=Virtual metal,serial=VM-$digits" \
        -object rng-random,id=rng0,filename=/dev/urandom -device virtio-rng-pci,rng=rng0 \
        -netdev "tap,id=n0,ifname=$tap,script=no,downscript=no" -device "$card" \
        -drive "if=none,id=d0,file=$disk,format=qcow2,cache=unsafe,discard=unmap" \
        -device "virtio-blk-pci,drive=d0,serial=DISK-$digits,bootindex=$disk_first" \
        "${capture[@]}"
}

stop() {
    running || return 0
    kill -KILL "$(cat "$pidfile")"
    wait_off 5
    rm -f "$pidfile"
}

# wait_off SECONDS
wait_off() {
    local end=$((SECONDS + $1))
    while running; do
        [ $SECONDS -lt "$end" ] || return 1
        sleep 0.1
    done
}

case $command in
start) start ;;
stop) stop ;;
running) running ;;
wait) wait_off "${3:-60}" ;;
*) usage ;;
esac
