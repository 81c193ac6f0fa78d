//! RFC 8414 §2, and the OpenID form of it. One document for both: what clients insist on is in it, and
//! nothing that is not served.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;
use protocol::authentication::Strength;
use protocol::jwk::Algorithm;
use serde_json::{Value, json};

use crate::app::{App, Shared};
use crate::endpoints::device_authorization::PARAMETERS;
use crate::endpoints::token::GRANT_TYPES;
use crate::issuer::Issuer;
use crate::passkeys;

pub async fn metadata(State(app): State<Shared>) -> impl IntoResponse {
    let mut document = document(&app.config.issuer);
    if let Some(members) = document.as_object_mut() {
        members.insert("acr_values_supported".to_owned(), json!(acr_values(&app)));
    }
    ([(CACHE_CONTROL, "public, max-age=300")], Json(document))
}

/// RFC 9470 §7: with this member `acr_values` and `max_age` are honoured, at the device authorization endpoint.
fn acr_values(app: &App) -> Vec<&'static str> {
    let strengths = passkeys::strengths(app).iter().chain(&[Strength::SoftwareKey]);
    let acrs: BTreeSet<&str> = strengths.flat_map(|strength| strength.acrs()).copied().collect();
    acrs.into_iter().collect()
}

const METHODS: [&str; 6] = [
    "none",
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "attest_jwt_client_auth",
    "attest_jwt_client_auth_dpop",
];
/// B14: who asks about tokens says who it is.
const CONFIDENTIAL: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];

fn names(algorithms: &[Algorithm]) -> Vec<&'static str> {
    algorithms.iter().map(|algorithm| algorithm.as_str()).collect()
}

pub fn document(issuer: &Issuer) -> Value {
    let assertion_algs = names(protocol::client_assertion::ALGORITHMS);
    let mut document = json!({
        "issuer": issuer.as_str(),
        // OpenID clients insist on one. It is a page that says how access is asked for here.
        "authorization_endpoint": issuer.url("/authorize"),
        "token_endpoint": issuer.url("/token"),
        "device_authorization_endpoint": issuer.url("/device_authorization"),
        "revocation_endpoint": issuer.url("/revoke"),
        "introspection_endpoint": issuer.url("/introspect"),
        "userinfo_endpoint": issuer.url("/userinfo"),
        "jwks_uri": issuer.url("/jwks.json"),
        "grant_types_supported": GRANT_TYPES,
        // RFC 8414 requires the member and forbids an empty one; no response type is served.
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256", "EdDSA"],
        "scopes_supported": ["openid", "offline_access", "profile"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "preferred_username"],
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": assertion_algs,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": assertion_algs,
        "introspection_endpoint_auth_methods_supported": CONFIDENTIAL,
        "introspection_endpoint_auth_signing_alg_values_supported": assertion_algs,
        "dpop_signing_alg_values_supported": names(protocol::dpop::ALGORITHMS),
        "waypass_code_reports_endpoint": issuer.url("/code_reports"),
        "waypass_device_authorization_parameters_supported": PARAMETERS,
        "waypass_enrollment_endpoint": issuer.url("/enrollment"),
    });
    if let (Some(members), Value::Object(more)) = (document.as_object_mut(), attestations(issuer)) {
        members.extend(more);
    }
    document
}

/// draft-ietf-oauth-attestation-based-client-auth-11 §8. Who needs no attestation sends none: hence `none`.
fn attestations(issuer: &Issuer) -> Value {
    let algorithms = names(protocol::attestation::ALGORITHMS);
    json!({
        "challenge_endpoint": issuer.url("/challenge"),
        "client_attestation_signing_alg_values_supported": algorithms,
        "client_attestation_pop_signing_alg_values_supported": algorithms,
        "client_attestation_pop_methods_supported": protocol::attestation::POP_METHODS,
    })
}
