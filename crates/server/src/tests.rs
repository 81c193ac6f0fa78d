//! The server in process: the production `App` with a clock that is moved by hand and chance from a
//! seed, on SQLite and on PostgreSQL. What needs a socket, a browser or a foreign client is in
//! `crates/waypass/tests`.

mod attested;
mod binding;
mod confirmation;
mod crash;
mod governance;
mod groups;
mod initiator;
mod instances;
mod keys;
mod limits;
mod mitigations;
mod pages;
mod places;
mod policies;
#[path = "../../store/tests/conformance/postgres_server.rs"]
mod postgres_server;
mod quorum;
mod races;
mod rechecks;
mod refusals;
mod replay;
mod secrets;
mod signed;
mod waiting;
mod workloads;
pub mod world;
