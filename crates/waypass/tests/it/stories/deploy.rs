//! A coding agent that asks to run one deploy command: what its owner approved runs, and what becomes of it afterwards,
//! or is made of it, is refused here, at the endpoint or by the host.

use std::os::unix::fs::PermissionsExt;

use super::Stage;
use super::telling::{Record, Telling};
use super::terminal::Terminal;
use crate::browser::person::Person;
use crate::document;
use crate::resource_server::ResourceServer;
use crate::tools;

const RUN: &str = "waypass run --resource https://deploy.example.com --method POST \\
    --path /deploys/berlin-2 --path /deploys/berlin-3 -- ./deploy.sh --site berlin-2";
/// The SHA-256 of some shell.
const SHELL: &str = "f5adb8bf0100ed0f8c7782ca5f92814e9229525a4b4e0d401cf3bea09ac960a6";

pub async fn story(stage: &Stage<'_>) {
    let told = &stage.telling;
    if tools::program(&["curl"]).is_none() {
        return tools::left_out("curl", "the story of a deployment");
    }
    let Some(alice) = told.person("alice").await else {
        return;
    };
    let (admin, coder) = (Terminal::new(told), Terminal::new(told));
    let host = ResourceServer::at_home(&told.world.server.issuer).await;
    told.calls(&host.url, "https://deploy.example.com");
    set_up(told, &admin, &coder).await;

    // Approved as it was asked for. What becomes of the file in the meantime is of no matter.
    let asking = coder.asks(RUN).await;
    alice.browser.open(&told.world.htu("/inbox")).await;
    alice.browser.wait_for_text(&asking.words).await;
    told.picture(&alice, "inbox").await;
    alice.opens_waiting(told.world, &asking.words).await;
    told.page(&alice, "asks").await;
    alice
        .browser
        .wait_for_text("You have not approved this command for this instance before")
        .await;
    write_program(told, "#!/bin/sh\necho 'everything is gone'\n");
    alice.approve().await;
    assert_eq!(asking.ends().await, Some(0));
    told.block("runs");

    in_its_place(told, &coder, &alice).await;
    told_otherwise(told, &coder, &alice).await;
    another_argument(told, &coder, &alice).await;
}

async fn set_up(told: &Telling<'_>, admin: &Terminal<'_>, coder: &Terminal<'_>) {
    let add = "waypass client add coder --data data --public --kind agent --profile agent \\
    --resource https://deploy.example.com --details-type command --details-type api";
    admin.types(add).await.expect_code(0);
    let key = "waypass instance key --server http://localhost:8628 --client-id coder > coder.jwk";
    coder.types(key).await.expect_code(0);
    let add = "waypass instance add coder --data data --owner alice --name desk-7 --jwk-file coder.jwk --expires 30d";
    admin.types(add).await.expect_code(0);
    coder.runs("waypass enroll --name desk-7").await.expect_code(0);
    told.block("setup");
    write_program(told, &program());
    in_words_of_any_machine(told, coder).await;
}

/// What this machine says of itself, as docs/stories.md has it.
async fn in_words_of_any_machine(told: &Telling<'_>, coder: &Terminal<'_>) {
    let dry_run = RUN.replace("waypass run", "waypass run --dry-run --json");
    let asked = coder.runs(&dry_run).await.expect_code(0).json();
    let details = asked["authorization_details"].as_array().unwrap();
    let command = details.iter().find(|detail| detail["type"] == "command").unwrap();
    for (member, in_words) in [
        ("host", "desk-7"),
        ("user", "coder"),
        ("working_directory", "/srv/site"),
    ] {
        told.calls(&command[member].to_string(), &format!("{in_words:?}"));
    }
    let shell = command["inputs"]["/bin/sh"].as_str().unwrap();
    told.calls(shell, SHELL);
}

fn program() -> String {
    std::fs::read_to_string(document::folder().join("stories/deploy.sh")).unwrap()
}

fn write_program(told: &Telling<'_>, text: &str) {
    let file = told.world.server.folder.join("deploy.sh");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Asked by `line`, shown with these words, approved, and run to its end: the exit code, and what was printed.
async fn approved(
    coder: &Terminal<'_>,
    alice: &Person,
    (line, shown): (&str, &str),
    meanwhile: impl FnOnce(),
) -> (Option<i32>, String) {
    let asking = coder.asks(line).await;
    alice.opens_waiting(coder.telling.world, &asking.words).await;
    alice.browser.wait_for_text(shown).await;
    meanwhile();
    alice.approve().await;
    asking.ends_saying().await
}

async fn in_its_place(told: &Telling<'_>, coder: &Terminal<'_>, alice: &Person) {
    write_program(told, &program());
    let line = RUN.replace("waypass run", "waypass run --in-place");
    let (code, printed) = approved(coder, alice, (&line, "the other files of"), || {
        write_program(told, "#!/bin/sh\necho gone\n");
    })
    .await;
    assert_eq!(code, Some(5));
    assert!(printed.contains("has changed since it was hashed"), "{printed}");
    told.block("in place");
    let (what, ended) = (
        "a program that changes in its place after the approval",
        Record::Act("grant.ended"),
    );
    told.refuses(what, "changed", ended).await;
    write_program(told, &program());
}

/// Two paths were approved, and one command.
async fn told_otherwise(told: &Telling<'_>, coder: &Terminal<'_>, alice: &Person) {
    for (what, line, error, record) in [
        (
            "the approved command, which has something else deployed",
            format!("SITE=berlin-3 {RUN}"),
            "insufficient_authorization_details",
            Record::Elsewhere,
        ),
        (
            "the approved command, at a path that was not approved",
            format!("SITE=paris-1 {RUN}"),
            "not_approved",
            Record::Nothing,
        ),
    ] {
        let (code, printed) = approved(coder, alice, (&line, "Since the last time"), || ()).await;
        assert_eq!(code, Some(22), "as curl has it: {printed}");
        assert!(printed.contains(error), "{printed}");
        told.block(error);
        told.refuses(what, error, record).await;
    }
}

async fn another_argument(told: &Telling<'_>, coder: &Terminal<'_>, alice: &Person) {
    let asking = coder.asks(&RUN.replace("--site berlin-2", "--site berlin-3")).await;
    alice.opens_waiting(told.world, &asking.words).await;
    alice
        .browser
        .wait_for_text(r#"The arguments: before "./deploy.sh" "--site" "berlin-2""#)
        .await;
    told.page(alice, "changed").await;
    told.fresh_events().await;
    alice.decline().await;
    assert_eq!(asking.ends().await, Some(5));
    told.block("declined");
    let (what, declined) = (
        "another argument: a request of its own, which the owner declines",
        Record::Act("device.denied"),
    );
    told.refuses(what, "access_denied", declined).await;
}
