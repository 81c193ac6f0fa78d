//! `waypass demo`, as a stranger runs it: to its end, declined, and broken off. Nothing may be left.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout};

use crate::browser::driver::Browser;
use crate::browser::person::Person;
use crate::chance::until;
use crate::process::{Ran, run, signal, waypass};
use crate::server::Folder;
use crate::world::RUNTIME;

const DEADLINE: Duration = Duration::from_mins(1);

fn is_empty(folder: &Folder) -> bool {
    std::fs::read_dir(folder.path()).unwrap().next().is_none()
}

/// A demo that waits for a browser: no terminal and no `--auto`.
struct Waiting {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    enrollment_link: String,
    server: String,
    user_code: String,
}

impl Waiting {
    async fn start(folder: &Folder) -> Self {
        let mut command = waypass();
        command.arg("demo").env("TMPDIR", folder.path()).kill_on_drop(true);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let shown = told(&mut lines).await;
        let page = shown.iter().position(|line| line.ends_with("/device")).unwrap();
        let link = shown.iter().find(|line| line.contains("/enroll#")).unwrap();
        Self {
            enrollment_link: link.clone(),
            child,
            lines,
            server: shown[page].strip_suffix("/device").unwrap().to_owned(),
            user_code: shown[page + 1].clone(),
        }
    }

    /// Enrolled: the code of what is asked then.
    async fn goes_on(&mut self) {
        let shown = told(&mut self.lines).await;
        let page = shown.iter().position(|line| line.ends_with("/device")).unwrap();
        self.user_code = shown[page + 1].clone();
    }

    /// Decides with the software key that the demo would use for `t`.
    async fn decide(&self, verb: &str, folder: &Folder) -> Ran {
        let data = std::fs::read_dir(folder.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let mut command = waypass();
        command.args([verb, &self.user_code, "--server", &self.server, "--key-file"]);
        run(command.arg(data.join("approver.key"))).await
    }

    async fn signal(&self, name: &str) {
        signal(name, self.child.id().unwrap()).await;
    }

    /// The rest of what it says, and its exit code.
    async fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        let reading = self.lines.get_mut().read_to_string(&mut rest);
        tokio::time::timeout(DEADLINE, reading).await.unwrap().unwrap();
        (rest, self.child.wait().await.unwrap().code())
    }
}

/// Up to where it waits for somebody.
async fn told(lines: &mut Lines<BufReader<ChildStdout>>) -> Vec<String> {
    let mut shown = Vec::new();
    while !shown.iter().any(|line: &String| line.contains("No terminal")) {
        shown.push(lines.next_line().await.unwrap().unwrap().trim().to_owned());
    }
    shown
}

async fn nothing_is_left(folder: &Folder, server: &str) {
    until("the data is removed", DEADLINE, async || is_empty(folder).then_some(())).await;
    let address = server.strip_prefix("http://").unwrap();
    let is_gone = async || TcpStream::connect(address).await.is_err().then_some(());
    until("the server has ended", DEADLINE, is_gone).await;
}

#[test]
fn the_demo_by_itself_goes_from_asking_to_taking_back() {
    let folder = Folder::new();
    RUNTIME.block_on(async {
        let ran = run(waypass().args(["demo", "--auto"]).env("TMPDIR", folder.path()))
            .await
            .expect_code(0);
        for shown in [
            "1  Start",
            "2  Enroll",
            "belongs to terminal now",
            "3  Ask",
            "4  Use",
            "5  Record",
            "6  Take back",
            "\"jkt\": \"",
            "200  {\"deployed\":\"staging\",\"by\":\"demo\"}",
            "401  a token without proof is not enough",
            "401  the proof is by another key",
            "401  the proof was used before",
            "device.requested",
            "device.viewed",
            "device.approved",
            "instance.enrolled",
            "device.redeemed",
            "{\"active\":false}",
            "401  the token is not active",
        ] {
            assert!(ran.stdout.contains(shown), "{shown} in {}", ran.stdout);
        }
        assert_eq!(ran.stderr, "");
        // A JWT begins so, a refresh token so: neither is shown, and nothing commands a terminal.
        for hidden in ["eyJ", "wpr_", "\u{1b}"] {
            assert!(!ran.stdout.contains(hidden), "{hidden:?} in {}", ran.stdout);
        }
        assert!(
            ran.stdout.lines().all(|line| line.chars().count() <= 100),
            "{}",
            ran.stdout
        );
    });
    assert!(is_empty(&folder));
}

#[test]
fn a_demo_without_a_terminal_waits_for_whoever_decides() {
    let folder = Folder::new();
    RUNTIME.block_on(async {
        for (verb, code, said) in [
            ("approve", 0, "That was all of it."),
            ("deny", 5, "Declined: the program"),
        ] {
            let mut demo = Waiting::start(&folder).await;
            let server = demo.server.clone();
            demo.decide("approve", &folder).await.expect_code(0);
            demo.goes_on().await;
            demo.decide(verb, &folder).await.expect_code(0);
            let (rest, ended) = demo.end().await;
            assert!(ended == Some(code) && rest.contains(said), "{verb}: {ended:?} {rest}");
            nothing_is_left(&folder, &server).await;
        }
    });
}

#[test]
fn a_demo_that_is_broken_off_leaves_nothing() {
    let folder = Folder::new();
    RUNTIME.block_on(async {
        for (name, code) in [("INT", Some(1)), ("TERM", Some(1)), ("HUP", Some(1)), ("KILL", None)] {
            let demo = Waiting::start(&folder).await;
            let server = demo.server.clone();
            demo.signal(name).await;
            let (_, ended) = demo.end().await;
            assert_eq!(ended, code, "SIG{name}");
            nothing_is_left(&folder, &server).await;
        }
    });
}

#[test]
fn a_demo_goes_on_when_its_approver_has_decided_in_a_browser() {
    let folder = Folder::new();
    RUNTIME.block_on(async {
        for (approves, code, said) in [(true, 0, "Approved by you."), (false, 5, "Declined: the program")] {
            let Some(browser) = Browser::start().await else {
                return;
            };
            let person = Person {
                name: "you".to_owned(),
                browser,
            };
            let mut demo = Waiting::start(&folder).await;
            person.enroll(&demo.enrollment_link).await;
            opens(&person, &demo).await;
            person.approve().await;
            demo.goes_on().await;
            opens(&person, &demo).await;
            if approves {
                person.approve().await;
            } else {
                person.decline().await;
            }
            let (rest, ended) = demo.end().await;
            assert!(ended == Some(code) && rest.contains(said), "{ended:?} {rest}");
        }
    });
    assert!(is_empty(&folder));
}

/// Types the code that the demo shows.
async fn opens(person: &Person, demo: &Waiting) {
    person.browser.open(&format!("{}/device", demo.server)).await;
    person.browser.type_into("#user-code", &demo.user_code).await;
    person.browser.click("main form button[type=submit]").await;
    person.browser.find("[data-passkey=approve]").await;
}
