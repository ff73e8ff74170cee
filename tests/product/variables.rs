//! Variables through the doors: where each value comes from, and that secrets reach the answer file and nothing else.

use crate::rig::{Appliance, Booted};
use base64::Engine as _;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

fn template(appliance: &Appliance, body: &str) {
    let text = format!("#!/bin/sh\n# kickstand-report: {{{{ report_url }}}}\n{body}\n");
    std::fs::write(appliance.template("image/install.sh"), text).unwrap();
}

#[tokio::test]
async fn the_nearest_word_counts_and_vars_tells_whose_it_is() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    appliance.cli(&["distro", "set", "debian-12", "--var", "disk=a", "--var", "motd=distro"]).await;
    appliance.cli(&["profile", "set", "web", "--var", "disk=b", "--secret", "motd=hidden"]).await;
    appliance.cli(&["network", "set", "lab", "--var", "disk=c", "--var", "ntp=n"]).await;
    appliance.cli(&["range", "set", "web-rack", "--var", "disk=d"]).await;
    appliance.cli(&["range", "add", "inner", &appliance.span(10, 12), "--profile", "web", "--var", "disk=e"]).await;
    appliance.cli(&["machine", "set", "web-1", "--var", "timezone=UTC", "--secret", "root_password_hash=$6$x"]).await;
    let all = appliance.json(&["machine", "vars", "web-1"]).await;
    let one = |name: &str| all.as_array().unwrap().iter().find(|v| v["name"] == name).unwrap().clone();
    assert_eq!((one("disk")["value"].clone(), one("disk")["from"].clone()), (json!("e"), json!("range inner")));
    let over: Vec<_> = one("disk")["over"].as_array().unwrap().iter().map(|o| o["from"].clone()).collect();
    let defaults = "templates/image/defaults.toml (built in)";
    assert_eq!(over, ["range web-rack", "network lab", "profile web", "distro debian-12", defaults]);
    assert_eq!(
        one("motd"),
        json!({"name": "motd", "value": null, "secret": true, "from": "profile web",
        "over": [{"value": "distro", "secret": false, "from": "distro debian-12"}]})
    );
    assert_eq!(one("timezone")["from"], "machine web-1");
    assert_eq!(
        one("profile"),
        json!({"name": "profile", "value": "web", "secret": false, "from": "the server", "over": []})
    );
    assert_eq!((&one("key")["secret"], &one("report_url")["secret"]), (&json!(true), &json!(true)));
    assert_eq!(one("machine")["value"]["name"], "web-1");
    let table = appliance.cli(&["machine", "vars", "web-1", "--all"]).await;
    assert!(table.contains("over network lab") && table.contains("(secret)") && !table.contains("$6$x"), "{table}");
    assert!(!appliance.cli(&["machine", "vars", "web-1"]).await.contains("over "));
    assert!(!all.to_string().contains("hidden"));
}

#[tokio::test]
async fn secrets_come_from_files_and_stdin_and_go_into_the_answer_file_alone() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    template(&appliance, "one={{ one|shq }} two={{ two_password|shq }} three={{ three|shq }}");
    let file = appliance.folder.path().join("one");
    std::fs::write(&file, "from a file\n").unwrap();
    appliance.cli(&["profile", "set", "web", "--secret", &format!("one=@{}", file.display())]).await;
    appliance.cli(&["network", "set", "lab", "--var", "two_password=1e+5"]).await;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kickstand"));
    command.arg("--socket").arg(&appliance.config.socket).args(["machine", "set", "web-1", "--secret", "three=-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"from stdin\n").await.unwrap();
    assert!(child.wait().await.unwrap().success());
    for (noun, name, secret) in
        [("profile", "web", "one"), ("network", "lab", "two_password"), ("machine", "web-1", "three")]
    {
        let shown = appliance.json(&[noun, "show", name]).await;
        assert_eq!((&shown["secrets"], &shown["variables"]), (&json!([secret]), &json!({})), "{noun}");
    }
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    assert!(!["from a file", "1e+5", "from stdin"].iter().any(|text| installer.script.contains(text)));
    let answer = installer.answer().await;
    assert!(answer.ends_with("one='from a file' two='1e+5' three='from stdin'\n"), "{answer}");
    appliance.cli(&["profile", "set", "web", "--secret", "one="]).await;
    assert_eq!(appliance.json(&["profile", "show", "web"]).await["secrets"], json!([]));
}

#[tokio::test]
async fn each_release_is_an_event_that_names_what_was_used() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    template(&appliance, "{% if wanted is defined %}{{ db_password|shq }}{% endif %}{{ root_password_hash|shq }}");
    let secrets = ["--secret", "db_password=a", "--secret", "root_password_hash=b"];
    appliance.cli(&[&["profile", "set", "web"][..], &secrets].concat()).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let events = async || {
        let all = appliance.json(&["events", "--kind", "secret", "--limit", "500"]).await;
        all.as_array().unwrap().clone()
    };
    let installer = machine.installer().await;
    assert_eq!(events().await, Vec::<Value>::new(), "to render is not to give");
    installer.answer().await;
    installer.answer().await;
    let told = events().await;
    assert_eq!(told.len(), 2, "each time");
    let text = format!("answer file of web-1 given to {} with root_password_hash", installer.ip);
    assert_eq!((&told[0]["text"], &told[0]["machine"]), (&json!(text), &json!("web-1")));
    assert_eq!(told[0]["ip"], json!(installer.ip));
}

/// It is carried in base64 like any other text of the seed, and opened only there.
#[tokio::test]
async fn what_cloud_init_is_given_may_be_a_secret() {
    let appliance = Appliance::start().await;
    let mut machine = appliance.add_machine("web-1", 10).await;
    let file = appliance.folder.path().join("user-data");
    std::fs::write(&file, "#cloud-config\npassword: 4711\n").unwrap();
    appliance.cli(&["profile", "set", "web", "--secret", &format!("user_data=@{}", file.display())]).await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let answer = machine.installer().await.answer().await;
    let carried = base64::engine::general_purpose::STANDARD.encode("#cloud-config\npassword: 4711");
    assert!(answer.contains(&format!("echo '{carried}' | base64 -d")), "{answer}");
    // It is read before arming all the same, and what is wrong in it is not shown.
    std::fs::write(&file, "#cloud-config\nhunter2: 1\nhunter2: 2\n").unwrap();
    appliance.add_machine("web-2", 11).await;
    appliance.cli(&["profile", "set", "web", "--secret", &format!("user_data=@{}", file.display()), "--yes"]).await;
    let said = appliance.refused(&["machine", "arm", "web-2"]).await;
    assert!(said.contains("user_data: line 3 is no YAML") && !said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn nothing_that_a_machine_boots_by_carries_a_secret() {
    let appliance = Appliance::start().await;
    appliance.add_machine("web-1", 10).await;
    appliance.cli(&["profile", "set", "web", "--secret", "wifi=correct horse"]).await;
    let arm = ["machine", "arm", "web-1"];
    for arguments in ["wifi=\"correct horse\"", "wifi={{ wifi }}"] {
        appliance.cli(&["machine", "set", "web-1", "--arguments", arguments]).await;
        let said = appliance.refused(&arm).await;
        assert!(said.contains("the kernel's arguments carry wifi") && said.contains("answer file"), "{said}");
        assert!(!said.contains("correct horse"), "{said}");
    }
    appliance.cli(&["machine", "set", "web-1", "--arguments", ""]).await;
    let own = appliance.config.templates.join("pxe/ipxe/install.ipxe");
    std::fs::create_dir_all(own.parent().unwrap()).unwrap();
    std::fs::write(&own, "#!ipxe\necho {{ wifi|ipxe }}\n").unwrap();
    let said = appliance.refused(&arm).await;
    assert!(said.contains("install.ipxe:2: wifi|ipxe names wifi: a secret") && said.contains("answer file"), "{said}");
    std::fs::remove_file(&own).unwrap();
    appliance.cli(&["distro", "set", "debian-12", "--secret", "image=d/root.tar.zst"]).await;
    let said = appliance.refused(&arm).await;
    assert!(said.contains("image is a secret, and everybody sees which files are fetched"), "{said}");
    appliance.cli(&["distro", "set", "debian-12", "--var", "image=d/root.tar.zst"]).await;
    appliance.cli(&arm).await;
}

#[tokio::test]
async fn without_the_key_only_installs_that_need_it_wait() {
    let mut appliance = Appliance::start().await;
    let mut needy = appliance.add_machine("needy", 10).await;
    appliance.add_machine("frugal", 11).await;
    appliance.cli(&["machine", "set", "needy", "--secret", "root_password_hash=$6$x"]).await;
    appliance.cli(&["machine", "arm", "needy"]).await;
    let key = appliance.folder.path().join("secret.key");
    std::fs::rename(&key, appliance.folder.path().join("elsewhere")).unwrap();
    appliance.restart().await;
    assert!(appliance.told("appliance", "secret variables are locked, so nothing is installed that needs one").await);
    assert!(!key.exists());
    needy.reconnect(&appliance);
    assert!(matches!(needy.power_on().await, Booted::OwnDisk), "DHCP and disk boots go on");
    assert!(appliance.told("alarm", "names root_password_hash: secret variables are locked").await);
    assert_eq!(appliance.state("needy").await, "armed", "nothing is spent");
    let said = appliance.refused(&["machine", "set", "frugal", "--secret", "a=b"]).await;
    assert!(said.contains("secret variables are locked") && said.contains("restore it from a backup"), "{said}");
    appliance.cli(&["machine", "arm", "frugal"]).await;
    std::fs::rename(appliance.folder.path().join("elsewhere"), &key).unwrap();
    appliance.restart().await;
    needy.reconnect(&appliance);
    needy.installer().await.answer().await;
}
