//! Notices by e-mail, to a mail server that others wrote: PyPI `aiosmtpd`. TLS is demanded, from the first byte or by
//! STARTTLS, and what cannot be encrypted to the server that was named is not sent.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::chance::until;
use crate::database::Database;
use crate::flows::inbox::Machine;
use crate::server::{Setup, tls_file};
use crate::tools;
use crate::world::{RUNTIME, World, alone_with};

const PATIENCE: Duration = Duration::from_secs(30);
const OURS: [&str; 2] = ["certificate.pem", "key.pem"];

/// How a mail server encrypts, if it does.
type Offers = Option<&'static str>;

struct MailServer {
    child: Child,
    told: Lines<BufReader<ChildStdout>>,
    port: u64,
}

impl MailServer {
    async fn start(offers: Offers) -> Option<Self> {
        let mut command = Command::new(tools::python()?);
        command.arg(tools::foreign().join("smtpd.py"));
        if let Some(how) = offers {
            command.arg(how).args(OURS.map(tls_file));
        }
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let told = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut server = Self { child, told, port: 0 };
        server.port = server.told().await.unwrap()["port"].as_u64().unwrap();
        Some(server)
    }

    /// None once it has ended.
    async fn told(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.told.next_line()).await;
        let line = line.expect("the mail server says nothing").unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }
}

/// An owner with an address is asked by a machine of theirs.
fn asked(
    (encryption, offers): (&str, Offers),
    trusts: Option<PathBuf>,
    body: impl AsyncFnOnce(&World, &Value, &mut MailServer),
) {
    let Some(mut mail) = RUNTIME.block_on(MailServer::start(offers)) else {
        return;
    };
    let from = "Waypass <waypass@example.com>";
    let config = format!(
        "[mail]\nserver = \"localhost\"\nport = {}\nencryption = \"{encryption}\"\nfrom = \"{from}\"\n",
        mail.port
    );
    let setup = Setup {
        config: config.leak(),
        trusts,
        ..Setup::default()
    };
    alone_with(Database::Sqlite, &setup, async |world| {
        let machine = Machine::enrolled(world).await;
        let set = ["approver", "mail", &machine.owner.name, "alice@example.com"];
        world.local(&set).await.expect_code(0);
        let login = machine.login(&[]).await;
        body(world, &login.asked, &mut mail).await;
    });
}

async fn sent(world: &World) -> Value {
    until("a notice is sent or is not", PATIENCE, async || {
        let events = world.events().await;
        events.into_iter().find(|event| event["action"] == "notice.sent")
    })
    .await
}

#[test]
fn a_mail_leaves_by_starttls_and_holds_no_secret() {
    leaves_by("starttls");
}

#[test]
fn a_mail_leaves_by_tls_from_the_first_byte_and_holds_no_secret() {
    leaves_by("tls");
}

fn leaves_by(how: &'static str) {
    asked((how, Some(how)), Some(tls_file(OURS[0])), async |world, asked, mail| {
        let whom = mail.told().await.unwrap();
        assert_eq!(whom, json!({ "to": "alice@example.com", "encrypted": true }));
        let told = mail.told().await.unwrap();
        let text = told["mail"].as_str().unwrap();
        for part in [
            "From: Waypass <waypass@example.com>",
            "To: alice@example.com",
            "1 request waits for",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let links: Vec<&str> = text.split_whitespace().filter(|word| word.contains("://")).collect();
        assert_eq!(links, [world.htu("/inbox")]);
        for secret in ["binding_message", "key_words"] {
            assert!(!text.contains(asked[secret].as_str().unwrap()), "{secret}: {text}");
        }
        assert_eq!(sent(world).await["outcome"], "success");
    });
}

#[test]
fn a_mail_server_without_starttls_is_not_even_told_whom_it_is_for() {
    asked(("starttls", None), None, nothing_but("unsupported"));
}

#[test]
fn a_mail_server_that_speaks_before_tls_is_told_nothing() {
    for offers in [None, Some("starttls")] {
        asked(("tls", offers), Some(tls_file(OURS[0])), nothing_but("unreachable"));
    }
}

/// Whoever stands in between has one of these.
#[test]
fn a_mail_server_with_a_strange_certificate_is_told_nothing() {
    for how in ["starttls", "tls"] {
        asked((how, Some(how)), None, nothing_but("untrusted"));
    }
}

fn nothing_but(code: &str) -> impl AsyncFnOnce(&World, &Value, &mut MailServer) {
    async move |world, _, mail| {
        let sent = sent(world).await;
        assert_eq!(
            (&sent["outcome"], &sent["detail"]["error.code"]),
            (&json!("failure"), &json!(code))
        );
        mail.child.kill().await.unwrap();
        assert_eq!(mail.told().await, None);
    }
}
