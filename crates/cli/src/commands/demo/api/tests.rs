use protocol::secret::Entropy;
use protocol::time::Lifetime;
use serde_json::Map;

use super::*;
use crate::clock::SystemClock;
use crate::io::Io;
use crate::keys::{Key, Proof};

const URL: &str = "http://127.0.0.1:1/deploy";
const NOW: Timestamp = Timestamp::from_millis(1_795_411_800_000);

fn api() -> Api {
    let url = Url::parse(URL).unwrap();
    let introspection = Introspection {
        http: Http::for_server(&Io::of_this_process(), &url, None).unwrap(),
        url: url.clone(),
        secret: Zeroizing::new("s".to_owned()),
        clock: Arc::new(SystemClock),
    };
    Api::new(url, introspection, NonceKey::new(&[3; 32]))
}

fn key(seed: u8) -> Key {
    Key::draw(&Entropy([seed; 32])).unwrap()
}

fn proof(method: &str, url: &str, access_token: Option<&str>) -> String {
    let jti = Entropy([9; 32]);
    let proof = Proof {
        method,
        url,
        nonce: None,
        access_token,
        jti: &jti,
        now: NOW,
    };
    key(1).proof(&proof).unwrap()
}

fn call(headers: &[(&'static str, &str)]) -> http::request::Parts {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    for (name, value) in headers {
        request
            .headers_mut()
            .append(*name, HeaderValue::from_str(value).unwrap());
    }
    request.into_parts().0
}

fn known(value: &Value) -> IntrospectionResponse {
    let claims: Map<String, Value> = value.as_object().unwrap().clone();
    let active = claims.get("active") != Some(&json!(false));
    IntrospectionResponse { active, claims }
}

#[test]
fn only_the_dpop_scheme_carries_a_token() {
    let of = |headers: &[_]| {
        token(&call(headers).headers)
            .map(str::to_owned)
            .map_err(|refused| refused.why)
    };
    assert_eq!(of(&[("authorization", "DPoP t")]), Ok("t".to_owned()));
    assert_eq!(
        of(&[("authorization", "dpop t")]),
        Ok("t".to_owned()),
        "schemes have no case"
    );
    assert_eq!(
        of(&[("authorization", "Bearer t")]),
        Err("a token without proof is not enough")
    );
    for headers in [&[][..], &[("authorization", "t")]] {
        assert_eq!(of(headers), Err("there is no token"));
    }
}

#[test]
fn a_proof_is_for_one_method_one_address_and_one_token() {
    let api = api();
    let good = proof("POST", URL, Some("t"));
    let check = |proof: &str, now| api.proof(&call(&[("dpop", proof)]), "t", now).map(|_| ());
    assert_eq!(check(&good, NOW), Ok(()));
    let refused = Err(Refused::proof("the proof is not for this call"));
    for other in [
        proof("GET", URL, Some("t")),
        proof("POST", "http://127.0.0.1:1/other", Some("t")),
        proof("POST", URL, Some("another")),
        proof("POST", URL, None),
        String::new(),
    ] {
        assert_eq!(check(&other, NOW), refused, "{other}");
    }
    assert_eq!(check(&good, NOW + Lifetime::from_seconds(3600)), refused, "an old one");
    let none = api.proof(&call(&[]), "t", NOW).map(|_| ());
    let twice = api
        .proof(&call(&[("dpop", &good), ("dpop", &good)]), "t", NOW)
        .map(|_| ());
    assert_eq!((none, twice), (refused.clone(), refused));
}

#[test]
fn a_proof_serves_once() {
    let api = api();
    let request = call(&[("dpop", &proof("POST", URL, Some("t")))]);
    let proof = api.proof(&request, "t", NOW).unwrap();
    assert_eq!(api.take(&proof), Ok(()));
    assert_eq!(api.take(&proof), Err(Refused::proof("the proof was used before")));
}

#[test]
fn the_token_must_be_active_of_this_key_and_for_this() {
    let scope = format!("openid {SCOPE}");
    let bound = json!({"scope": scope, "cnf": {"jkt": "k"}});
    assert_eq!(admit(&known(&bound), "k"), Ok(()));
    for (claims, why) in [
        (json!({"active": false}), "the token is not active"),
        (
            json!({"scope": scope, "cnf": {"jkt": "other"}}),
            "the proof is by another key",
        ),
        (json!({"scope": scope}), "the proof is by another key"),
        (
            json!({"scope": "deploy:staging2", "cnf": {"jkt": "k"}}),
            "the token is for something else",
        ),
        (json!({"cnf": {"jkt": "k"}}), "the token is for something else"),
    ] {
        assert_eq!(admit(&known(&claims), "k").unwrap_err().why, why, "{claims}");
    }
}

#[test]
fn a_refusal_says_in_its_challenge_what_is_wanted() {
    let answer = Refused::token("there is no token").into_response();
    assert_eq!(answer.status(), 401);
    let challenge = answer.headers()[WWW_AUTHENTICATE].to_str().unwrap();
    assert!(
        challenge.starts_with(r#"DPoP error="invalid_token""#) && challenge.contains("ES256"),
        "{challenge}"
    );
}
