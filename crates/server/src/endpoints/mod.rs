//! The endpoints that clients and resource servers call. Each handler: extract, load, decide, commit,
//! answer; in this order, each at most once.

pub mod approver;
pub mod backchannel_authentication;
pub mod challenge;
pub mod code_reports;
pub mod device_authorization;
pub mod enrollment;
pub mod introspection;
pub mod jwks;
pub mod metadata;
pub mod revocation;
pub mod token;
pub mod userinfo;
