//! HTTP to addresses that others chose: no redirect, a deadline, no answer but its status, and nothing inside our own
//! networks, whatever a name resolves to. The exception is a server that is on loopback itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use protocol::admission::{is_loopback, is_secure};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use url::{Host, Url};

use super::Undelivered;

const PATIENCE: Duration = Duration::from_secs(8);

pub struct Outbound {
    /// Our own machine may be asked.
    is_loopback: bool,
    tls: OnceLock<reqwest::Client>,
    plain: OnceLock<reqwest::Client>,
}

impl Outbound {
    pub fn new(is_loopback: bool) -> Self {
        Self {
            is_loopback,
            tls: OnceLock::new(),
            plain: OnceLock::new(),
        }
    }

    /// What a name resolves to is looked at when it is sent.
    pub fn must_be_allowed(&self, url: &Url) -> Result<(), Undelivered> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err(Undelivered::AddressNotAllowed),
        };
        let is_bare = url.username().is_empty() && url.password().is_none();
        let is_outside = !is_loopback(url) && address.is_none_or(is_public);
        if is_secure(url) && is_bare && (is_outside || self.is_loopback) {
            Ok(())
        } else {
            Err(Undelivered::AddressNotAllowed)
        }
    }

    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Vec<u8>) -> Result<(), Undelivered> {
        self.must_be_allowed(url)?;
        let request = self.client(url)?.post(url.clone()).headers(headers).body(body);
        // The answer's body is never read.
        let answer = request.send().await.map_err(|error| Undelivered::unconnected(&error))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(Undelivered::Gone),
            _ => Err(Undelivered::Refused),
        }
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, Undelivered> {
        let is_tls = url.scheme() == "https";
        let kept = if is_tls { &self.tls } else { &self.plain };
        if let Some(client) = kept.get() {
            return Ok(client);
        }
        let resolver = Resolver {
            is_loopback: self.is_loopback,
        };
        let mut builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .http1_only()
            // It would resolve names in our place.
            .no_proxy()
            .dns_resolver(Arc::new(resolver))
            .user_agent("waypass");
        if !is_tls {
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|_| Undelivered::Unusable)?;
        Ok(kept.get_or_init(|| client))
    }
}

struct Resolver {
    is_loopback: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let anywhere = self.is_loopback;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| anywhere || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err("it is in a network of our own".into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// An address that is somebody's on the internet: no private, shared, local or special one.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, third, _] = address.octets();
            let is_special = matches!(
                (first, second, third),
                (0 | 10 | 127 | 224.., _, _)
                    | (100, 64..=127, _)
                    | (169, 254, _)
                    | (172, 16..=31, _)
                    | (192, 168, _)
                    | (192, 0, 0 | 2)
                    | (198, 18 | 19, _)
                    | (198, 51, 100)
                    | (203, 0, 113)
            );
            !is_special
        }
        IpAddr::V6(address) => {
            let [first, second, ..] = address.segments();
            let is_special = matches!((first, second), (0x2001, 0..=0x1ff | 0xdb8) | (0x2002 | 0x3fff, _));
            (0x2000..=0x3fff).contains(&first) && !is_special
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_somebody_elses_is_public() {
        for inside in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "64:ff9b::a00:1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00::1"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn an_address_of_our_own_networks_is_refused_unless_we_are_on_loopback() {
        let allowed = |is_loopback, url: &str| {
            let url = Url::parse(url).unwrap();
            Outbound::new(is_loopback).must_be_allowed(&url).is_ok()
        };
        for url in [
            "https://127.0.0.1/x",
            "https://localhost/x",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://[fd00::1]/",
            "https://169.254.169.254/latest",
            "https://0x7f000001/",
            "http://127.0.0.1/",
        ] {
            assert!(!allowed(false, url), "{url}");
            assert!(allowed(true, url), "{url}");
        }
        for url in ["http://chat.example.com/", "https://user:pass@chat.example.com/"] {
            assert!(!allowed(false, url) && !allowed(true, url), "{url}");
        }
        assert!(allowed(false, "https://chat.example.com/hook"));
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_followed() {
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(Resolver { is_loopback: false }.resolve(name()).await.is_err());
        assert!(Resolver { is_loopback: true }.resolve(name()).await.is_ok());
    }
}
