//! The server in process: the production `App` with a clock that is moved by hand and chance from a
//! seed, on SQLite and on PostgreSQL. What needs a socket, a browser or a foreign client is in
//! `crates/waypass/tests`.

mod agents;
mod attested;
mod backchannel;
mod binding;
mod certificates;
mod confirmation;
mod crash;
mod details;
mod governance;
mod groups;
mod holding;
mod inbox;
mod initiator;
mod instances;
mod keys;
mod limits;
mod machines;
mod mitigations;
mod narrowing;
mod notices;
mod pages;
mod places;
#[path = "../../protocol/src/details/tests/poisoned.rs"]
pub mod poisoned;
mod policies;
#[path = "../../store/tests/conformance/postgres_server.rs"]
mod postgres_server;
mod posture;
mod quorum;
mod races;
mod rechecks;
mod refusals;
mod replay;
mod runs;
mod secrets;
mod signed;
mod since;
mod standing;
mod step_up;
mod waiting;
mod workloads;
pub mod world;
