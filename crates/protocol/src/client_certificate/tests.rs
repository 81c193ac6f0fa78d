use expect_test::expect;
use serde_json::json;

use super::*;

/// See `testdata/make.py`: all valid for a hundred years from 2024, but `expired` and `future`.
fn certificate(name: &str) -> String {
    let mut lines = include_str!("testdata/certificates.txt").lines();
    let named = lines.find_map(|line| line.strip_prefix(&format!("{name} ")));
    named.unwrap_or_else(|| panic!("no certificate {name}")).to_owned()
}

fn x5c(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| certificate(name)).collect()
}

fn chain(names: &[&str]) -> Vec<CertificateDer<'static>> {
    ders(&x5c(names)).into_iter().map(CertificateDer::from).collect()
}

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DNS: (&str, &str) = ("san_dns", "svc.example.org");

fn named(shown: &[&str], (kind, text): (&str, &str), authorities: &[&str]) -> &'static str {
    let expected = ExpectedName::parse(kind, text).unwrap();
    let judged = judge_named(&chain(shown), &expected, &x5c(authorities), NOW);
    let refusal = judged.err().map(|_| Refusal::ClientAuthenticationFailed);
    assert_eq!(
        verify_named(&chain(shown), &expected, &x5c(authorities), NOW).err(),
        refusal
    );
    judged.map_or_else(|flaw| flaw.0, |()| "accepted")
}

#[test]
fn p30_a_chain_counts_by_its_own_authority_its_time_and_its_use() {
    let mut table = String::new();
    for (shown, authorities) in [
        (&["svc"][..], &["authority"][..]),
        (&["renewed"], &["authority"]),
        (&["any_usage"], &["authority"]),
        (&["svc"], &["other_authority", "authority"]),
        (&["of_intermediate", "intermediate"], &["authority"]),
        (&["of_intermediate"], &["authority"]),
        (&["foreign"], &["authority"]),
        (&["foreign", "other_authority"], &["authority"]),
        (&["self"], &["authority"]),
        (&["svc"], &[]),
        (&[], &["authority"]),
        (&["expired"], &["authority"]),
        (&["future"], &["authority"]),
        (&["server_only"], &["authority"]),
        (&["signing"], &["authority"]),
        // Only the first is anybody's: what comes behind it is a chain.
        (&["other", "svc"], &["authority"]),
    ] {
        let verdict = named(shown, DNS, authorities);
        table += &format!("{:29} by {:26} {verdict}\n", shown.join(" "), authorities.join(" "));
    }
    expect![[r#"
        svc                           by authority                  accepted
        renewed                       by authority                  accepted
        any_usage                     by authority                  accepted
        svc                           by other_authority authority  accepted
        of_intermediate intermediate  by authority                  accepted
        of_intermediate               by authority                  the chain does not lead to these authorities now
        foreign                       by authority                  the chain does not lead to these authorities now
        foreign other_authority       by authority                  the chain does not lead to these authorities now
        self                          by authority                  the chain does not lead to these authorities now
        svc                           by                            the chain does not lead to these authorities now
                                      by authority                  no certificate
        expired                       by authority                  the chain does not lead to these authorities now
        future                        by authority                  the chain does not lead to these authorities now
        server_only                   by authority                  the chain does not lead to these authorities now
        signing                       by authority                  the chain does not lead to these authorities now
        other svc                     by authority                  the certificate is another's
    "#]]
    .assert_eq(&table);
}

#[test]
fn p30_a_name_is_one_whole_value_of_its_own_kind() {
    let all = [
        "svc", "no_sans", "wildcard", "longer", "capitals", "nul", "kinds", "mapped", "other",
    ];
    let mut table = String::new();
    for (kind, text) in [
        DNS,
        ("san_dns", "SVC.example.org"),
        ("san_dns", "192.0.2.7"),
        ("san_uri", "urn:acme:svc"),
        ("san_uri", "urn:acme:SVC"),
        ("san_ip", "192.0.2.7"),
        ("san_ip", "2001:DB8::7"),
        ("san_ip", "::ffff:192.0.2.7"),
        ("san_email", "svc@example.org"),
        ("san_email", "svc@EXAMPLE.org"),
    ] {
        let verdicts = all.map(|shown| (shown, named(&[shown], (kind, text), &["authority"])));
        let accepted = verdicts.iter().filter(|(_, verdict)| *verdict == "accepted");
        let mut accepted: Vec<&str> = accepted.map(|(shown, _)| *shown).collect();
        if accepted.is_empty() {
            accepted.push("nobody");
        }
        table += &format!("{kind:9} {text:17} {}\n", accepted.join(" or "));
    }
    expect![[r#"
        san_dns   svc.example.org   svc or capitals
        san_dns   SVC.example.org   svc or capitals
        san_dns   192.0.2.7         kinds
        san_uri   urn:acme:svc      svc
        san_uri   urn:acme:SVC      nobody
        san_ip    192.0.2.7         svc
        san_ip    2001:DB8::7       svc
        san_ip    ::ffff:192.0.2.7  mapped
        san_email svc@example.org   svc
        san_email svc@EXAMPLE.org   nobody
    "#]]
    .assert_eq(&table);
}

#[test]
fn p30_a_distinguished_name_is_compared_by_what_it_says() {
    let all = [
        "svc",
        "dn_utf8",
        "dn_printable",
        "dn_bmp",
        "dn_reversed",
        "dn_capitals",
        "dn_longer",
        "dn_comma",
        "dn_nul",
        "dn_several",
        "dn_dotted",
    ];
    let mut table = String::new();
    for text in [
        "CN=svc,O=Acme,C=CH",
        "cn = svc , 2.5.4.10=Acme, C=\\43H",
        "C=CH,O=Acme,CN=svc",
        "CN=svc,O=Acme",
        "O=Acme\\,CN\\=svc,C=CH",
        "UID=7+CN=svc",
        "CN=svc,UID=7",
        "CN=Schmidt\\, L\\C3\\BCthi,1.2.3.4=x",
        "CN=Schmidt\\2c Lüthi,1.2.3.4=x",
        "CN=svc\\00evil,O=Acme,C=CH",
    ] {
        let verdicts = all.map(|shown| (shown, named(&[shown], ("subject_dn", text), &["authority"])));
        let accepted = verdicts.iter().filter(|(_, verdict)| *verdict == "accepted");
        let mut accepted: Vec<&str> = accepted.map(|(shown, _)| *shown).collect();
        if accepted.is_empty() {
            accepted.push("nobody");
        }
        table += &format!("{text:34} {}\n", accepted.join(" or "));
    }
    expect![[r#"
        CN=svc,O=Acme,C=CH                 svc
        cn = svc , 2.5.4.10=Acme, C=\43H   svc
        C=CH,O=Acme,CN=svc                 dn_reversed
        CN=svc,O=Acme                      dn_utf8 or dn_printable
        O=Acme\,CN\=svc,C=CH               dn_comma
        UID=7+CN=svc                       dn_several
        CN=svc,UID=7                       nobody
        CN=Schmidt\, L\C3\BCthi,1.2.3.4=x  dn_dotted
        CN=Schmidt\2c Lüthi,1.2.3.4=x      dn_dotted
        CN=svc\00evil,O=Acme,C=CH          dn_nul
    "#]]
    .assert_eq(&table);
}

#[test]
fn p30_what_can_be_read_in_two_ways_is_not_registered() {
    let mut table = String::new();
    for (kind, text) in [
        ("subject_dn", ""),
        ("subject_dn", "svc"),
        ("subject_dn", "CN="),
        ("subject_dn", "CN=  "),
        ("subject_dn", "CN=svc,"),
        ("subject_dn", "CN=svc\\"),
        ("subject_dn", "CN=\\zz"),
        ("subject_dn", "CN=#0c03737663"),
        ("subject_dn", "CN=\"svc\""),
        ("subject_dn", "CN=a;O=b"),
        ("subject_dn", "/C=CH/CN=svc"),
        ("subject_dn", "CN=\\FF"),
        ("san_dns", ""),
        ("san_dns", "*.example.org"),
        ("san_dns", "svc.example.org\0"),
        ("san_dns", "bücher.example"),
        ("san_uri", "svc"),
        ("san_ip", "192.0.2.7/32"),
        ("san_email", "svc"),
        ("san_other", "svc@example.org"),
    ] {
        let flaw = ExpectedName::parse(kind, text).unwrap_err();
        table += &format!("{kind:10} {:18} {flaw}\n", format!("{text:?}"));
    }
    expect![[r#"
        subject_dn ""                 a distinguished name has a form such as CN=svc,O=Acme,C=CH
        subject_dn "svc"              a distinguished name has a form such as CN=svc,O=Acme,C=CH
        subject_dn "CN="              a value of the distinguished name is empty, or not UTF-8
        subject_dn "CN=  "            a value of the distinguished name is empty, or not UTF-8
        subject_dn "CN=svc,"          a distinguished name has a form such as CN=svc,O=Acme,C=CH
        subject_dn "CN=svc\\"         the distinguished name ends in a backslash
        subject_dn "CN=\\zz"          an escape in the distinguished name is none of RFC 4514
        subject_dn "CN=#0c03737663"   an escape in the distinguished name is none of RFC 4514
        subject_dn "CN=\"svc\""       an escape in the distinguished name is none of RFC 4514
        subject_dn "CN=a;O=b"         an escape in the distinguished name is none of RFC 4514
        subject_dn "/C=CH/CN=svc"     an attribute of the distinguished name is not known; write its number
        subject_dn "CN=\\FF"          a value of the distinguished name is empty, or not UTF-8
        san_dns    ""                 a DNS name has letters, digits, dots and dashes; no wildcard
        san_dns    "*.example.org"    a DNS name has letters, digits, dots and dashes; no wildcard
        san_dns    "svc.example.org\0" a DNS name has letters, digits, dots and dashes; no wildcard
        san_dns    "bücher.example"   a DNS name has letters, digits, dots and dashes; no wildcard
        san_uri    "svc"              not a URI
        san_ip     "192.0.2.7/32"     not an IP address
        san_email  "svc"              not an address of mail
        san_other  "svc@example.org"  the kind is subject_dn, san_dns, san_uri, san_ip or san_email
    "#]]
    .assert_eq(&table);
}

#[test]
fn p30_a_self_signed_certificate_counts_where_it_is_registered_byte_for_byte() {
    let mut table = String::new();
    for (shown, registered) in [
        (&["self"][..], &["self"][..]),
        (&["self"], &["self_renewed", "self"]),
        (&["self_authority"], &["self_authority"]),
        (&["self_renewed"], &["self"]),
        (&["self_renewed", "self"], &["self"]),
        (&["svc"], &["self"]),
        (&["svc"], &["authority"]),
        (&["self"], &[]),
        (&[], &["self"]),
        (&["self_expired"], &["self_expired"]),
        (&["self_future"], &["self_future"]),
        (&["self_server_only"], &["self_server_only"]),
    ] {
        let judged = judge_registered(&chain(shown), &x5c(registered), NOW);
        let refusal = judged.err().map(|_| Refusal::ClientAuthenticationFailed);
        assert_eq!(verify_registered(&chain(shown), &x5c(registered), NOW).err(), refusal);
        let verdict = judged.map_or_else(|flaw| flaw.0, |()| "accepted");
        table += &format!("{:17} of {:17} {verdict}\n", shown.join(" "), registered.join(" "));
    }
    expect![[r#"
        self              of self              accepted
        self              of self_renewed self accepted
        self_authority    of self_authority    accepted
        self_renewed      of self              the certificate is not registered
        self_renewed self of self              the certificate is not registered
        svc               of self              the certificate is not registered
        svc               of authority         the certificate is not registered
        self              of                   the certificate is not registered
                          of self              no certificate
        self_expired      of self_expired      the certificate is not valid now
        self_future       of self_future       the certificate is not valid now
        self_server_only  of self_server_only  the certificate is for something else
    "#]]
    .assert_eq(&table);
}

#[test]
fn p31_the_thumbprint_is_of_the_leaf() {
    let alone = thumbprint(&chain(&["of_intermediate"]));
    assert_eq!(thumbprint(&chain(&["of_intermediate", "intermediate"])), alone);
    assert_ne!(thumbprint(&chain(&["intermediate"])), alone);
    assert_eq!(alone.unwrap().len(), 43);
    assert_eq!(thumbprint(&[]), None);
}

#[test]
fn p30_certificates_are_registered_as_pem_or_as_a_key_set() {
    let own = certificate("self");
    let pem = format!("-----BEGIN CERTIFICATE-----\n{own}\n-----END CERTIFICATE-----\n");
    assert_eq!(to_register(&pem).unwrap(), std::slice::from_ref(&own));
    assert_eq!(to_register(&(pem.clone() + &pem)).unwrap().len(), 2);
    let set = json!({ "keys": [{ "kty": "EC", "x5c": [own] }] });
    assert_eq!(to_register(&set.to_string()).unwrap(), [own]);
    for (wrong, flaw) in [
        ("", "there have to be 1 to 16 certificates"),
        ("not PEM", "there have to be 1 to 16 certificates"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "a certificate cannot be read",
        ),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "not well-formed PEM"),
        (&pem.repeat(17), "there have to be 1 to 16 certificates"),
        (r#"{"keys": [{"kty": "EC"}]}"#, "a key of the set has no x5c"),
        (r#"{"keys": [{"x5c": ["AAAA"]}]}"#, "a certificate cannot be read"),
        ("{}", "not a JWK set"),
        (r#"{"keys": []}"#, "there have to be 1 to 16 certificates"),
    ] {
        assert_eq!(to_register(wrong).unwrap_err().0, flaw, "{wrong}");
    }
}

/// RFC 8705 appendix A.
#[test]
fn p31_the_vector_of_the_rfc() {
    let der = STANDARD
        .decode(concat!(
            "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx",
            "ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG",
            "SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ",
            "/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID",
            "SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV",
            "bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY="
        ))
        .unwrap();
    assert_eq!(
        thumbprint(&[CertificateDer::from(der)]).unwrap(),
        "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"
    );
}
