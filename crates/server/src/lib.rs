//! The authorization server: endpoints, pages, local API.

pub mod check;
pub mod config;
pub mod issuer;
pub mod limits;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod peer;
