//! An agent that asks for one call of one tool, and for the request that this tool will make.

use super::Stage;
use super::telling::Record;
use super::terminal::Terminal;
use crate::browser::person::Person;
use crate::keys::claims;

const CALL: &str = r#"waypass call -X PATCH https://crm.example.com/v2/tickets/4711 \
    --data "$(cat docs/stories/acts/agent.json)""#;

pub async fn story(stage: &Stage<'_>) {
    let told = &stage.telling;
    let Some(alice) = told.person("alice").await else {
        return;
    };
    let (admin, agent) = (Terminal::new(told), Terminal::new(told));
    let _crm = stage.serves("https://crm.example.com").await;

    let add = "waypass client add helper --data data --public --kind agent --profile agent \\
    --resource https://crm.example.com --details-type tool_call --details-type api";
    admin.types(add).await.expect_code(0);
    let asking = agent
        .asks("waypass enroll --server http://localhost:8628 --client-id helper --name desk-7")
        .await;
    alice.type_code(told.world, &asking.user_code).await;
    alice.approve().await;
    assert_eq!(asking.ends().await, Some(0));
    told.block("setup");

    // One call, in plain words.
    let asking = agent
        .asks("waypass login --details @docs/stories/asks/agent.json")
        .await;
    alice.opens_waiting(told.world, &asking.words).await;
    told.page(&alice, "asks").await;
    alice.approve().await;
    assert_eq!(asking.ends().await, Some(0));
    let granted = claims(&agent.token("").await)["authorization_details"].clone();
    assert_eq!(granted.as_array().unwrap().len(), 2, "{granted}");
    told.block("approved");

    // It is good for that call, and for no other.
    agent.types(CALL).await.expect_code(0);
    told.block("call");
    told.fresh_events().await;
    for (what, call) in [
        ("the token at another path", CALL.replace("4711", "4712")),
        ("the token with another method", CALL.replace("PATCH", "DELETE")),
        (
            "the token with another body",
            CALL.replace("$(cat docs/stories/acts/agent.json)", "{}"),
        ),
    ] {
        let error = "insufficient_authorization_details";
        told.is_refused(what, (&agent, &call), error, Record::Elsewhere).await;
    }

    deceived(stage, &agent, &alice).await;

    // Whatever its owner would say: that server is not on the list.
    let elsewhere = "waypass login --details @docs/stories/asks/agent-elsewhere.json";
    agent.types(elsewhere).await.expect_code(5);
    let (what, record) = (
        "a request for a tool of another server",
        Record::Event("device.refused", "policy_forbids"),
    );
    told.is_refused(what, (&agent, elsewhere), "access_denied", record)
        .await;
    told.block("elsewhere");
}

/// What somebody got the agent to ask for, to be taken for something else: shown as what it is.
async fn deceived(stage: &Stage<'_>, agent: &Terminal<'_>, alice: &Person) {
    let told = &stage.telling;
    let asking = agent
        .asks("waypass login --details @docs/stories/asks/agent-deceived.json")
        .await;
    alice.opens_waiting(told.world, &asking.words).await;
    told.page(alice, "deceived").await;
    let images = alice.browser.script("return document.images.length", &[]).await;
    assert_eq!(images, 1, "only our own mark");
    let page = alice.browser.text().await;
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'), "{page}");
    alice.browser.click("button.report").await;
    alice.browser.wait_for_text("Declined and reported").await;
    assert_eq!(asking.ends().await, Some(5));
    told.block("deceived, printed");
    let (what, record) = ("what the owner declines and reports", Record::Act("device.reported"));
    told.refuses(what, "access_denied", record).await;
}
