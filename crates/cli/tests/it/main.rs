//! The command line in process: every command against small servers of our own, with a clock that moves
//! when it is told to. No test sleeps.

mod admin;
mod approver;
mod login;
mod login_attacks;
mod stub;
mod token;
mod world;
