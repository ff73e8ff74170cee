{## A whole disk: written as it is, its second partition table and its last partition moved to the disk's end, its system
    found. Leaves that mounted. ##}
# What can be known to fail is known before anything is lost.
sector_bytes=$(blockdev --getss "$disk")
[ "$sector_bytes" = 512 ] || fail "$disk has sectors of $sector_bytes bytes, the image's tables count in 512: give this machine another disk, or a root filesystem (.tar)"

first=/run/kickstand/first
{
    kickstand-agent fetch {{ secure_image_url|shq }}
{%- if image_packer %} | {{ image_packer|shq }} -dc
{%- endif %}

} 2>/run/kickstand/looked | head -c 4096 >"$first"
[ -s "$first" ] || fail "the image can not be read: $(tail -n 3 /run/kickstand/looked)"

bytes() { # bytes OFFSET COUNT: of what the image begins with, in hexadecimal
    od -A n -t x1 -j "$1" -N "$2" "$first" | tr -d ' \n'
}

kind=
case $(bytes 0 4) in
514649fb) kind=qcow2 ;;
4b444d56) kind=VMDK ;;
76686478) kind=VHDX ;;
1f8b* | fd377a58 | 28b52ffd) fail "the image is packed, and its name does not say so: give it the ending .gz, .xz or .zst" ;;
esac
[ -z "$kind" ] || fail "the image is a $kind image, whatever its name says: convert it with qemu-img convert -O raw"
[ "$(bytes 510 2)" = 55aa ] || fail "the image does not begin as a disk does (bytes 510 and 511 are not 55 aa): is it that of a file system?"

step 3 "wiping what $disk held"
wipe

echo "== writing"
begin
image "writing the disk" | dd of="$disk" bs=4M iflag=fullblock conv=fsync status=none ||
    fail "the image is not on $disk, which has $(blockdev --getsize64 "$disk") bytes: it is larger than that, or the disk is broken"
arrived

reread
case $(blkid -p -s PTTYPE -o value "$disk" || true) in
# The second table lies where the image ended: it belongs to the end of the disk.
gpt) sfdisk --quiet --no-reread --no-tell-kernel --relocate gpt-bak-std "$disk" ;;
dos) ;;
*) fail "what is on $disk now has no partitions: is the image that of a disk, and not of a file system?" ;;
esac
reread

partitions() { # their numbers, those first that are made for a system's root on x86-64 or arm64
    partx --noheadings --raw --output TYPE,NR "$disk" >/run/kickstand/partitions
    for type in 4f68bce3-e8cd-4db1-96e7-fbcaf984b709 b921b045-1df0-41c3-af44-4c6f280d3fae; do
        sed -n "s/^$type //p" /run/kickstand/partitions
    done
    sed 's/.* //' /run/kickstand/partitions
}

mount_system() { # mount_system PARTITION: what tells a system is what is in it. btrfs may have it in a subvolume.
    for option in noatime noatime,subvol=root noatime,subvol=@; do
        mount -o "$option" "$1" "$target" 2>/dev/null || continue
        [ ! -e "$target/etc/os-release" ] && [ ! -L "$target/etc/os-release" ] || return 0
        umount "$target"
    done
    return 1
}

number=
for each in $(partitions); do
    if mount_system "$(partition "$each")"; then
        number=$each
        break
    fi
done
[ -n "$number" ] || fail "no partition of the image holds a system that can be set up: an ext4, xfs or btrfs with /etc/os-release is looked for, LVM and what is encrypted are not opened"
root=$(partition "$number")
echo "== the system is on $root"

# Where nothing follows it, it gets the rest of the disk.
if [ "$(partx --noheadings --raw --output START,NR "$disk" | sort -n | sed -n '$s/.* //p')" = "$number" ]; then
    umount "$target"
    echo ', +' | sfdisk --quiet --no-reread --no-tell-kernel -N "$number" "$disk" || echo "== $root keeps its size"
    reread
    case $(blkid -p -s TYPE -o value "$root") in
    ext*)
        e2fsck -f -p "$root" || [ $? = 1 ] || fail "the file system on $root is broken, as it is in the image"
        resize2fs "$root"
        ;;
    *) echo "== its file system is left to itself to grow" ;;
    esac
    mount_system "$root"
fi

named() { # named UUID=…: the partition of this disk that has the name. Another disk may have it, too: not by the system's list.
    for each in $(partitions); do
        case ${1%%=*} in
        UUID | LABEL) name=$(blkid -p -s "${1%%=*}" -o value "$(partition "$each")" || true) ;;
        PARTUUID) name=$(partx --noheadings --raw --nr "$each" --output UUID "$disk") ;;
        PARTLABEL) name=$(partx --noheadings --raw --nr "$each" --output NAME "$disk") ;;
        *) return 1 ;;
        esac
        if [ "$name" = "${1#*=}" ]; then
            partition "$each"
            return
        fi
    done
    return 1
}

mount_own() { # mount_own SOURCE PLACE OPTIONS: of the options only what says which part of a btrfs it is
    own=$(echo "$1" | tr -d '"' | sed 's,^/dev/disk/by-\([a-z]*\)/,\U\1=,')
    own=$(named "$own") || return 1
    part=$(echo "$3" | tr , '\n' | grep -E '^subvol(id)?=' | paste -s -d , -)
    mkdir -p "$target$2"
    mount -o "noatime${part:+,$part}" "$own" "$target$2" && echo "== its $2 is on $own"
}

# Where the system mounts something of its own, what is written below must be on that: it would be hidden otherwise.
for place in /usr /usr/local /var /var/lib /var/lib/cloud /root /opt /home; do
    [ -e "$target/etc/fstab" ] || break
    while read -r source where _ options _; do
        [ "$where" = "$place" ] || continue
        case $source,$options, in "#"* | *,noauto,*) continue ;; esac
        ! mount_own "$source" "$place" "$options" || continue
        # Nothing is written there.
        case $place in /opt | /home) continue ;; esac
        fail "the image mounts $source on $place, which is no partition of its own by UUID, LABEL, PARTUUID or PARTLABEL, or can not be mounted: what the system is told would be hidden below it"
    done <"$target/etc/fstab"
done
