//! `application/x-www-form-urlencoded` bodies. RFC 6749 §3.2: empty is omitted, unknown is ignored,
//! nothing is repeated (but `resource`, RFC 8707 §2). Parameters in the URL are never taken.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Limited};
use protocol::refusal::Refusal;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

pub const LARGEST_BODY: usize = 64 * 1024;
const MOST_PARAMETERS: usize = 128;
/// A body that trickles in is cut.
const BODY_TIME: Duration = Duration::from_secs(20);

/// The parameters of a body, each at most once.
#[derive(Default)]
pub struct Form {
    parameters: Vec<(String, String)>,
    resource: Vec<String>,
}

impl Form {
    /// The form and the rest of the request.
    pub async fn read(request: Request) -> Result<(HeaderMap, Self), Failure> {
        let (parts, body) = request.into_parts();
        if !is_form(&parts.headers) {
            return Err(Refusal::RequestMalformed.into());
        }
        let bytes = read_body(body).await?;
        Ok((parts.headers, Self::parse(&bytes)?))
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Refusal::RequestMalformed);
            }
            if value.is_empty() {
                continue;
            }
            if name == "resource" {
                form.resource.push(value.into_owned());
            } else if form.get(&name).is_some() {
                return Err(Refusal::ParameterRepeated);
            } else {
                form.parameters.push((name.into_owned(), value.into_owned()));
            }
            if form.parameters.len() + form.resource.len() > MOST_PARAMETERS {
                return Err(Refusal::RequestMalformed);
            }
        }
        Ok(form)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn required(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or(Refusal::ParameterMissing(name))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        let resource = (!self.resource.is_empty()).then_some("resource");
        self.parameters.iter().map(|(name, _)| name.as_str()).chain(resource)
    }

    /// RFC 8707 §2: each is an absolute URI without a fragment.
    pub fn resource(&self) -> Result<Vec<String>, Refusal> {
        self.resource
            .iter()
            .map(|text| protocol::resource::parse(text))
            .collect()
    }
}

/// A charset beside it is borne.
fn is_form(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// A JSON body of a shape of ours.
pub async fn read_json<T: DeserializeOwned>(body: Body) -> Result<T, Failure> {
    let bytes = read_body(body).await?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::RequestMalformed.into())
}

/// At most [`LARGEST_BODY`], within [`BODY_TIME`].
pub async fn read_body(body: Body) -> Result<Vec<u8>, Failure> {
    read_at_most(body, LARGEST_BODY).await
}

pub async fn read_at_most(body: Body, largest: usize) -> Result<Vec<u8>, Failure> {
    let collected = tokio::time::timeout(BODY_TIME, Limited::new(body, largest).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Failure::BodyTooLarge),
        Ok(Err(_)) | Err(_) => Err(Refusal::RequestMalformed.into()),
    }
}
