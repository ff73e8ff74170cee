{## A root filesystem: partitions of our own, and what the image holds unpacked onto them. Leaves it mounted. ##}
step 3 "partitioning $disk"
# One disk for both firmwares: GRUB's own place for BIOS, a system partition for UEFI.
wipe
# The kernel is told afterwards, as often as that takes.
sfdisk --quiet --no-reread --no-tell-kernel --wipe always --wipe-partitions always "$disk" <<'LAYOUT'
label: gpt
size=1M, type=21686148-6449-6E6F-744E-656564454649
size=128M, type=U
type=L
LAYOUT
reread
mkfs.vfat -F 32 -n ESP "$(partition 2)" >/dev/null 2>&1
mkfs.ext4 -q -F -L root "$(partition 3)"
mount -o noatime "$(partition 3)" "$target"

echo "== unpacking"
begin
image "unpacking the system" | tar -x --numeric-owner --xattrs --xattrs-include='*.*' -C "$target"
arrived

mkdir -p "$target/boot/efi"
mount "$(partition 2)" "$target/boot/efi"
cat >"$target/etc/fstab" <<FSTAB
UUID=$(blkid -s UUID -o value "$(partition 3)") / ext4 defaults,noatime,errors=remount-ro 0 1
UUID=$(blkid -s UUID -o value "$(partition 2)") /boot/efi vfat umask=0077 0 2
FSTAB
