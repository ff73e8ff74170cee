//! Templates as operators change them, by file and by the API: what is in use, which versions there are, what a change
//! does. Each story on both databases.

#[path = "../postgres/mod.rs"]
mod postgres;

mod files;
mod house;
mod stories;

use house::House;

#[tokio::test(flavor = "multi_thread")]
async fn stored_texts_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stories::stored_texts(&format!("sqlite://{}/k.db", folder.path().display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_texts_on_postgres() {
    let fresh = postgres::Fresh::make().await;
    stories::stored_texts(&fresh.url()).await;
    fresh.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_over_a_restart_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    files::over_a_restart(&format!("sqlite://{}/k.db", folder.path().display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_over_a_restart_on_postgres() {
    let fresh = postgres::Fresh::make().await;
    files::over_a_restart(&fresh.url()).await;
    fresh.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_uses_what_is_stored_here() {
    let fresh = postgres::Fresh::make().await;
    stories::two_nodes(&fresh.url()).await;
    fresh.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_compared_for_every_machine() {
    let folder = tempfile::tempdir().unwrap();
    stories::compared(&format!("sqlite://{}/k.db", folder.path().display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_followed_as_they_change() {
    let folder = tempfile::tempdir().unwrap();
    files::followed(&format!("sqlite://{}/k.db", folder.path().display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_together_is_taken_together() {
    let folder = tempfile::tempdir().unwrap();
    files::together(&format!("sqlite://{}/k.db", folder.path().display())).await;
}
