//! The ways from the network to a machine's own disk: what works differs from firmware to firmware.

use super::words;

words! {
    /// How a network boot leads to the machine's own disk.
    DiskBoot, "a way to the disk (one of auto, nothing, not-found, exit, exit-1, sanboot, efi-chain, grub-chain, localboot)" {
        /// What is known to work with the firmware that asks.
        Auto = "auto",
        /// No program is named: a BIOS goes on to its next device.
        Nothing = "nothing",
        /// A program that is not there: the quick error that UEFI wants.
        NotFound = "not-found",
        /// iPXE ends well: a BIOS goes on, OVMF stops in its menu.
        Exit = "exit",
        /// iPXE ends with an error: UEFI goes on to its next entry.
        Exit1 = "exit-1",
        /// iPXE starts the first disk, as a BIOS does.
        Sanboot = "sanboot",
        /// iPXE starts the loader on the disk's EFI partition.
        EfiChain = "efi-chain",
        /// GRUB starts the loader on the disk's EFI partition: all of it may be signed.
        GrubChain = "grub-chain",
        /// PXELINUX hands back to the BIOS.
        Localboot = "localboot",
    }
}

impl DiskBoot {
    /// The language of the loader that carries it out; none where naming a program, or none, is all.
    pub fn language(self) -> Option<super::Language> {
        use super::Language;
        match self {
            DiskBoot::Auto | DiskBoot::Nothing | DiskBoot::NotFound => None,
            DiskBoot::Exit | DiskBoot::Exit1 | DiskBoot::Sanboot | DiskBoot::EfiChain => Some(Language::Ipxe),
            DiskBoot::GrubChain => Some(Language::Grub),
            DiskBoot::Localboot => Some(Language::Pxelinux),
        }
    }
}
