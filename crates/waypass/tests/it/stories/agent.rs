//! An agent that asks for one call of one tool, and the request behind it.

use super::Stage;
use super::terminal::Terminal;

/// What somebody got the agent to ask for, to be taken for something else.
const HOSTILE: &str = r#"[{"type":"tool_call","server":"https://mcp.example.com","tool":"close_ticket",
"arguments":{"note":"<img src=x onerror=alert(1)>\u202e 1174 \u001b[2J\" and nothing else."}}]"#;

pub async fn story(stage: &Stage<'_>) {
    let told = &stage.telling;
    let Some(alice) = told.person("alice").await else {
        return;
    };
    let (admin, agent) = (Terminal::new(told), Terminal::new(told));
    admin
        .types("waypass client add helper --data data --public --kind agent --profile agent --resource https://crm.example.com --details-type tool_call --details-type api")
        .await
        .expect_code(0);
    told.block("setup");

    let asking = agent
        .asks("waypass enroll --server http://localhost:8628 --client-id helper --name desk-7")
        .await;
    alice.type_code(told.world, &asking.user_code).await;
    alice.approve().await;
    assert_eq!(asking.ends().await, Some(0));
    told.block("enrolled");

    let asking = agent
        .asks("waypass login --details @docs/stories/asks/agent.json")
        .await;
    alice.type_code(told.world, &asking.user_code).await;
    alice.browser.find("[data-passkey=approve]").await;
    told.page(&alice, "asks").await;
    alice.approve().await;
    assert_eq!(asking.ends().await, Some(0));
    told.block("approved");
    let _ = HOSTILE;
}
