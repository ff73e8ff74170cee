//! Quirks: what firmware of some make needs that others do not, as rows that operators can edit and share.

use super::{DiskBoot, Language, Mac, MacPrefix, Name, Program, Traits};
use serde::{Deserialize, Serialize};

/// A row of `pxe/quirks.toml`. The first row that fits and says something of a matter speaks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    pub name: Name,
    /// What goes wrong without it.
    pub says: String,
    /// Where that was found out: a bug's number, a manual.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    #[serde(rename = "match")]
    pub matches: Marks,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loader: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_boot: Option<DiskBoot>,
    /// The largest window that TFTP agrees to, in blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u16>,
    /// The largest block that TFTP agrees to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_bytes: Option<u16>,
    /// Whether a NUL ends options 66 and 67.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nul: Option<bool>,
}

impl Quirk {
    /// What it says that could never count: of TFTP and of iPXE's script, in a row that asks for more than those know.
    pub fn unheard(&self) -> Option<String> {
        if !self.matches.asks_more() {
            return None;
        }
        let way =
            self.disk_boot.filter(|way| way.language() == Some(Language::Ipxe)).map(|way| format!("disk_boot {way}"));
        way.or(self.window.map(|_| "window".into())).or(self.block_bytes.map(|_| "block_bytes".into()))
    }
}

/// What a client must be like: all that is said here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Marks {
    /// How option 60 begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// How its MAC begins: the maker's OUI, or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacPrefix>,
    /// Option 93.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<u16>,
    /// The program that asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// What option 77 is, or holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_class: Option<String>,
    /// How the product's name begins in the inventory: known once the machine was installed from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
}

impl Marks {
    pub fn fits(&self, client: &Traits<'_>, product: Option<&str>) -> bool {
        self.program.is_none_or(|program| client.client.program == program)
            && self.arch.is_none_or(|arch| client.client.arch.is_some_and(|of| of.0 == arch))
            && self.vendor.as_ref().is_none_or(|vendor| client.vendor.starts_with(vendor.as_str()))
            && self.user_class.as_ref().is_none_or(|class| client.user_classes.contains(class))
            && self.fits_hardware(client.mac, product)
    }

    /// Where only the card and the product are known, rows that ask for more do not fit.
    pub fn fits_unheard(&self, mac: Option<Mac>, product: Option<&str>) -> bool {
        !self.asks_more() && self.fits_hardware(mac, product)
    }

    /// Whether it asks for what a client says by DHCP alone.
    fn asks_more(&self) -> bool {
        let Marks { vendor, arch, program, user_class, .. } = self;
        vendor.is_some() || arch.is_some() || program.is_some() || user_class.is_some()
    }

    fn fits_hardware(&self, mac: Option<Mac>, product: Option<&str>) -> bool {
        self.mac.as_ref().is_none_or(|prefix| mac.is_some_and(|mac| prefix.begins(mac)))
            && self
                .product
                .as_ref()
                .is_none_or(|name| product.is_some_and(|product| product.starts_with(name.as_str())))
    }

    /// A row that fits everybody is a default, not a quirk: networks say that better.
    pub fn is_empty(&self) -> bool {
        *self == Marks::default()
    }
}
