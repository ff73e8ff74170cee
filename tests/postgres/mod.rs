//! A fresh PostgreSQL database for one test, on the server that `make test` starts.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// A database of its own for one test, gone when the test ends well.
pub struct Fresh {
    pub server: String,
    pub called: String,
}

impl Fresh {
    pub async fn make() -> Fresh {
        let Ok(server) = std::env::var("KICKSTAND_TEST_POSTGRES") else {
            panic!(
                "KICKSTAND_TEST_POSTGRES is not set: `make test` sets up a PostgreSQL for the tests; by hand: \
                 KICKSTAND_TEST_POSTGRES=$(lab/postgres.sh) cargo test --test store"
            );
        };
        let fresh = Fresh { server, called: format!("kickstand_{}", Uuid::now_v7().simple()) };
        fresh.say(format!("CREATE DATABASE {}", fresh.called)).await;
        fresh
    }

    pub async fn say(&self, text: String) {
        let mut db = PgConnection::connect(&self.server).await.unwrap();
        sqlx::query(AssertSqlSafe(text)).execute(&mut db).await.unwrap();
    }

    pub fn url(&self) -> String {
        let (before, after) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let (server, _) = before.rsplit_once('/').unwrap();
        format!("{server}/{}?{after}", self.called)
    }

    pub async fn drop(self) {
        self.say(format!("DROP DATABASE {} WITH (FORCE)", self.called)).await;
    }
}
