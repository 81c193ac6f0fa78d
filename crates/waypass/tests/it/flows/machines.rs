//! Machines that ask nobody, and machines that fall out of posture: the built binary on both sides.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use protocol::digest::hexadecimal;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::approver::Approver;
use crate::chance::now;
use crate::database::{Database, postgres};
use crate::keys::{Key, claims};
use crate::process::{Ran, run, waypass};
use crate::server::{Folder, Setup};
use crate::world::{SCOPES, World, alone_with};

on_both!(a_nightly_build_gets_tokens_and_never_asks_a_person);

const MDM: &str = "https://mdm.example";

/// One machine with a home of its own.
struct Machine<'a> {
    world: &'a World,
    home: Folder,
    client: String,
    owner: Approver,
    key: Value,
}

impl<'a> Machine<'a> {
    /// Registered by an administrator.
    async fn new(world: &'a World, client: String, more: &[&str]) -> Self {
        let owner = world.new_approver().await;
        let home = Folder::new();
        let mut machine = Self {
            world,
            home,
            client,
            owner,
            key: Value::Null,
        };
        let told = machine
            .run(&machine.first(&["instance", "key"], more))
            .await
            .expect_code(0);
        machine.key = told.json();
        let file = world.file(&told.stdout);
        let add = ["instance", "add", &machine.client, "--jwk-file", &file];
        let named = ["--owner", &machine.owner.name, "--name", "runner", "--expires", "90d"];
        world.local(&[&add[..], &named].concat()).await.expect_code(0);
        machine
    }

    /// With what a new profile has to be told.
    fn first<'b>(&'b self, words: &[&'b str], more: &[&'b str]) -> Vec<&'b str> {
        let target = ["--server", &*self.world.server.issuer, "--client-id", &*self.client];
        [words, &target, more].concat()
    }

    async fn run(&self, words: &[&str]) -> Ran {
        run(waypass().env("HOME", self.home.path()).args(words)).await
    }

    fn credentials(&self) -> PathBuf {
        self.home.join(".local/state/waypass/credentials/default.json")
    }

    /// As if what is kept had ended: the next `token` asks the server.
    fn age(&self) {
        let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(self.credentials()).unwrap()).unwrap();
        for pointer in ["/tokens/expires_at", "/machine/tokens/expires_at"] {
            if let Some(end) = kept.pointer_mut(pointer) {
                *end = json!(0);
            }
        }
        std::fs::write(self.credentials(), kept.to_string()).unwrap();
    }

    fn thumbprint(&self) -> String {
        let member = |name: &str| self.key[name].as_str().unwrap().to_owned();
        let (x, y) = (member("x"), member("y"));
        crate::keys::sha256(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
    }
}

async fn a_nightly_build_gets_tokens_and_never_asks_a_person(world: &World) {
    let flags = ["--instance-key", "--profile", "standard", "--scope", SCOPES];
    let client = world.client(&flags).await;
    let machine = Machine::new(world, client, &[]).await;

    let refused = machine.run(&["token", "--machine"]).await.expect_code(5);
    assert!(
        refused.stderr.contains("An administrator of this server can allow it"),
        "{}",
        refused.stderr
    );
    world
        .local(&["client", "set", &machine.client, "--grant", "client_credentials"])
        .await
        .expect_code(0);

    let given = machine
        .run(&["token", "--machine", "--scope", "read", "--json"])
        .await
        .expect_code(0)
        .json();
    let token = given["access_token"].as_str().unwrap();
    world.remember(token);
    let claims = claims(token);
    assert_eq!(claims["cnf"]["jkt"], machine.thumbprint());
    assert!(claims["sub"].as_str().unwrap().starts_with("instance_"), "{claims}");
    assert_eq!(given["scope"], "read");
    let again = machine
        .run(&["token", "--machine", "--scope", "read"])
        .await
        .expect_code(0);
    assert_eq!(again.stdout.trim(), token, "kept while it is fresh");
    let proof = [
        "token",
        "--machine",
        "--scope",
        "read",
        "--dpop",
        "GET",
        "https://api.example.com/me",
    ];
    machine.run(&proof).await.expect_code(0);

    let grant = world.exported_grant(&machine.client).await;
    assert_eq!(
        (&grant["origin"], &grant["request_id"]),
        (&json!("client_credentials"), &Value::Null)
    );
    let instance = claims["sub"].as_str().unwrap();
    world.local(&["instance", "suspend", instance]).await.expect_code(0);
    assert!(!world.is_active(&given["access_token"]).await);
    machine.age();
    let suspended = machine
        .run(&["token", "--machine", "--scope", "read"])
        .await
        .expect_code(5);
    assert!(suspended.stderr.contains("suspended"), "{}", suspended.stderr);
}

/// A profile `fleet`, in a folder that is read at the start.
fn fleet(folder: &Folder, posture: &str, key: &str) -> Setup {
    let standard = include_str!("../../../../server/profiles/standard.toml");
    let text = standard.replace("name = \"standard\"", "name = \"fleet\"\ninterval = 1");
    std::fs::create_dir(folder.join("profiles")).unwrap();
    std::fs::write(
        folder.join("profiles/fleet.toml"),
        format!("{text}\n[posture]\n{posture}\n"),
    )
    .unwrap();
    std::fs::write(folder.join("mdm.json"), key).unwrap();
    let attester = format!(
        "[[posture.attesters]]\nissuer = \"{MDM}\"\njwks_file = \"{}\"\n",
        folder.join("mdm.json").display()
    );
    Setup {
        arguments: vec![format!("--profiles={}", folder.join("profiles").display())],
        config: attester.leak(),
        ..Setup::default()
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn on_each(setup: &Setup, body: impl AsyncFn(&World)) {
    for database in [Some(Database::Sqlite), postgres()].into_iter().flatten() {
        alone_with(database, setup, &body);
    }
}

/// The same program with another digest: what follows the end of an executable is not read.
fn changed(folder: &Folder) -> PathBuf {
    let path = folder.join("waypass");
    let mut bytes = std::fs::read(env!("CARGO_BIN_EXE_waypass")).unwrap();
    bytes.extend(b"changed");
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// Asked by `waypass login`, approved by the owner of the machine.
async fn log_in(machine: &Machine<'_>) {
    let mut command = waypass();
    command
        .env("HOME", machine.home.path())
        .args(["login", "--scope", SCOPES, "--json"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().expect("a code");
    let asked: Value = serde_json::from_str(&line).unwrap();
    let user_code = asked["user_code"].as_str().unwrap();
    let view = machine
        .owner
        .view(&machine.world.server, user_code)
        .await
        .expect(200)
        .json();
    let facts = view["facts"].as_array().unwrap();
    let program = facts
        .iter()
        .find(|fact| fact["name"] == "posture.binary_sha256")
        .expect("a fact");
    assert_eq!(program["source"], "claimed");
    machine
        .owner
        .approve_view(&machine.world.server, &view)
        .await
        .expect(200);
    assert!(child.wait().await.unwrap().success());
}

async fn token_by(program: &Path, machine: &Machine<'_>) -> Ran {
    run(Command::new(program)
        .env("HOME", machine.home.path())
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
        .arg("token"))
    .await
}

#[test]
fn z5_a_machine_whose_program_was_changed_gets_no_more_tokens_until_it_is_mended() {
    let folder = Folder::new();
    let program = std::fs::read(env!("CARGO_BIN_EXE_waypass")).unwrap();
    let program = hexadecimal(&Sha256::digest(&program));
    let posture = format!("source = \"claimed\"\nmax_age = 60\nbinary_sha256 = [\"{program}\"]");
    let setup = fleet(&folder, &posture, &Key::new().jwks().to_string());
    let changed = changed(&folder);
    on_each(&setup, async |world| {
        let client = world
            .client(&["--public", "--profile", "fleet", "--scope", SCOPES])
            .await;
        let machine = Machine::new(world, client, &[]).await;
        log_in(&machine).await;
        machine.age();
        machine.run(&["token"]).await.expect_code(0);
        machine.age();
        let refused = token_by(&changed, &machine).await.expect_code(5);
        assert!(
            refused.stderr.contains("the program is not one of those that may ask"),
            "{}",
            refused.stderr
        );
        machine.run(&["token"]).await.expect_code(0);
    });
}

#[test]
fn z5_a_machine_that_its_management_finds_open_gets_no_more_tokens_until_it_is_mended() {
    let (folder, mdm) = (Folder::new(), Key::new());
    let setup = fleet(
        &folder,
        "source = \"proven\"\nmax_age = 300\ndisk_encrypted = true\nscreen_lock = true",
        &mdm.jwks().to_string(),
    );
    on_each(&setup, async |world| {
        let flags = [
            "--instance-key",
            "--profile",
            "fleet",
            "--grant",
            "client_credentials",
            "--scope",
            SCOPES,
        ];
        let client = world.client(&flags).await;
        let file = world.file("");
        let machine = Machine::new(world, client, &["--posture-jwt", &file]).await;
        let says = |posture: Value| {
            let claims = json!({
                "iss": MDM, "aud": world.server.issuer, "iat": now(), "exp": now() + 3_600,
                "cnf": { "jkt": machine.thumbprint() }, "posture": posture
            });
            let header = json!({ "alg": "ES256", "typ": "waypass-posture+jwt", "kid": mdm.jwks()["keys"][0]["kid"] });
            std::fs::write(&file, mdm.jwt(&header, &claims) + "\n").unwrap();
        };
        says(json!({ "os": "debian", "disk_encrypted": true, "screen_lock": true }));
        machine.run(&["token", "--machine"]).await.expect_code(0);
        machine.age();
        says(json!({ "os": "debian", "disk_encrypted": false, "screen_lock": true }));
        let refused = machine.run(&["token", "--machine"]).await.expect_code(5);
        assert!(
            refused.stderr.contains("its disk has to be encrypted"),
            "{}",
            refused.stderr
        );
        assert!(!refused.stderr.contains("screen"), "{}", refused.stderr);
        says(json!({ "os": "debian", "disk_encrypted": true, "screen_lock": true }));
        machine.run(&["token", "--machine"]).await.expect_code(0);
        std::fs::remove_file(&file).unwrap();
        machine.age();
        let unread = machine.run(&["token", "--machine"]).await.expect_code(1);
        assert!(
            unread.stderr.contains("the posture of this machine cannot be read"),
            "{}",
            unread.stderr
        );
    });
}
