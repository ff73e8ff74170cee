{## A whole disk: written as it is, its second partition table and its last partition moved to the disk's end, its system
    found. Leaves that mounted. ##}
step 3 "wiping what $disk held"
# What an old table says at the disk's end would outlive the new one. This refuses a disk that is in use.
wipefs --all --quiet "$disk"

echo "== writing"
image "writing the disk" | dd of="$disk" bs=4M iflag=fullblock conv=fsync status=none ||
    fail "the image is not on $disk, which has $(blockdev --getsize64 "$disk") bytes: it is larger than that, or the disk is broken"
arrived

blockdev --rereadpt "$disk"
udevadm settle
case $(blkid -p -s PTTYPE -o value "$disk" || true) in
# The second table lies where the image ended: it belongs to the end of the disk.
gpt) sfdisk --quiet --relocate gpt-bak-std "$disk" ;;
dos) ;;
*) fail "what is on $disk now has no partitions: is the image that of a disk, and not of a file system?" ;;
esac
udevadm settle

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
    echo ', +' | sfdisk --quiet -N "$number" "$disk" || echo "== $root keeps its size"
    udevadm settle
    case $(blkid -p -s TYPE -o value "$root") in
    ext*)
        e2fsck -f -p "$root" || [ $? = 1 ] || fail "the file system on $root is broken, as it is in the image"
        resize2fs "$root"
        ;;
    *) echo "== its file system is left to itself to grow" ;;
    esac
    mount_system "$root"
fi
