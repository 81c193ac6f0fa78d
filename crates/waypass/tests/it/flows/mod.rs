//! What people do with the product, command by command and end to end.

mod administration;
mod listening;
mod local_interface;
mod policies;
mod refreshing;
mod requesting;
pub mod terminal;
mod wild_clients;
mod workloads;
