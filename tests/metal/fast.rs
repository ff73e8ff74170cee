//! How soon iPXE in a card's ROM asks for its script, with and without a word about IPv6 routers.

use crate::power::{Firmware, Order};
use crate::rig::Lab;
use crate::{BOOT_SECS, ONE};

/// From power-on to the request.
fn seconds_to_the_script(lab: &mut Lab) -> f64 {
    let before = lab.count("script", "");
    lab.power_off("one");
    lab.power_on("one", ONE, Firmware::Bios, Order::NetworkFirst);
    lab.until("it asks for its script", BOOT_SECS, |lab| lab.count("script", "") > before);
    lab.powered.elapsed().as_secs_f64()
}

#[test]
#[ignore = "virtual metal: make metal"]
fn ipxe_that_is_told_of_no_router_boots_sooner() {
    let mut lab = Lab::new("fast");
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10"]);
    lab.cli(&["machine", "arm", "web-1"]);
    let waits = seconds_to_the_script(&mut lab);
    lab.cli(&["network", "set", "lab", "--advertise", "true"]);
    let told = seconds_to_the_script(&mut lab);
    lab.say(&format!(
        "its script is asked for after {waits:.1} s, and after {told:.1} s where it is told of no router"
    ));
    assert!(told + 5.0 < waits, "{told:.1} s with advertisements, {waits:.1} s without");
}
