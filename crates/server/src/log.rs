//! stub
pub fn init(_: crate::config::LogFormat) { tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(tracing_subscriber::EnvFilter::try_from_env("WAYPASS_LOG").unwrap_or_else(|_| "info".into())).init(); }
