//! What is counted, for Prometheus. Labels are our own words: names of routes, and texts that live as
//! long as the program. Nothing that an outsider sends becomes a label, so nobody can make the registry
//! grow, or have somebody else's words read in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use policy::{Step, Verdict};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use protocol::refusal::Refusal;

use crate::endpoints::token;

pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    refusals: ByWord,
    tokens: ByWord,
    decisions: ByWord,
    policy_decisions: ByStep,
    policies_refused: Gauge,
    open_requests: Gauge,
    requested: Counter,
    seconds: Histogram,
}

type ByStep = Family<[(&'static str, &'static str); 2], Counter>;
type ByWord = Family<[(&'static str, &'static str); 1], Counter>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: String,
    status: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("waypass"),
            requests: Family::default(),
            refusals: ByWord::default(),
            tokens: ByWord::default(),
            decisions: ByWord::default(),
            policy_decisions: ByStep::default(),
            policies_refused: Gauge::default(),
            open_requests: Gauge::default(),
            requested: Counter::default(),
            seconds: Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5]),
        };
        let registry = &mut metrics.registry;
        registry.register(
            "requests",
            "Requests, by route and class of status",
            metrics.requests.clone(),
        );
        registry.register("refusals", "Refusals, by code", metrics.refusals.clone());
        registry.register(
            "tokens_issued",
            "Access tokens issued, by grant type",
            metrics.tokens.clone(),
        );
        registry.register("decisions", "Decisions of approvers", metrics.decisions.clone());
        registry.register(
            "policy_decisions",
            "What policies said, by step; `reported` where one in report mode would have said otherwise",
            metrics.policy_decisions.clone(),
        );
        registry.register(
            "policies_refused",
            "1 while the files of policies have mistakes and an older set is in force",
            metrics.policies_refused.clone(),
        );
        registry.register(
            "open_requests",
            "Requests that wait for a decision",
            metrics.open_requests.clone(),
        );
        registry.register(
            "device_authorizations",
            "Requests for a device code",
            metrics.requested.clone(),
        );
        registry.register(
            "request_seconds",
            "Time from the head of a request to its answer",
            metrics.seconds.clone(),
        );
        metrics
    }
}

impl Metrics {
    /// The route is by axum, and None where none matched. Without a status the request had no answer: a
    /// panic, a time-out, or a client that went away.
    pub fn answered(&self, route: Option<&MatchedPath>, status: Option<StatusCode>, took: Duration) {
        let endpoint = route.map_or("none", MatchedPath::as_str).to_owned();
        let status = class(status);
        self.requests.get_or_create(&RequestLabels { endpoint, status }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub fn refused(&self, refusal: Refusal) {
        self.refusals.get_or_create(&[("code", refusal.code().as_str())]).inc();
    }

    pub fn device_authorization(&self) {
        self.requested.inc();
    }

    /// The grant type as it was sent: what is not ours by then is counted without its name.
    pub fn token_issued(&self, grant_type: &str) {
        let grant_type = match grant_type {
            token::DEVICE_CODE => "device_code",
            token::REFRESH_TOKEN => "refresh_token",
            _ => "other",
        };
        self.tokens.get_or_create(&[("grant_type", grant_type)]).inc();
    }

    /// `approved`, `denied` or `reported`.
    pub fn decided(&self, decision: &'static str) {
        self.decisions.get_or_create(&[("decision", decision)]).inc();
    }

    pub fn policy_decided(&self, step: Step, verdict: &Verdict) {
        let count = |decision| {
            let labels = [("step", step.as_str()), ("decision", decision)];
            self.policy_decisions.get_or_create(&labels).inc();
        };
        count(verdict.decision.as_str());
        if !verdict.reported.is_empty() {
            count("reported");
        }
    }

    pub fn policies_loaded(&self, is_in_force: bool) {
        self.policies_refused.set(i64::from(!is_in_force));
    }

    /// As counted in the database.
    pub fn open_requests_counted(&self, count: i64) {
        self.open_requests.set(count);
    }

    /// The OpenMetrics text format.
    pub fn exposition(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// For `--metrics-listen`, and for no other listener.
pub fn router(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/metrics", get(expose)).with_state(metrics)
}

async fn expose(State(metrics): State<Arc<Metrics>>) -> Response {
    let format = [(
        CONTENT_TYPE,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    )];
    match metrics.exposition() {
        Ok(text) => (format, text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn class(status: Option<StatusCode>) -> &'static str {
    match status.map_or(0, |status| status.as_u16() / 100) {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "none",
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_happened_can_be_read_in_the_exposition() {
        let metrics = Metrics::default();
        metrics.answered(None, Some(StatusCode::NOT_FOUND), Duration::from_millis(4));
        metrics.answered(None, None, Duration::from_millis(4));
        metrics.device_authorization();
        metrics.refused(Refusal::SlowDown);
        metrics.refused(Refusal::ClientUnknown);
        metrics.refused(Refusal::ClientDisabled);
        metrics.token_issued(token::REFRESH_TOKEN);
        metrics.token_issued("s3cret");
        metrics.decided("approved");
        metrics.open_requests_counted(3);
        let text = metrics.exposition().unwrap();
        let mut counts: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.contains("_bucket"))
            .collect();
        counts.sort_unstable();
        expect![[r#"
            waypass_decisions_total{decision="approved"} 1
            waypass_device_authorizations_total 1
            waypass_open_requests 3
            waypass_policies_refused 0
            waypass_refusals_total{code="invalid_client"} 2
            waypass_refusals_total{code="slow_down"} 1
            waypass_request_seconds_count 2
            waypass_request_seconds_sum 0.008
            waypass_requests_total{endpoint="none",status="4xx"} 1
            waypass_requests_total{endpoint="none",status="none"} 1
            waypass_tokens_issued_total{grant_type="other"} 1
            waypass_tokens_issued_total{grant_type="refresh_token"} 1"#]]
        .assert_eq(&counts.join("\n"));
    }
}
