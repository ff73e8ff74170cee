//! Files by Cobbler's names, and logs: none outside the folders that they are for.

use super::{call, open, text};
use crate::rig::{Appliance, get};

#[tokio::test]
async fn files_come_by_cobblers_names_and_no_path_leads_out() {
    let appliance = Appliance::start_with(open).await;
    std::fs::create_dir_all(appliance.config.files.join("d/tree/images")).unwrap();
    std::fs::write(appliance.config.files.join("d/tree/images/a"), "inside").unwrap();
    std::fs::write(appliance.folder.path().join("secret.txt"), "outside").unwrap();
    appliance.cli(&["distro", "set", "debian-12", "--var", "tree=d/tree"]).await;
    let fetched = async |path: &str| get(appliance.ip(66), &appliance.url(path), "").await;
    for path in ["/cobbler/images/debian-12/vmlinuz", "/images/debian-12/vmlinuz"] {
        assert_eq!(fetched(path).await.body.len(), 70_000, "{path}");
    }
    for path in [
        "/cblr/links/debian-12/images/a",
        "/cobbler/links/debian-12/images/a",
        "/cobbler/distro_mirror/debian-12/images/a",
    ] {
        assert_eq!(fetched(path).await.text(), "inside", "{path}");
    }
    for path in [
        "/cobbler/images/debian-12/root.tar.zst",
        "/cobbler/images/nobody/vmlinuz",
        "/cobbler/images/..%2f..%2fkickstand.db/vmlinuz",
        "/cobbler/images/debian-12/..%2fvmlinuz",
        "/cblr/links/debian-12/../../../secret.txt",
        "/cblr/links/debian-12/..%2f..%2f..%2fsecret.txt",
        "/cblr/links/debian-12/%2e%2e/%2e%2e/%2e%2e/secret.txt",
        "/cblr/links/debian-12/images/%00",
        "/cblr/links/debian-12//etc/passwd",
        "/cblr/links/debian-12/",
        "/cblr/svc/op/template/system/..%2f..%2f/path/_etc_passwd",
        "/cblr/svc/op/script/system/web-1/?script=/etc/passwd",
        "/cblr/svc/op/debug/profile/web",
        "/cblr/svc/op/index",
        "/cobbler/misc/anamon",
    ] {
        let answer = fetched(path).await;
        assert!(matches!(answer.status, 404 | 400), "{path}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("outside") && !answer.text().contains("root:"), "{path}");
    }
}

#[tokio::test]
async fn templated_files_are_for_the_machines_own_address() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    set_template(&appliance, "I am {{ machine.name }}\n").await;
    let files = r#"template_files={"motd.txt":"/etc/my_motd"}"#;
    appliance.cli(&["profile", "set", "web", "--var", files]).await;
    let url = |path: &str| appliance.url(&format!("/cblr/svc/op/template/system/web-1/path/{path}"));
    assert_eq!(get(appliance.ip(10), &url("_etc_my__motd"), "").await.text(), "I am web-1\n");
    assert_eq!(get(appliance.ip(11), &url("_etc_my__motd"), "").await.status, 404);
    assert_eq!(get(appliance.ip(10), &url("_etc_passwd"), "").await.status, 404);
    let said = call(&appliance, appliance.ip(66), "get_system_as_rendered", &["web-1"]).await;
    assert!(said.contains("<string>motd.txt=/etc/my_motd </string>"), "{said}");
}

/// The operator's `motd.txt`.
pub async fn set_template(appliance: &Appliance, text: &str) {
    let file = appliance.folder.path().join("motd");
    std::fs::write(&file, text).unwrap();
    appliance.cli(&["template", "set", "motd.txt", file.to_str().unwrap()]).await;
}

pub fn piece(machine: &str, file: &str, size: i64, offset: i64, data: &str) -> [String; 5] {
    let int = |number| format!("<int>{number}</int>");
    [text(machine), text(file), int(size), int(offset), format!("<base64>{data}</base64>")]
}

pub async fn upload(appliance: &Appliance, from: u8, piece: [String; 5]) -> bool {
    let params = piece.each_ref().map(String::as_str);
    call(appliance, appliance.ip(from), "upload_log_data", &params).await.contains("<boolean>1</boolean>")
}

#[tokio::test]
async fn logs_are_taken_from_the_machine_that_installs_alone() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    let first = || piece("web-1", "anaconda.log", 3, 0, "YWJj");
    assert!(!upload(&appliance, 10, first()).await, "not armed");
    appliance.cli(&["machine", "arm", "web-1"]).await;
    get(appliance.ip(10), &appliance.url("/cblr/svc/op/autoinstall/system/web-1"), "").await;
    assert!(!upload(&appliance, 11, first()).await, "from elsewhere");
    assert!(upload(&appliance, 10, first()).await);
    assert!(upload(&appliance, 10, piece("web-1", "anaconda.log", 6, -1, "ZGVm")).await);
    assert!(upload(&appliance, 10, piece("web-1", "tmp+install.log", 3, 0, "YWJj")).await);
    let folder = appliance.folder.path().join("logs");
    assert_eq!(std::fs::read_to_string(folder.join("web-1/anaconda.log")).unwrap(), "abcdef");
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &str| std::fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("web-1"), mode("web-1/anaconda.log")), (0o700, 0o600));
    assert!(appliance.told("file", "log anaconda.log, 6 bytes so far").await);
}
