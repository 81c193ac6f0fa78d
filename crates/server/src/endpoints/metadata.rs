//! RFC 8414 §2, and the OpenID form of it. One document for both: what clients insist on is in it, and
//! nothing that is not served.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CACHE_CONTROL;
use protocol::authentication::Strength;
use protocol::jwk::Algorithm;
use serde_json::{Map, Value, json};

use crate::app::{App, Shared};
use crate::config::Config;
use crate::endpoints::backchannel_authentication;
use crate::endpoints::device_authorization::PARAMETERS;
use crate::endpoints::token::GRANT_TYPES;
use crate::issuer::Issuer;
use crate::passkeys;

pub async fn metadata(State(app): State<Shared>) -> impl IntoResponse {
    let mut document = document(&app.config);
    if let Some(members) = document.as_object_mut() {
        let types: Vec<&str> = app.details().names().collect();
        members.insert("authorization_details_types_supported".to_owned(), json!(types));
        members.insert("acr_values_supported".to_owned(), json!(acr_values(&app)));
    }
    ([(CACHE_CONTROL, CACHED)], Json(document))
}

/// RFC 9470 §7: with this member `acr_values` and `max_age` are honoured, at the device authorization endpoint.
fn acr_values(app: &App) -> Vec<&'static str> {
    let strengths = passkeys::strengths(app).iter().chain(&[Strength::SoftwareKey]);
    let acrs: BTreeSet<&str> = strengths.flat_map(|strength| strength.acrs()).copied().collect();
    acrs.into_iter().collect()
}

/// draft-ietf-oauth-rar-metadata-remediation: each type with its JSON Schema.
pub async fn details_types(State(app): State<Shared>) -> impl IntoResponse {
    ([(CACHE_CONTROL, CACHED)], Json(app.details().metadata()))
}

const CACHED: &str = "public, max-age=300";

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

/// RFC 8705 §2.1.1 and §2.2.1.
const BY_CERTIFICATE: [&str; 2] = ["tls_client_auth", "self_signed_tls_client_auth"];

/// What clients can authenticate with where certificates are seen, and where none are.
fn methods(config: &Config, others: &[&'static str]) -> Vec<&'static str> {
    let by_certificate = BY_CERTIFICATE.iter().filter(|_| config.sees_certificates());
    others.iter().chain(by_certificate).copied().collect()
}

pub fn document(config: &Config) -> Value {
    let issuer = &config.issuer;
    let (all, confidential) = (methods(config, &METHODS), methods(config, &CONFIDENTIAL));
    let assertion_algs = names(protocol::client_assertion::ALGORITHMS);
    let mut document = json!({
        "issuer": issuer.as_str(),
        // OpenID clients insist on one. It is a page that says how access is asked for here.
        "authorization_endpoint": issuer.url("/authorize"),
        "token_endpoint": issuer.url("/token"),
        "device_authorization_endpoint": issuer.url("/device_authorization"),
        "backchannel_authentication_endpoint": issuer.url("/backchannel_authentication"),
        "backchannel_token_delivery_modes_supported": ["poll"],
        "backchannel_user_code_parameter_supported": false,
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
        "token_endpoint_auth_methods_supported": all,
        "token_endpoint_auth_signing_alg_values_supported": assertion_algs,
        "revocation_endpoint_auth_methods_supported": all,
        "revocation_endpoint_auth_signing_alg_values_supported": assertion_algs,
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": assertion_algs,
        "dpop_signing_alg_values_supported": names(protocol::dpop::ALGORITHMS),
        "authorization_details_types_metadata_endpoint": issuer.url("/authorization_details_types"),
        "waypass_backchannel_authentication_parameters_supported": backchannel_authentication::PARAMETERS,
        "waypass_code_reports_endpoint": issuer.url("/code_reports"),
        "waypass_device_authorization_parameters_supported": PARAMETERS,
        "waypass_enrollment_endpoint": issuer.url("/enrollment"),
    });
    for more in [attestations(issuer), certificates(config)] {
        if let (Some(members), Value::Object(more)) = (document.as_object_mut(), more) {
            members.extend(more);
        }
    }
    document
}

/// RFC 8705 §3.3 and §5; the endpoints of RFC 8628 and of ours are meant there too.
fn certificates(config: &Config) -> Value {
    const ALIASED: [(&str, &str); 7] = [
        ("backchannel_authentication_endpoint", "/backchannel_authentication"),
        ("token_endpoint", "/token"),
        ("device_authorization_endpoint", "/device_authorization"),
        ("revocation_endpoint", "/revoke"),
        ("introspection_endpoint", "/introspect"),
        ("userinfo_endpoint", "/userinfo"),
        ("waypass_enrollment_endpoint", "/enrollment"),
    ];
    if !config.sees_certificates() {
        return Value::Null;
    }
    let aliases = ALIASED.map(|(name, path)| Some((name.to_owned(), json!(config.alias(path)?))));
    match aliases.into_iter().collect::<Option<Map<String, Value>>>() {
        Some(aliases) => json!({
            "tls_client_certificate_bound_access_tokens": true,
            "mtls_endpoint_aliases": aliases,
        }),
        None => json!({ "tls_client_certificate_bound_access_tokens": true }),
    }
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
