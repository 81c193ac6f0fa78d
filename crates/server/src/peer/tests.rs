use std::fmt::Write as _;

use expect_test::{Expect, expect};
use http::HeaderValue;

use super::*;

const CLIENT: &str = "203.0.113.7";

/// Trusts the loopback and 10.0.0.0/8; a line per case.
fn check(peer: &str, cases: &[&[(&'static str, &str)]], expected: &Expect) {
    let trusted = ["127.0.0.1/32", "10.0.0.0/8", "2001:db8:ffff::/48"].map(|network| network.parse().unwrap());
    let mut table = String::new();
    for case in cases {
        let mut headers = HeaderMap::new();
        for (name, value) in *case {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let seen = seen(peer.parse().unwrap(), &headers, &trusted);
        let lines: Vec<String> = case.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let address = seen
            .address
            .map_or_else(|| "unknown".to_owned(), |address| address.to_string());
        writeln!(
            table,
            "{} -> {address}, counted {}, {:?}",
            lines.join(" | "),
            seen.counted,
            seen.via
        )
        .unwrap();
    }
    expected.assert_eq(&table);
}

#[test]
fn a_direct_client_is_its_peer_and_its_headers_are_not_believed() {
    check(
        CLIENT,
        &[
            &[],
            &[("x-forwarded-for", "192.0.2.1")],
            &[("forwarded", "for=192.0.2.1")],
            &[("x-forwarded-for", "127.0.0.1")],
            &[("x-real-ip", "192.0.2.1")],
        ],
        &expect![[r"
             -> 203.0.113.7, counted 203.0.113.7, Direct
            x-forwarded-for: 192.0.2.1 -> unknown, counted 203.0.113.7, UntrustedHeaders
            forwarded: for=192.0.2.1 -> unknown, counted 203.0.113.7, UntrustedHeaders
            x-forwarded-for: 127.0.0.1 -> unknown, counted 203.0.113.7, UntrustedHeaders
            x-real-ip: 192.0.2.1 -> 203.0.113.7, counted 203.0.113.7, Direct
        "]],
    );
}

#[test]
fn with_no_trusted_list_headers_make_the_address_unknown() {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
    let peer = IpAddr::from([127, 0, 0, 1]);
    let unknown = SeenAddress {
        address: None,
        counted: peer,
        via: Via::UntrustedHeaders,
    };
    assert_eq!(seen(peer, &headers, &[]), unknown);
    assert_eq!(
        seen(peer, &HeaderMap::new(), &[]),
        SeenAddress {
            address: Some(peer),
            counted: peer,
            via: Via::Direct
        }
    );
}

#[test]
fn x_forwarded_for_is_read_from_the_right_past_trusted_hops() {
    check(
        "::ffff:127.0.0.1",
        &[
            &[],
            &[("x-forwarded-for", "203.0.113.7")],
            &[("x-forwarded-for", "192.0.2.1, 203.0.113.7")],
            &[("x-forwarded-for", "127.0.0.1, 203.0.113.7")],
            &[("x-forwarded-for", "192.0.2.1, 203.0.113.7, 10.1.2.3,10.1.2.4")],
            &[("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "10.1.2.3")],
            &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "203.0.113.7")],
            &[("x-forwarded-for", "127.0.0.1")],
            &[("x-forwarded-for", "10.0.0.9, 10.0.0.8")],
            &[("x-forwarded-for", "203.0.113.7:51234")],
            &[("x-forwarded-for", "2001:db8::7")],
            &[("x-forwarded-for", "[2001:db8::7]")],
            &[("x-forwarded-for", "[2001:db8::7]:443")],
            &[("x-forwarded-for", "203.0.113.7, 2001:db8:ffff::1")],
            &[("x-forwarded-for", "::ffff:203.0.113.7")],
        ],
        &expect![[r"
             -> unknown, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: 203.0.113.7 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            x-forwarded-for: 192.0.2.1, 203.0.113.7 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            x-forwarded-for: 127.0.0.1, 203.0.113.7 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            x-forwarded-for: 192.0.2.1, 203.0.113.7, 10.1.2.3,10.1.2.4 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            x-forwarded-for: 203.0.113.7 | x-forwarded-for: 10.1.2.3 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            x-forwarded-for: 192.0.2.1 | x-forwarded-for: 203.0.113.7 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            x-forwarded-for: 127.0.0.1 -> 127.0.0.1, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: 10.0.0.9, 10.0.0.8 -> 10.0.0.9, counted 10.0.0.9, TrustedProxy
            x-forwarded-for: 203.0.113.7:51234 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            x-forwarded-for: 2001:db8::7 -> 2001:db8::7, counted 2001:db8::7, TrustedProxy
            x-forwarded-for: [2001:db8::7] -> 2001:db8::7, counted 2001:db8::7, TrustedProxy
            x-forwarded-for: [2001:db8::7]:443 -> 2001:db8::7, counted 2001:db8::7, TrustedProxy
            x-forwarded-for: 203.0.113.7, 2001:db8:ffff::1 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            x-forwarded-for: ::ffff:203.0.113.7 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
        "]],
    );
}

#[test]
fn what_is_not_an_address_is_unknown_and_nothing_is_read_past_it() {
    check(
        "127.0.0.1",
        &[
            &[("x-forwarded-for", "")],
            &[("x-forwarded-for", "unknown")],
            &[("x-forwarded-for", "203.0.113.7, unknown")],
            &[("x-forwarded-for", "unknown, 203.0.113.7")],
            &[("x-forwarded-for", "203.0.113.7,")],
            &[("x-forwarded-for", "localhost")],
            &[("x-forwarded-for", "203.0.113.7:port")],
            &[("x-forwarded-for", "203.0.113.007")],
            &[("x-forwarded-for", "fe80::1%eth0")],
            &[("x-forwarded-for", "203.0.113.7/32")],
            &[("x-forwarded-for", "bücher")],
            &[("forwarded", "by=203.0.113.7")],
            &[("forwarded", "for=_hidden")],
            &[("forwarded", "for=192.0.2.1;for=203.0.113.7")],
            &[("forwarded", "for=\"203.0.113.7")],
            &[("forwarded", "for=\", for=203.0.113.7")],
            &[("forwarded", "for=\"\\\", for=\"203.0.113.7\"")],
        ],
        &expect![[r#"
            x-forwarded-for:  -> unknown, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: unknown -> unknown, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: 203.0.113.7, unknown -> unknown, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: unknown, 203.0.113.7 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            x-forwarded-for: 203.0.113.7, -> unknown, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: localhost -> unknown, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: 203.0.113.7:port -> unknown, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: 203.0.113.007 -> unknown, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: fe80::1%eth0 -> unknown, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: 203.0.113.7/32 -> unknown, counted 127.0.0.1, TrustedProxy
            x-forwarded-for: bücher -> unknown, counted 127.0.0.1, TrustedProxy
            forwarded: by=203.0.113.7 -> unknown, counted 127.0.0.1, TrustedProxy
            forwarded: for=_hidden -> unknown, counted 127.0.0.1, TrustedProxy
            forwarded: for=192.0.2.1;for=203.0.113.7 -> unknown, counted 127.0.0.1, TrustedProxy
            forwarded: for="203.0.113.7 -> unknown, counted 127.0.0.1, TrustedProxy
            forwarded: for=", for=203.0.113.7 -> unknown, counted 127.0.0.1, TrustedProxy
            forwarded: for="\", for="203.0.113.7" -> unknown, counted 127.0.0.1, TrustedProxy
        "#]],
    );
}

#[test]
fn forwarded_is_read_as_the_rfc_writes_it() {
    check(
        "127.0.0.1",
        &[
            &[("forwarded", "for=203.0.113.7")],
            &[("forwarded", "For=\"203.0.113.7:47011\"")],
            &[("forwarded", "FOR=\"[2001:db8:cafe::17]:4711\"")],
            &[("forwarded", "for=\"[2001:db8:cafe::17]\"")],
            &[("forwarded", "for=203.0.113.7;proto=https;by=10.0.0.1")],
            &[("forwarded", "proto=https; for=203.0.113.7 ;host=\"a,b;for=192.0.2.1\"")],
            &[("forwarded", "for=192.0.2.1, for=203.0.113.7, for=10.0.0.1")],
            &[("forwarded", "for=192.0.2.1"), ("forwarded", "for=203.0.113.7")],
            &[("forwarded", "for=\"x"), ("forwarded", "for=203.0.113.7")],
        ],
        &expect![[r#"
            forwarded: for=203.0.113.7 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            forwarded: For="203.0.113.7:47011" -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            forwarded: FOR="[2001:db8:cafe::17]:4711" -> 2001:db8:cafe::17, counted 2001:db8:cafe::17, TrustedProxy
            forwarded: for="[2001:db8:cafe::17]" -> 2001:db8:cafe::17, counted 2001:db8:cafe::17, TrustedProxy
            forwarded: for=203.0.113.7;proto=https;by=10.0.0.1 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            forwarded: proto=https; for=203.0.113.7 ;host="a,b;for=192.0.2.1" -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            forwarded: for=192.0.2.1, for=203.0.113.7, for=10.0.0.1 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            forwarded: for=192.0.2.1 | forwarded: for=203.0.113.7 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            forwarded: for="x | forwarded: for=203.0.113.7 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
        "#]],
    );
}

#[test]
fn two_headers_must_agree() {
    check(
        "127.0.0.1",
        &[
            &[("forwarded", "for=203.0.113.7"), ("x-forwarded-for", "203.0.113.7")],
            &[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "203.0.113.7")],
            &[("forwarded", "for=nonsense"), ("x-forwarded-for", "203.0.113.7")],
            &[("forwarded", "for=203.0.113.7"), ("x-forwarded-for", "")],
        ],
        &expect![[r"
            forwarded: for=203.0.113.7 | x-forwarded-for: 203.0.113.7 -> 203.0.113.7, counted 203.0.113.7, TrustedProxy
            forwarded: for=192.0.2.1 | x-forwarded-for: 203.0.113.7 -> unknown, counted 127.0.0.1, TrustedProxy
            forwarded: for=nonsense | x-forwarded-for: 203.0.113.7 -> unknown, counted 127.0.0.1, TrustedProxy
            forwarded: for=203.0.113.7 | x-forwarded-for:  -> unknown, counted 127.0.0.1, TrustedProxy
        "]],
    );
}

#[test]
fn a_chain_longer_than_any_real_one_is_unknown() {
    let chain = |hops: usize| format!("203.0.113.7{}", ", 10.0.0.1".repeat(hops));
    let see = |hops| {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_str(&chain(hops)).unwrap());
        seen(IpAddr::from([10, 0, 0, 2]), &headers, &["10.0.0.0/8".parse().unwrap()]).address
    };
    assert_eq!(see(MOST_HOPS), Some(CLIENT.parse().unwrap()));
    assert_eq!(see(MOST_HOPS + 1), None);
}

#[test]
fn a_network_is_an_ipv4_address_or_an_ipv6_site() {
    let networks = ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1:2:3:4:5:6", "::1"];
    let shown = networks.map(|address| network(address.parse().unwrap()).to_string());
    assert_eq!(shown, ["192.0.2.1", "192.0.2.1", "2001:db8:1:2::/64", "::/64"]);
}

#[test]
fn a_web_page_cannot_lend_the_address_of_its_reader() {
    let headers = [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "none"),
        ("sec-fetch-mode", "cors"),
        ("user-agent", "Mozilla/5.0"),
    ];
    let table = headers.map(|(name, value)| {
        let headers: HeaderMap = [(name.parse().unwrap(), HeaderValue::from_static(value))]
            .into_iter()
            .collect();
        let seen = seen(CLIENT.parse().unwrap(), &headers, &[]).of_program(&headers);
        format!(
            "{name}: {value} -> {:?}, counted {}, {}\n",
            seen.address,
            seen.counted,
            seen.via.as_str()
        )
    });
    // Programs of Node send `Sec-Fetch-Mode` too.
    expect![[r"
        origin: https://evil.example -> None, counted 203.0.113.7, browser
        origin: null -> None, counted 203.0.113.7, browser
        sec-fetch-site: cross-site -> None, counted 203.0.113.7, browser
        sec-fetch-site: none -> None, counted 203.0.113.7, browser
        sec-fetch-mode: cors -> Some(203.0.113.7), counted 203.0.113.7, direct
        user-agent: Mozilla/5.0 -> Some(203.0.113.7), counted 203.0.113.7, direct
    "]]
    .assert_eq(&table.concat());
}
