//! What comes with a request, checked once: the form, the client, the proof, the address.

pub mod client;
pub mod form;
