//! Running a command with exactly the access that was approved for it. In reading order: `detail` (what is asked for),
//! `session` (from the question to the end), `program` and `held` (what is started), `child` and `signals`, then
//! `gate`, `admission`, `upstream` and `replay` (what the command has instead of a token).

pub mod access;
pub mod admission;
pub mod detail;
pub mod gate;
mod known;
pub mod replay;
pub mod upstream;

#[cfg(target_os = "linux")]
pub mod child;
#[cfg(target_os = "linux")]
mod held;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
pub mod session;
#[cfg(target_os = "linux")]
pub mod signals;
