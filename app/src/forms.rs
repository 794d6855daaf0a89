//! What a form that was refused hands back to its page: everything typed, and what is wrong with it.

use domain::{Error, FieldError, Kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a form whose POST was answered with 422: the page at the form's address finds it in
/// its context and shows the typed values instead of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormState {
    /// Field name → the values as they were typed, in order.
    pub values: BTreeMap<String, Vec<String>>,
    /// What is wrong as a whole.
    pub error: Option<FormError>,
    /// What is wrong with single fields.
    pub fields: Vec<FieldError>,
}

/// An error's side for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormError {
    pub kind: Kind,
    pub message: String,
    pub remedy: Option<String>,
}

impl FormState {
    /// From the pairs of a form and what a service said to them.
    pub fn refused(values: impl IntoIterator<Item = (String, String)>, error: &Error) -> Self {
        let mut state = Self {
            error: Some(FormError {
                kind: error.kind,
                message: error.message.clone(),
                remedy: error.remedy.clone(),
            }),
            fields: error.fields.clone(),
            ..Self::default()
        };
        for (name, value) in values {
            state.values.entry(name).or_default().push(value);
        }
        state
    }

    /// The first value typed into this field, if the form had it.
    pub fn value(&self, field: &str) -> Option<&str> {
        self.values.get(field)?.first().map(String::as_str)
    }

    /// All values of a field that may be there several times.
    pub fn all(&self, field: &str) -> &[String] {
        self.values
            .get(field)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// What is wrong with this field.
    pub fn problem(&self, field: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|f| f.field == field)
            .map(|f| f.message.as_str())
    }
}
