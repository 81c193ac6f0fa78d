//! Everything that was decided upon, changed between approval and redemption, before a refresh, or while a token is
//! in use: what each change brings about, as one table on both databases.

use std::sync::Mutex;

use expect_test::expect;
use http::StatusCode;
use serde_json::{Value, json};

use super::instances;
use super::postgres_server::PostgresServer;
use super::world::{Answer, Key, Place, World, directory, poll_form, refresh_form, with_profiles};
use crate::config::ServeArgs;

/// The owner of the machine asks for nobody: two of a group decide, the first by code.
const CREW: &str = r#"
name = "crew"
purpose = "a test"
[assessment]
risk = "phishing"
residual = "two who obey"
[approval]
by = "group"
group = "ops"
quorum = 2
software_keys = true
starter = ["same_address"]
[mitigations]
X07 = { ceremony = "off" }
"#;

/// One change: by whom it is told, and what an administrator does.
type Change = (&'static str, &'static str, &'static str, Value);

#[expect(clippy::too_many_lines, reason = "a table, one row a change")]
fn changes() -> Vec<Change> {
    let set = "/local/clients/cli/change";
    vec![
        ("nothing", "GET", "/local/clients", Value::Null),
        ("client disabled", "POST", "/local/clients/cli/disable", Value::Null),
        ("client deleted", "DELETE", "/local/clients/cli", Value::Null),
        ("client: less scope", "POST", set, json!({ "scope": "openid" })),
        (
            "client: other resource",
            "POST",
            set,
            json!({ "resource": ["https://other.example"] }),
        ),
        (
            "client: another profile",
            "POST",
            set,
            json!({ "profile": "privileged" }),
        ),
        ("client: no profile", "POST", set, json!({ "profile": "" })),
        ("client: same profile again", "POST", set, json!({ "profile": "crew" })),
        (
            "instance suspended",
            "POST",
            "/local/instances/{instance}/suspend",
            json!({}),
        ),
        (
            "instance removed",
            "POST",
            "/local/instances/{instance}/remove",
            json!({}),
        ),
        (
            "instance handed over",
            "POST",
            "/local/instances/{instance}/hand-over",
            json!({ "to": "erin" }),
        ),
        ("owner disabled", "POST", "/local/approvers/alice/disable", Value::Null),
        (
            "first approver disabled",
            "POST",
            "/local/approvers/bob/disable",
            Value::Null,
        ),
        (
            "second approver disabled",
            "POST",
            "/local/approvers/carol/disable",
            Value::Null,
        ),
        (
            "first approver left the group",
            "DELETE",
            "/local/groups/ops/members/bob",
            Value::Null,
        ),
        (
            "second approver left the group",
            "DELETE",
            "/local/groups/ops/members/carol",
            Value::Null,
        ),
        (
            "first approver's key removed",
            "POST",
            "/local/approvers/bob/relink",
            json!({}),
        ),
        (
            "second approver's key removed",
            "POST",
            "/local/approvers/carol/relink",
            json!({}),
        ),
        (
            "another approver disabled",
            "POST",
            "/local/approvers/erin/disable",
            Value::Null,
        ),
    ]
}

struct Crew {
    machine: Key,
    bob: Key,
    carol: Key,
}

impl Crew {
    async fn new(world: &World) -> Self {
        let added = world.client("cli", json!({ "profile": "crew" })).await;
        assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
        for name in ["alice", "erin"] {
            world.approver(name).await;
        }
        let (bob, carol) = (world.approver("bob").await, world.approver("carol").await);
        for name in ["bob", "carol"] {
            let joined = world
                .administer("POST", "/local/groups/ops/members", &json!({ "approver": name }))
                .await;
            assert!(joined.status.is_success(), "{}", joined.body);
        }
        let machine = world.enrolled("cli", "alice").await;
        Self { machine, bob, carol }
    }

    /// Asked, and approved by both.
    async fn approved(&self, world: &World) -> String {
        let form = [("client_id", "cli"), ("scope", "openid offline_access read")];
        let asked = world.post_by("/device_authorization", &form, &self.machine).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        let first = world.approve(&asked.text("user_code"), &self.bob).await;
        let id = json!({ "request_id": first.text("request_id") });
        let view = world.call("/approver/view", &id, &self.carol).await;
        let second = world
            .call("/approver/approve", &self.carol.decision(&view.body), &self.carol)
            .await;
        assert_eq!(second.body["state"], "approved", "{}", second.body);
        asked.text("device_code")
    }

    async fn poll(&self, world: &World, code: &str) -> Answer {
        world.post_by("/token", &poll_form(code), &self.machine).await
    }

    async fn refresh(&self, world: &World, token: &str) -> Answer {
        world.post_by("/token", &refresh_form(token), &self.machine).await
    }

    async fn change(&self, world: &World, (what, method, path, body): &Change) {
        let instance = world.instance_of(&self.machine).await["instance_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let changed = world
            .administer(method, &path.replace("{instance}", &instance), body)
            .await;
        assert!(changed.status.is_success(), "{what}: {}", changed.body);
    }
}

fn told(answer: &Answer) -> String {
    match answer.error() {
        "none" => answer.status.as_str().to_owned(),
        error => error.to_owned(),
    }
}

/// What a client and a resource server see after one change.
async fn seen(world: &World, change: &Change) -> String {
    let crew = Crew::new(world).await;
    let tokens = crew.poll(world, &crew.approved(world).await).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    let code = crew.approved(world).await;
    crew.change(world, change).await;
    let is_active = world.is_active(&tokens.text("access_token")).await;
    let redeemed = crew.poll(world, &code).await;
    let refreshed = crew.refresh(world, &tokens.text("refresh_token")).await;
    let active = if is_active { "active" } else { "inactive" };
    format!(
        "{:31} {:19} {:19} {active}\n",
        change.0,
        told(&redeemed),
        told(&refreshed)
    )
}

#[test]
fn z6_everything_that_was_decided_upon_is_asked_again() {
    let tables = Mutex::new([String::new(), String::new()]);
    for change in changes() {
        with_profiles(&[CREW], async |world| {
            let line = seen(world, &change).await;
            tables.lock().unwrap()[usize::from(world.app.store.is_shared())] += &line;
        });
    }
    let [sqlite, postgres] = tables.into_inner().unwrap();
    // After approval: redeemed; after redemption: refreshed, and introspected.
    expect![[r"
        nothing                         200                 200                 active
        client disabled                 invalid_client      invalid_client      inactive
        client deleted                  invalid_client      invalid_client      inactive
        client: less scope              access_denied       invalid_scope       inactive
        client: other resource          access_denied       invalid_target      inactive
        client: another profile         access_denied       invalid_grant       inactive
        client: no profile              unauthorized_client unauthorized_client inactive
        client: same profile again      access_denied       200                 active
        instance suspended              access_denied       invalid_grant       inactive
        instance removed                access_denied       invalid_grant       inactive
        instance handed over            access_denied       invalid_grant       inactive
        owner disabled                  access_denied       invalid_grant       inactive
        first approver disabled         invalid_grant       invalid_grant       inactive
        second approver disabled        invalid_grant       invalid_grant       active
        first approver left the group   invalid_grant       invalid_grant       active
        second approver left the group  invalid_grant       invalid_grant       active
        first approver's key removed    invalid_grant       200                 active
        second approver's key removed   invalid_grant       200                 active
        another approver disabled       200                 200                 active
    "]]
    .assert_eq(&sqlite);
    assert!(postgres.is_empty() || postgres == sqlite, "{postgres}");
}

/// A profile is read at the start: between approval and redemption another text of it may have come.
#[test]
fn z6_a_profile_that_says_something_else_now_voids_what_was_approved_under_it() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = PostgresServer::shared().map(PostgresServer::fresh_database);
    for (name, database) in [("text", None), ("text-shared", database)] {
        if name == "text" || database.is_some() {
            let directory = directory(name);
            let place = Place { directory, database };
            runtime.block_on(a_text_that_changed(&place));
            std::fs::remove_dir_all(&place.directory).unwrap();
        }
    }
}

async fn a_text_that_changed(place: &Place) {
    let started = async |text: &str| {
        let folder = place.directory.join("profiles");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("crew.toml"), text).unwrap();
        let profiles = Some(folder.to_str().unwrap().to_owned());
        World::started(
            place,
            ServeArgs {
                profiles,
                ..ServeArgs::default()
            },
        )
        .await
    };
    let world = started(CREW).await;
    let crew = Crew::new(&world).await;
    let tokens = crew.poll(&world, &crew.approved(&world).await).await;
    let code = crew.approved(&world).await;
    world.close().await;

    let world = started(&CREW.replace("software_keys = true", "acr = \"phr\"")).await;
    assert_eq!(crew.poll(&world, &code).await.error(), "invalid_grant");
    let token = tokens.text("refresh_token");
    assert_eq!(
        crew.refresh(&world, &token).await.error(),
        "invalid_grant",
        "it would not be given so now"
    );
    assert!(!world.is_active(&tokens.text("access_token")).await);
    world.close().await;

    let world = started(&CREW.replace("quorum = 2", "quorum = 3")).await;
    let refused = crew.refresh(&world, &token).await;
    assert_eq!(refused.error(), "invalid_grant", "two are not enough any more");
    world.close().await;

    let world = started(CREW).await;
    assert_eq!(
        crew.refresh(&world, &token).await.status,
        StatusCode::OK,
        "refused, not used up"
    );
    world.close().await;
}

const ELSEWHERE: [u8; 4] = [192, 0, 2, 1];

/// X08: from where a machine may ask is from where it may redeem and refresh.
#[test]
fn x08_a_machine_that_left_its_network_gets_no_token_until_it_is_back() {
    let at_home = CREW.replace("[mitigations]", "[mitigations]\nX08 = [\"127.0.0.0/8\"]");
    with_profiles(&[&at_home], async |world| {
        let crew = Crew::new(world).await;
        let tokens = crew.poll(world, &crew.approved(world).await).await;
        let code = crew.approved(world).await;
        let token = tokens.text("refresh_token");
        for form in [poll_form(&code), refresh_form(&token)] {
            let refused = world.post_from(ELSEWHERE, "/token", &form, &crew.machine).await;
            assert_eq!(refused.error(), "unauthorized_client", "{}", refused.body);
        }
        assert_eq!(crew.poll(world, &code).await.status, StatusCode::OK);
        assert_eq!(crew.refresh(world, &token).await.status, StatusCode::OK);
    });
}

/// X08: the same of a machine that becomes known, and of one that changes its key.
#[test]
fn x08_an_enrollment_ends_and_a_key_changes_only_where_a_machine_may_ask() {
    let standard = include_str!("../../profiles/standard.toml").replace("name = \"standard\"", "name = \"at-home\"");
    let at_home = standard.replace("[mitigations]", "[mitigations]\nX08 = [\"127.0.0.0/8\"]");
    with_profiles(&[&at_home], async |world| {
        world.client("cli", json!({ "profile": "at-home" })).await;
        let (browser, passkey) = instances::standard(world, "alice").await;
        let (key, next) = (Key::new(), Key::new());
        let asked = instances::ask_to_enroll(world, "cli", &key).await;
        instances::approve(&browser, &passkey, &asked).await;
        let code = asked.text("device_code");
        let form = [("client_id", "cli"), ("device_code", &*code)];
        let refused = world.post_from(ELSEWHERE, "/enrollment/finish", &form, &key).await;
        assert_eq!(refused.error(), "unauthorized_client", "{}", refused.body);
        let finished = instances::finish(world, "cli", &code, &key).await;
        assert_eq!(finished.status, StatusCode::OK, "{}", finished.body);

        let nonce = world.app.derived.nonces.issue(world.app.now());
        let proof = next.proof("/instance/rotate", world.app.now(), Some(&nonce));
        let form = [("client_id", "cli"), ("new_key_proof", &*proof)];
        let refused = world.post_from(ELSEWHERE, "/instance/rotate", &form, &key).await;
        assert_eq!(refused.error(), "unauthorized_client", "{}", refused.body);
        assert!(
            refused.text("error_description").contains("from this network"),
            "{}",
            refused.body
        );
        let rotated = instances::rotate(world, "cli", &key, &next).await;
        assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.body);
    });
}
