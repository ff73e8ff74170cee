//! Who may have an installer, who is told what came of it, and what a check-in brings.

use super::*;

#[tokio::test]
async fn a_wish_is_found_at_a_check_in_and_leads_to_the_same_system() {
    let (appliance, _machine, running) = scene().await;
    let before = appliance.json(&["machine", "show", "web-1"]).await;
    assert!(running.checks_in().await.unwrap().contains("nothing to do"));

    let said = appliance.cli(&["machine", "reinstall", "web-1"]).await;
    assert!(said.contains("its next check-in") && said.contains("it was last heard"), "{said}");
    let why = appliance.cli(&["why", "web-1"]).await;
    assert!(why.contains("its running system\n  → starts the installer at its next check-in"), "{why}");
    assert!(running.checks_in().await.unwrap().contains("started by kexec"));
    let log = running.log();
    assert!(log.contains("kexec -s -l /var/lib/kickstand/reinstall/vmlinuz --initrd=/var/lib/kickstand/reinstall/initrd.img --command-line=boot=kickstand ip=dhcp"), "{log}");
    assert!(log.trim().ends_with("systemctl kexec"), "{log}");
    assert_eq!(std::fs::read(running.path("var/lib/kickstand/reinstall/vmlinuz")).unwrap(), pattern(70_000));
    for (kind, text) in [
        ("state", "for its running system: the agent starts the installer at its next check-in"),
        ("script", "installer of profile web, boot 1 of at most 3, for its running system"),
        ("state", "its running system starts the installer by kexec"),
    ] {
        assert!(appliance.told(kind, text).await, "{text}");
    }

    // The installer that it started, with the address that its card has.
    let line = log.split("--command-line=").nth(1).unwrap().lines().next().unwrap().to_owned();
    let url = line.split_whitespace().find_map(|word| word.strip_prefix("kickstand.answer=")).unwrap().to_owned();
    let answer = get(appliance.ip(10), &url, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (answer, report) = (answer.text(), |answer: &str| {
        let line = answer.lines().find(|line| line.contains("KICKSTAND_REPORT=")).unwrap().to_owned();
        line.split('=').nth(1).unwrap().trim_matches('\'').to_owned()
    });
    assert_eq!(post(appliance.ip(10), &report(&answer), "", &json!({"stage": "done"})).await.status, 204);
    let registration = json!({"key": key(&answer), "credential": "ab".repeat(32), "inventory": {}});
    let told = post(appliance.ip(10), &appliance.url("/agent/register"), "", &registration).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let after = appliance.json(&["machine", "show", "web-1"]).await;
    assert_eq!((&before["id"], &after["state"]), (&after["id"], &json!("registered")));
    assert_eq!(after["install"]["way"], "kexec");
    let refused = running.checks_in().await.unwrap_err();
    assert!(matches!(refused, check_in::Error::Refused(_)), "the old credential opens nothing: {refused}");
}

#[tokio::test]
async fn a_kernel_that_never_reports_falls_back_and_the_network_never_installs_meanwhile() {
    let (appliance, mut machine, running) = scene().await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    running.reinstalls(by(Way::Grub)).await.unwrap();
    let log = running.log();
    assert!(log.contains("grub-reboot kickstand-reinstall") && log.trim().ends_with("systemctl reboot"), "{log}");
    let entry = running.text("boot/grub/custom.cfg");
    assert!(entry.contains(" --unrestricted "), "a GRUB with a password asks nobody: {entry}");
    assert!(
        entry.contains("--fs-uuid --set=root abcd\n    linux /boot/kickstand/file 'boot=kickstand' 'ip=dhcp'"),
        "{entry}"
    );
    assert!(matches!(machine.power_on().await, Booted::OwnDisk), "a network boot meanwhile leads to the disk");

    running.write("proc/sys/kernel/random/boot_id", SECOND);
    assert!(running.checks_in().await.unwrap().contains("nothing to do"));
    let text = "the new kernel never reported: it was started by grub, web-1 is back on its old system; it is registered again, and no longer armed";
    assert!(appliance.told("state", text).await);
    assert_eq!(appliance.state("web-1").await, "registered");
    assert!(running.is_untouched(), "what it prepared is taken away");
    assert!(matches!(machine.power_on().await, Booted::OwnDisk));
    running.checks_in().await.unwrap();
    assert_eq!(appliance.state("web-1").await, "registered", "and it stays so");
}

#[tokio::test]
async fn an_installer_that_fetched_its_answer_file_and_fell_back_is_said_otherwise() {
    let (appliance, _machine, running) = scene().await;
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    running.checks_in().await.unwrap();
    let url = running.log().split("kickstand.answer=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!(get(appliance.ip(10), &url, "").await.status, 200);
    assert_eq!(appliance.state("web-1").await, "installing");
    running.write("proc/sys/kernel/random/boot_id", SECOND);
    running.checks_in().await.unwrap();
    assert!(
        appliance.told("state", "fetched the answer file and did not finish: web-1 is back on its old system").await
    );
    assert_eq!(get(appliance.ip(10), &url, "").await.status, 404, "its token is over");
}

#[tokio::test]
async fn an_install_from_the_network_that_was_cut_off_is_over_when_the_old_system_is_up_again() {
    let (appliance, mut machine, _running) = scene().await;
    appliance.cli(&["machine", "arm", "web-1"]).await;
    let installer = machine.installer().await;
    installer.answer().await;
    assert_eq!(appliance.state("web-1").await, "installing");
    let up = |up_secs: u32| json!({"boot_id": FIRST, "up_secs": up_secs, "inventory_sha256": ""});
    assert_eq!(ask(&appliance, "/agent/check-in", up(3600)).await.status, 200);
    assert_eq!(appliance.state("web-1").await, "installing", "that system was up before, and may only have looked");
    assert_eq!(ask(&appliance, "/agent/check-in", up(0)).await.status, 200);
    assert_eq!(appliance.state("web-1").await, "registered");
    assert!(appliance.told("state", "did not finish: web-1 is back on its old system").await);
}

#[tokio::test]
async fn nobody_who_was_not_allowed_gets_an_installer() {
    let (appliance, _machine, running) = scene().await;
    let refused = running.reinstalls(now()).await.unwrap_err().to_string();
    assert!(refused.contains("web-1 is registered, not armed: `kickstand machine reinstall web-1`"), "{refused}");
    assert!(appliance.told("refused", "its running system may not be installed anew").await);

    let nobody = post(AGENT, &appliance.url("/agent/reinstall"), "Authorization: Bearer x\r\n", &wanted()).await;
    assert_eq!(
        (nobody.status, post(AGENT, &appliance.url("/agent/reinstall"), "", &wanted()).await.status),
        (401, 401)
    );
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    let stranger = json!({"boot_id": FIRST, "mac": "52:54:00:77:00:0b"});
    let told = ask(&appliance, "/agent/reinstall", stranger).await;
    assert!(told.status == 403 && told.text().contains("is no card of web-1"), "{}", told.text());
    let profile = running.reinstalls(Options { profile: Some("db".into()), ..now() }).await.unwrap_err().to_string();
    assert!(profile.contains("there is no profile db"), "{profile}");
    appliance.cli(&["machine", "disarm", "web-1"]).await;
    assert_eq!(ask(&appliance, "/agent/reinstall", wanted()).await.status, 403, "an operator took it back");
    assert!(running.is_untouched() && !running.log().contains("kexec"));
}

/// The next check-in would only meet the same again.
#[tokio::test]
async fn a_wish_that_its_system_can_not_carry_out_is_over_and_says_why() {
    let (appliance, _machine, running) = scene().await;
    let hindrances: [(&[(&str, &str)], &str); 3] = [
        (&[("proc/cmdline", "boot=kickstand")], "changed nothing: this is a live system"),
        (
            &[("proc/sys/kernel/kexec_load_disabled", "1"), ("boot/grub/grub.cfg", "nothing of the sort")],
            "changed nothing: no way leads to the installer: kexec: kexec is switched off",
        ),
        (&[("sys/class/net/eth0/address", "52:54:00:77:00:0b")], "52:54:00:77:00:0b is no card of web-1"),
    ];
    for (files, why) in hindrances {
        appliance.cli(&["machine", "reinstall", "web-1"]).await;
        let before: Vec<_> = files.iter().map(|(path, _)| (path, running.text(path))).collect();
        files.iter().for_each(|(path, text)| running.write(path, text));
        let error = running.checks_in().await.unwrap_err();
        assert!(matches!(error, check_in::Error::Reinstall(_)), "{why}: {error}");
        assert_eq!(appliance.state("web-1").await, "registered", "{why}: {error}");
        assert!(appliance.told("state", why).await, "{why}: {error}");
        assert!(running.checks_in().await.unwrap().contains("nothing to do"), "{why}");
        before.iter().for_each(|(path, text)| running.write(path, text));
    }
    assert!(running.is_untouched() && !running.log().contains("kexec"));
}

#[tokio::test]
async fn a_key_that_permits_it_arms_and_wipes_no_disk_for_a_system_that_could_not_register() {
    let (appliance, _machine, running) = scene().await;
    appliance.cli(&["key", "set", "web", "--reinstalls", "true"]).await;
    appliance.cli(&["key", "add", "shut", "--enabled", "false"]).await;
    appliance.cli(&["profile", "set", "web", "--key", "shut", "--yes"]).await;
    let refused = running.reinstalls(now()).await.unwrap_err().to_string();
    assert!(refused.contains("activation key shut is disabled"), "{refused}");
    assert!(running.is_untouched() && !running.log().contains("kexec -s"));
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["state"], "registered");
    appliance.cli(&["profile", "set", "web", "--key", "web", "--yes"]).await;
    appliance.cli(&["key", "set", "web", "--from", "10.9.9.0/24"]).await;
    let elsewhere = running.reinstalls(now()).await.unwrap_err().to_string();
    assert!(elsewhere.contains("web-1 is registered, not armed"), "the key is not for its address: {elsewhere}");
    appliance.cli(&["key", "set", "web", "--from", ""]).await;
    assert!(running.reinstalls(now()).await.unwrap().contains("started by kexec"));
    assert!(appliance.told("state", "armed by its own system: activation key web permits it").await);
}

#[tokio::test]
async fn an_arming_that_is_taken_back_while_the_kernel_is_fetched_starts_nothing() {
    let (appliance, _machine, _running) = scene().await;
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    let given = ask(&appliance, "/agent/reinstall", wanted()).await;
    let kit: Kit = serde_json::from_str(&given.text()).unwrap();
    assert_eq!((kit.kernel.size_bytes, kit.kernel.sha256), (70_000, kit::sha256(&pattern(70_000))));
    appliance.cli(&["machine", "disarm", "web-1"]).await;
    let told = ask(&appliance, "/agent/reinstall/way", json!({"boot_id": FIRST, "way": "kexec"})).await;
    assert_eq!(told.status, 409, "{}", told.text());
}

#[tokio::test]
async fn a_file_that_changed_has_another_digest() {
    let (appliance, _machine, _running) = scene().await;
    appliance.cli(&["machine", "reinstall", "web-1"]).await;
    let kernel = appliance.config.files.join("d/vmlinuz");
    for text in ["one", "two", "and another"] {
        std::fs::write(&kernel, text).unwrap();
        let given = ask(&appliance, "/agent/reinstall", wanted()).await;
        let kit: Kit = serde_json::from_str(&given.text()).unwrap();
        assert_eq!(kit.kernel.sha256, kit::sha256(text.as_bytes()));
    }
}

/// Before anything was changed: each of these says why, and the server hears it where it gave something away.
#[tokio::test]
async fn what_renders_not_arms_nothing_and_a_machine_without_a_system_is_armed_for_the_network() {
    let (appliance, _machine, running) = scene().await;
    let template = appliance.template("image/install.sh");
    std::fs::write(&template, "#!/bin/sh\n\necho {{ no_such_thing }}\n").unwrap();
    let text = appliance.refused(&["machine", "reinstall", "web-1"]).await;
    assert!(text.contains("no_such_thing") && appliance.state("web-1").await == "registered", "{text}");
    std::fs::remove_file(&template).unwrap();
    let text = appliance.refused(&["machine", "reinstall", "web-1", "--profile", "db"]).await;
    assert!(text.contains("there is no profile db: `kickstand profile list`"), "{text}");
    appliance.cli(&["profile", "add", "db", "--distro", "debian-12", "--key", "web"]).await;
    appliance.cli(&["machine", "reinstall", "web-1", "--profile", "db"]).await;
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["profile"], "db");
    running.checks_in().await.unwrap();
    assert!(appliance.told("script", "installer of profile db").await);

    appliance.add_machine("web-2", 11).await;
    let text = appliance.refused(&["machine", "reinstall", "web-2"]).await;
    assert!(text.contains("`kickstand machine arm web-2`"), "{text}");
}

#[tokio::test]
async fn who_checked_in_is_known_after_a_restart_and_its_inventory_is_sent_once() {
    let (mut appliance, _machine, running) = scene().await;
    running.write("proc/cpuinfo", "processor: 0\nmodel name: An older one\n");
    running.checks_in().await.unwrap();
    let shown = appliance.json(&["machine", "show", "web-1"]).await;
    assert_eq!(shown["inventory"]["cpu_model"], "An older one");
    assert_eq!(shown["heard"]["ip"], "127.0.0.1");
    let orders = |inventory_sha256: &str| json!({"boot_id": FIRST, "up_secs": 5, "inventory_sha256": inventory_sha256});
    let told: Value = serde_json::from_str(
        &ask(&appliance, "/agent/check-in", orders(&kit::digest(&shown["inventory"]))).await.text(),
    )
    .unwrap();
    assert_eq!(told, json!({"wish": "nothing", "inventory": false, "again_secs": 900}));
    let told = ask(&appliance, "/agent/check-in", orders("another")).await;
    assert!(told.text().contains(r#""inventory":true"#));
    let before = appliance.json(&["machine", "show", "web-1"]).await["heard"]["at"].clone();
    appliance.restart().await;
    assert_eq!(appliance.json(&["machine", "show", "web-1"]).await["heard"]["at"], before, "it was written down");
    assert_eq!(
        ask(&appliance, "/agent/check-in", json!({"boot_id": "x", "up_secs": 5, "inventory_sha256": ""})).await.status,
        422
    );
}
