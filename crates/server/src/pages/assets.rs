//! The files that pages refer to, compiled in. Their addresses carry a digest of their content, so that
//! a browser may keep one for ever and still sees a new one at once.

use std::sync::LazyLock;

use axum::extract::{Path, RawQuery};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use protocol::digest::Digest;

use super::failure;
use super::sign_in::parameter;

pub struct Asset {
    pub name: &'static str,
    pub content_type: &'static str,
    pub bytes: &'static [u8],
    /// The beginning of the content's digest.
    pub version: String,
}

static ASSETS: LazyLock<[Asset; 7]> = LazyLock::new(|| {
    [
        asset("style.css", "text/css; charset=utf-8", include_bytes!("style.css")),
        asset(
            "passkey.js",
            "text/javascript; charset=utf-8",
            include_bytes!("passkey.js"),
        ),
        asset(
            "countdown.js",
            "text/javascript; charset=utf-8",
            include_bytes!("countdown.js"),
        ),
        asset("inbox.js", "text/javascript; charset=utf-8", include_bytes!("inbox.js")),
        asset("push.js", "text/javascript; charset=utf-8", include_bytes!("push.js")),
        asset("sw.js", "text/javascript; charset=utf-8", include_bytes!("sw.js")),
        asset("icon.svg", "image/svg+xml", include_bytes!("icon.svg")),
    ]
});

fn asset(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let version = Digest::of(bytes).as_str().chars().take(12).collect();
    Asset {
        name,
        content_type,
        bytes,
        version,
    }
}

/// `{base}/assets/{name}`.
pub fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

pub async fn serve(Path(name): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(asset) = find(&name) else {
        return failure::nothing_here();
    };
    let asked = parameter(query.as_deref(), "v");
    let kept = [
        (CACHE_CONTROL, asset.cache_control(asked.as_deref()).to_owned()),
        (ETAG, asset.etag()),
    ];
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if known
        .split(',')
        .any(|one| one.trim().trim_start_matches("W/") == asset.etag())
    {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    (kept, [(CONTENT_TYPE, asset.content_type)], asset.bytes).into_response()
}

/// What a page writes into its head.
pub fn address(base: &str, name: &str) -> String {
    let version = find(name).map_or("", |asset| asset.version.as_str());
    format!("{base}/assets/{name}?v={version}")
}

impl Asset {
    /// A node of another release may be asked for a version it does not have: what it answers must not
    /// be kept under that address.
    pub fn cache_control(&self, asked: Option<&str>) -> &'static str {
        if asked == Some(&self.version) {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        }
    }

    pub fn etag(&self) -> String {
        format!("\"{}\"", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_file_and_its_content() {
        let style = find("style.css").unwrap();
        assert_eq!(
            address("/as", "style.css"),
            format!("/as/assets/style.css?v={}", style.version)
        );
        assert_eq!(style.version.len(), 12);
        assert!(find("../style.css").is_none());
    }

    #[test]
    fn only_the_version_that_was_asked_for_is_kept() {
        let style = find("style.css").unwrap();
        assert!(style.cache_control(Some(&style.version)).contains("immutable"));
        assert_eq!(style.cache_control(Some("another")), "no-cache");
        assert_eq!(style.cache_control(None), "no-cache");
    }
}
