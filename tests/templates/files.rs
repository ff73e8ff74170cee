//! What the operator's files do: taken over as they change, refused when they are broken, remembered over a restart.

use super::House;
use super::house::TEMPLATE;
use kickstand::engine::{ErrorKind, From};
use kickstand::model::Kind;
use std::time::Duration;

/// A file counts before what is stored; while it is broken what was last good of it counts, after a restart too.
pub async fn over_a_restart(url: &str) {
    let etc = tempfile::tempdir().unwrap();
    let house = House::open(url, Some(etc.path())).await;
    house.engine.set_template(TEMPLATE, "stored".into(), "alice").await.unwrap();
    house.write(TEMPLATE, "file");
    house.look().await;
    assert_eq!((house.text(TEMPLATE).as_deref(), house.from(TEMPLATE)), (Some("file"), Some(From::File)));
    for refused in [
        house.engine.set_template(TEMPLATE, "x".into(), "bob").await.map(drop),
        house.engine.roll_back_template(TEMPLATE, 1, "bob").await.map(drop),
        house.engine.remove_template(TEMPLATE, "bob").await,
    ] {
        let error = refused.unwrap_err();
        let path = etc.path().join(TEMPLATE).display().to_string();
        assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains(&path), "{error}");
    }
    house.write(TEMPLATE, "fine\n{{ x|no_such_filter }}");
    house.look().await;
    house.look().await;
    assert_eq!((house.text(TEMPLATE).as_deref(), house.from(TEMPLATE)), (Some("file"), Some(From::LastGood)));
    let alarms = house.told(Kind::Alarm).await;
    let named = format!("{}:2: there is no filter no_such_filter", etc.path().join(TEMPLATE).display());
    assert!(alarms.len() == 1 && alarms[0].contains(&named), "{alarms:?}");
    house.close().await;

    let house = House::open(url, Some(etc.path())).await;
    assert_eq!((house.text(TEMPLATE).as_deref(), house.from(TEMPLATE)), (Some("file"), Some(From::LastGood)));
    house.write(TEMPLATE, "mended");
    house.look().await;
    assert_eq!((house.text(TEMPLATE).as_deref(), house.from(TEMPLATE)), (Some("mended"), Some(From::File)));
    house.close().await;

    // Away while nobody looked: the stored text counts again, and the versions tell all of it.
    std::fs::remove_file(etc.path().join(TEMPLATE)).unwrap();
    let house = House::open(url, Some(etc.path())).await;
    assert_eq!((house.text(TEMPLATE).as_deref(), house.from(TEMPLATE)), (Some("stored"), Some(From::Api)));
    let history = house.engine.template_history(TEMPLATE).await.unwrap();
    let texts: Vec<_> = history.iter().map(|version| version.text.as_deref()).collect();
    assert_eq!(texts, [Some("stored"), Some("file"), Some("mended"), None]);
    assert!(history[1].by.contains(etc.path().to_str().unwrap()), "{}", history[1].by);
    house.close().await;
    let house = House::open(url, Some(etc.path())).await;
    assert_eq!(house.engine.template_history(TEMPLATE).await.unwrap().len(), 4, "a restart changes nothing");
    house.close().await;
}

/// By the kernel's word, not by looking once a second.
pub async fn followed(url: &str) {
    let etc = tempfile::tempdir().unwrap();
    let house = House::open(url, Some(etc.path())).await;
    house.write(TEMPLATE, "0");
    house.look().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let following = tokio::spawn(house.engine.clone().watch_templates(stopped));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut took = Vec::new();
    for n in 1..=10 {
        house.write(TEMPLATE, &format!("{n}"));
        took.push(house.until(TEMPLATE, &format!("{n}")).await);
    }
    took.sort();
    println!("a change was in use after {:?} in the middle, {:?} at most", took[5], took[9]);
    assert!(took[5] < Duration::from_millis(100), "{took:?}");
    // As editors save: another file, renamed over it.
    let new = etc.path().join(format!("{TEMPLATE}.tmp"));
    std::fs::write(&new, "renamed").unwrap();
    std::fs::rename(&new, etc.path().join(TEMPLATE)).unwrap();
    assert!(house.until(TEMPLATE, "renamed").await < Duration::from_millis(500));
    // In a folder that was not there, and what editors leave beside it.
    house.write("templates/new/deep/x.cfg", "x");
    house.write("templates/new/deep/.x.cfg.swp", "{% if %}");
    house.until("templates/new/deep/x.cfg", "x").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    house.write("templates/new/deep/x.cfg", "xy");
    assert!(house.until("templates/new/deep/x.cfg", "xy").await < Duration::from_millis(500));
    std::fs::remove_dir_all(etc.path().join("templates/new")).unwrap();
    let began = std::time::Instant::now();
    while house.text("templates/new/deep/x.cfg").is_some() {
        assert!(began.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(house.told(Kind::Alarm).await, Vec::<String>::new());
    stop.send(true).unwrap();
    following.await.unwrap();
    house.close().await;
}

/// All of it or none of it; what others change later does not wait for it.
pub async fn together(url: &str) {
    let etc = tempfile::tempdir().unwrap();
    let house = House::open(url, Some(etc.path())).await;
    let (a, b, c) = ("templates/a", "templates/b", "templates/c");
    house.write(a, "a1");
    house.write(b, "b1");
    house.look().await;
    house.write(a, "a2");
    house.write(b, "{% broken %}");
    house.look().await;
    assert_eq!((house.text(a).as_deref(), house.text(b).as_deref()), (Some("a1"), Some("b1")));
    house.write(c, "c1");
    house.look().await;
    assert_eq!((house.text(a).as_deref(), house.text(c).as_deref()), (Some("a1"), Some("c1")));
    house.write(b, "b2");
    house.look().await;
    assert_eq!((house.text(a).as_deref(), house.text(b).as_deref()), (Some("a2"), Some("b2")));
    assert_eq!(house.told(Kind::Alarm).await.len(), 1);
    // Taken back: nothing is held any more, and the next mistake is told again.
    house.write(b, "\n{% broken %}");
    house.look().await;
    house.write(b, "b2");
    house.look().await;
    house.write(b, "\n\n{% broken %}");
    house.look().await;
    assert_eq!((house.text(b).as_deref(), house.told(Kind::Alarm).await.len()), (Some("b2"), 3));
    // What is no text is broken, too.
    std::fs::write(etc.path().join(c), b"\xff\xfe").unwrap();
    house.look().await;
    let alarms = house.told(Kind::Alarm).await;
    assert!(house.text(c).as_deref() == Some("c1") && alarms[3].contains("templates/c: can not be read"), "{alarms:?}");
    house.close().await;
}
