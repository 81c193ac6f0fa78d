//! The command line with a client certificate: `waypass login --cert --key`, and everything after it. RFC 8705.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::certificates::{key, pem, x5t};
use crate::database::Database;
use crate::keys::claims;
use crate::process::{Ran, run, waypass};
use crate::server::{Folder, Setup, tls_file};
use crate::world::{RUNTIME, SCOPES, World, alone_with};

/// Whoever has these two files, and a home.
struct Job {
    home: Folder,
}

impl Job {
    fn new(certificate: &str) -> Self {
        let job = Self { home: Folder::new() };
        job.has(certificate);
        job
    }

    /// From now on with this one, under the same names.
    fn has(&self, certificate: &str) {
        self.writes("cert.pem", &pem(certificate), 0o644);
        self.writes("key.pem", &key(certificate), 0o600);
    }

    fn writes(&self, name: &str, text: &str, mode: u32) {
        std::fs::write(self.home.join(name), text).unwrap();
        std::fs::set_permissions(self.home.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// In its home, so that the files can be named as they are there.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = waypass();
        command
            .env("SSL_CERT_FILE", tls_file("certificate.pem"))
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .args(words);
        command
    }

    async fn runs(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words)).await
    }

    async fn logs_in(&self, world: &World, words: &[&str]) {
        let mut child = self
            .command(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("a code");
        let asked: Value = serde_json::from_str(&line).unwrap();
        world.approve(asked["user_code"].as_str().unwrap()).await;
        assert!(child.wait().await.unwrap().success());
    }

    /// What the token is bound to, whenever it was issued.
    async fn bound_to(&self, world: &World) -> Value {
        // From another folder than the one in which the files were named.
        let token = run(self.command(&["token"]).current_dir("/"))
            .await
            .expect_code(0)
            .stdout;
        world.remember(token.trim());
        claims(token.trim())["cnf"].clone()
    }

    /// As if the token that is kept had ended.
    fn ages(&self) {
        let file: PathBuf = self.home.join(".local/state/waypass/credentials/default.json");
        let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        kept["tokens"]["expires_at"] = json!(0);
        std::fs::write(file, kept.to_string()).unwrap();
    }
}

#[test]
fn p31_p33_a_login_with_a_certificate_is_bound_to_it_and_goes_on_with_its_successor() {
    alone_with(Database::Sqlite, &Setup::with_certificates(), async |world| {
        let ca = world.file(&pem("authority"));
        let flags = ["--tls-client-auth", "--ca-file", &ca, "--san-dns", "svc.example.org"];
        let more = ["--certificate-bound", "--profile", "open", "--scope", SCOPES];
        let client = world.client(&[&flags[..], &more[..]].concat()).await;
        let login = [
            "login",
            "--server",
            &world.server.issuer,
            "--client-id",
            &client,
            "--scope",
            SCOPES,
            "--json",
        ];
        let shown = ["--cert", "cert.pem", "--key", "key.pem"];

        let job = Job::new("svc");
        let bare = job.runs(&login).await.expect_code(5);
        assert!(bare.stderr.contains("invalid_client"), "{}", bare.stderr);
        let impostor = Job::new("other");
        impostor.runs(&[&login[..], &shown].concat()).await.expect_code(5);

        job.logs_in(world, &[&login[..], &shown].concat()).await;
        let bound = job.bound_to(world).await;
        assert_eq!(bound["x5t#S256"], x5t("svc"));
        assert!(bound["jkt"].is_string(), "to the key of the profile as well");
        // Userinfo takes the token over no other connection.
        job.runs(&["whoami"]).await.expect_code(0);

        job.has("renewed");
        job.ages();
        assert_eq!(
            job.bound_to(world).await["x5t#S256"],
            x5t("renewed"),
            "read anew, and refreshed with it"
        );
        job.has("other");
        job.ages();
        let refused = job.runs(&["token", "--json"]).await.expect_code(5);
        assert!(refused.stderr.contains("invalid_client"), "{}", refused.stderr);
        job.has("renewed");
        job.runs(&["logout"]).await.expect_code(0);
    });
}

/// Before anybody is asked anything: there is no server at that address.
#[test]
fn p30_a_certificate_whose_key_cannot_be_used_is_refused_and_the_reason_told() {
    RUNTIME.block_on(async {
        let job = Job::new("svc");
        let (password, nothing) = (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "nothing of the kind\n",
        );
        job.writes("open.pem", &key("svc"), 0o644);
        job.writes("other.pem", &key("other"), 0o600);
        job.writes("locked.pem", password, 0o600);
        job.writes("nothing.pem", nothing, 0o600);
        for (cert, key, reason) in [
            ("cert.pem", "none.pem", "key file {} cannot be used: it is not there"),
            ("cert.pem", "open.pem", "others than its owner may open it (mode 0644)"),
            ("cert.pem", "other.pem", "it is not the key of the certificate in"),
            ("cert.pem", "locked.pem", "PEM key without a password"),
            ("cert.pem", "nothing.pem", "PEM key without a password"),
            ("none.pem", "key.pem", "no certificates in {}: No such file"),
            ("nothing.pem", "key.pem", "it holds no PEM certificate"),
        ] {
            let target = ["login", "--server", "https://localhost:1", "--client-id", "job"];
            let ran = job
                .runs(&[&target[..], &["--cert", cert, "--key", key]].concat())
                .await
                .expect_code(64);
            let named = if cert == "cert.pem" { key } else { cert };
            let reason = reason.replace("{}", &job.home.join(named).display().to_string());
            assert!(ran.stderr.contains(&reason), "{reason}: {}", ran.stderr);
            let alone = job
                .runs(&[&target[..], &["--cert", cert]].concat())
                .await
                .expect_code(64);
            assert!(alone.stderr.contains("--key"), "{}", alone.stderr);
        }
    });
}
