//! The authorization server: endpoints, pages, local API.

pub mod config;
pub mod issuer;
pub mod limits;
pub mod peer;
