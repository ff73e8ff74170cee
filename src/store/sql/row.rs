//! A row that was read, and the readings of its columns.

use super::super::Error;
use super::meaning::meaning;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use std::str::FromStr;
use std::sync::Arc;

pub struct Row {
    pub(super) place: Arc<str>,
    pub(super) cells: Cells,
}

pub enum Cells {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    fn str_or_null(&self, column: &str) -> Result<Option<&str>, Error> {
        let cell = match &self.cells {
            Cells::Sqlite(row) => row.try_get(column),
            Cells::Postgres(row) => row.try_get(column),
        };
        cell.map_err(|error| meaning(&self.place, error))
    }

    fn str(&self, column: &str) -> Result<&str, Error> {
        self.str_or_null(column)?.ok_or_else(|| self.spoiled(column, "NULL"))
    }

    pub fn text_or_null(&self, column: &str) -> Result<Option<String>, Error> {
        self.str_or_null(column).map(|text| text.map(str::to_owned))
    }

    pub fn int_or_null(&self, column: &str) -> Result<Option<i64>, Error> {
        let cell = match &self.cells {
            Cells::Sqlite(row) => row.try_get(column),
            Cells::Postgres(row) => row.try_get(column),
        };
        cell.map_err(|error| meaning(&self.place, error))
    }

    pub fn text(&self, column: &str) -> Result<String, Error> {
        self.str(column).map(str::to_owned)
    }

    pub fn int(&self, column: &str) -> Result<i64, Error> {
        self.int_or_null(column)?.ok_or_else(|| self.spoiled(column, "NULL"))
    }

    /// A number that fits the noun's own type.
    pub fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, Error> {
        self.fitting(column, self.int(column)?)
    }

    pub fn number_or_null<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, Error> {
        self.int_or_null(column)?.map(|int| self.fitting(column, int)).transpose()
    }

    fn fitting<T: TryFrom<i64>>(&self, column: &str, int: i64) -> Result<T, Error> {
        T::try_from(int).map_err(|_| self.spoiled(column, &int.to_string()))
    }

    /// A text that one of our types reads.
    pub fn get<T: FromStr>(&self, column: &str) -> Result<T, Error> {
        self.parsed(column, self.str(column)?)
    }

    pub fn get_or_null<T: FromStr>(&self, column: &str) -> Result<Option<T>, Error> {
        self.str_or_null(column)?.map(|text| self.parsed(column, text)).transpose()
    }

    fn parsed<T: FromStr>(&self, column: &str, text: &str) -> Result<T, Error> {
        text.parse().map_err(|_| self.spoiled(column, text))
    }

    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        self.read(column, self.str(column)?)
    }

    pub fn json_or_null<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, Error> {
        self.str_or_null(column)?.map(|text| self.read(column, text)).transpose()
    }

    /// What most rows leave empty.
    pub fn json_or_default<T: DeserializeOwned + Default>(&self, column: &str) -> Result<T, Error> {
        match self.str(column)? {
            "{}" => Ok(T::default()),
            text => self.read(column, text),
        }
    }

    fn read<T: DeserializeOwned>(&self, column: &str, text: &str) -> Result<T, Error> {
        serde_json::from_str(text).map_err(|_| self.spoiled(column, text))
    }

    pub fn spoiled(&self, column: &str, value: &str) -> Error {
        Error::Spoiled { place: self.place.to_string(), text: format!("{value:?} in a column {column}") }
    }
}
