//! What comes with a request, checked once: the form, the client, the proof, the address, the
//! browser session, and whether a page of ours sent it.

pub mod attestation;
pub mod client;
pub mod credentials;
pub mod csrf;
pub mod form;
pub mod proof;
pub mod session;
