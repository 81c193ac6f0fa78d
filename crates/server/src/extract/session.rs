//! The browser session: a cookie that names a row, and the approver behind it. Whoever has it may look
//! and decline; approving needs the passkey, and changing passkeys a fresh sign-in.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::header::{COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Uri};
use protocol::approver::{Approver, SignInMethod};
use protocol::authorization_request::Viewer;
use protocol::digest::Digest;
use protocol::event::{Action, Event};
use protocol::refusal::Refusal;
use protocol::secret::SessionToken;
use protocol::time::Lifetime;
use store::browser_sessions::BrowserSession;
use store::upstream_identities::Seen;
use store::{Batch, Fault};

use crate::app::{App, Shared};
use crate::deciding::Deciding;
use crate::extract::client::seen_address;
use crate::issuer::Issuer;
use crate::pages::PageFailure;
use crate::pages::sign_in::way_back;
use crate::peer::SeenAddress;

/// How long after signing in passkeys may be changed: a session left open or stolen must not be enough
/// to add a key that outlives it.
const FRESH: Lifetime = Lifetime::from_seconds(600);
const LONGEST_USER_AGENT: usize = 256;

/// An active approver with a session that has not ended.
pub struct SignedIn {
    pub session: BrowserSession,
    pub approver: Approver,
    pub address: SeenAddress,
}

impl SignedIn {
    pub async fn find(app: &App, headers: &HeaderMap, address: SeenAddress) -> Result<Option<Self>, Fault> {
        let Some(token) = token(headers, &cookie_name(&app.config.issuer, SESSION)) else {
            return Ok(None);
        };
        let Some(session) = app.store.browser_session(&token.digest(), app.now()).await? else {
            return Ok(None);
        };
        let approver = app.store.approver(&session.approver_id).await?;
        let approver = approver.filter(|approver| approver.must_be_active().is_ok());
        Ok(approver.map(|approver| Self {
            session,
            approver,
            address,
        }))
    }

    /// For every form of this session, and worth nothing in another.
    pub fn csrf(&self, app: &App) -> Digest {
        app.derived.page_token(&["csrf", &self.session.id])
    }

    /// For what outlives the session, such as keys: never by an upstream sign-in alone.
    pub fn must_be_fresh(&self, app: &App) -> Result<(), Refusal> {
        let is_fresh = app.now() - self.session.created_at < FRESH;
        if is_fresh && self.session.method.may_change_keys() {
            Ok(())
        } else {
            Err(Refusal::ReauthenticationRequired)
        }
    }

    pub fn deciding(&self) -> Deciding {
        Deciding {
            approver: self.approver.clone(),
            viewer: Viewer {
                approver_id: self.approver.id.clone(),
                through: through(&self.session.id),
            },
            address: self.address,
            user_agent: Some(self.session.user_agent.clone()),
            used_up: Batch::default(),
        }
    }

    /// An act of this session on its own account.
    pub fn event(&self, app: &App, action: Action) -> Event {
        seen_from(
            app.event(action).approver(&self.approver.id),
            &self.session.id,
            self.address.address,
        )
    }
}

/// A page for approvers: whoever is not signed in goes to sign in, and comes back.
impl FromRequestParts<Shared> for SignedIn {
    type Rejection = PageFailure;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, PageFailure> {
        let found = <Self as OptionalFromRequestParts<Shared>>::from_request_parts(parts, app).await?;
        found.ok_or_else(|| sign_in_first(app, &parts.uri, &parts.method))
    }
}

/// A page for everybody, which knows its approvers.
impl OptionalFromRequestParts<Shared> for SignedIn {
    type Rejection = PageFailure;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Option<Self>, PageFailure> {
        let address = seen_address(app, &parts.headers, &parts.extensions);
        Ok(Self::find(app, &parts.headers, address).await?)
    }
}

/// What was posted is lost; the page it came from is where the person goes on.
fn sign_in_first(app: &App, uri: &Uri, method: &Method) -> PageFailure {
    let base = app.config.issuer.base_path();
    let query = uri.query().filter(|_| method == Method::GET);
    let next = way_back(base, uri.path(), query);
    let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    PageFailure::SignIn {
        location: format!("{base}/sign-in?next={encoded}"),
    }
}

/// A new session: never one whose token anybody knew before (session fixation).
pub struct Begun {
    pub session: BrowserSession,
    token: SessionToken,
    event: Event,
}

impl Begun {
    pub fn new(app: &App, approver: &Approver, headers: &HeaderMap, address: SeenAddress) -> Self {
        let user_agent = headers
            .get(USER_AGENT)
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .unwrap_or_default();
        let session = BrowserSession {
            id: app.new_id(),
            approver_id: approver.id.clone(),
            user_agent: user_agent.chars().take(LONGEST_USER_AGENT).collect(),
            address: address.address.map(|address| address.to_string()),
            created_at: app.now(),
            expires_at: app.now() + app.config.lifetimes.browser_session,
            method: SignInMethod::Passkey,
        };
        Self {
            session,
            token: SessionToken::new(&app.entropy.draw()),
            event: app.event(Action::ApproverSignedIn).approver(&approver.id),
        }
    }

    /// Not by a passkey.
    pub fn by(mut self, method: SignInMethod, seen: &Seen<'_>) -> Self {
        self.session.method = method;
        self.event = seen_in(self.event, seen);
        self
    }

    pub fn batch(&self, address: SeenAddress) -> Result<Batch, Fault> {
        let event = self.event.clone().with("auth.acr", self.session.method.acr());
        Batch::default()
            .begin_browser_session(&self.session, &self.token.digest())
            .record(&seen_from(event, &self.session.id, address.address))
    }

    /// `Lax`: links in terminals and mails lead here from elsewhere and must find the person signed in;
    /// posts from elsewhere come without it. `__Host-`: no neighbouring host can plant one.
    pub fn cookie(&self, app: &App) -> Result<HeaderValue, Fault> {
        let seconds = app.config.lifetimes.browser_session.seconds();
        cookie(&app.config.issuer, SESSION, (self.token.reveal(), seconds))
    }
}

pub fn ended_cookie(app: &App) -> Result<HeaderValue, Fault> {
    cookie(&app.config.issuer, SESSION, ("", 0))
}

/// What ties a sign-in elsewhere to the browser that began it, before anybody is signed in.
pub fn journey_cookie(app: &App, token: &SessionToken, lifetime: Lifetime) -> Result<HeaderValue, Fault> {
    cookie(&app.config.issuer, JOURNEY, (token.reveal(), lifetime.seconds()))
}

pub fn ended_journey_cookie(app: &App) -> Result<HeaderValue, Fault> {
    cookie(&app.config.issuer, JOURNEY, ("", 0))
}

pub fn journey(app: &App, headers: &HeaderMap) -> Option<SessionToken> {
    token(headers, &cookie_name(&app.config.issuer, JOURNEY))
}

/// What an upstream provider said, in the event of what came of it.
pub fn seen_in(event: Event, seen: &Seen<'_>) -> Event {
    event
        .with("upstream.issuer", seen.issuer)
        .with("upstream.subject", seen.subject)
        .with("upstream.groups", seen.groups)
}

/// As it stands in a request's viewer, so that events of both kinds can be joined.
pub fn through(session_id: &str) -> String {
    format!("session:{session_id}")
}

fn seen_from(event: Event, session_id: &str, address: Option<IpAddr>) -> Event {
    event
        .with("session.id", through(session_id))
        .with("approver.ip", address.map(|address| address.to_string()))
}

/// A cookie's own word, and how far it goes. The journey's is read by a post of our own page only.
type Kind = (&'static str, &'static str);
const SESSION: Kind = ("", "Lax");
const JOURNEY: Kind = ("-upstream", "Strict");

fn cookie(issuer: &Issuer, kind: Kind, (value, seconds): (&str, i64)) -> Result<HeaderValue, Fault> {
    let name = cookie_name(issuer, kind);
    let secure = if issuer.is_loopback_http() { "" } else { "; Secure" };
    let same_site = kind.1;
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}");
    HeaderValue::from_str(&text).map_err(|error| Fault::broken("a cookie cannot be written").because(error))
}

/// Cookies ignore ports, and `__Host-` ones paths: two issuers on one host tell theirs apart by the name.
fn cookie_name(issuer: &Issuer, (word, _): Kind) -> String {
    let prefix = if issuer.is_loopback_http() { "" } else { "__Host-" };
    let port = issuer.port().map(|port| format!("-{port}")).unwrap_or_default();
    format!("{prefix}waypass{word}{port}{}", issuer.base_path().replace('/', "."))
}

fn token(headers: &HeaderMap, name: &str) -> Option<SessionToken> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(own, _)| *own == name)
        .map(|(_, value)| SessionToken::presented(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_the_host_s_alone_and_tells_issuers_apart() {
        for (issuer, expected) in [
            (
                "https://id.example.org",
                "__Host-waypass=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure",
            ),
            (
                "https://id.example.org:8443/as",
                "__Host-waypass-8443.as=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure",
            ),
            (
                "http://localhost:9101",
                "waypass-9101=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
            ),
        ] {
            assert_eq!(
                cookie(&Issuer::parse(issuer).unwrap(), SESSION, ("t", 60)).unwrap(),
                expected
            );
        }
    }

    #[test]
    fn the_token_is_found_among_other_cookies_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "xwaypass=1; waypass-2=2".parse().unwrap());
        headers.append(COOKIE, "waypass=3; waypass=4".parse().unwrap());
        let found = |name| token(&headers, name).map(|token| token.reveal().to_owned());
        assert_eq!(found("waypass").as_deref(), Some("3"));
        assert_eq!(found("waypass-2").as_deref(), Some("2"));
        assert_eq!(found("pass"), None);
    }
}
