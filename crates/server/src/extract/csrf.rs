//! Whether a page of ours sent it. RFC 6749 §10.12. A form carries the token of its session; a script
//! sends JSON, which no page from elsewhere can send here without being allowed to.

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, ORIGIN};
use protocol::digest::Digest;
use protocol::refusal::Refusal;
use serde::de::DeserializeOwned;
use store::Batch;

use crate::app::{App, Shared};
use crate::extract::client::seen_address;
use crate::extract::form::{Form, read_json};
use crate::extract::session::SignedIn;
use crate::failure::Failure;
use crate::pages::PageFailure;
use crate::peer::SeenAddress;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A form of ours, posted by the approver whose page it stood on.
pub struct Posted {
    pub by: SignedIn,
    pub form: Form,
}

impl FromRequest<Shared> for Posted {
    type Rejection = PageFailure;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, PageFailure> {
        // A form on a page without Referer has the origin `null` (Fetch, "append a request `Origin` header"): the token tells it apart.
        must_be_from_here(app, request.headers(), |origin| origin == "null")?;
        let (mut parts, body) = request.into_parts();
        let by = <SignedIn as FromRequestParts<Shared>>::from_request_parts(&mut parts, app).await?;
        let (_, form) = Form::read(Request::from_parts(parts, body)).await?;
        must_match(app, &by, form.get("csrf").unwrap_or_default())?;
        Ok(Self { by, form })
    }
}

/// JSON by a script of ours. Anybody may send it, so it is counted.
pub struct Sent<T> {
    pub body: T,
    pub headers: HeaderMap,
    pub address: SeenAddress,
}

impl<T> Sent<T> {
    /// Who is signed in where this was sent.
    pub async fn signed_in(&self, app: &App) -> Result<Option<SignedIn>, Failure> {
        Ok(SignedIn::find(app, &self.headers, self.address).await?)
    }

    /// A browser has one session: who signs in or enrolls there ends the one before.
    pub async fn ends_session_before(&self, app: &App) -> Result<Batch, Failure> {
        let before = self.signed_in(app).await?;
        Ok(before.map_or_else(Batch::default, |before| {
            Batch::default().end_browser_session(&before.session.id, &before.approver.id)
        }))
    }

    /// The same for what only an approver may do.
    pub async fn by(&self, app: &App, csrf: &str) -> Result<SignedIn, Failure> {
        let by = self.signed_in(app).await?.ok_or(Refusal::SignInRequired)?;
        must_match(app, &by, csrf)?;
        Ok(by)
    }
}

impl<T: DeserializeOwned> FromRequest<Shared> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Failure> {
        let address = seen_address(app, request.headers(), request.extensions());
        app.limits.check(address.counted, app.now())?;
        must_be_from_here(app, request.headers(), |_| false)?;
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Refusal::RequestMalformed.into());
        }
        let body = read_json(body).await?;
        Ok(Self {
            body,
            headers: parts.headers,
            address,
        })
    }
}

/// A browser that says where a post comes from is believed: it does not lie for its page.
fn must_be_from_here(app: &App, headers: &HeaderMap, also: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    let origin = headers.get(ORIGIN).map(|value| value.to_str().unwrap_or_default());
    let site = headers
        .get(SEC_FETCH_SITE)
        .map(|value| value.to_str().unwrap_or_default());
    let is_ours = |origin: &str| origin == app.config.issuer.origin() || also(origin);
    if origin.is_none_or(is_ours) && site.is_none_or(|site| matches!(site, "same-origin" | "none")) {
        Ok(())
    } else {
        Err(Refusal::CrossSiteRequest)
    }
}

fn must_match(app: &App, by: &SignedIn, csrf: &str) -> Result<(), Refusal> {
    if by.csrf(app).matches(&Digest::from_stored(csrf.to_owned())) {
        Ok(())
    } else {
        Err(Refusal::CrossSiteRequest)
    }
}

/// Not one of the types that a page from elsewhere can send without asking first (Fetch, CORS-safelisted).
pub fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}
