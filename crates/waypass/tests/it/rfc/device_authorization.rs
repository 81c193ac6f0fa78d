//! RFC 8628 §3.1, §3.2, §3.3, §5.1, §5.2, §6.1: asking, and the codes.

use std::collections::HashSet;

use crate::chance::unique;
use crate::database::Database;
use crate::http::{Answer, CLIENT, basic};
use crate::process::{run, waypass};
use crate::server::{Folder, free_port};
use crate::world::{SCOPES, World, alone_with};

on_both!(
    d01_only_a_posted_form_is_taken,
    d02_client_id_is_required_and_scope_is_not,
    d04_an_empty_parameter_is_an_omitted_one,
    d05_an_unknown_parameter_is_ignored_unless_the_client_is_strict,
    d06_a_repeated_parameter_is_refused,
    d07_a_confidential_client_authenticates_as_at_the_token_endpoint,
    d09_the_answer_has_every_member_in_its_type,
    d11_errors_are_uncached_json,
    d14_the_verification_uri_carries_no_code,
    d16_the_complete_uri_is_the_plain_one_with_the_code,
    d29_a_device_code_has_at_least_160_bits_and_never_repeats,
    d36_every_way_of_typing_a_code_is_that_code,
    d37_a_terminal_may_decide_in_place_of_a_page,
);
alone_on_both!(
    d28_guesses_are_limited_for_an_approver,
    d28_guesses_are_limited_over_all_approvers
);

async fn d01_only_a_posted_form_is_taken(world: &World) {
    let client = world.stock_client().await;
    let get = Answer::to(CLIENT.get(world.url(&format!("/device_authorization?client_id={client}")))).await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")), "{get:?}");
    let json = format!(r#"{{"client_id":"{client}"}}"#);
    for content_type in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
        let headers = [("Content-Type", content_type)];
        world
            .post_raw("/device_authorization", json.clone(), &headers)
            .await
            .refused("invalid_request");
    }
    let in_url = world
        .post(&format!("/device_authorization?client_id={client}"), &[])
        .await;
    in_url.refused("invalid_request");
}

async fn d02_client_id_is_required_and_scope_is_not(world: &World) {
    world
        .post("/device_authorization", &[("scope", "read")])
        .await
        .refused("invalid_request");
    world.start(&world.stock_client().await, &[]).await;
}

/// RFC 8628 §3.1: "The authorization server MUST use TLS". Loopback is where nobody else listens.
#[test]
fn d03_plain_http_is_served_for_a_loopback_issuer_only() {
    crate::world::RUNTIME.block_on(async {
        for (issuer, needle) in [
            ("http://as.example", "localhost"),
            ("http://10.0.0.1", "localhost"),
            ("https://as.example", "TLS"),
            ("https://127.0.0.1", "localhost"),
        ] {
            let (folder, listen) = (Folder::new(), format!("127.0.0.1:{}", free_port()));
            let mut serve = waypass();
            serve
                .arg("serve")
                .arg("--data")
                .arg(folder.join("data"))
                .args(["--listen", &listen, "--issuer", issuer]);
            let ran = run(&mut serve).await;
            assert_ne!(ran.code, 0, "{issuer}: {}", ran.stderr);
            let said = ran.stderr.to_lowercase();
            assert!(
                said.contains(&needle.to_lowercase()),
                "{issuer} must be refused with a word on {needle}: {said}"
            );
        }
    });
}

async fn d04_an_empty_parameter_is_an_omitted_one(world: &World) {
    let client = world.stock_client().await;
    let approver = world.approver().await;
    let mut asked = Vec::new();
    for further in [
        &[][..],
        &[("scope", "")][..],
        &[("scope", ""), ("resource", ""), ("acr_values", "")][..],
    ] {
        let started = world.start(&client, further).await;
        asked.push(
            approver
                .view(&world.server, &started.user_code)
                .await
                .expect(200)
                .json()["permissions"]
                .clone(),
        );
    }
    assert_eq!(asked[0], asked[1]);
    assert_eq!(asked[0], asked[2]);
    world
        .post("/device_authorization", &[("client_id", "")])
        .await
        .refused("invalid_request");
}

async fn d05_an_unknown_parameter_is_ignored_unless_the_client_is_strict(world: &World) {
    let client = world.stock_client().await;
    world
        .start(
            &client,
            &[("foo", "1"), ("client_info", "1"), ("x-client-SKU", "msal.js")],
        )
        .await;
    let strict = world
        .client(&["--public", "--profile", "open", "--scope", SCOPES, "--strict"])
        .await;
    let pairs = [("client_id", strict.as_str()), ("foo", "1")];
    world
        .post("/device_authorization", &pairs)
        .await
        .refused("invalid_request");
}

async fn d06_a_repeated_parameter_is_refused(world: &World) {
    let client = world.stock_client().await;
    for further in [("client_id", client.as_str()), ("scope", "read"), ("foo", "1")] {
        let pairs = [("client_id", client.as_str()), ("scope", "read"), ("foo", "2"), further];
        world
            .post("/device_authorization", &pairs)
            .await
            .refused("invalid_request");
    }
}

async fn d07_a_confidential_client_authenticates_as_at_the_token_endpoint(world: &World) {
    let (client, secret) = world.secret_client(&["--profile", "open", "--scope", SCOPES]).await;
    for pairs in [
        &[("client_id", client.as_str())][..],
        &[("client_id", client.as_str()), ("client_secret", "wrong-secret")][..],
        &[("client_id", client.as_str()), ("client_secret", "")][..],
    ] {
        let answer = world.post("/device_authorization", pairs).await;
        assert_eq!(answer.status, 401);
        answer.refused("invalid_client");
    }
    world.start(&client, &[("client_secret", &secret)]).await;
    let authorization = basic(&client, &secret);
    let headers = [("Authorization", authorization.as_str())];
    world
        .post_with("/device_authorization", &[("scope", "read")], &headers)
        .await
        .expect(200);
}

async fn d09_the_answer_has_every_member_in_its_type(world: &World) {
    let started = world.start(&world.stock_client().await, &[("scope", SCOPES)]).await;
    let body = &started.body;
    assert_eq!(
        (body["expires_in"].as_i64(), body["interval"].as_i64()),
        (Some(600), Some(5)),
        "{body}"
    );
    assert_eq!(body["verification_uri"], world.htu("/device"));
    let message = body["message"].as_str().unwrap();
    assert!(
        message.contains(&world.htu("/device")) && message.contains(&started.user_code),
        "{message}"
    );
}

async fn d11_errors_are_uncached_json(world: &World) {
    let client = world.stock_client().await;
    for accept in ["text/html", "*/*", "application/xml;q=0.9", ""] {
        let pairs = [("client_id", client.as_str()), ("scope", "admin")];
        let answer = world
            .post_with("/device_authorization", &pairs, &[("Accept", accept)])
            .await;
        assert_eq!(answer.status, 400);
        answer.refused("invalid_scope");
    }
}

async fn d14_the_verification_uri_carries_no_code(world: &World) {
    let started = world.start(&world.stock_client().await, &[]).await;
    let plain = |text: &str| text.replace('-', "").to_lowercase();
    let uri = started.body["verification_uri"].as_str().unwrap();
    assert!(!plain(uri).contains(&plain(&started.user_code)), "{uri}");
}

async fn d16_the_complete_uri_is_the_plain_one_with_the_code(world: &World) {
    let started = world.start(&world.stock_client().await, &[]).await;
    let complete = started.body["verification_uri_complete"].as_str().unwrap();
    assert!(
        complete.starts_with(&world.htu("/device")) && complete.contains(&started.user_code),
        "{complete}"
    );
}

/// RFC 6749 §10.10: "SHOULD be less than or equal to 2^(-160)".
async fn d29_a_device_code_has_at_least_160_bits_and_never_repeats(world: &World) {
    let client = world.stock_client().await;
    let mut codes = HashSet::new();
    let mut user_codes = HashSet::new();
    for _ in 0..16 {
        let started = world.start(&client, &[]).await;
        let code = started.device_code;
        // 27 base64url characters are 162 bits.
        assert!(code.len() >= 27, "{code}");
        assert!(
            code.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            "{code}"
        );
        let letters: HashSet<u8> = code.bytes().collect();
        assert!(letters.len() > 12, "not drawn at random: {code}");
        let plain = started.user_code.replace('-', "");
        assert!(!code.to_uppercase().contains(&plain), "the codes are not independent");
        assert!(codes.insert(code) && user_codes.insert(plain));
    }
}

async fn d36_every_way_of_typing_a_code_is_that_code(world: &World) {
    let client = world.stock_client().await;
    let approver = world.approver().await;
    let ways: [fn(&str) -> String; 5] = [
        str::to_owned,
        str::to_lowercase,
        |code| code.replace('-', " "),
        |code| code.replace('-', "").to_lowercase(),
        |code| code.chars().flat_map(|letter| [letter, '.']).collect(),
    ];
    for way in ways {
        let code = world.start(&client, &[]).await.user_code;
        let letters: String = code.chars().filter(|&letter| letter != '-').collect();
        assert!(
            letters.len() == 8 && letters.chars().all(|l| "BCDFGHJKLMNPQRSTVWXZ".contains(l)),
            "{code}"
        );
        approver.view(&world.server, &way(&code)).await.expect(200);
    }
}

async fn d37_a_terminal_may_decide_in_place_of_a_page(world: &World) {
    let started = world.start(&world.stock_client().await, &[]).await;
    let link = world.enrollment_link(&unique("terminal")).await;
    let key = world.server.folder.join(&unique("key")).display().to_string();
    let enroll = ["approver", "enroll", &link, "--key-file", &key];
    run(waypass().args(enroll)).await.expect_code(0);
    world
        .remote(&["approve", &started.user_code, "--key-file", &key])
        .await
        .expect_code(0);
    world.poll(&started).await.expect(200);
}

async fn d28_guesses_are_limited_for_an_approver(world: &World) {
    let approver = world.approver().await;
    let mut statuses = Vec::new();
    for guess in guesses(100) {
        let answer = approver.view(&world.server, &guess).await;
        statuses.push(answer.status);
        if answer.error() == "rate_limited" {
            break;
        }
        answer.refused("unknown_code");
    }
    assert_eq!(statuses.last(), Some(&429), "a hundred guesses were let through");
    let right = world.start(&world.stock_client().await, &[]).await;
    approver
        .view(&world.server, &right.user_code)
        .await
        .refused("rate_limited");
}

/// One account a guess is how the limit of one account is walked around.
async fn d28_guesses_are_limited_over_all_approvers(world: &World) {
    for guess in guesses(120) {
        let answer = world.new_approver().await.view(&world.server, &guess).await;
        if answer.error() == "rate_limited" {
            return;
        }
    }
    panic!("120 approvers guessed once each and nothing stopped them");
}

/// Well-formed codes that are nobody's, but for one chance in ten billion.
fn guesses(count: usize) -> impl Iterator<Item = String> {
    let letters: Vec<char> = "BCDFGHJKLMNPQRSTVWXZ".chars().collect();
    (0..count).map(move |n| format!("BBBB-BB{}{}", letters[n / 20 % 20], letters[n % 20]))
}

/// RFC 8628 §5.4: the lifetime is the client's, and it is said.
#[test]
fn d32_a_client_may_have_a_shorter_code_lifetime() {
    alone_with(
        Database::Sqlite,
        &crate::server::Setup::default(),
        async |world: &World| {
            let short = [
                "--public",
                "--profile",
                "open",
                "--code-lifetime",
                "15",
                "--scope",
                SCOPES,
            ];
            let started = world.start(&world.client(&short).await, &[]).await;
            assert_eq!(started.body["expires_in"], 15);
        },
    );
}
