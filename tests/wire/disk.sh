#!/bin/sh
# disk.sh SCRIPT DISK AGENT PROGRAMS: runs an image family's script as the live system does, with the file DISK as its /srv/disk0, and
# shows what is on the partition with a system then; afterwards that system registers. Kernels that know no partitions on loop
# devices do: each partition gets a loop device of its own. All of it ends with this script's mount namespace. What lies in the folder
# PROGRAMS goes before the system's own programs; of one that stands in here, what it hides is called true-NAME.
set -eu
script=$1 file=$2 agent=$3 room=${2%/*}/room
mkdir -p "$room"
mount -t tmpfs none "$room"
mkdir "$room/live" "$room/up" "$room/work"
mount -t overlay -o "lowerdir=/,upperdir=$room/up,workdir=$room/work" none "$room/live"
for place in proc sys; do
    mount --rbind "/$place" "$room/live/$place"
done
mount --rbind /dev "$room/live/dev"
for place in run tmp mnt srv; do
    mkdir -p "$room/live/$place"
    mount -t tmpfs none "$room/live/$place"
done
cp "$script" "$room/live/tmp/script"

stand_in() { # stand_in NAME: a program that does what its input says
    cat >"$room/live/usr/local/bin/$1"
    chmod 755 "$room/live/usr/local/bin/$1"
}
mkdir -p "$room/live/usr/local/bin" "$room/live/run/kickstand"
cp "$agent" "$room/live/usr/local/bin/kickstand-agent"
printf '#!/bin/sh\necho "systemctl $*"\n' | stand_in systemctl
# What udev would make of what the kernel tells of partitions.
cat <<UDEVADM | stand_in udevadm
#!/bin/sh
for old in /srv/disk0p*; do
    [ -b "\$old" ] || continue
    losetup -d "/dev/loop\$((0x\$(stat -c %T "\$old")))" && rm "\$old"
done
partx --noheadings --raw --output NR,START,SECTORS /srv/disk0 2>/dev/null | while read -r number start sectors; do
    loop=\$(losetup --find --show --offset \$((start * 512)) --sizelimit \$((sectors * 512)) /srv/file)
    mknod "/srv/disk0p\$number" b 7 "\${loop#/dev/loop}"
done
UDEVADM

own=$room/live/usr/local/bin
for program in "$4"/*; do
    [ -e "$program" ] || continue
    [ ! -e "$own/${program##*/}" ] || mv "$own/${program##*/}" "$own/true-${program##*/}"
    stand_in "${program##*/}" <"$program"
done

# Itself, not a copy of the overlay's.
touch "$room/live/srv/file"
mount --bind "$file" "$room/live/srv/file"
whole=$(losetup --partscan --find --show "$file")
mknod "$room/live/srv/disk0" b 7 "${whole#/dev/loop}"
leave() {
    for each in $(losetup --noheadings --output NAME --associated "$file"); do
        losetup -d "$each" 2>/dev/null || true
    done
}
trap leave EXIT
chroot "$room/live" sh /tmp/script

number=$(partx --noheadings --raw --output START,NR "$whole" | sort -n | sed -n '$s/.* //p')
# shellcheck disable=SC2016
chroot "$room/live" sh -c "udevadm; mount /srv/disk0p$number /mnt; cd /mnt"'
    for file in $(find etc root var usr/local -type f ! -name kickstand-agent ! -name agent.json 2>/dev/null | sort); do
        echo "-- $file $(stat -c %a "$file")"
        cat "$file"
    done
    mount --bind /proc proc
    mount --bind /dev dev
    chroot /mnt usr/local/sbin/kickstand-agent register
    umount proc dev
    cd /
    umount /mnt'
