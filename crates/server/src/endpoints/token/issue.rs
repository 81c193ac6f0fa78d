//! The tokens of one answer, for every grant type. RFC 6749 §5.1, RFC 9068 §2, OpenID Connect Core 1.0 §2.

use protocol::approver::Approver;
use protocol::client::Client;
use protocol::details::Details;
use protocol::event::Event;
use protocol::grant::{Grant, Origin};
use protocol::profile::Profile;
use protocol::scope::Scope;
use protocol::secret::RefreshToken;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::token::TokenResponse;
use serde_json::{Map, Value, json};
use store::{Batch, Fault};

use crate::app::App;
use crate::failure::Failure;

/// What is issued, all of it decided.
pub struct Issue<'a> {
    pub grant: &'a Grant,
    pub client: &'a Client,
    pub approver: &'a Approver,
    /// Of the access token: the grant's, or less.
    pub scope: &'a str,
    pub audience: Vec<String>,
    pub authorization_details: Details,
}

pub struct Issued {
    pub response: TokenResponse,
    /// Writes the refresh token, where there is one.
    pub batch: Batch,
    /// Of the access token.
    pub jti: String,
    /// To a command, bound to no key.
    pub is_handed_over: bool,
    pub refresh_token: Option<protocol::digest::Digest>,
}

impl Issued {
    /// What the event of its step says of it.
    pub fn on(&self, event: Event) -> Event {
        let event = event.with("token.id", self.jti.clone());
        if self.is_handed_over {
            event.with("token.binding", "none")
        } else {
            event
        }
    }
}

pub fn issue(app: &App, issue: &Issue<'_>) -> Result<Issued, Failure> {
    let now = app.now();
    let grant = issue.grant;
    let profile = app.profiles().under(issue.client, grant.origin)?;
    let expires_at = grant.token_expiry(token_lifetime(app, profile), now);
    let refresh_expires_at = profile
        .lifetimes
        .refresh
        .map_or(grant.expires_at, |refresh| grant.token_expiry(refresh, now));
    let jti = app.new_id();
    let granted = Scope::parse(&grant.scope)?;
    let refresh_token = granted
        .contains("offline_access")
        .then(|| RefreshToken::new(&app.entropy.draw()));
    let digest = refresh_token.as_ref().map(RefreshToken::digest);
    let mut batch = Batch::default();
    if let Some(digest) = &digest {
        batch = batch.issue_refresh_token(digest, &grant.id, refresh_expires_at);
    }
    let is_handed_over = is_handed_over(issue, profile);
    let is_bound = grant.jkt.is_some() && !is_handed_over;
    let response = TokenResponse {
        access_token: access_token(app, issue, (&jti, is_handed_over), expires_at)?,
        token_type: if is_bound { "DPoP" } else { "Bearer" }.to_owned(),
        expires_in: (expires_at - now).seconds(),
        scope: issue.scope.to_owned(),
        authorization_details: issue.authorization_details.clone(),
        refresh_token: refresh_token.map(|token| token.reveal().to_owned()),
        id_token: granted
            .contains("openid")
            .then(|| id_token(app, issue, expires_at))
            .transpose()?,
        grant_id: grant.runs_left.map(|_| grant.id.clone()),
        runs_left: grant.runs_left,
    };
    Ok(Issued {
        is_handed_over,
        response,
        batch,
        jti,
        refresh_token: digest,
    })
}

/// What a person approved and the profile still allows. The grant stays bound to the key that asked.
fn is_handed_over(issue: &Issue<'_>, profile: &Profile) -> bool {
    let is_approved = issue.grant.request_id.is_some() && issue.authorization_details.wants_the_token();
    is_approved && profile.approval.token_env
}

pub fn token_lifetime(app: &App, profile: &Profile) -> Lifetime {
    profile.lifetimes.token.unwrap_or(app.config.lifetimes.access_token)
}

/// RFC 9068 §2.2. `grant_id` names the grant in every token, so that ending a grant reaches all of them.
fn access_token(
    app: &App,
    issue: &Issue<'_>,
    (jti, is_handed_over): (&str, bool),
    expires_at: Timestamp,
) -> Result<String, Failure> {
    let grant = issue.grant;
    let mut claims = json!({
        "iss": app.issuer(),
        "sub": grant.sub(),
        "aud": audience(&issue.audience),
        "client_id": grant.client_id,
        "iat": app.now().seconds(),
        "exp": expires_at.seconds(),
        "jti": jti,
        "scope": issue.scope,
        "grant_id": grant.id,
    });
    if let Some(members) = claims.as_object_mut() {
        if let Some(cnf) = confirmation(grant).filter(|_| !is_handed_over) {
            members.insert("cnf".to_owned(), cnf);
        }
        // RFC 9396 §9.1: "the AS MUST make that data available to the RS".
        if !issue.authorization_details.is_empty() {
            members.insert("authorization_details".to_owned(), json!(issue.authorization_details));
        }
    }
    // RFC 9068 §2.2.1: what is said of the person's authentication, where there was one.
    if let (Origin::DeviceCode, Some(members)) = (grant.origin, claims.as_object_mut()) {
        members.insert("auth_time".to_owned(), json!(grant.auth_time.seconds()));
        members.insert("acr".to_owned(), json!(grant.acr));
        members.insert("amr".to_owned(), json!(grant.amr));
    }
    sign(app, issue.client, "at+jwt", &claims)
}

/// RFC 9449 §6.1, RFC 8705 §3.1. A token that is bound to both is of use with both.
fn confirmation(grant: &Grant) -> Option<Value> {
    let bound = [("jkt", &grant.jkt), ("x5t#S256", &grant.x5t)];
    let members = bound.into_iter().filter_map(|(name, value)| {
        let value = value.as_deref()?;
        Some((name.to_owned(), json!(value)))
    });
    let members: Map<String, Value> = members.collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

fn id_token(app: &App, issue: &Issue<'_>, expires_at: Timestamp) -> Result<String, Failure> {
    let grant = issue.grant;
    let mut claims = json!({
        "iss": app.issuer(),
        "sub": grant.subject,
        "aud": grant.client_id,
        "iat": app.now().seconds(),
        "exp": expires_at.seconds(),
        "auth_time": grant.auth_time.seconds(),
        "acr": grant.acr,
        "amr": grant.amr,
    });
    if Scope::parse(&grant.scope)?.contains("profile")
        && let Some(members) = claims.as_object_mut()
    {
        members.insert("preferred_username".to_owned(), json!(issue.approver.name));
    }
    sign(app, issue.client, "JWT", &claims)
}

fn sign(app: &App, client: &Client, typ: &str, claims: &Value) -> Result<String, Failure> {
    Ok(app
        .keys
        .load()
        .sign_jwt(client.registration.signing_alg, typ, claims)
        .map_err(Fault::from)?)
}

/// One audience is a text, several are a list (RFC 7519 §4.1.3).
fn audience(audience: &[String]) -> Value {
    match audience {
        [only] => json!(only),
        several => json!(several),
    }
}
