//! Enrolling a key: one running copy of a client becomes known. Forms in, JSON out; every call carries a
//! DPoP proof by the key that it is about.

use serde::{Deserialize, Serialize};

use super::device_authorization::DeviceAuthorizationResponse;

/// What `POST {issuer}/enrollment` takes, beside the client's own credentials. `name` is demanded. Evidence is
/// at most one of `workload_token`, `jwt_svid`, an `OAuth-Client-Attestation` header, a TLS client certificate.
pub const PARAMETERS: [&str; 11] = [
    "client_id",
    "name",
    "environment",
    // Seconds that the instance shall live.
    "expires_in",
    "workload_token",
    "jwt_svid",
    // About the device, each a claim:
    "key_storage",
    "host",
    "system",
    "user",
    "version",
];

/// Answer to `POST {issuer}/enrollment`: enrolled at once (200), or a ceremony that waits for a person (202).
#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum EnrollmentResponse {
    Enrolled(EnrolledInstance),
    /// Goes on at `POST {issuer}/enrollment/finish`, at the interval given.
    Pending(DeviceAuthorizationResponse),
}

/// Also the answer to `POST {issuer}/enrollment/finish` (form `client_id`, `device_code`, `confirmation` where it
/// was asked for), whose errors are those of the token endpoint, and to `POST {issuer}/instance/rotate` (form
/// `client_id`, `new_key_proof`: a proof by the new key over the same request, beside the old key's header).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolledInstance {
    pub instance_id: String,
    pub client_id: String,
    pub name: String,
    pub environment: Option<String>,
    /// The name of the approver who answers for it.
    pub owner: String,
    /// Unix milliseconds.
    pub expires_at: i64,
    /// RFC 7638.
    pub thumbprint: String,
    /// `preregistered`, `attested`, `workload_token`, `svid`, `ceremony`.
    pub way_in: String,
}
