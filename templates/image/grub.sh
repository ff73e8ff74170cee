{## The boot loader of a root filesystem that was unpacked, for both firmwares. ##}
# The distributor's name is the folder that Debian's signed GRUB looks for its configuration in.
cat >"$target/etc/default/grub" <<'KICKSTAND_GRUB'
GRUB_DISTRIBUTOR=Debian
GRUB_TIMEOUT=1
GRUB_CMDLINE_LINUX_DEFAULT=
GRUB_CMDLINE_LINUX={{ kernel_arguments|shq }}
GRUB_TERMINAL=console
# Fewer entries: each one costs seconds to write.
GRUB_DISABLE_SUBMENU=true
GRUB_DISABLE_RECOVERY=true
GRUB_DISABLE_OS_PROBER=true
KICKSTAND_GRUB
step 68 "installing the boot loader for BIOS"
chroot "$target" grub-install --target=i386-pc "$disk"
step 76 "installing the boot loader for UEFI"
# No entry in the firmware's own list: it would put the disk before the network for good.
chroot "$target" grub-install --target=x86_64-efi --efi-directory=/boot/efi --no-nvram --force-extra-removable \
    --uefi-secure-boot
step 84 "writing the boot menu"
chroot "$target" update-grub
