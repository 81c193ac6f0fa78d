use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use proptest::prelude::*;

use super::*;
use crate::jwt::tests::TestKey;

const ORIGIN: &str = "https://server.example";
const UP_UV: u8 = 0x05;

fn relying_party() -> RelyingParty {
    RelyingParty {
        origin: ORIGIN.into(),
        rp_id: "server.example".into(),
    }
}

fn decision() -> Decision {
    Decision {
        request_digest: Digest::of(b"a request"),
        granted: Granted {
            scope: Scope::parse("read write").unwrap(),
            resource: vec!["https://api.example".into()],
            authorization_details: Details::default(),
            expires_at: 1_700_003_600,
        },
        approver: "apr_1".into(),
        nonce: "n-1".into(),
    }
}

/// Every way in which a decision can be another one.
fn other_decisions() -> Vec<(&'static str, Decision)> {
    let change = |name, change: fn(&mut Decision)| {
        let mut other = decision();
        change(&mut other);
        (name, other)
    };
    vec![
        change("another request", |d| d.request_digest = Digest::of(b"another request")),
        change("another approver", |d| d.approver = "apr_2".into()),
        change("another nonce", |d| d.nonce = "n-2".into()),
        change("a wider scope", |d| {
            d.granted.scope = Scope::parse("admin read write").unwrap();
        }),
        change("a narrower scope", |d| d.granted.scope = Scope::parse("read").unwrap()),
        change("a later end", |d| d.granted.expires_at += 1),
        change("another resource", |d| {
            d.granted.resource = vec!["https://api2.example".into()];
        }),
        change("one resource more", |d| {
            d.granted.resource.push("https://api2.example".into());
        }),
        change("no resource", |d| d.granted.resource.clear()),
        change("details", |d| {
            d.granted.authorization_details = serde_json::from_value(json!([{"type": "payment"}])).unwrap();
        }),
    ]
}

/// An authenticator by hand: no library that could repair what a test breaks.
struct Authenticator {
    pair: EcdsaKeyPair,
    client_data: Value,
    bytes: Vec<u8>,
}

impl Authenticator {
    fn new(decision: &Decision) -> Self {
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            client_data: json!({
                "type": "webauthn.get", "challenge": decision.challenge().unwrap(), "origin": ORIGIN, "crossOrigin": false
            }),
            bytes: authenticator_data("server.example", UP_UV, 7),
        }
    }

    fn key(&self) -> PublicJwk {
        PublicJwk::p256(self.pair.public_key().as_ref()).unwrap()
    }

    fn stored(&self, sign_count: Option<u32>) -> StoredKey {
        StoredKey::Passkey {
            public_key: self.key(),
            sign_count,
            is_hardware: false,
        }
    }

    fn assert(&self) -> Evidence {
        self.assert_over(self.client_data.to_string().as_bytes())
    }

    fn assert_over(&self, client_data_json: &[u8]) -> Evidence {
        let client_data_hash = digest(&SHA256, client_data_json);
        let message = [self.bytes.as_slice(), client_data_hash.as_ref()].concat();
        let signature = self.pair.sign_digest(&digest(&SHA256, &message)).unwrap();
        Evidence::Passkey {
            credential_id: "Y3JlZA".into(),
            public_key: self.key().to_value(),
            authenticator_data: base64url::encode(&self.bytes),
            client_data_json: base64url::encode(client_data_json),
            signature: base64url::encode(signature.as_ref()),
        }
    }

    fn verdict(&self) -> Result<Checked, Refusal> {
        check(&decision(), &self.assert(), &relying_party(), &self.stored(Some(6)))
    }
}

fn authenticator_data(rp_id: &str, flags: u8, counter: u32) -> Vec<u8> {
    let mut bytes = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
    bytes.push(flags);
    bytes.extend_from_slice(&counter.to_be_bytes());
    bytes
}

fn software_evidence(key: &TestKey, decision: &Decision) -> Evidence {
    let signature = key.sign(Algorithm::Es256, decision.canonical().unwrap().as_bytes());
    Evidence::SoftwareKey {
        thumbprint: key.public().thumbprint(),
        public_key: key.public().to_value(),
        signature: base64url::encode(&signature),
    }
}

fn software_stored(key: &TestKey) -> StoredKey {
    StoredKey::Software {
        public_key: key.public(),
    }
}

const INVALID: Result<Checked, Refusal> = Err(Refusal::DecisionInvalid);

#[test]
fn the_canonical_form_is_fixed() {
    assert_eq!(
        decision().canonical().unwrap(),
        concat!(
            r#"{"approver":"apr_1","decision":"approve","granted":{"authorization_details":[],"expires_at":1700003600,"#,
            r#""resource":["https://api.example"],"scope":"read write"},"nonce":"n-1","#,
            r#""request_digest":"rwvypWLaviqB4LC0ejOlFbXoSVxy__IYr0wV8_Bm-kQ","type":"waypass-decision/1"}"#
        )
    );
}

#[test]
fn a_decision_reads_back_as_it_was_written_and_in_no_other_form() {
    let value = decision().to_value();
    assert_eq!(Decision::from_value(&value), Ok(decision()));

    let with = |path: &str, new: Value| {
        let mut changed = value.clone();
        *changed.pointer_mut(path).unwrap() = new;
        changed
    };
    let mut unknown_member = value.clone();
    unknown_member["extra"] = json!(1);
    let mut unknown_grant = value.clone();
    unknown_grant["granted"]["extra"] = json!(1);
    for changed in [
        with("/type", json!("waypass-decision/2")),
        with("/decision", json!("deny")),
        with("/granted/scope", json!("write read")),
        with("/granted/scope", json!("read  write")),
        with("/granted/expires_at", json!("1700003600")),
        with("/granted/resource", json!("https://api.example")),
        unknown_member,
        unknown_grant,
        json!([]),
    ] {
        assert_eq!(
            Decision::from_value(&changed),
            Err(Refusal::DecisionInvalid),
            "{changed}"
        );
    }
}

#[test]
fn a_passkeys_signature_over_the_decision_is_accepted() {
    let accepted = Authenticator::new(&decision()).verdict();
    assert_eq!(
        accepted,
        Ok(Checked {
            sign_count: 7,
            user_verified: true
        })
    );
}

#[test]
fn a_passkey_with_an_ed25519_or_rsa_key_is_accepted() {
    let authenticator = Authenticator::new(&decision());
    for (key, algorithm) in [
        (TestKey::ed25519(), Algorithm::EdDsa),
        (TestKey::rsa(), Algorithm::Rs256),
    ] {
        let client_data = authenticator.client_data.to_string();
        let message = [
            authenticator.bytes.as_slice(),
            digest(&SHA256, client_data.as_bytes()).as_ref(),
        ]
        .concat();
        let evidence = Evidence::Passkey {
            credential_id: "Y3JlZA".into(),
            public_key: key.public().to_value(),
            authenticator_data: base64url::encode(&authenticator.bytes),
            client_data_json: base64url::encode(client_data.as_bytes()),
            signature: base64url::encode(&key.sign(algorithm, &message)),
        };
        let stored = StoredKey::Passkey {
            public_key: key.public(),
            sign_count: Some(0),
            is_hardware: false,
        };
        assert!(check(&decision(), &evidence, &relying_party(), &stored).is_ok());
    }
}

#[test]
fn a_signature_over_one_decision_is_none_over_any_other() {
    let passkey = Authenticator::new(&decision());
    let software = TestKey::es256();
    let evidence = software_evidence(&software, &decision());
    for (name, other) in other_decisions() {
        let by_passkey = check(&other, &passkey.assert(), &relying_party(), &passkey.stored(None));
        assert_eq!(by_passkey, INVALID, "{name}");
        let by_software = check(&other, &evidence, &relying_party(), &software_stored(&software));
        assert_eq!(by_software, INVALID, "{name}");
    }
}

#[test]
fn every_changed_byte_of_a_passkeys_evidence_is_refused() {
    let authenticator = Authenticator::new(&decision());
    let good = serde_json::to_value(authenticator.assert()).unwrap();
    for name in ["authenticator_data", "client_data_json", "signature"] {
        let bytes = base64url::decode(good[name].as_str().unwrap()).unwrap();
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            let mut evidence = good.clone();
            evidence[name] = json!(base64url::encode(&changed));
            let evidence = Evidence::deserialize(&evidence).unwrap();
            let verdict = check(&decision(), &evidence, &relying_party(), &authenticator.stored(Some(0)));
            assert_eq!(verdict, INVALID, "{name}, byte {position}");
        }
    }
}

#[test]
fn client_data_of_another_ceremony_challenge_origin_or_frame_is_refused() {
    for (name, value) in [
        ("type", json!("webauthn.create")),
        ("type", json!("payment.get")),
        ("challenge", json!(base64url::encode(&[0; 32]))),
        ("challenge", json!(format!("{}=", decision().challenge().unwrap()))),
        ("origin", json!("https://server.example.evil.example")),
        ("origin", json!("https://server.example/")),
        ("origin", json!("http://server.example")),
        ("origin", json!("https://server.example:8443")),
        ("crossOrigin", json!(true)),
        ("crossOrigin", json!("false")),
        ("topOrigin", json!("https://evil.example")),
    ] {
        let mut authenticator = Authenticator::new(&decision());
        authenticator.client_data[name] = value.clone();
        assert_eq!(authenticator.verdict(), INVALID, "{name} {value}");
    }
    for name in ["type", "challenge", "origin"] {
        let mut authenticator = Authenticator::new(&decision());
        authenticator.client_data.as_object_mut().unwrap().remove(name);
        assert_eq!(authenticator.verdict(), INVALID, "without {name}");
    }
    let mut authenticator = Authenticator::new(&decision());
    authenticator.client_data.as_object_mut().unwrap().remove("crossOrigin");
    assert!(authenticator.verdict().is_ok(), "older browsers leave crossOrigin out");
}

#[test]
fn client_data_that_names_a_member_twice_is_refused() {
    let authenticator = Authenticator::new(&decision());
    let text = authenticator.client_data.to_string();
    let doubled = text.replacen('{', r#"{"origin":"https://evil.example","#, 1);
    let evidence = authenticator.assert_over(doubled.as_bytes());
    let verdict = check(&decision(), &evidence, &relying_party(), &authenticator.stored(None));
    assert_eq!(verdict, INVALID);
}

#[test]
fn another_relying_party_is_refused() {
    let mut authenticator = Authenticator::new(&decision());
    authenticator.bytes = authenticator_data("evil.example", UP_UV, 7);
    assert_eq!(authenticator.verdict(), INVALID);
}

#[test]
fn the_person_must_be_present_and_verified() {
    for flags in [0x00, 0x01, 0x04, 0x18] {
        let mut authenticator = Authenticator::new(&decision());
        authenticator.bytes = authenticator_data("server.example", flags, 7);
        assert_eq!(authenticator.verdict(), INVALID, "flags {flags:#x}");
    }
    let mut synced = Authenticator::new(&decision());
    synced.bytes = authenticator_data("server.example", 0x1d, 7);
    assert!(synced.verdict().is_ok(), "backup flags change nothing");
}

#[test]
fn authenticator_data_is_as_long_as_its_flags_say() {
    let good = authenticator_data("server.example", UP_UV, 7);
    for length in 0..good.len() {
        let mut authenticator = Authenticator::new(&decision());
        authenticator.bytes = good[..length].to_vec();
        assert_eq!(authenticator.verdict(), INVALID, "length {length}");
    }
    let mut longer = Authenticator::new(&decision());
    longer.bytes.push(0xa0);
    assert_eq!(longer.verdict(), INVALID, "a byte too many");
    longer.bytes = authenticator_data("server.example", UP_UV | 0x80, 7);
    longer.bytes.push(0xa0);
    assert!(longer.verdict().is_ok(), "extensions, announced");
}

#[test]
fn the_counter_grows_or_is_zero_for_ever() {
    let verdict = |now: u32, stored: Option<u32>| {
        let mut authenticator = Authenticator::new(&decision());
        authenticator.bytes = authenticator_data("server.example", UP_UV, now);
        let checked = check(
            &decision(),
            &authenticator.assert(),
            &relying_party(),
            &authenticator.stored(stored),
        );
        checked.map(|checked| checked.sign_count)
    };
    assert_eq!(verdict(7, Some(6)), Ok(7));
    assert_eq!(verdict(0, Some(0)), Ok(0));
    assert_eq!(verdict(1, Some(0)), Ok(1));
    assert_eq!(verdict(3, None), Ok(3));
    for (now, stored) in [(7, 7), (6, 7), (0, 1), (1, u32::MAX)] {
        assert_eq!(
            verdict(now, Some(stored)),
            Err(Refusal::DecisionInvalid),
            "{now} after {stored}"
        );
    }
}

#[test]
fn a_software_keys_signature_is_accepted_and_verifies_no_person() {
    let key = TestKey::es256();
    let verdict = check(
        &decision(),
        &software_evidence(&key, &decision()),
        &relying_party(),
        &software_stored(&key),
    );
    assert_eq!(
        verdict,
        Ok(Checked {
            sign_count: 0,
            user_verified: false
        })
    );
}

#[test]
fn every_changed_byte_of_a_software_keys_evidence_is_refused() {
    let key = TestKey::es256();
    let Evidence::SoftwareKey {
        thumbprint,
        public_key,
        signature,
    } = software_evidence(&key, &decision())
    else {
        unreachable!()
    };
    let verdict = |thumbprint: &str, public_key: &Value, signature: &[u8]| {
        let evidence = Evidence::SoftwareKey {
            thumbprint: thumbprint.to_owned(),
            public_key: public_key.clone(),
            signature: base64url::encode(signature),
        };
        check(&decision(), &evidence, &relying_party(), &software_stored(&key))
    };
    let bytes = base64url::decode(&signature).unwrap();
    assert!(verdict(&thumbprint, &public_key, &bytes).is_ok());
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        assert_eq!(verdict(&thumbprint, &public_key, &changed), INVALID, "byte {position}");
    }
    assert_eq!(verdict("other", &public_key, &bytes), INVALID);
    assert_eq!(
        verdict(&thumbprint, &TestKey::es256().public().to_value(), &bytes),
        INVALID
    );
    assert_eq!(verdict(&thumbprint, &json!({}), &bytes), INVALID);
}

#[test]
fn the_signature_is_by_the_stored_key_and_no_other() {
    let (one, other) = (Authenticator::new(&decision()), Authenticator::new(&decision()));
    let verdict = check(&decision(), &one.assert(), &relying_party(), &other.stored(None));
    assert_eq!(verdict, INVALID);

    let (one, other) = (TestKey::es256(), TestKey::es256());
    let evidence = software_evidence(&one, &decision());
    assert_eq!(
        check(&decision(), &evidence, &relying_party(), &software_stored(&other)),
        INVALID
    );
}

#[test]
fn a_software_key_that_signs_like_a_passkey_is_not_one() {
    let forger = Authenticator::new(&decision());
    let stored = StoredKey::Software {
        public_key: forger.key(),
    };
    assert_eq!(check(&decision(), &forger.assert(), &relying_party(), &stored), INVALID);
}

#[test]
fn a_passkeys_key_does_not_sign_as_software() {
    let key = TestKey::es256();
    let stored = StoredKey::Passkey {
        public_key: key.public(),
        sign_count: None,
        is_hardware: false,
    };
    let evidence = software_evidence(&key, &decision());
    assert_eq!(check(&decision(), &evidence, &relying_party(), &stored), INVALID);
}

#[test]
fn a_software_key_is_es256() {
    let key = TestKey::ed25519();
    let evidence = software_evidence(&key, &decision());
    assert_eq!(
        check(&decision(), &evidence, &relying_party(), &software_stored(&key)),
        INVALID
    );
}

#[test]
fn a_record_is_checked_without_the_server_and_a_changed_one_refused() {
    let authenticator = Authenticator::new(&decision());
    let software = TestKey::es256();
    for (evidence, key) in [
        (authenticator.assert(), authenticator.key()),
        (software_evidence(&software, &decision()), software.public()),
    ] {
        let record = DecisionRecord {
            decision: decision().to_value(),
            evidence,
            relying_party: relying_party(),
            key: key.to_value(),
        };
        let text = serde_json::to_string(&record).unwrap();
        let record: DecisionRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(verify_record(&record), Ok(()));

        for (name, other) in other_decisions() {
            let changed = DecisionRecord {
                decision: other.to_value(),
                ..record.clone()
            };
            assert_eq!(verify_record(&changed), Err(Refusal::DecisionInvalid), "{name}");
        }
        for key in [TestKey::es256().public().to_value(), json!({})] {
            let changed = DecisionRecord { key, ..record.clone() };
            assert_eq!(verify_record(&changed), Err(Refusal::DecisionInvalid));
        }
    }
}

#[test]
fn evidence_is_written_with_its_kind() {
    let software = TestKey::es256();
    let value = serde_json::to_value(software_evidence(&software, &decision())).unwrap();
    assert_eq!(value["kind"], "software-key");
    let value = serde_json::to_value(Authenticator::new(&decision()).assert()).unwrap();
    assert_eq!(value["kind"], "passkey");
}

proptest! {
    #[test]
    fn no_evidence_makes_the_check_panic(data in proptest::collection::vec(any::<u8>(), 0..80), text in ".{0,60}", signature in proptest::collection::vec(any::<u8>(), 0..80)) {
        let authenticator = Authenticator::new(&decision());
        for (data, client_data) in [(base64url::encode(&data), base64url::encode(text.as_bytes())), (text.clone(), text.clone())] {
            let evidence = Evidence::Passkey {
                credential_id: text.clone(),
                public_key: authenticator.key().to_value(),
                authenticator_data: data,
                client_data_json: client_data,
                signature: base64url::encode(&signature),
            };
            prop_assert_eq!(check(&decision(), &evidence, &relying_party(), &authenticator.stored(None)), INVALID);
        }
    }
}

fn gives(scope: &str, resource: &[&str], details: Value, expires_at: i64) -> Granted {
    Granted {
        scope: Scope::parse(scope).unwrap(),
        resource: resource.iter().map(|&name| name.to_owned()).collect(),
        authorization_details: serde_json::from_value(details).unwrap(),
        expires_at,
    }
}

#[test]
fn what_two_people_grant_is_within_what_each_of_them_grants() {
    let one = gives(
        "openid read",
        &["a", "b"],
        json!([{"type": "api"}, {"type": "ssh"}]),
        10,
    );
    let other = gives("read write", &["b", "c"], json!([{"type": "ssh"}]), 5);
    let both = one.common(&other);
    assert_eq!(both, gives("read", &["b"], json!([{"type": "ssh"}]), 5));
    assert!(both.is_within(&one) && both.is_within(&other));
    assert!(!one.is_within(&other) && !other.is_within(&one));
    for wider in [
        gives("read write", &["b"], json!([{"type": "ssh"}]), 5),
        gives("read", &["b", "c"], json!([{"type": "ssh"}]), 5),
        gives("read", &["b"], json!([{"type": "ssh"}, {"type": "api"}]), 5),
        gives("read", &["b"], json!([{"type": "ssh"}]), 6),
    ] {
        assert!(!wider.is_within(&both), "{wider:?}");
    }
}
