//! Notices by e-mail, to an SMTP server of our own that keeps what it gets.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use http::StatusCode;
use serde_json::json;

use super::super::backchannel::asked;
use super::super::world::{World, directory, on_both, with_settings};
use super::profiles::profile;
use super::told;

/// A conversation each, as the client spoke it.
pub type Mails = Arc<Mutex<Vec<String>>>;

/// RFC 5321, as far as one mail needs it.
fn serve(listener: TcpListener) -> Mails {
    let mails = Mails::default();
    let kept = Arc::clone(&mails);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if let Ok(said) = converse(&stream.unwrap()) {
                kept.lock().unwrap().push(said);
            }
        }
    });
    mails
}

fn converse(mut stream: &TcpStream) -> std::io::Result<String> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut said = String::new();
    let mut is_text = false;
    stream.write_all(b"220 mail.test\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        said.push_str(&line);
        said.push('\n');
        let answer: &[u8] = match line.split(' ').next().unwrap() {
            "." => {
                is_text = false;
                b"250 kept\r\n"
            }
            _ if is_text => continue,
            "EHLO" => b"250-mail.test\r\n250 8BITMIME\r\n",
            "RCPT" if line.contains("nobody@") => b"550 there is nobody of that name\r\n",
            "DATA" => {
                is_text = true;
                b"354 go on\r\n"
            }
            // The client waits for the end of the connection, which comes when the mail is kept.
            "QUIT" => break,
            _ => b"250 fine\r\n",
        };
        stream.write_all(answer)?;
    }
    Ok(said)
}

/// As [`told`], with a profile `hooked` that has webhooks only; the connection is spoken on a thread of its own.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
pub fn with_mail(name: &str, test: impl AsyncFn(&World, &Mails)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails = serve(listener);
    let folder = directory(&format!("mail-{name}"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("hooked.toml"), profile("hooked", r#"["webhook"]"#)).unwrap();
    let settings = format!(
        "profiles = {folder:?}\n[mail]\nserver = \"127.0.0.1\"\nport = {port}\nencryption = \"none\"\nfrom = \"Waypass <waypass@example.com>\"\n"
    );
    with_settings(&format!("mail-{name}"), &settings, async |world| {
        test(world, &mails).await;
    });
    std::fs::remove_dir_all(&folder).unwrap();
}

pub async fn set(world: &World, name: &str, address: Option<&str>) -> StatusCode {
    let path = format!("/local/approvers/{name}/mail");
    world
        .administer("POST", &path, &json!({ "address": address }))
        .await
        .status
}

#[test]
fn an_approver_with_an_address_gets_a_mail_with_no_code_and_no_link_but_the_inbox() {
    with_mail("sent", async |world, mails| {
        world
            .client(
                "cli",
                json!({ "profile": "standard", "name": "Büro\r\nBcc: eve@example.com" }),
            )
            .await;
        world.approver("alice").await;
        let key = world.enrolled("cli", "alice").await;
        assert_eq!(
            set(world, "alice", Some("alice@example.com")).await,
            StatusCode::NO_CONTENT
        );
        let asked = asked(world, &key, &[("binding_message", "bright harbour")]).await;
        told(world).await;
        let mail = mails.lock().unwrap().pop().expect("a mail");
        for part in [
            "MAIL FROM:<waypass@example.com>",
            "RCPT TO:<alice@example.com>",
            "From: Waypass <waypass@example.com>",
            "EHLO localhost",
            "Subject: 1 request waits for alice",
            "Auto-Submitted: auto-generated",
            "Fri, 15 Jan 2027 08:00:00 +0000",
        ] {
            assert!(mail.contains(part), "{part}: {mail}");
        }
        let (head, _) = mail.split_once("\n\n").unwrap();
        assert!(!head.contains("eve@"), "{head}");
        assert!(!mail.contains(&asked.text("auth_req_id")) && !mail.contains("bright harbour"));
        let sent = &world.events("notice.sent").await[0];
        assert_eq!(sent["detail"]["notice.channel"], "mail");
        assert!(!sent.to_string().contains("@example.com"));

        // Taken away, and there is nothing more.
        assert_eq!(set(world, "alice", None).await, StatusCode::NO_CONTENT);
        world.advance(31);
        super::super::backchannel::asked(world, &key, &[]).await;
        told(world).await;
        assert!(mails.lock().unwrap().is_empty());
    });
}

#[test]
fn an_address_that_the_server_does_not_take_is_a_failure_on_the_record() {
    with_mail("refused", async |world, mails| {
        world.standard_client("cli").await;
        world.approver("alice").await;
        let key = world.enrolled("cli", "alice").await;
        set(world, "alice", Some("nobody@example.com")).await;
        asked(world, &key, &[]).await;
        told(world).await;
        mails.lock().unwrap().clear();
        let sent = &world.events("notice.sent").await[0];
        assert_eq!(
            (&sent["outcome"], &sent["detail"]["error.code"]),
            (&json!("failure"), &json!("refused"))
        );
        for wrong in [
            "alice",
            "alice@example.com\r\nRCPT TO:<eve@example.com>",
            "a@b, c@d",
            "",
        ] {
            assert_eq!(
                set(world, "alice", Some(wrong)).await,
                StatusCode::BAD_REQUEST,
                "{wrong}"
            );
        }
    });
}

#[test]
fn without_a_mail_server_there_are_no_addresses() {
    on_both(async |world| {
        world.approver("alice").await;
        assert_eq!(
            set(world, "alice", Some("alice@example.com")).await,
            StatusCode::BAD_REQUEST
        );
        assert_eq!(set(world, "alice", None).await, StatusCode::NO_CONTENT);
    });
}
