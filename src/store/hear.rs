//! The task that listens to the other nodes of a shared database and passes on what they changed.

use super::{Change, Shared, change};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const PAUSE: Duration = Duration::from_secs(1);

/// Runs until the writer ends. Whenever the line was cut, everything is read again.
pub async fn run(shared: Arc<Shared>, first: super::sql::Ear, to: mpsc::Sender<Vec<Change>>) {
    let mut ear = Some(first);
    loop {
        tokio::select! {
            () = to.closed() => return,
            () = listen(&shared, &mut ear, &to) => {}
        }
    }
}

async fn listen(shared: &Shared, ear: &mut Option<super::sql::Ear>, to: &mpsc::Sender<Vec<Change>>) {
    let Some(open) = ear else {
        match shared.database.listen().await {
            Ok(again) => {
                *ear = again;
                shared.outage.listens();
                let _ = to.send(vec![Change::Everything]).await;
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        return;
    };
    match open.hear().await {
        Some(payload) => {
            let changes = change::heard(&shared.node, &payload);
            if !changes.is_empty() {
                let _ = to.send(changes).await;
            }
        }
        None => {
            shared.outage.deafen();
            tracing::warn!("the line to the other nodes was cut; listening again");
            *ear = None;
        }
    }
}
