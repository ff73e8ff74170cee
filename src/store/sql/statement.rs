//! A statement with its values, and rows as a value: how many writes share one statement.

use super::super::Error;
use super::meaning::meaning;
use super::row::{Cells, Row};
use super::{Conn, Link};
use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Postgres, Sqlite};
use std::fmt::Write;

/// A statement with its values. The text is part of the program: nothing from outside can become SQL.
pub struct Statement {
    sqlite: &'static str,
    postgres: &'static str,
    args: Vec<Arg>,
}

enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
    Rows(Rows),
}

/// A text that both databases understand.
pub fn sql(text: &'static str) -> Statement {
    either(text, text)
}

/// What the two say differently, with the same values.
pub fn either(sqlite: &'static str, postgres: &'static str) -> Statement {
    Statement { sqlite, postgres, args: Vec::new() }
}

/// Rows as one value of a statement. SQLite reads them as JSON (`value->>0` of `json_each($n)`); PostgreSQL as
/// one array for each column, `unnest($n, $n+1, …)`: so they come last.
#[derive(Default)]
pub struct Rows(Vec<Column>);

enum Column {
    Texts(Vec<Option<String>>),
    Ints(Vec<Option<i64>>),
}

impl Rows {
    pub fn texts(self, values: impl Iterator<Item = impl ToString>) -> Self {
        self.texts_or_null(values.map(Some))
    }

    pub fn texts_or_null(mut self, values: impl Iterator<Item = Option<impl ToString>>) -> Self {
        self.0.push(Column::Texts(values.map(|value| value.map(clean)).collect()));
        self
    }

    pub fn ints(self, values: impl Iterator<Item = i64>) -> Self {
        self.ints_or_null(values.map(Some))
    }

    pub fn ints_or_null(mut self, values: impl Iterator<Item = Option<i64>>) -> Self {
        self.0.push(Column::Ints(values.collect()));
        self
    }

    fn len(&self) -> usize {
        self.0.iter().map(Column::len).min().unwrap_or(0)
    }

    fn json(&self) -> String {
        let mut text = String::with_capacity(self.len() * self.0.len() * 20 + 2);
        text.push('[');
        for row in 0..self.len() {
            text.push_str(if row == 0 { "[" } else { ",[" });
            for (place, column) in self.0.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                column.write(row, &mut text);
            }
            text.push(']');
        }
        text.push(']');
        text
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Column::Texts(values) => values.len(),
            Column::Ints(values) => values.len(),
        }
    }

    fn write(&self, row: usize, to: &mut String) {
        let _ = match self {
            Column::Texts(values) => match values.get(row).and_then(Option::as_deref) {
                Some(text) if text.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\') => write!(to, "\"{text}\""),
                Some(text) => write!(to, "{}", serde_json::Value::from(text)),
                None => write!(to, "null"),
            },
            Column::Ints(values) => match values.get(row).copied().flatten() {
                Some(int) => write!(to, "{int}"),
                None => write!(to, "null"),
            },
        };
    }
}

/// What a column of JSON holds.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our nouns have text for keys")
}

/// PostgreSQL's TEXT holds no NUL, and clients may send one.
fn clean(value: impl ToString) -> String {
    let text = value.to_string();
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

impl Statement {
    pub fn text(self, value: impl ToString) -> Self {
        self.text_or_null(Some(value))
    }

    pub fn text_or_null(mut self, value: Option<impl ToString>) -> Self {
        self.args.push(Arg::Text(value.map(clean)));
        self
    }

    pub fn int(self, value: impl Into<i64>) -> Self {
        self.int_or_null(Some(value))
    }

    pub fn int_or_null(mut self, value: Option<impl Into<i64>>) -> Self {
        self.args.push(Arg::Int(value.map(Into::into)));
        self
    }

    pub fn json(self, value: &impl Serialize) -> Self {
        self.text(json(value))
    }

    pub fn json_or_null(self, value: Option<&impl Serialize>) -> Self {
        self.text_or_null(value.map(json))
    }

    pub fn rows_of(mut self, rows: Rows) -> Self {
        self.args.push(Arg::Rows(rows));
        self
    }

    fn for_sqlite(self) -> Query<'static, Sqlite, SqliteArguments> {
        self.args.into_iter().fold(sqlx::query(self.sqlite), |query, arg| match arg {
            Arg::Text(text) => query.bind(text),
            Arg::Int(int) => query.bind(int),
            Arg::Rows(rows) => query.bind(rows.json()),
        })
    }

    fn for_postgres(self) -> Query<'static, Postgres, PgArguments> {
        self.args.into_iter().fold(sqlx::query(self.postgres), |query, arg| match arg {
            Arg::Text(text) => query.bind(text),
            Arg::Int(int) => query.bind(int),
            Arg::Rows(Rows(columns)) => columns.into_iter().fold(query, |query, column| match column {
                Column::Texts(values) => query.bind(values),
                Column::Ints(values) => query.bind(values),
            }),
        })
    }

    /// Runs it and tells how many rows it touched.
    pub async fn run(self, db: &mut Conn) -> Result<u64, Error> {
        let done = match &mut db.link {
            Link::Sqlite(c) => self.for_sqlite().execute(&mut ***c).await.map(|done| done.rows_affected()),
            Link::Postgres(c) => self.for_postgres().execute(&mut ***c).await.map(|done| done.rows_affected()),
        };
        done.map_err(|error| meaning(&db.place, error))
    }

    pub async fn rows(self, db: &mut Conn) -> Result<Vec<Row>, Error> {
        let cells: Result<Vec<Cells>, _> = match &mut db.link {
            Link::Sqlite(c) => {
                self.for_sqlite().fetch_all(&mut ***c).await.map(|r| r.into_iter().map(Cells::Sqlite).collect())
            }
            Link::Postgres(c) => {
                self.for_postgres().fetch_all(&mut ***c).await.map(|r| r.into_iter().map(Cells::Postgres).collect())
            }
        };
        let cells = cells.map_err(|error| meaning(&db.place, error))?;
        Ok(cells.into_iter().map(|cells| Row { place: db.place.clone(), cells }).collect())
    }

    /// Each row as it comes: what is read of a large table need not be in memory twice.
    pub async fn each(self, db: &mut Conn, mut take: impl FnMut(&Row) -> Result<(), Error>) -> Result<(), Error> {
        let place = db.place.clone();
        let mut stream = match &mut db.link {
            Link::Sqlite(c) => self.for_sqlite().fetch(&mut ***c).map_ok(Cells::Sqlite).boxed(),
            Link::Postgres(c) => self.for_postgres().fetch(&mut ***c).map_ok(Cells::Postgres).boxed(),
        };
        while let Some(cells) = stream.try_next().await.map_err(|error| meaning(&place, error))? {
            take(&Row { place: place.clone(), cells })?;
        }
        Ok(())
    }

    pub async fn row(self, db: &mut Conn) -> Result<Option<Row>, Error> {
        Ok(self.rows(db).await?.into_iter().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_json_whatever_a_client_calls_itself() {
        let nasty = ["a\"b\\c", "tab\there", "\u{7f}ü\u{2028}", "nul\0"];
        let rows =
            Rows::default().texts(nasty.iter()).ints_or_null([Some(i64::MIN), None, Some(3), Some(4)].into_iter());
        let read: serde_json::Value = serde_json::from_str(&rows.json()).unwrap();
        let wanted = serde_json::json!([[nasty[0], i64::MIN], [nasty[1], null], [nasty[2], 3], ["nul\u{fffd}", 4]]);
        assert_eq!(read, wanted);
        assert_eq!(Rows::default().ints([].into_iter()).json(), "[]");
    }
}
