#!/bin/sh
# room.sh FOLDER [TREE]: runs the scripts FOLDER/NUMBER.installer and .system by their numbers, each with the program that its
# .with names, then registers as the unit does that they left. The installer is TREE, or as this host is, and has the new system
# in /target, which is as this host is. Both lie in memory and end with this script's mount namespace.
set -eu
folder=$1 room=$1/room
mkdir "$room"
mount -t tmpfs none "$room"

layer() { # layer NAME LOWER
    mkdir -p "$room/$1" "$room/.$1/up" "$room/.$1/work"
    mount -t overlay -o "lowerdir=$2,upperdir=$room/.$1/up,workdir=$room/.$1/work" none "$room/$1"
    for place in proc sys dev; do
        mkdir -p "$room/$1/$place"
        mount --rbind "/$place" "$room/$1/$place"
    done
    for place in run tmp; do
        mkdir -p "$room/$1/$place"
        mount -t tmpfs none "$room/$1/$place"
    done
}

# stand_in SYSTEM NAME: a program that this host lacks, or must not run, does what its input says.
stand_in() {
    mkdir -p "$room/$1/usr/local/bin"
    cat >"$room/$1/usr/local/bin/$2"
    chmod 755 "$room/$1/usr/local/bin/$2"
}

layer system /
layer installer "${2:-/}"
rm -rf "$room/system/etc/kickstand" "$room/system/root/.ssh" "$room/system/usr/local/sbin/kickstand-agent"
mkdir -p "$room/installer/target"
mount --rbind "$room/system" "$room/installer/target"

printf '#!/bin/sh\ncat /etc/default/grub.d/90-kickstand.cfg\n' | stand_in system update-grub
# Nothing can be started where no systemd runs; what it would start is run below.
# shellcheck disable=SC2016
printf '#!/bin/sh\n[ "$1" = start ] || exec /bin/systemctl "$@"\n' | stand_in system systemctl
if [ $# = 1 ]; then
    # curtin in-target --target=/target -- COMMAND…
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nshift 3\nexec chroot /target "$@"\n' | stand_in installer curtin
    # coreos-installer install --ignition-file FILE DISK
    # shellcheck disable=SC2016
    printf '#!/bin/sh\n[ -b "$4" ] && cp "$3" /target/root/system.ign\n' | stand_in installer coreos-installer
    printf '#!/bin/sh\necho "systemctl $*"\n' | stand_in installer systemctl
    mknod "$room/installer/srv/disk" b 1 0
fi

for step in "$folder"/*.installer "$folder"/*.system; do echo "$step"; done | sort | while read -r step; do
    [ -e "$step" ] || continue
    place=$room/${step##*.}
    echo "== ${step##*/}"
    cp "$step" "$place/tmp/script"
    chmod 755 "$place/tmp/script"
    # A program and its options, or nothing: the script's own first line says.
    # shellcheck disable=SC2046
    chroot "$place" $(cat "${step%.*}.with") /tmp/script
done

unit=/etc/systemd/system/kickstand-agent.service
[ -e "$room/system$unit" ] || exit 0
chroot "$room/system" systemctl is-enabled kickstand-agent.service
# shellcheck disable=SC2046
chroot "$room/system" $(sed -n 's/^ExecStart=//p' "$room/system$unit")
