//! Policies, written in Cedar and decided at each step: values in, a verdict out. No clock, no I/O; files are read,
//! and records written, by `server`. A policy only ever adds a condition: what the rules of `protocol` refuse, no
//! permit gives.
//!
//! Read `input.rs` (what a decision is made on), then `policies.rs` (what the verdict is), `load.rs` (what does not
//! load), `entities.rs` (our values as Cedar's) and `cases.rs` (test files).

pub mod cases;
mod entities;
pub mod input;
mod load;
mod moment;
mod policies;

pub use input::{Input, Step};
pub use load::{Mistake, Source};
pub use policies::{Decision, Mode, Policies, Rule, Verdict};

/// What policies can speak of, in Cedar's own form.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

#[cfg(test)]
mod tests;
