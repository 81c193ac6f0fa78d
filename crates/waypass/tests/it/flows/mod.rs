//! What people do with the product, command by command and end to end.

mod administration;
mod certificates;
mod certified;
mod listening;
mod local_interface;
mod machines;
mod policies;
mod refreshing;
mod requesting;
mod resource;
pub mod terminal;
mod wild_clients;
pub mod workloads;
