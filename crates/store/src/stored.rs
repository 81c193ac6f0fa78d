//! JSON text in a column, and back. A column that does not decode is a fault of the machinery.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Fault;

pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::broken("a value cannot be written as JSON").because(error))
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::broken("a stored JSON text does not decode").because(error))
}
