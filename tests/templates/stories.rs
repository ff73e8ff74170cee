//! What the API stores: versions, the way back, other nodes, and what a change would do to each machine.

use super::House;
use super::house::TEMPLATE;
use kickstand::engine::{ErrorKind, From};
use kickstand::model::Kind;

const BUILT_IN: &str = "templates/debian/preseed.cfg";

/// Stored, changed, rolled back and removed; it lasts, and all of it is told.
pub async fn stored_texts(url: &str) {
    let house = House::open(url, None).await;
    let engine = &house.engine;
    let built_in = house.text(BUILT_IN).unwrap();
    assert_eq!(engine.template("debian/preseed.cfg").unwrap().from, From::Shipped);
    let first = engine.set_template("debian/preseed.cfg", "one\n".into(), "alice").await.unwrap();
    assert_eq!((first.name.as_str(), first.from, first.version.unwrap().version), (BUILT_IN, From::Api, 1));
    engine.set_template(BUILT_IN, "two\n".into(), "bob").await.unwrap();
    engine.set_template(BUILT_IN, "two\n".into(), "bob").await.unwrap();
    assert_eq!(house.text(BUILT_IN).as_deref(), Some("two\n"));
    let broken = engine.set_template(BUILT_IN, "fine\n{% if %}\n".into(), "bob").await.unwrap_err();
    assert!(broken.to_string().starts_with("templates/debian/preseed.cfg:2: "), "{broken}");
    assert_eq!(broken.kind(), ErrorKind::Invalid);
    let back = engine.roll_back_template(BUILT_IN, 1, "carol").await.unwrap();
    assert_eq!((back.text.as_str(), back.version.unwrap().version), ("one\n", 3));
    let wrong = engine.roll_back_template(BUILT_IN, 9, "carol").await.unwrap_err().to_string();
    assert!(wrong.contains("has no version 9"), "{wrong}");
    house.close().await;

    let house = House::open(url, None).await;
    let engine = &house.engine;
    assert_eq!(house.text(BUILT_IN).as_deref(), Some("one\n"), "it lasts");
    engine.remove_template(BUILT_IN, "dave").await.unwrap();
    assert_eq!(house.text(BUILT_IN), Some(built_in));
    let history = engine.template_history(BUILT_IN).await.unwrap();
    let seen: Vec<_> = history.iter().map(|v| (v.version, v.text.as_deref(), v.by.as_str())).collect();
    let wanted =
        [(1, Some("one\n"), "alice"), (2, Some("two\n"), "bob"), (3, Some("one\n"), "carol"), (4, None, "dave")];
    assert_eq!(seen, wanted, "what changes nothing is no version");
    let told = house.told(Kind::Record).await;
    for wanted in ["alice changed template templates/debian/preseed.cfg: version 1", "dave removed template"] {
        assert!(told.iter().any(|text| text.contains(wanted)), "{told:?}");
    }
    let again = engine.remove_template(BUILT_IN, "dave").await.unwrap_err().to_string();
    assert!(again.contains("is built in"), "{again}");
    assert_eq!(engine.template("debian/none.cfg").unwrap_err().kind(), ErrorKind::Missing);
    for odd in
        ["../etc/passwd", "debian/../../x", "debian/defaults.toml", "x\ny", "/etc/passwd", "a//b", "templates/.x"]
    {
        assert_eq!(engine.set_template(odd, "x".into(), "eve").await.unwrap_err().kind(), ErrorKind::Invalid, "{odd}");
    }
    house.close().await;
}

pub async fn two_nodes(url: &str) {
    let (a, b) = (House::open(url, None).await, House::open(url, None).await);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let following = tokio::spawn(b.engine.clone().watch_templates(stopped));
    a.engine.set_template(TEMPLATE, "one".into(), "alice").await.unwrap();
    let took = b.until(TEMPLATE, "one").await;
    println!("the other node used it after {took:?}");
    b.engine.set_template(TEMPLATE, "two".into(), "bob").await.unwrap();
    a.look().await;
    while a.text(TEMPLATE).as_deref() != Some("two") {
        tokio::task::yield_now().await;
        a.look().await;
    }
    a.engine.remove_template(TEMPLATE, "alice").await.unwrap();
    while b.text(TEMPLATE).is_some() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    stop.send(true).unwrap();
    following.await.unwrap();
    a.close().await;
    b.close().await;
}

pub async fn compared(url: &str) {
    let house = House::open(url, None).await;
    house.furnish().await;
    let engine = &house.engine;
    let before = "host {{ machine.name }}\n{% include 'snippets/part.sh' %}\npassword {{ root_password_hash|line }}\n";
    let text = before;
    engine.set_template(TEMPLATE, text.into(), "test").await.unwrap();
    engine.set_template("snippets/part.sh", "part\n".into(), "test").await.unwrap();
    // Through an include, in the same way for all.
    let change = engine.compare_template("snippets/part.sh", Some("another\n".into())).await.unwrap();
    assert_eq!((change.touched.len(), change.broken.len(), change.groups.len()), (3, 0, 1), "{change:?}");
    assert_eq!(change.groups[0].machines.iter().map(|m| m.as_str()).collect::<Vec<_>>(), ["web-1", "web-2", "web-3"]);
    assert_eq!(change.groups[0].diff, "--- now\n+++ then\n@@ -1,3 +1,3 @@\n host web-1\n-part\n+another\n password \n",);
    assert_eq!(house.text("templates/snippets/part.sh").as_deref(), Some("part\n"), "nothing is changed by it");
    // A variable that one machine has, and two have not.
    let text = "host {{ machine.name }}\n{% if root_password_hash %}\nroot {{ root_password_hash|line }}{{ nope }}\n{% endif %}\n";
    let change = engine.compare_template("debian/web.cfg", Some(text.into())).await.unwrap();
    assert_eq!((change.touched.len(), change.broken.len()), (3, 1), "{change:?}");
    assert_eq!(change.broken[0].machine.as_str(), "web-3");
    assert_eq!(change.broken[0].why, "templates/debian/web.cfg:3: a variable is not set: `nope` is undefined");
    assert_eq!(change.groups.len(), 1);
    // What the installer would not take.
    engine.set_template(TEMPLATE, "d-i debconf/priority string high\n".into(), "test").await.unwrap();
    let change = engine.compare_template(TEMPLATE, Some("d-i debconf/priority strin high\n".into())).await.unwrap();
    assert_eq!((change.touched.len(), change.broken.len()), (3, 3), "{change:?}");
    assert!(change.broken[0].why.starts_with("templates/debian/web.cfg, line 1: "), "{change:?}");
    engine.set_template(TEMPLATE, before.into(), "test").await.unwrap();
    // A secret is masked, on both sides.
    let change = engine.compare_template(TEMPLATE, Some("{{ root_password_hash }}\n".into())).await.unwrap();
    let all = format!("{change:?}");
    assert!(all.contains("«root_password_hash»") && !all.contains("hunter2"), "{all}");
    assert_eq!(change.groups.iter().map(|g| g.machines.len()).collect::<Vec<_>>(), [1, 1, 1], "each its own name");
    // A snippet that there was not yet, for one machine and for a parent of the profile.
    let change = engine.compare_template("snippets/machine/web-2/part.sh", Some("own\n".into())).await.unwrap();
    assert_eq!((change.touched.len(), change.groups[0].machines[0].as_str()), (1, "web-2"));
    let change = engine.compare_template("snippets/profile/base/part.sh", Some("own\n".into())).await.unwrap();
    assert_eq!(change.touched.len(), 3);
    // What nobody uses, and what is the same.
    for (name, text) in [
        ("debian/other.cfg", "x"),
        ("snippets/part.sh", "part\n"),
        (
            TEMPLATE,
            "host {{ machine.name }}\n{% include 'snippets/part.sh' %}\npassword {{ root_password_hash|line }}\n",
        ),
    ] {
        let change = engine.compare_template(name, Some(text.into())).await.unwrap();
        assert_eq!((change.touched.len(), change.groups.len()), (0, 0), "{name}: {change:?}");
    }
    let change = engine
        .compare_template("pxe/ipxe/install.ipxe", Some("#!ipxe\nboot {{ machine.name|ipxe }}\n".into()))
        .await
        .unwrap();
    assert_eq!((change.touched.len(), change.groups[0].what.as_str()), (3, "install script of ipxe"));
    house.close().await;
}
