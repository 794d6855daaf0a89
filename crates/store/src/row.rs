//! Values on their way out of a row, by the name of their column.

use domain::{Error, Micros, Result};
use serde::de::DeserializeOwned;
use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow};
use std::str::FromStr;

/// A row of either database.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! get {
    ($row:expr, $column:expr) => {
        match $row {
            Row::Sqlite(r) => r.try_get($column),
            Row::Postgres(r) => r.try_get($column),
        }
        .map_err(Error::internal)
    };
}

/// What is stored does not read as what was written: our fault, with the column for the log.
fn strange(column: &str, why: impl std::fmt::Display) -> Error {
    Error::internal(format!("column {column}: {why}"))
}

impl Row {
    pub fn int(&self, column: &str) -> Result<i64> {
        get!(self, column)
    }
    pub fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        get!(self, column)
    }
    pub fn small(&self, column: &str) -> Result<i32> {
        i32::try_from(self.int(column)?).map_err(|e| strange(column, e))
    }
    pub fn at(&self, column: &str) -> Result<Micros> {
        self.int(column).map(Micros)
    }
    pub fn opt_at(&self, column: &str) -> Result<Option<Micros>> {
        Ok(self.opt_int(column)?.map(Micros))
    }
    pub fn text(&self, column: &str) -> Result<String> {
        get!(self, column)
    }
    pub fn opt_text(&self, column: &str) -> Result<Option<String>> {
        get!(self, column)
    }
    pub fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        get!(self, column)
    }
    pub fn opt_bytes(&self, column: &str) -> Result<Option<Vec<u8>>> {
        get!(self, column)
    }

    /// An id or digest.
    pub fn id<T: FromStr<Err = Error>>(&self, column: &str) -> Result<T> {
        parse(column, &self.text(column)?)
    }
    pub fn opt_id<T: FromStr<Err = Error>>(&self, column: &str) -> Result<Option<T>> {
        self.opt_text(column)?
            .map(|text| parse(column, &text))
            .transpose()
    }

    /// A value that is stored as JSON text.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|e| strange(column, e))
    }
    pub fn opt_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        self.opt_text(column)?
            .map(|text| serde_json::from_str(&text).map_err(|e| strange(column, e)))
            .transpose()
    }

    /// An enum that is stored by the name that its JSON has.
    pub fn word<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        word_of(&self.text(column)?).map_err(|e| strange(column, e))
    }
}

fn parse<T: FromStr<Err = Error>>(column: &str, text: &str) -> Result<T> {
    text.parse().map_err(|e: Error| strange(column, e.message))
}

fn word_of<T: DeserializeOwned>(word: &str) -> std::result::Result<T, serde::de::value::Error> {
    T::deserialize(serde::de::value::StrDeserializer::new(word))
}

/// The name of an enum's value as its JSON has it.
pub(crate) fn word(value: &impl serde::Serialize) -> Result<String> {
    match serde_json::to_value(value).map_err(Error::internal)? {
        serde_json::Value::String(word) => Ok(word),
        _ => Err(Error::internal("not an enum of plain names")),
    }
}

/// A value as JSON text.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}
