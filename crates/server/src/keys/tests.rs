use std::sync::LazyLock;

use protocol::jwk::{Algorithm, Jwks};
use protocol::jwt::Unverified;
use protocol::refusal::Refusal;
use protocol::secret::Entropy;
use protocol::time::{Lifetime, Timestamp};
use serde_json::{Value, json};

use super::ring::KeyState;
use super::*;
use crate::entropy::EntropySource;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const TOKEN_LIFE: Lifetime = Lifetime::from_seconds(600);

fn keys(byte: u8) -> DerivedKeys {
    DerivedKeys::new(&MasterKey::from_entropy(&Entropy([byte; 32]))).unwrap()
}

/// The rows of a database, and what a batch does to them.
struct Rows {
    rows: Vec<SealedKey>,
    chance: EntropySource,
}

impl Rows {
    /// RSA keys take their time: one first start serves all tests.
    fn first_start() -> Self {
        static MADE: LazyLock<Vec<SealedKey>> = LazyLock::new(|| {
            let mut rows = Rows::of(vec![]);
            let lacking = rows.ring().lacking();
            rows.add(&lacking);
            rows.rows
        });
        Self::of(MADE.clone())
    }

    fn of(rows: Vec<SealedKey>) -> Self {
        Self {
            rows,
            chance: EntropySource::seeded(1),
        }
    }

    fn ring(&self) -> KeyRing {
        KeyRing::open(&self.rows, &keys(1)).unwrap()
    }

    fn add(&mut self, needed: &[(Algorithm, KeyState)]) {
        for &needed in needed {
            let row = new_key(needed, NOW, &keys(1), &self.chance.draw()).unwrap();
            self.rows.push(row);
        }
    }

    fn rotate(&mut self, now: Timestamp) {
        let rotation = self.ring().rotate(now, TOKEN_LIFE);
        for change in &rotation.changes {
            let row = self.rows.iter_mut().find(|row| row.kid == change.kid).unwrap();
            assert_eq!(row.state, change.from.as_str());
            row.state = change.to.as_str().to_owned();
            row.retires_at = change.retires_at;
        }
        self.add(&rotation.needed);
    }

    /// `alg state` of every key in the JWKS, in its order.
    fn published(&self) -> Vec<String> {
        let jwks = self.ring().jwks();
        let state = |kid: &Value| &self.rows.iter().find(|row| *kid == row.kid).unwrap().state;
        let keys = jwks["keys"].as_array().unwrap().iter();
        keys.map(|key| format!("{} {}", key["alg"].as_str().unwrap(), state(&key["kid"])))
            .collect()
    }
}

fn header(token: &str) -> Value {
    let (header, _) = token.split_once('.').unwrap();
    serde_json::from_slice(&protocol::base64url::decode(header).unwrap()).unwrap()
}

/// Checks a token as a resource server does: with the published JWKS and nothing else.
fn verifies(token: &str, jwks: &Value) -> bool {
    let Ok(unverified) = Unverified::parse(token) else {
        return false;
    };
    let header = unverified.header();
    Jwks::parse(jwks)
        .unwrap()
        .candidates(header.kid.as_deref(), header.alg)
        .any(|key| unverified.verify(key, &SIGNING_ALGORITHMS).is_ok())
}

#[test]
fn a11_every_algorithm_signs_a_typed_token_that_its_published_key_verifies() {
    let rows = Rows::first_start();
    let ring = rows.ring();
    let jwks = ring.jwks();
    for algorithm in SIGNING_ALGORITHMS {
        let token = ring.sign_jwt(algorithm, "at+jwt", &json!({"sub": "s"})).unwrap();
        let header = header(&token);
        assert_eq!(header["typ"], "at+jwt");
        assert_eq!(header["alg"], algorithm.as_str());
        assert!(verifies(&token, &jwks));
    }
    assert!(matches!(
        ring.sign_jwt(Algorithm::Ps256, "at+jwt", &json!({})),
        Err(KeyFault::NoKey("PS256"))
    ));
}

#[test]
fn the_jwks_holds_public_members_only_and_names_every_key_by_its_thumbprint() {
    let jwks = Rows::first_start().ring().jwks();
    for key in jwks["keys"].as_array().unwrap() {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private}");
        }
        let public = protocol::jwk::PublicJwk::parse(key).unwrap();
        assert_eq!(key["kid"], public.thumbprint());
        assert_eq!(key["use"], "sig");
    }
}

#[test]
fn the_first_start_makes_a_key_that_signs_and_a_next_one_for_each_algorithm() {
    let rows = Rows::first_start();
    assert_eq!(rows.ring().lacking(), []);
    assert_eq!(
        rows.published(),
        [
            "ES256 active",
            "RS256 active",
            "EdDSA active",
            "ES256 next",
            "RS256 next",
            "EdDSA next"
        ]
    );
}

#[test]
fn a_rotation_signs_with_a_key_that_was_published_before() {
    let mut rows = Rows::first_start();
    let cached = rows.ring().jwks();
    rows.rotate(NOW);
    for algorithm in SIGNING_ALGORITHMS {
        let token = rows.ring().sign_jwt(algorithm, "at+jwt", &json!({})).unwrap();
        assert!(verifies(&token, &cached), "{algorithm:?}");
    }
}

#[test]
fn a_token_signed_just_before_a_rotation_verifies_until_it_ends() {
    let mut rows = Rows::first_start();
    let token = rows.ring().sign_jwt(Algorithm::Es256, "at+jwt", &json!({})).unwrap();
    rows.rotate(NOW);
    let newer = rows.ring().sign_jwt(Algorithm::Es256, "at+jwt", &json!({})).unwrap();
    assert_ne!(header(&token)["kid"], header(&newer)["kid"]);
    assert!(verifies(&token, &rows.ring().jwks()));

    let retires_at = NOW + TOKEN_LIFE + Lifetime::from_seconds(3600);
    let retiring: Vec<_> = rows.rows.iter().filter(|row| row.retires_at.is_some()).collect();
    assert!(retiring.iter().all(|row| row.retires_at == Some(retires_at)));
    assert_eq!(retiring.len(), 3);
    rows.rows.retain(|row| row.retires_at.is_none());
    assert!(!verifies(&token, &rows.ring().jwks()));
    assert!(verifies(&newer, &rows.ring().jwks()));
}

const ISSUER: &str = "https://server.example";

fn access_claims() -> Value {
    json!({"iss": ISSUER, "exp": NOW.seconds() + 600, "sub": "s"})
}

#[test]
fn a14_an_access_token_of_ours_is_read_until_it_ends() {
    let mut rows = Rows::first_start();
    for algorithm in SIGNING_ALGORITHMS {
        let token = rows.ring().sign_jwt(algorithm, "at+jwt", &access_claims()).unwrap();
        let claims = rows.ring().verify_access_token(&token, ISSUER, NOW).unwrap();
        assert_eq!(claims["sub"], "s");
        let end = NOW + TOKEN_LIFE;
        let just_before = end - Lifetime::from_millis(1);
        assert!(rows.ring().verify_access_token(&token, ISSUER, just_before).is_ok());
        assert_eq!(
            rows.ring().verify_access_token(&token, ISSUER, end),
            Err(Refusal::TokenInvalid)
        );
        rows.rotate(NOW);
        assert!(
            rows.ring().verify_access_token(&token, ISSUER, NOW).is_ok(),
            "after a rotation"
        );
    }
}

#[test]
fn a14_what_is_no_access_token_of_ours_is_refused() {
    let rows = Rows::first_start();
    let ring = rows.ring();
    let verdict = |typ: &str, claims: &Value| {
        let token = ring.sign_jwt(Algorithm::Es256, typ, claims).unwrap();
        ring.verify_access_token(&token, ISSUER, NOW).map(|_| ())
    };
    assert_eq!(verdict("at+jwt", &access_claims()), Ok(()));
    for typ in ["JWT", "dpop+jwt", ""] {
        assert_eq!(verdict(typ, &access_claims()), Err(Refusal::TokenInvalid), "{typ}");
    }
    for (name, value) in [
        ("iss", json!("https://other.example")),
        ("iss", json!([ISSUER])),
        ("iss", json!(null)),
        ("exp", json!((NOW.seconds() + 600).to_string())),
        ("exp", json!(null)),
    ] {
        let mut claims = access_claims();
        claims[name] = value.clone();
        assert_eq!(verdict("at+jwt", &claims), Err(Refusal::TokenInvalid), "{name} {value}");
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(verdict("at+jwt", &claims), Err(Refusal::TokenInvalid), "without {name}");
    }
}

#[test]
fn a14_a_token_by_another_servers_key_or_by_one_it_brings_is_refused() {
    let ours = Rows::first_start().ring();
    let foreign = SigningKey::generate(Algorithm::Es256).unwrap();
    let token = foreign.sign_jwt("at+jwt", &access_claims()).unwrap();
    assert_eq!(
        ours.verify_access_token(&token, ISSUER, NOW),
        Err(Refusal::TokenInvalid)
    );

    // Signed by the stranger, under the kid of our key and with the stranger's key beside it.
    let kid = ours.jwks()["keys"][0]["kid"].clone();
    let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid, "jwk": foreign.public_value()});
    let input = protocol::jwt::signing_input(&header, &access_claims());
    let signature = protocol::base64url::encode(&foreign.sign(input.as_bytes()).unwrap());
    let forged = format!("{input}.{signature}");
    assert_eq!(
        ours.verify_access_token(&forged, ISSUER, NOW),
        Err(Refusal::TokenInvalid)
    );
    for token in ["", "a.b.c", &token.replace('.', "")] {
        assert_eq!(ours.verify_access_token(token, ISSUER, NOW), Err(Refusal::TokenInvalid));
    }
}

#[test]
fn a_rotation_leaves_one_active_and_one_next_key_for_each_algorithm() {
    let mut rows = Rows::first_start();
    rows.rotate(NOW);
    assert_eq!(rows.ring().lacking(), []);
    assert_eq!(
        rows.published(),
        [
            "ES256 active",
            "RS256 active",
            "EdDSA active",
            "ES256 next",
            "RS256 next",
            "EdDSA next",
            "ES256 retiring",
            "RS256 retiring",
            "EdDSA retiring"
        ]
    );
}

#[test]
fn without_a_next_key_the_active_one_goes_on() {
    let mut rows = Rows::first_start();
    rows.rows.retain(|row| row.state != "next");
    let rotation = rows.ring().rotate(NOW, TOKEN_LIFE);
    assert_eq!(rotation.changes, []);
    assert_eq!(rotation.needed, rows.ring().lacking());
}

#[test]
fn rows_of_another_key_file_and_rows_that_were_changed_do_not_open() {
    let rows = Rows::first_start().rows;
    assert!(matches!(KeyRing::open(&rows, &keys(2)), Err(KeyFault::Sealed)));

    let open = |change: fn(&mut SealedKey, &SealedKey)| {
        let mut changed = rows.clone();
        change(&mut changed[0], &rows[1]);
        KeyRing::open(&changed, &keys(1)).map(|_| ())
    };
    assert!(open(|_, _| {}).is_ok());
    assert!(matches!(
        open(|row, other| row.sealed.clone_from(&other.sealed)),
        Err(KeyFault::Sealed)
    ));
    assert!(matches!(
        open(|row, other| row.kid.clone_from(&other.kid)),
        Err(KeyFault::Sealed)
    ));
    for change in [
        (|row, _| row.alg = "EdDSA".into()) as fn(&mut SealedKey, &SealedKey),
        |row, _| row.alg = "PS256".into(),
        |row, _| row.alg = "none".into(),
        |row, _| row.state = "unknown".into(),
        |row, _| row.state = "retiring".into(),
        |row, _| row.retires_at = Some(NOW),
    ] {
        assert!(matches!(open(change), Err(KeyFault::RowMalformed(_))));
    }
}

#[test]
fn no_row_holds_a_private_key_in_the_clear() {
    for row in Rows::first_start().rows {
        let sealed = protocol::base64url::decode(&row.sealed).unwrap();
        // Every PKCS #8 text begins so: a sequence, then version 0 or 1.
        let has_pkcs8 = sealed.windows(3).any(|bytes| bytes == [0x02, 0x01, 0x00]) && sealed.starts_with(&[0x30]);
        assert!(!has_pkcs8);
        let opened = keys(1).open("signing key", &row.kid, &row.sealed).unwrap();
        assert!(
            !sealed
                .windows(16)
                .any(|window| opened.windows(16).any(|plain| plain == window))
        );
    }
}
