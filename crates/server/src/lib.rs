//! server

pub mod clock;
pub mod entropy;
pub mod failure;
pub mod keys;
