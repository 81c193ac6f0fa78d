//! OpenID Connect Core 1.0 §5.3, as a resource server of our own: RFC 6750 §2.1, RFC 9449 §7.

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use protocol::dpop::{NonceRule, ProofExpectation};
use protocol::refusal::Refusal;
use protocol::scope::Scope;
use serde_json::json;

use crate::access::{Access, text};
use crate::app::{App, Shared};
use crate::extract::client::{seen_address, shown_certificates};
use crate::extract::proof;
use crate::failure::Failure;
use crate::judging;

pub async fn userinfo(State(app): State<Shared>, request: Request) -> Result<Response, Failure> {
    app.limits.check(
        seen_address(&app, request.headers(), request.extensions()).counted,
        app.now(),
    )?;
    let (scheme, token) = credentials(request.headers())?;
    let access = Access::check(&app, &token).await?;
    must_hold_certificate(&app, &access, &request)?;
    must_hold_key(
        &app,
        &access,
        (request.method().as_str(), request.headers()),
        scheme,
        &token,
    )?;
    let scope = Scope::parse(text(&access.claims, "scope").unwrap_or_default())?;
    if !scope.contains("openid") || !access.has_audience(app.issuer()) {
        return Err(Refusal::TokenInvalid.into());
    }
    judging::may_be_read(&app, &access, app.issuer())
        .await
        .map_err(unreadable)?;
    let mut claims = json!({ "sub": access.grant.sub() });
    if scope.contains("profile")
        && let Some(members) = claims.as_object_mut()
    {
        members.insert("preferred_username".to_owned(), json!(access.approver.name));
    }
    Ok(([(CACHE_CONTROL, "no-store")], Json(claims)).into_response())
}

/// To its own resource server as to every other: a token that a policy keeps from being read is none.
fn unreadable(failure: Failure) -> Failure {
    match failure {
        Failure::Forbidden { .. } => Refusal::TokenInvalid.into(),
        other => other,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

fn credentials(headers: &HeaderMap) -> Result<(Scheme, String), Refusal> {
    let value = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .ok_or(Refusal::TokenInvalid)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::TokenInvalid)?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Scheme::Bearer,
        "dpop" => Scheme::Dpop,
        _ => return Err(Refusal::TokenInvalid),
    };
    Ok((scheme, token.trim().to_owned()))
}

/// P31: "The protected resource MUST obtain, from its TLS implementation layer, the client certificate used for
/// mutual TLS and MUST verify that the certificate matches" (RFC 8705 §3).
fn must_hold_certificate(app: &App, access: &Access, request: &Request) -> Result<(), Refusal> {
    let Some(bound_to) = access.confirmation("x5t#S256") else {
        return Ok(());
    };
    let shown = shown_certificates(app, request.headers(), request.extensions())?;
    match shown.and_then(|shown| shown.thumbprint()) {
        Some(thumbprint) if thumbprint == bound_to => Ok(()),
        _ => Err(Refusal::TokenInvalid),
    }
}

/// P10: a bound token is refused as Bearer. P06, P09: a proof by the bound key, over this very token.
fn must_hold_key(
    app: &App,
    access: &Access,
    request: (&str, &HeaderMap),
    scheme: Scheme,
    token: &str,
) -> Result<(), Refusal> {
    let (method, headers) = request;
    let (Some(jkt), Scheme::Dpop) = (&access.grant.jkt, scheme) else {
        let is_plain = access.grant.jkt.is_none() && scheme == Scheme::Bearer;
        return if is_plain { Ok(()) } else { Err(Refusal::TokenInvalid) };
    };
    let htu = app.config.issuer.url("/userinfo");
    let alias = app.config.alias("/userinfo");
    let nonce = NonceRule::Optional(&app.derived.nonces);
    let expected = ProofExpectation {
        htm: method,
        htu: &htu,
        alias: alias.as_deref(),
        access_token: Some(token),
        nonce,
    };
    let now = app.now();
    let proof = proof::verified(app, headers, &expected).map_err(|_| Refusal::TokenInvalid)?;
    let is_first = app.seen.is_first(proof.jti_digest(), proof.replayable_until(), now);
    if proof.thumbprint() == jkt && is_first {
        Ok(())
    } else {
        Err(Refusal::TokenInvalid)
    }
}
