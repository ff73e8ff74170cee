//! UEFI HTTP boot over TLS: the firmware believes a CA that was enrolled in it, and nobody else.

use crate::power::{Firmware, Order};
use crate::rig::Lab;
use crate::{BOOT_SECS, ONE};
use std::path::Path;
use std::process::Command;

fn openssl(folder: &Path, words: &str) {
    let done = Command::new("openssl").args(words.split(' ')).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A CA, and a certificate of its for the server's address.
fn certify(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    openssl(folder, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=lab");
    openssl(folder, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=10.77.0.1");
    std::fs::write(folder.join("names"), "subjectAltName=IP:10.77.0.1\n").unwrap();
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile names -out server.pem",
    );
    openssl(folder, "x509 -in ca.pem -outform der -out ca.der");
}

/// An EFI_SIGNATURE_LIST of one X.509 certificate (UEFI §32.4.1).
fn signature_list(der: &[u8]) -> Vec<u8> {
    const X509: [u8; 16] =
        [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72];
    let signature = 16 + der.len() as u32;
    let mut list = X509.to_vec();
    [28 + signature, 0, signature].iter().for_each(|word| list.extend(word.to_le_bytes()));
    list.extend([0x4b; 16]);
    list.extend(der);
    list
}

#[test]
#[ignore = "virtual metal: make metal"]
fn long_uefi_boots_by_https_from_a_ca_that_is_enrolled() {
    let mut lab = Lab::new("https");
    let folder = lab.folder.join("tls");
    certify(&folder);
    let at = folder.display();
    lab.serve_with(&format!("[https]\nport = 443\ncertificate = \"{at}/server.pem\"\nkey = \"{at}/server.key\"\n"));
    let list = folder.join("cacerts");
    std::fs::write(&list, signature_list(&std::fs::read(folder.join("ca.der")).unwrap())).unwrap();
    lab.add_live();
    lab.cli(&["network", "set", "lab", "--advertise", "true", "--https", "true"]);
    lab.cli(&["machine", "add", "web-1", "--mac", ONE, "--ip", "10.77.0.10", "--profile", "live"]);
    lab.cli(&["machine", "arm", "web-1"]);
    let why = lab.cli(&["why", ONE, "--arch", "uefi-http"]);
    assert!(why.contains("https://10.77.0.1/loader/snponly.efi"), "{why}");
    lab.power_on("one", ONE, Firmware::Http, Order::NetworkFirst);
    lab.seconds_until_it_says("one", "Could not retrieve NBP file size", BOOT_SECS);
    assert_eq!(lab.count("loader", ""), 0, "a certificate of a CA that it does not know");
    lab.power_off("one");
    lab.cacerts = Some(list);
    lab.power_on("one", ONE, Firmware::Http, Order::NetworkFirst);
    lab.until("its loader went out", BOOT_SECS, |lab| lab.count("loader", "snponly.efi by HTTP") > 0);
    lab.seconds_until_it_says("one", "login: root (automatic login)", BOOT_SECS);
    assert_eq!(lab.count("loader", "by TFTP"), 0);
}
