//! The authorization server: endpoints for clients, pages and calls for approvers, a local API for
//! administrators. In reading order: `routes` (everything that is served), `app` (what handlers share),
//! `endpoints`, `deciding` (what approvers do), `pages`, `local`. The rules are in `protocol`, the tables
//! in `store`; a handler loads, decides, commits and answers.

mod access;
mod admitting;
mod app;
mod asker;
mod binding;
mod check;
mod client_registry;
pub mod clock;
pub mod config;
mod confirmation;
mod containment;
mod deciding;
mod details_types;
mod endpoints;
mod ends;
pub mod entropy;
mod extract;
mod failure;
mod first_seen;
mod folder;
mod fresh_nonce;
mod hardware;
mod health;
mod holding;
mod inbox;
mod initiating;
mod instances;
mod issuer;
mod issuer_keys;
mod judging;
mod keys;
mod limits;
mod listen;
mod local;
mod log;
mod metrics;
mod not_opened;
mod notices;
mod pages;
mod passkeys;
mod peer;
mod pending;
mod place;
mod policies;
mod policy_files;
mod posture;
mod profiles;
mod quorum;
mod refused;
mod request_view;
mod routes;
mod seen;
mod signing_keys;
mod since;
mod start;
#[cfg(test)]
mod tests;
mod unused;
mod upstream;

pub use check::{CheckArgs, check};
pub use config::ServeArgs;
pub use policy_files::{PolicyFilesArgs, check as policy_check, test as policy_test};
pub use start::{Running, Surroundings, serve, start};
