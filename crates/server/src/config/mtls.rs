//! Where clients show certificates (RFC 8705), and which proxies tell of them (RFC 9440).

use std::net::SocketAddr;

use ipnet::IpNet;
use url::Url;

use super::rules;
use super::sources::{Given, Sources};
use super::{ServeArgs, TlsFiles};
use crate::issuer::Issuer;

#[derive(Clone, Debug, Default)]
pub struct Mtls {
    /// A second listener, where every client is asked for a certificate. The first then asks nobody, so that no
    /// browser makes a person choose one.
    pub listen: Option<SocketAddr>,
    /// The endpoints' other name (RFC 8705 §5); None where they have one only.
    pub origin: Option<String>,
    /// They end TLS, and take away what a client sends as its certificate.
    pub proxies: Vec<IpNet>,
}

impl Mtls {
    pub fn read(args: &ServeArgs, sources: &mut Sources, issuer: Option<&Given<Issuer>>) -> Self {
        let listen = sources.parsed("mtls_listen", args.mtls_listen.as_deref(), rules::address);
        let origin = sources.parsed("mtls_origin", args.mtls_origin.as_deref(), origin);
        let proxies = sources.list("mtls_proxy", &args.mtls_proxy, rules::proxy);
        let own = listen.as_ref().zip(issuer).map(|(listen, issuer)| {
            let port = listen.value.port();
            format!("https://{}:{port}", issuer.value.host())
        });
        if let Some(origin) = origin.as_ref().filter(|_| listen.is_none() && !proxies.is_given) {
            let text = "nobody would ask for a certificate there: give --mtls-listen, or name the proxy that does with \
                        --mtls-proxy";
            sources.problem(origin.place.clone(), text);
        }
        Self {
            listen: listen.map(|given| given.value),
            origin: origin.map(|given| given.value).or(own),
            proxies: proxies.values,
        }
    }

    /// A second listener is of use with TLS only, and on a port of its own.
    pub fn check(&self, sources: &mut Sources, tls: Option<&TlsFiles>, listen: Option<&Given<SocketAddr>>) {
        let Some(own) = self.listen else {
            return;
        };
        if tls.is_none() {
            let text = "certificates are shown in TLS: give --tls-certificate and --tls-key";
            sources.problem("--mtls-listen", text);
        }
        if listen.is_some_and(|listen| listen.value == own && own.port() != 0) {
            let text = format!("{own} is the listening address; this needs a port of its own");
            sources.problem("--mtls-listen", text);
        }
    }
}

fn origin(text: &str) -> Result<String, String> {
    let origin = Url::parse(text).ok().filter(|url| url.scheme() == "https");
    let origin = origin.map(|url| url.origin().ascii_serialization());
    origin
        .filter(|origin| origin == text)
        .ok_or_else(|| format!("{text:?} is not a name such as https://mtls.example.com, without a path"))
}
