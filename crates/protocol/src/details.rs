//! `authorization_details`: what exactly is asked for and granted, as typed objects. RFC 9396.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A set of authorization details, each an object with a `type`. RFC 9396 §2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Details(Vec<Value>);

impl Details {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    pub fn is_within(&self, ceiling: &Self) -> bool {
        self.0.iter().all(|detail| ceiling.0.contains(detail))
    }

    /// What stands in both.
    pub fn common(&self, other: &Self) -> Self {
        let both = self.0.iter().filter(|detail| other.0.contains(detail));
        Self(both.cloned().collect())
    }
}
