//! UEFI HTTP boot: no TFTP at all, from the firmware's first question to a login prompt.

use crate::power::{Firmware, Order};
use crate::rig::Lab;
use crate::{BOOT_SECS, ONE};

#[test]
#[ignore = "virtual metal: make metal"]
fn uefi_boots_by_http_alone() {
    let mut lab = Lab::new("http");
    lab.add_live();
    lab.cli(&["network", "set", "lab", "--advertise", "true"]);
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10", "--profile", "live"]);
    lab.cli(&["machine", "arm", "web-1"]);
    lab.power_on("one", ONE, Firmware::Http, Order::NetworkFirst);
    lab.until("its loader went out", BOOT_SECS, |lab| lab.count("loader", "snponly.efi by HTTP") > 0);
    lab.seconds_until_it_says("one", "login: root (automatic login)", BOOT_SECS);
    assert_eq!(lab.count("loader", "by TFTP"), 0);
}
