use serde_json::json;

use super::*;
use crate::jwt::tests::TestKey;

const ISSUER: &str = "https://server.example";
const MDM: &str = "https://mdm.example";
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

struct World {
    machine: TestKey,
    mdm: TestKey,
    attesters: [PostureAttester; 1],
}

impl World {
    fn new() -> Self {
        let mdm = TestKey::rsa();
        let keys = Jwks::parse(&json!({"keys": [mdm.public().to_value()]})).unwrap();
        let attesters = [PostureAttester {
            issuer: MDM.to_owned(),
            keys,
        }];
        Self {
            machine: TestKey::es256(),
            mdm,
            attesters,
        }
    }

    fn own(&self) -> (Value, Value) {
        let claims = json!({
            "iss": self.machine.public().thumbprint(), "aud": ISSUER, "jti": "a",
            "iat": NOW.seconds(), "exp": NOW.seconds() + 60,
            "posture": { "os": "debian", "os_version": "12", "disk_encrypted": true, "root": false, "uptime_s": 90 },
        });
        (json!({"alg": "ES256", "typ": TYPE}), claims)
    }

    fn attested(&self) -> (Value, Value) {
        let (_, mut claims) = self.own();
        claims["iss"] = json!(MDM);
        claims["cnf"] = json!({"jkt": self.machine.public().thumbprint()});
        (json!({"alg": "RS256", "typ": TYPE}), claims)
    }

    fn verified(&self, token: &str) -> Result<Posture, Refusal> {
        let key = self.machine.public();
        let expected = PostureExpectation {
            issuer: ISSUER,
            key: &key,
            attesters: &self.attesters,
        };
        let judged = judge(token, &expected, NOW);
        let verified = verify(token, &expected, NOW);
        let flaw = judged.as_ref().err().copied();
        assert_eq!(
            flaw.map(Refusal::PostureInvalid),
            verified.as_ref().err().copied().filter(|_| flaw.is_some())
        );
        verified
    }

    fn flaw(&self, token: &str) -> &'static str {
        let key = self.machine.public();
        let expected = PostureExpectation {
            issuer: ISSUER,
            key: &key,
            attesters: &self.attesters,
        };
        judge(token, &expected, NOW).map_or_else(|flaw| flaw.0, |_| "accepted")
    }
}

#[test]
fn what_a_machine_states_of_itself_is_a_claim_and_an_attesters_word_is_proven() {
    let world = World::new();
    let (header, claims) = world.own();
    let own = world.verified(&world.machine.token(&header, &claims)).unwrap();
    let (header, claims) = world.attested();
    let attested = world.verified(&world.mdm.token(&header, &claims)).unwrap();
    let told = |posture: &Posture| -> Vec<String> {
        let facts = posture.facts().into_iter();
        facts
            .map(|fact| format!("{} {} ({})", fact.name, fact.value, fact.source.as_str()))
            .collect()
    };
    expect_test::expect![[r#"
        posture.os debian (claimed)
        posture.os_version 12 (claimed)
        posture.disk_encrypted true (claimed)
        posture.root false (claimed)
        posture.uptime_s 90 (claimed)"#]]
    .assert_eq(&told(&own).join("\n"));
    assert!(told(&attested).iter().all(|fact| fact.ends_with(" (proven)")));
    assert_eq!(told(&own).len(), told(&attested).len());
}

#[test]
fn each_rule_of_a_posture_refuses_by_itself() {
    let world = World::new();
    let changed = |change: &dyn Fn(&mut Value, &mut Value)| {
        let (mut header, mut claims) = world.own();
        change(&mut header, &mut claims);
        world.flaw(&world.machine.token(&header, &claims))
    };
    let mut table = vec![
        ("typ", changed(&|header, _| header["typ"] = json!("JWT"))),
        (
            "iss",
            changed(&|_, claims| claims["iss"] = json!("https://mdm.example/")),
        ),
        ("an attester's name", changed(&|_, claims| claims["iss"] = json!(MDM))),
        (
            "aud",
            changed(&|_, claims| claims["aud"] = json!("https://other.example")),
        ),
        (
            "aud twice",
            changed(&|_, claims| claims["aud"] = json!([ISSUER, "https://other.example"])),
        ),
        ("iat", changed(&|_, claims| claims["iat"] = json!(NOW.seconds() + 31))),
        ("exp", changed(&|_, claims| claims["exp"] = json!("soon"))),
        ("posture", changed(&|_, claims| claims["posture"] = Value::Null)),
        (
            "a wrong type",
            changed(&|_, claims| claims["posture"]["disk_encrypted"] = json!("true")),
        ),
        (
            "an unknown member",
            changed(&|_, claims| claims["posture"]["colour"] = json!("green")),
        ),
    ];
    let (header, claims) = world.own();
    table.push(("another key", world.flaw(&TestKey::es256().token(&header, &claims))));
    let (header, mut claims) = world.attested();
    claims["cnf"]["jkt"] = json!("another key");
    table.push(("another machine", world.flaw(&world.mdm.token(&header, &claims))));
    claims["cnf"] = Value::Null;
    table.push(("no machine", world.flaw(&world.mdm.token(&header, &claims))));
    let told: Vec<String> = table.iter().map(|(what, flaw)| format!("{what}: {flaw}")).collect();
    expect_test::expect![[r#"
        typ: the typ is of another kind of JWT
        iss: the iss is neither this key nor a known attester
        an attester's name: no key of the set can have signed it
        aud: the aud is not this server alone
        aud twice: the aud is not this server alone
        iat: the iat lies in the future
        exp: a claim is no instant
        posture: the posture is missing, or a member of it has the wrong type
        a wrong type: the posture is missing, or a member of it has the wrong type
        an unknown member: accepted
        another key: the signature does not fit
        another machine: the cnf is not the key that asks
        no machine: the cnf is not the key that asks"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_posture_that_has_ended_is_stale_and_not_wrong() {
    let world = World::new();
    let (header, mut claims) = world.own();
    claims["exp"] = json!(NOW.seconds());
    let ended = world.verified(&world.machine.token(&header, &claims));
    assert_eq!(ended.err(), Some(Refusal::PostureStale));
}

#[test]
fn what_is_not_known_is_absent_from_what_is_sent() {
    let stated = Stated {
        os: Some("debian".to_owned()),
        ..Stated::default()
    };
    assert_eq!(serde_json::to_value(&stated).unwrap(), json!({"os": "debian"}));
}

proptest::proptest! {
    #[test]
    fn no_posture_makes_the_check_panic(token in ".{0,200}", stated in ".{0,80}") {
        static WORLD: std::sync::LazyLock<World> = std::sync::LazyLock::new(World::new);
        let world = &*WORLD;
        world.verified(&token).unwrap_err();
        let (header, mut claims) = world.own();
        claims["posture"]["os_version"] = json!(stated);
        world.verified(&world.machine.token(&header, &claims)).unwrap();
    }
}
