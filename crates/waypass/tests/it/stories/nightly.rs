//! A nightly build: its platform says what it is, a policy what that may have, and nobody is asked.

use super::telling::Record;
use super::terminal::Terminal;
use super::{Stage, uses};
use crate::approver::Approver;
use crate::flows::workloads::{issuer, token};
use crate::keys::{Key, claims};

const ASK: &str = "--machine --resource https://deploy.example.com --details @docs/stories/asks/nightly.json";
const ENROLL: &str = "waypass enroll --server http://localhost:8628 --client-id nightly --name nightly-8231 \\
    --workload-token-file platform.jwt";
const SUBJECT: &str = "repo:site/app:ref:refs/heads/main";

pub async fn story(stage: &Stage<'_>) {
    let told = &stage.telling;
    let (platform, owner) = (Key::new(), Approver::new("alice"));
    let link = told.world.enrollment_link(&owner.name).await;
    owner.enroll(&told.world.server, &link).await.expect(200);
    let (admin, build) = (Terminal::new(told), Terminal::new(told));
    let ci = issuer(&platform).await;
    told.calls(&ci, "https://ci.example.com");
    let host = stage.serves("https://deploy.example.com").await;
    for line in [
        "waypass client add nightly --data data --kind workload --instance-key --profile nightly \\
    --grant client_credentials --scope deploy --resource https://deploy.example.com \\
    --details-type workload --details-type command",
        "waypass admission add nightly --data data --owner alice --environment ci --lifetime 1h \\
    --issuer https://ci.example.com --subject repo:site/app:ref:refs/heads/main",
    ] {
        admin.types(line).await.expect_code(0);
    }
    told.block("setup");

    // The platform's word for another branch, and for this one.
    let says = |subject: &str| {
        let jwt = token(told.world, &platform, &ci, subject);
        std::fs::write(told.world.server.folder.join("platform.jwt"), jwt).unwrap();
    };
    told.fresh_events().await;
    says("repo:site/app:ref:refs/heads/feature");
    let stranger = Terminal::new(told);
    let what = "the platform's token for another branch";
    told.is_refused(what, (&stranger, ENROLL), "invalid_grant", Record::Nothing)
        .await;
    says(SUBJECT);
    build.types(ENROLL).await.expect_code(0);
    told.block("enrolled");

    // No person anywhere.
    let shown = build.types(&format!("waypass token {ASK} --json > token.json")).await;
    shown.expect_code(0);
    told.block("token");
    let url = format!("{}/run", host.url);
    let act = std::fs::read_to_string(crate::document::folder().join("stories/acts/nightly.json")).unwrap();
    let (ran, [access_token, _]) = uses(&build, ASK, ("POST", &url), &act).await;
    assert_eq!(ran.status, 200, "{ran:?}");
    let claims = claims(&access_token);
    assert!(claims["sub"].as_str().unwrap().starts_with("instance_"), "{claims}");
    assert!(claims["acr"].is_null(), "nobody was asked: {claims}");

    refused(stage, &build, &url, &act).await;
    let id = claims["sub"].as_str().unwrap();
    admin
        .types(&format!("waypass instance suspend {id} --data data"))
        .await
        .expect_code(0);
    told.block("suspended");
    assert!(!told.world.is_active(&access_token.into()).await, "what it has is dead");
    build.ages();
    told.fresh_events().await;
    let token = format!("waypass token {ASK}");
    told.is_refused(
        "a suspended instance",
        (&build, &token),
        "unauthorized_client",
        Record::Nothing,
    )
    .await;
}

/// Another repository at the request, another command at the resource server.
async fn refused(stage: &Stage<'_>, build: &Terminal<'_>, url: &str, act: &str) {
    let told = &stage.telling;
    told.fresh_events().await;
    let other = ASK.replace("nightly.json", "nightly-elsewhere.json");
    let token = format!("waypass token {other}");
    build.types(&token).await.expect_code(5);
    let forbidden = Record::Event("token.refused", "policy_forbids");
    told.is_refused(
        "a request for another repository",
        (build, &token),
        "access_denied",
        forbidden,
    )
    .await;
    told.block("elsewhere");
    for (what, from, to) in [
        ("the token for a changed build script", "278e", "278f"),
        ("the token for another command", "/usr/local/sbin/nightly", "/bin/sh"),
    ] {
        let (answer, _) = uses(build, ASK, ("POST", url), &act.replace(from, to)).await;
        assert_eq!(answer.status, 403, "{answer:?}");
        told.refuses(what, &answer.error(), Record::Elsewhere).await;
    }
}
