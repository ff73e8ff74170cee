//! Follows the server's events by long polling, through restarts of the server.

use super::client::{Client, Error};
use super::session::understood;
use crate::http::api::event::EventView;
use anyhow::Result;
use std::collections::HashSet;
use std::time::Duration;
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(25);
/// How many events are remembered as told.
const REMEMBERED: usize = 50_000;
const RETRY: Duration = Duration::from_secs(1);

/// Where a follower stands in the stream of events.
pub struct Follower<'a> {
    client: &'a Client,
    /// `&machine=web1`, or nothing.
    filter: String,
    after: Option<Uuid>,
    /// What was told already: with several servers an event may come twice.
    told: HashSet<Uuid>,
    away: bool,
}

/// What came of one look.
pub enum News {
    Events(Vec<EventView>),
    /// The server went away: said once, however often it is asked meanwhile.
    Away,
    /// It is there again, with what happened meanwhile.
    Back(Vec<EventView>),
}

impl<'a> Follower<'a> {
    pub fn new(client: &'a Client, filter: String) -> Self {
        Follower { client, filter, after: None, told: HashSet::new(), away: false }
    }

    /// The last `limit` events: where following begins.
    pub async fn latest(&mut self, limit: usize) -> Result<Vec<EventView>> {
        let mut latest = self.ask(&format!("events?limit={}{}", limit.max(1), self.filter), Duration::ZERO).await?;
        // Nothing but what is new: even so the newest must be known, to begin behind it.
        latest.drain(..latest.len().saturating_sub(limit));
        Ok(latest)
    }

    /// Waits for more, for at most `wait`. Gives no events when there were none.
    pub async fn next(&mut self, wait: Duration) -> Result<News> {
        let wait = wait.min(WAIT);
        let after = self.after.unwrap_or(Uuid::nil());
        let path = format!("events?limit=10000&after={after}&wait_ms={}{}", wait.as_millis(), self.filter);
        match self.ask(&path, wait).await {
            Ok(events) if std::mem::take(&mut self.away) => Ok(News::Back(events)),
            Ok(events) => Ok(News::Events(events)),
            Err(error) if is_away(&error) => {
                tokio::time::sleep(RETRY.min(wait)).await;
                let known = std::mem::replace(&mut self.away, true);
                Ok(if known { News::Events(Vec::new()) } else { News::Away })
            }
            Err(error) => Err(error),
        }
    }

    async fn ask(&mut self, path: &str, wait: Duration) -> Result<Vec<EventView>> {
        let events: Vec<EventView> = understood(self.client.wait_for(path, wait).await?)?;
        self.after = events.last().map(|event| event.id).or(self.after);
        if self.told.len() > REMEMBERED {
            self.told.clear();
        }
        Ok(events.into_iter().filter(|event| self.told.insert(event.id)).collect())
    }
}

/// Whether asking again later may help.
pub fn is_away(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(Error::is_away)
}
