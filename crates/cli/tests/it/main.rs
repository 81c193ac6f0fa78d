//! The command line in process: every command against small servers of our own, with a clock that moves
//! when it is told to. No test sleeps.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod approver;
mod call;
#[cfg(test)]
mod enroll;
#[cfg(test)]
mod govern;
#[cfg(test)]
mod key_storage;
#[cfg(test)]
mod login;
#[cfg(test)]
mod login_attacks;
#[cfg(test)]
mod machine;
#[cfg(test)]
#[path = "../../../protocol/src/details/tests/poisoned.rs"]
mod poisoned;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod token;
#[cfg(test)]
mod tpm;
#[cfg(test)]
mod world;
