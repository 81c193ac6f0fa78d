//! What people do with the product, command by command and end to end.

mod administration;
mod agents;
mod broken_link;
mod certificates;
mod certified;
mod crowding;
pub mod inbox;
mod listening;
mod local_interface;
mod machines;
mod policies;
mod refreshing;
mod requesting;
mod resource;
mod run;
mod run_again;
mod run_enemy;
mod run_ground;
mod run_promises;
mod run_streams;
pub mod terminal;
mod wild_clients;
pub mod workloads;
