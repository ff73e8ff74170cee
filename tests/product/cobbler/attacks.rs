//! What Cobbler was attacked by, each tried here.

use super::files::{piece, upload};
use super::{call, is_fault, open, text};
use crate::rig::{Appliance, get};

/// get_shared_secret() gave -1 where it failed, and login took -1 for the password of "".
#[tokio::test]
async fn cve_2024_47533_no_user_and_no_password_logs_in() {
    let appliance = Appliance::start_with(open).await;
    for (user, password) in [
        (text(""), "<int>-1</int>".to_owned()),
        (text(""), text("-1")),
        (text(""), text("")),
        (text("cobbler"), text("cobbler")),
        (text("testing"), text("testing")),
        ("<nil/>".into(), "<nil/>".into()),
        ("<boolean>1</boolean>".into(), "<boolean>1</boolean>".into()),
    ] {
        let answer = call(&appliance, appliance.ip(66), "login", &[&user, &password]).await;
        assert!(is_fault(&answer, "login failed"), "{user} {password}: {answer}");
    }
    assert!(call(&appliance, appliance.ip(66), "token_check", &["x"]).await.contains("<boolean>0</boolean>"));
}

/// The name of a script was a path to a template, which ran as Python.
#[tokio::test]
async fn cve_2021_40323_no_template_is_chosen_by_a_caller() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    for path in ["/etc/passwd", "../../../etc/passwd", "/var/log/cobbler/cobbler.log", "{{ 7*7 }}"] {
        for params in [["", "web-1", path], ["web", "", path]] {
            let answer = call(&appliance, appliance.ip(10), "generate_script", &params).await;
            assert!(is_fault(&answer, "is not supported") && !answer.contains("root:"), "{answer}");
        }
        let answer = call(&appliance, appliance.ip(10), "get_template_file_for_system", &["web-1", path]).await;
        assert!(answer.contains("# object not found"), "{answer}");
    }
}

/// The name of a log, and of its system, was a path that was written to.
#[tokio::test]
async fn cve_2021_40324_no_file_is_written_but_a_log_of_the_machine() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    get(appliance.ip(10), &appliance.url("/cblr/svc/op/autoinstall/system/web-1"), "").await;
    for (machine, file) in [
        ("web-1", "../../../../../../tmp/kickstand-cve"),
        ("web-1", "../evil"),
        ("web-1", "/tmp/kickstand-cve"),
        ("web-1", ".."),
        ("web-1", ""),
        ("web-1", "a/b"),
        ("..", "evil"),
        ("../logs", "evil"),
        ("/tmp", "kickstand-cve"),
        ("", "evil"),
    ] {
        assert!(!upload(&appliance, 10, piece(machine, file, 3, 0, "YWJj")).await, "{machine} {file}");
    }
    assert!(!appliance.folder.path().join("evil").exists() && !std::path::Path::new("/tmp/kickstand-cve").exists());
    assert!(!appliance.folder.path().join("logs/evil").exists());
}

/// Settings were changed by anybody: the token was not looked at.
#[tokio::test]
async fn cve_2021_40325_settings_are_changed_by_nobody() {
    let appliance = Appliance::start_with(open).await;
    let before = call(&appliance, appliance.ip(66), "get_settings", &[]).await;
    for token in ["", "~", "x"] {
        let answer = call(&appliance, appliance.ip(66), "modify_setting", &["register_new_installs", "0", token]).await;
        assert!(is_fault(&answer, "invalid token"), "{answer}");
    }
    assert_eq!(call(&appliance, appliance.ip(66), "get_settings", &[]).await, before);
}

/// Accounts that had expired still logged in by PAM. Here there are none to log in with.
#[tokio::test]
async fn cve_2022_0860_no_account_of_the_host_logs_in() {
    let appliance = Appliance::start_with(open).await;
    for user in ["root", "nobody", "daemon", "kickstand"] {
        for password in ["", "root", "!", "*", "x"] {
            let answer = call(&appliance, appliance.ip(66), "login", &[user, password]).await;
            assert!(is_fault(&answer, "login failed"), "{answer}");
        }
    }
}

/// Methods that change something asked for no token, or took any.
#[tokio::test]
async fn cve_2018_1000226_nothing_is_changed_by_xml_rpc() {
    let appliance = Appliance::start_with(open).await;
    appliance.add_machine("web-1", 10).await;
    let before = appliance.json(&["revision", "list"]).await;
    for method in [
        "new_system",
        "new_distro",
        "new_profile",
        "modify_system",
        "modify_item",
        "save_system",
        "save_item",
        "remove_system",
        "remove_item",
        "rename_system",
        "copy_profile",
        "sync",
        "sync_dhcp",
        "power_system",
        "background_sync",
        "background_power_system",
        "xapi_object_edit",
        "write_autoinstall_template",
        "write_autoinstall_snippet",
        "remove_autoinstall_template",
        "read_autoinstall_template",
        "read_autoinstall_snippet",
        "get_system_handle",
        "get_user_from_token",
        "clear_system_logs",
        "auto_add_repos",
        "modify_setting",
        "get_autoinstall_templates",
    ] {
        for token in ["", "~", "web-1"] {
            let answer = call(&appliance, appliance.ip(66), method, &["web-1", token, token]).await;
            assert!(is_fault(&answer, "invalid token"), "{method}: {answer}");
        }
    }
    assert_eq!(appliance.json(&["revision", "list"]).await, before);
}

/// Methods that were meant to be private could be called.
#[tokio::test]
async fn cve_2018_10931_no_private_method_can_be_called() {
    let appliance = Appliance::start_with(open).await;
    for method in [
        "_log",
        "__init__",
        "_new_event",
        "__upload_file",
        "_CobblerXMLRPCInterface__make_token",
        "__dict__",
        "_dispatch",
        "system.listMethods",
        "system.multicall",
        "__class__.__init__",
        "logger.error",
        "api.settings",
        "token_cache",
        "eval",
    ] {
        for params in [&[][..], &["x"], &["x", "y", "z"]] {
            let answer = call(&appliance, appliance.ip(66), method, params).await;
            assert!(is_fault(&answer, "is not supported"), "{method}: {answer}");
        }
    }
}
