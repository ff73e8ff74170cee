//! What an operator only tries: told as it would be, and nothing of it stays, in memory or in the rows.

use super::revisions::{on_sqlite, open};
use super::*;

/// Machines, templates' names and the newest revision.
fn seen(store: &Store) -> (Vec<String>, i64) {
    let world = store.world();
    (world.machines().map(|machine| machine.name.to_string()).collect(), world.revision())
}

async fn try_edit(store: &Store, edit: Edit) -> Result<(), Error> {
    store.try_edit(edit, "ops", NOW).await
}

async fn the_story(store: &Store) {
    let two = || Edit::AddMachines(vec![machine("web-1", 1, None), machine("web-2", 2, None)]);
    let before = seen(store);
    try_edit(store, two()).await.unwrap();
    assert_eq!(seen(store), before);
    store.look(vec![Change::Everything]).await.unwrap();
    assert_eq!(seen(store), before, "nor in the rows");

    // What was tried stands in nobody's way, and what would be refused is.
    edit(store, two()).await.unwrap();
    let refused = try_edit(store, two()).await.unwrap_err().to_string();
    assert!(refused.contains("web-1 is held by machine web-1"), "{refused}");
    let halves = Edit::Many(vec![Edit::AddMachines(vec![machine("web-3", 3, None)]), two()]);
    try_edit(store, halves).await.unwrap_err();
    store.look(vec![Change::Everything]).await.unwrap();
    assert_eq!(seen(store).0.len(), 2);
    edit(store, Edit::AddMachines(vec![machine("web-4", 4, None)])).await.unwrap();
    assert_eq!(seen(store).1, before.1 + 2, "each edit has a revision, and what was tried has none");
}

#[tokio::test]
async fn what_is_tried_is_judged_and_leaves_nothing_on_sqlite() {
    let (store, _folder) = on_sqlite().await;
    the_story(&store).await;
    store.close().await;
}

#[tokio::test]
async fn what_is_tried_is_judged_and_leaves_nothing_on_postgres() {
    let fresh = postgres::Fresh::make().await;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&fresh.url(), folder.path()).await;
    the_story(&store).await;
    store.close().await;
    fresh.drop().await;
}
