//! Log lines: how they look, the one line per request, and what is said of a panic. A line never has a
//! query, a header, a body or the text of a panic: any of them may hold a code or a token.

use std::panic;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};
use protocol::refusal::Refusal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::LogFormat;
use crate::metrics::Metrics;

/// Once, at the start. Lines go to stderr: stdout belongs to the commands.
pub fn init(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_env_var("WAYPASS_LOG")
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second subscriber is refused; that is a test that serves twice, and the first one is as good.
    let _ = match format {
        LogFormat::Text => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(|| "unknown".to_owned(), ToString::to_string);
        tracing::error!(place, "panic");
    }));
}

/// A layer around all routes: `router.layer(middleware::from_fn_with_state(metrics, log::observe))`.
pub async fn observe(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let mut observed = Observed {
        metrics,
        method: method(request.method()),
        route: request.extensions().get().cloned(),
        begun: Instant::now(),
        status: None,
    };
    let response = next.run(request).await;
    observed.status = Some(response.status());
    if let Some(refusal) = response.extensions().get::<Refusal>() {
        observed.metrics.refused(*refusal);
    }
    response
}

/// Told when it is dropped, so that a request without an answer is told too.
struct Observed {
    metrics: Arc<Metrics>,
    method: &'static str,
    route: Option<MatchedPath>,
    begun: Instant,
    status: Option<StatusCode>,
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.metrics
            .answered(self.route.as_ref(), self.status, self.begun.elapsed());
        tracing::debug!(
            method = self.method,
            route = self.route.as_ref().map(MatchedPath::as_str),
            status = self.status.map(|status| status.as_u16()),
            milliseconds = milliseconds(self.begun.elapsed()),
            "request"
        );
    }
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// A method may be any word of the client's.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::POST => "POST",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Mutex;

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use expect_test::expect;
    use tower::ServiceExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_request_line_names_the_route_and_nothing_that_was_sent() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .without_time()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let metrics = Arc::new(Metrics::default());
        let router = Router::new()
            .route("/device/{id}", post(|| async { StatusCode::BAD_REQUEST }))
            .layer(from_fn_with_state(metrics.clone(), observe));
        let guard = tracing::subscriber::set_default(subscriber);
        for (method, path) in [("POST", "/device/s3cret?code=s3cret"), ("S3CRET", "/s3cret")] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("authorization", "s3cret");
            router
                .clone()
                .oneshot(request.body(Body::from("s3cret")).unwrap())
                .await
                .unwrap();
        }
        drop(guard);

        let told = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        expect![[r#"
            DEBUG server::log: request method="POST" route="/device/{id}" status=400
            DEBUG server::log: request method="other" status=404
        "#]]
        .assert_eq(
            &told
                .split_inclusive('\n')
                .filter_map(|line| line.split_once(" milliseconds="))
                .map(|(line, _)| line.to_owned() + "\n")
                .collect::<String>(),
        );
        let exposition = metrics.exposition().unwrap();
        assert!(
            exposition.contains(r#"waypass_requests_total{endpoint="/device/{id}",status="4xx"} 1"#),
            "{exposition}"
        );
        assert!(!(told + &exposition).to_lowercase().contains("s3cret"));
    }
}
